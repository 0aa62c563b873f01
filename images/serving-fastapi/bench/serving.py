"""Speed, start and memory of this server and of ``mlflow models serve``, with the same model.

``python bench/serving.py OUTPUT`` writes the figures as JSON and a table to stderr. Both servers
run side by side, each with one worker on the first core, and take turns under load from the
second: what else the machine does hits both. The load generator is vegeta, in $BENCH_VEGETA.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.stack import Stack, free_port, process, wait_for

ROUNDS = 5
ROUND_SECONDS = 5
WORKERS = 16
"""Callers that each wait for an answer before they ask again."""
ROWS = (1, 100)
"""Rows of a request."""
SERVER_CORE, LOAD_CORE = (sorted(os.sched_getaffinity(0)) * 2)[:2]


@dataclass
class Figures:
    """What was measured of one server; rates and times are medians of the rounds."""

    start_seconds: float
    memory_mib: float = 0.0
    """Proportional set size of all its processes, after the load."""
    load: dict[str, dict[str, float]] = field(default_factory=dict)
    """Rows of a request to ``rate`` (answers per second), ``p50_ms``, ``p99_ms``."""


@dataclass
class Server:
    """A server that runs."""

    name: str
    url: str
    pid: int
    figures: Figures


@contextlib.contextmanager
def running(name: str, stack: Stack, command: list[str], ready: str, path: str) -> Iterator[Server]:
    """Start a server on the first core; measure the time until ``ready`` says 200."""
    port = free_port()
    env = {
        **stack.env,
        # mlflow finds uvicorn there.
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "MODEL_URI": "models:/demo-model@champion",
        "LOG_REQUESTS": "false",
    }
    pinned = ["taskset", "--cpu-list", str(SERVER_CORE), *command]
    pinned = [part.replace("{port}", str(port)) for part in pinned]
    base = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    with process(name, pinned, env, stack.folder / f"{name}.log") as child:
        wait_for(f"{base}{ready}")
        figures = Figures(round(time.monotonic() - began, 2))
        yield Server(name, f"{base}{path}", child.pid, figures)


def attack(server: Server, body: Path, seconds: int) -> dict[str, Any]:
    """Ask without a pause from all workers; return vegeta's report."""
    target = f"POST {server.url}\nContent-Type: application/json\n@{body}\n"
    vegeta = ["taskset", "--cpu-list", str(LOAD_CORE), os.environ["BENCH_VEGETA"]]
    rate = ("-rate=0", f"-max-workers={WORKERS}", f"-workers={WORKERS}")
    attack = [*vegeta, "attack", *rate, f"-duration={seconds}s"]
    results = subprocess.run(attack, input=target.encode(), stdout=subprocess.PIPE, check=True)
    report = [*vegeta, "report", "-type=json"]
    answer = subprocess.run(report, input=results.stdout, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(answer.stdout)
    if found["success"] != 1.0:
        sys.exit(f"error: {server.name} answered {found['status_codes']} {found['errors']}")
    return found


def measure(servers: list[Server], body: Path, rows: int) -> None:
    """Put the servers under load in turns and keep the medians."""
    rounds: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
    for server in servers:
        attack(server, body, 2)
    for _ in range(ROUNDS):
        for server in servers:
            found = attack(server, body, ROUND_SECONDS)
            times = found["latencies"]
            rounds[server.name].append(
                {
                    "rate": found["throughput"],
                    "p50_ms": times["50th"] / 1e6,
                    "p99_ms": times["99th"] / 1e6,
                }
            )
    for server in servers:
        taken = rounds[server.name]
        server.figures.load[str(rows)] = {
            name: round(statistics.median(entry[name] for entry in taken), 2) for name in taken[0]
        }


def memory_mib(pid: int) -> float:
    """Return the proportional set size of a process and all below it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    kib, todo = 0, [pid]
    while todo:
        one = todo.pop()
        todo += parents.get(one, [])
        with contextlib.suppress(OSError):
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            kib += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return round(kib / 1024, 1)


def bodies(stack: Stack, trained: Path) -> dict[int, Path]:
    """Write a request of each size."""
    import pandas as pd

    table = pd.read_parquet(trained / "test.parquet").drop(columns="churned").astype("float64")
    found = {}
    for rows in ROWS:
        found[rows] = stack.folder / f"body-{rows}.json"
        split = table.head(rows).to_dict("split")
        found[rows].write_text(json.dumps({"dataframe_split": split}))
    return found


def table(servers: list[Server]) -> str:
    """Return the figures for people."""
    lines = [
        f"{'':22}{'start s':>9}{'MiB':>8}{'rows':>6}{'answers/s':>11}{'p50 ms':>9}{'p99 ms':>9}"
    ]
    for server in servers:
        for size, load in server.figures.load.items():
            start = f"{server.figures.start_seconds:>9}{server.figures.memory_mib:>8}"
            speed = f"{load['rate']:>11}{load['p50_ms']:>9}{load['p99_ms']:>9}"
            lines.append(f"{server.name:22}{start}{size:>6}{speed}")
    return "\n".join(lines)


def main() -> None:
    """Train a model, serve it twice, compare."""
    output = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as open_:
        folder = Path(name)
        database = f"sqlite:///{folder / 'mlflow.db'}"
        stack = Stack(folder, database, str(folder / "artifacts"), {})
        stack.env.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        open_.enter_context(stack.mlflow())
        requests = bodies(stack, stack.train("model", rows=2000))
        ours = [sys.executable, "-m", "mlops_serving"]
        theirs = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
        theirs += ["--model-uri", "models:/demo-model@champion", "--workers", "1"]
        theirs += ["--host", "127.0.0.1", "--port", "{port}"]
        servers = [
            open_.enter_context(running("mlops-serving", stack, ours, "/readyz", "/predict")),
            open_.enter_context(
                running("mlflow models serve", stack, theirs, "/ping", "/invocations")
            ),
        ]
        for rows, body in requests.items():
            measure(servers, body, rows)
        for server in servers:
            server.figures.memory_mib = memory_mib(server.pid)
    one, other = (server.figures.load for server in servers)
    ratios = {
        rows: {
            "rate": round(one[rows]["rate"] / other[rows]["rate"], 2),
            "p99": round(one[rows]["p99_ms"] / other[rows]["p99_ms"], 3),
        }
        for rows in one
    }
    print(table(servers), file=sys.stderr)
    for size, ratio in ratios.items():
        print(f"{size} rows: {ratio['rate']} times the rate, p99 {ratio['p99']}", file=sys.stderr)
    output.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "workers": WORKERS,
        "rounds": ROUNDS,
        "round_seconds": ROUND_SECONDS,
        "servers": {server.name: asdict(server.figures) for server in servers},
        "ratios": ratios,
    }
    output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
