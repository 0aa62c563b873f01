"""The whole way with real processes: train, promote, serve, move the alias, drift."""

import json
import signal
import threading
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from mlflow import MlflowClient

from .stack import HTTP, Stack, wait_for
from .stores import Inputs

TARGET = "churned"


def features(path: Path) -> pd.DataFrame:
    """The feature columns of a split."""
    return pd.read_parquet(path).drop(columns=TARGET).astype("float64")


def split_form(table: pd.DataFrame) -> dict[str, Any]:
    """A request's body."""
    return {"dataframe_split": table.to_dict("split")}


class Load:
    """Sends requests one after the other from another thread and keeps what came back."""

    # Without it the load would take the processor from all that it is to run beside.
    PAUSE = 0.02

    def __init__(self, url: str, body: dict[str, Any]) -> None:
        self.failures: list[str] = []
        self.versions: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(url, body))

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self, url: str, body: dict[str, Any]) -> None:
        with httpx.Client(timeout=30.0) as client:
            while not self._ended.wait(self.PAUSE):
                try:
                    response = client.post(f"{url}/predict", json=body)
                    response.raise_for_status()
                    self.versions.append(response.json()["model"]["version"])
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))

    def wait_for(self, version: str) -> None:
        """Wait until an answer comes from ``version``."""
        until = time.monotonic() + 60.0
        while self.versions[-1:] != [version]:
            assert time.monotonic() < until, self.failures or self.versions[-1:]
            time.sleep(0.05)


def test_from_data_to_drift(stack: Stack, inputs: Inputs) -> None:
    with stack.serving(**inputs.env) as (url, child, log):
        waiting = wait_for(f"{url}/readyz", 503).json()
        assert waiting["ready"] is False
        until = time.monotonic() + 30.0
        while waiting["problem"]["kind"] != "registry" and time.monotonic() < until:
            time.sleep(0.2)
            waiting = wait_for(f"{url}/readyz", 503).json()
        assert waiting["problem"]["kind"] == "registry"
        assert b"model_not_loaded" in log.read_bytes()
        with stack.mlflow():
            first = stack.train("first")
            assert (first / "version").read_text() == "1"
            said = stack.mlflow_log.read_text()
            assert '/MLmodel HTTP/1.1" 200' in said
            assert '" 500' not in said, "a client asks again for 30 s"
            wait_for(f"{url}/readyz")

            test = features(first / "test.parquet")
            answer = HTTP.post(f"{url}/predict", json=split_form(test)).json()
            assert answer["predictions"] == direct(stack, "1", test)
            records = HTTP.post(
                f"{url}/predict", json={"dataframe_records": test.to_dict("records")}
            )
            assert records.json()["predictions"] == answer["predictions"]
            assert '"path":"array"' in log.read_text()

            with Load(url, split_form(test.head(3))) as load:
                second = stack.train("second", "--c", "0.5", rows=401)
                promote(stack, "2")
                load.wait_for("2")
                promote(stack, "1")
                load.wait_for("1")
            assert load.failures == []
            assert [version for version, _ in groupby(load.versions)] == ["1", "2", "1"]
            assert HTTP.post(f"{url}/predict", json=split_form(test)).json()[
                "predictions"
            ] == direct(stack, "1", test)
            assert (second / "version").read_text() == "2"

            corrupt_next_version(stack)
            until = time.monotonic() + 60.0
            while "problem" not in HTTP.get(f"{url}/readyz").json():
                assert time.monotonic() < until
                time.sleep(0.05)
            broken = HTTP.get(f"{url}/readyz")
            assert broken.status_code == 200
            assert broken.json()["problem"]["kind"] in {"artifact", "download"}
            assert broken.json()["model"]["version"] == "1"
            promote(stack, "1")

            check_known_answers(stack, first, url)
            time.sleep(1.0)
            check_drift(stack, url, inputs)

        time.sleep(1.0)
        ready = HTTP.get(f"{url}/readyz")
        assert ready.status_code == 200, "stays ready while the registry is away"
        assert HTTP.post(f"{url}/predict", json=split_form(test)).status_code == 200
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) in {0, -signal.SIGTERM}
        assert '"event":"ended"' in log.read_text()


def direct(stack: Stack, version: str, table: pd.DataFrame) -> list[Any]:
    """Predict in this process, by scikit-learn alone."""
    import mlflow

    mlflow.set_tracking_uri(stack.url)
    model = mlflow.sklearn.load_model(f"models:/demo-model/{version}")
    return list(model.predict(table).tolist())


def promote(stack: Stack, version: str, model: str = "demo-model") -> None:
    """Move the alias by hand, as a roll-back does."""
    MlflowClient(stack.url).set_registered_model_alias(model, "champion", version)


def corrupt_next_version(stack: Stack, model: str = "demo-model") -> None:
    """Register a version whose model file is no model and make it the champion."""
    import mlflow

    mlflow.set_tracking_uri(stack.url)
    client = MlflowClient(stack.url)
    folder = stack.folder / f"corrupt-{model}"
    good = mlflow.artifacts.download_artifacts(
        artifact_uri=f"models:/{model}/1", dst_path=str(folder)
    )
    (Path(good) / "model.skops").write_bytes(b"not a model")
    mlflow.set_experiment("demo")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(good, "broken")
    source = f"{run.info.artifact_uri}/broken"
    version = client.create_model_version(model, source, run.info.run_id)
    promote(stack, str(version.version), model)


def check_known_answers(stack: Stack, trained: Path, url: str) -> None:
    """Compare what the server says with what the model said when it was trained."""
    import mlflow

    mlflow.set_tracking_uri(stack.url)
    uri = f"runs:/{(trained / 'run-id').read_text()}/verification.json"
    known = json.loads(Path(mlflow.artifacts.download_artifacts(uri)).read_text())
    answer = HTTP.post(f"{url}/predict", json=known["inputs"])
    assert answer.json()["predictions"] == known["predictions"]
    assert len(set(known["predictions"])) == 2


def check_drift(stack: Stack, url: str, inputs: Inputs) -> None:
    """Send unshifted rows, then shifted ones, and read what the drift step says."""
    for name, shift, status, code in [("same", 0.0, "no drift", 0), ("moved", 1.5, "drift", 3)]:
        inputs.clear()
        out = stack.folder / name
        rows = ("--rows", 600, "--seed", 11, "--shift", shift)
        stack.step("data", *rows, "--train", out / "a.parquet", "--test", out / "b.parquet")
        sent = features(out / "a.parquet")
        assert HTTP.post(f"{url}/predict", json=split_form(sent)).status_code == 200
        inputs.wait()
        files = ("--summary-file", out / "s.json", "--metrics-file", out / "m.prom")
        report = ("--html-file", out / "r.html", "--exit-code")
        stack.step("drift", "--predictions", inputs.predictions, *files, *report, code=code)
        summary = json.loads((out / "s.json").read_text())
        assert (summary["status"], summary["rows"], summary["version"]) == (status, len(sent), "1")
        assert (out / "r.html").stat().st_size > 1000


@pytest.mark.parametrize(
    ("uri", "message"),
    [("models:/demo-model/Production", "models:/demo-model@champion"), ("", "is none of")],
)
def test_bad_settings_end_at_once_with_the_reason(stack: Stack, uri: str, message: str) -> None:
    import subprocess
    import sys

    env = {**stack.env, "MODEL_URI": uri}
    command = [sys.executable, "-m", "mlops_serving"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    entry = json.loads(done.stdout)
    assert entry["event"] == "bad_settings"
    assert message in entry["message"]
