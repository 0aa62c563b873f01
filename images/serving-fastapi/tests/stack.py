"""Processes of the end-to-end test: an MLflow server, the pipeline's steps, the model server."""

import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from mlops_pipelines import cli

# A client for each request would read the machine's certificates each time: 40 ms of a core.
HTTP = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
PASSED = ("PATH", "HOME", "LANG", "PYTHONPATH")

# Programs are forked from a process that has imported their libraries once: that takes longer
# than most of what they do.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["mlflow.db.commands", *(f"mlops_pipelines.{it}" for it in cli.STEPS)])


def fork(
    program: Callable[[], int], env: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run a program in a process and an environment of its own; return what it wrote."""
    files = folder / "stdout", folder / "stderr"
    child = FORKS.Process(target=_become, args=(program, dict(env), files))
    child.start()
    child.join()
    code = child.exitcode
    assert code is not None
    return subprocess.CompletedProcess([], code, files[0].read_text(), files[1].read_text())


def _become(program: Callable[[], int], env: dict[str, str], files: tuple[Path, Path]) -> None:
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(env)
    sys.exit(program())


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(url: str, status: int = 200, seconds: float = 120.0) -> httpx.Response:
    """Return the first answer of ``url`` with ``status``."""
    until = time.monotonic() + seconds
    last: object = "no answer"
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            response = HTTP.get(url, timeout=5.0)
            if response.status_code == status:
                return response
            last = response.text
        time.sleep(0.1)
    raise AssertionError(f"{url} never said {status}: {last}")


@contextlib.contextmanager
def process(name: str, command: list[str], env: Mapping[str, str], log: Path) -> Iterator[Any]:
    """Run a server for as long as the block lasts; its output goes to ``log``."""
    with log.open("ab") as output:
        child = subprocess.Popen(command, env=dict(env), stdout=output, stderr=output)
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                raise AssertionError(f"{name} did not end, see {log}") from None


class Stack:
    """An MLflow server with its store, and the environment that clients of it need."""

    def __init__(self, folder: Path, backend: str, artifacts: str, env: Mapping[str, str]) -> None:
        """Keep a database URI, a folder or ``s3://`` URI, and what clients need beside."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.mlflow_log = folder / "mlflow.log"
        self.env = {
            **{name: os.environ[name] for name in PASSED if name in os.environ},
            "MLFLOW_TRACKING_URI": self.url,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
            "TMPDIR": str(folder),
            **env,
        }
        self._server = [
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", "1"),
            *("--backend-store-uri", backend, "--artifacts-destination", artifacts),
        ]

    @contextlib.contextmanager
    def mlflow(self) -> Iterator[None]:
        """Run the MLflow server."""
        env = {**self.env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with process("mlflow", self._server, env, self.mlflow_log):
            wait_for(f"{self.url}/health")
            yield

    def step(self, *arguments: object, code: int = 0) -> str:
        """Run a step of the pipeline in a process of its own; return what it said."""
        done = fork(partial(cli.main, [*map(str, arguments)]), self.env, self.folder)
        assert done.returncode == code, done.stderr
        return done.stderr

    def train(
        self, name: str, *options: object, rows: int = 400, model: str = "demo-model"
    ) -> Path:
        """Run the steps from data to register --promote; return their folder."""
        out = self.folder / name
        test = ("--test", out / "test.parquet")
        run = ("--run-id-file", out / "run-id")
        self.step("data", "--rows", rows, "--train", out / "train.parquet", *test)
        self.step("train", "--train", out / "train.parquet", *run, *options)
        self.step("evaluate", *run, *test, "--metrics-file", out / "metrics.json")
        decision = ("--decision-file", out / "decision.json")
        named = ("--name", model)
        self.step("gate", *named, "--metrics-file", out / "metrics.json", *test, *decision)
        version = ("--version-file", out / "version")
        self.step("register", *named, *run, "--promote", *decision, *version)
        return out

    @contextlib.contextmanager
    def serving(self, **env: str) -> Iterator[tuple[str, Any, Path]]:
        """Run the model server; give its address, process and log."""
        port = free_port()
        log = self.folder / f"serving-{port}.log"
        settings = {
            "MODEL_URI": "models:/demo-model@champion",
            "MODEL_POLL_SECONDS": "0.2",
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
        command = [sys.executable, "-m", "mlops_serving"]
        with process("serving", command, {**self.env, **settings, **env}, log) as child:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/healthz")
            yield url, child, log
