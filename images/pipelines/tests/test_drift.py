"""The drift step on a folder, on a stubbed bucket and towards a Pushgateway."""

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pandas as pd
import pytest
from botocore.stub import Stubber

from mlops_pipelines.data import TARGET, make
from mlops_pipelines.errors import StepError
from mlops_pipelines.predictions import FolderStore, S3Store, read_window
from mlops_pipelines.report import compare

from .conftest import Run
from .logged import body, line, log_table

NOW = datetime(2026, 1, 2, 1, 30, tzinfo=UTC)


def reference() -> pd.DataFrame:
    """A training reference: features and answers."""
    return make(600, 1).rename(columns={TARGET: "prediction"})


def test_window_spans_midnight_and_skips_what_is_outside(tmp_path: Path) -> None:
    for at in (NOW - timedelta(hours=1), NOW - timedelta(hours=2), NOW - timedelta(hours=5)):
        folder = tmp_path / at.strftime("%Y/%m/%d")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{at.strftime('%H%M%S')}-pod-1.jsonl"
        (folder / name).write_bytes(body(line(at, a=at.hour), line(at, "2", a=-1.0)) + b"{no\n[]\n")
    window = read_window(FolderStore(tmp_path), NOW, 3.0, 100, version="1")
    assert [row["a"] for row in window.rows] == [0, 23]
    assert window.malformed == 6
    assert len(read_window(FolderStore(tmp_path), NOW, 3.0, 1).rows) == 1


def test_bucket_is_listed_by_day() -> None:
    client = boto3.client(
        "s3", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )
    with Stubber(client) as stub:
        stub.add_response(
            "list_objects_v2",
            {"Contents": [{"Key": "inference/2026/01/02/010000-p-1.jsonl"}]},
            {"Bucket": "serving", "Prefix": "inference/2026/01/02/"},
        )
        content = body(line(NOW - timedelta(minutes=30), a=1.0))
        stub.add_response(
            "get_object",
            {"Body": io.BytesIO(content)},
            {"Bucket": "serving", "Key": "inference/2026/01/02/010000-p-1.jsonl"},
        )
        window = read_window(S3Store("s3://serving/inference/", client), NOW, 1.0, 10)
        stub.assert_no_pending_responses()
        assert window.rows == [{"a": 1.0, "prediction": 1}]
        stub.add_client_error("list_objects_v2", "AccessDenied")
        with pytest.raises(StepError, match="AccessDenied"):
            read_window(S3Store("s3://serving/inference/", client), NOW, 1.0, 10)


def test_columns_are_judged_one_by_one() -> None:
    current = make(400, 2).rename(columns={TARGET: "prediction"})
    current["age_years"] += 40.0
    # What JSON brings: numbers as text or whole, classes as floats.
    current["prediction"] = current["prediction"].astype(float)
    drift = compare(current.assign(extra=1), reference(), None)
    assert drift.columns["age_years"].detected
    assert not drift.columns["prediction"].detected
    assert set(drift.columns) == set(reference().columns)
    found = sum(column.detected for column in drift.columns.values())
    assert drift.share == pytest.approx(found / len(drift.columns))


@pytest.mark.parametrize(("shift", "detected"), [(0.0, False), (0.5, True)])
def test_alarm_comes_with_a_shift_and_not_without(shift: float, detected: bool) -> None:
    for seed in range(8):
        current = make(200, 100 + seed, shift).rename(columns={TARGET: "prediction"})
        drift = compare(current, make(1500, seed).rename(columns={TARGET: "prediction"}), None)
        assert (drift.share >= 0.5) == detected, (seed, drift)


def test_missing_and_empty_columns_are_named() -> None:
    current = reference()
    with pytest.raises(StepError, match="lack what the reference has: age_years"):
        compare(current.drop(columns="age_years"), reference(), None)
    with pytest.raises(StepError, match="no usable value in: age_years"):
        compare(current.assign(age_years="old"), reference(), None)


class Gateway(HTTPServer):
    """A Pushgateway that remembers what it was given."""

    pushed: dict[str, str]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            size = int(self.headers["Content-Length"])
            server.pushed[self.path] = self.rfile.read(size).decode()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: the test's output stays clean."""

    server = Gateway(("127.0.0.1", 0), Handler)
    server.pushed = {}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("shift", "status", "code"),
    [(0.0, "no drift", 0), (1.0, "drift", 3), (None, "too few rows", 0)],
)
def test_step_writes_report_and_metrics(
    tmp_path: Path, run: Run, gateway: Gateway, shift: float | None, status: str, code: int
) -> None:
    log, outputs = tmp_path / "log", tmp_path / "out"
    rows = 20 if shift is None else 300
    log_table(log, make(rows, 5, shift or 0.0), datetime.now(UTC) - timedelta(minutes=1))
    reference().to_parquet(tmp_path / "reference.parquet")
    options = (
        *("--predictions", log, "--reference", tmp_path / "reference.parquet"),
        *("--html-file", outputs / "r.html", "--summary-file", outputs / "r.json"),
        *("--metrics-file", outputs / "r.prom", "--exit-code"),
    )
    url = f"http://127.0.0.1:{gateway.server_port}"
    assert run("drift", *options, "--pushgateway", url) == code
    summary = json.loads((outputs / "r.json").read_text())
    assert (summary["status"], summary["rows"]) == (status, rows)
    text = (outputs / "r.prom").read_text()
    assert gateway.pushed == {"/metrics/job/mlops-drift/model/demo-model": text}
    assert (outputs / "r.html").exists() == (shift is not None)
    verdict = {"no drift": "0.0", "drift": "1.0"}.get(status)
    line = f'mlops_drift_detected{{model="demo-model"}} {verdict}'
    assert (line in text) == (verdict is not None)


def test_gateway_that_is_away_costs_no_report(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "log").mkdir()
    reference().to_csv(tmp_path / "reference.csv", index=False)
    options = (
        *("--predictions", tmp_path / "log", "--reference", tmp_path / "reference.csv"),
        *("--summary-file", tmp_path / "r.json", "--metrics-file", tmp_path / "r.prom"),
    )
    assert run("drift", *options, "--pushgateway", "http://127.0.0.1:9") == 1
    assert "Pushgateway" in capsys.readouterr().err
    assert (tmp_path / "r.prom").exists()
    assert run("drift", "--predictions", tmp_path / "none", *options[2:]) == 1


def test_no_champion_is_named(tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--summary-file", tmp_path / "s", "--metrics-file", tmp_path / "m")
    assert run("drift", "--predictions", tmp_path, "--name", "nobody", *files) == 1
    assert "nobody has no version under the alias champion" in capsys.readouterr().err
