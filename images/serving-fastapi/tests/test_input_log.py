"""The log of inputs: complete when the store works, never in the way when it does not."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import numpy as np
import pytest
from botocore.stub import Stubber

from mlops_serving.inputlog import InputLogger
from mlops_serving.metrics import Metrics
from mlops_serving.model import Identity
from mlops_serving.schema import Column, Columns
from mlops_serving.settings import InputLog
from mlops_serving.sinks import FolderSink, S3Sink, Sink

SCHEMA = Columns((Column("a", "double", True), Column("b", "double", True)))


def settings(bucket: str = "b", rows: int = 1000) -> InputLog:
    """Everything is sampled, and written at once."""
    return InputLog(bucket, "inference/", 1.0, 0.05, rows)


def offer(log: InputLogger, rows: int = 2) -> None:
    """One answered request."""
    log.offer(Identity("m", "3"), "id-1", SCHEMA, np.ones((rows, 2)), [1] * rows)


def written(metrics: Metrics, result: str) -> float:
    """Value of the counter."""
    name = "mlops_input_log_rows_total"
    return metrics.registry.get_sample_value(name, {"result": result}) or 0.0


def test_lines_hold_what_the_drift_report_reads(tmp_path: Path) -> None:
    metrics = Metrics()
    log = InputLogger(settings(tmp_path.as_uri()), metrics)
    log.start()
    offer(log)
    log.stop(10.0)
    files = list((tmp_path / "inference").rglob("*.jsonl"))
    lines = [json.loads(line) for line in files[0].read_text().splitlines()]
    assert len(lines) == 2
    lines[0].pop("ts")
    assert lines[0] == {
        "model": "m",
        "version": "3",
        "request_id": "id-1",
        "inputs": {"a": 1.0, "b": 1.0},
        "prediction": 1,
    }
    assert written(metrics, "written") == 2.0


def test_missing_bucket_is_made_where_the_keys_allow_that() -> None:
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    client = boto3.client("s3", region_name="eu-central-1", **keys)
    sink = S3Sink("b", client)
    with Stubber(client) as stub:
        stub.add_client_error("put_object", "NoSuchBucket", http_status_code=404)
        place = {"LocationConstraint": "eu-central-1"}
        stub.add_response("create_bucket", {}, {"Bucket": "b", "CreateBucketConfiguration": place})
        stub.add_response("put_object", {})
        sink.put("k", b"{}")
        stub.assert_no_pending_responses()
        stub.add_client_error("put_object", "NoSuchBucket", http_status_code=404)
        stub.add_client_error("create_bucket", "AccessDenied", http_status_code=403)
        with pytest.raises(OSError, match="bucket b does not exist and cannot be made"):
            sink.put("k", b"{}")


class Stuck:
    """A store that hangs until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def put(self, key: str, body: bytes) -> None:
        """Hang."""
        del key, body
        self.free.wait(30.0)


def test_store_that_hangs_costs_rows_and_no_time() -> None:
    metrics, store = Metrics(), Stuck()
    log = InputLogger(settings(rows=10), metrics, lambda _: store)
    log.start()
    began = time.monotonic()
    for _ in range(1000):
        offer(log)
    assert time.monotonic() - began < 5.0
    assert written(metrics, "dropped") == 1990.0
    store.free.set()
    log.stop(10.0)
    assert written(metrics, "written") == 10.0


class Flaky:
    """A store that refuses the first objects."""

    def __init__(self, root: Path) -> None:
        self.left = 1
        self.inner = FolderSink(root)

    def put(self, key: str, body: bytes) -> None:
        """Refuse, then store."""
        if self.left:
            self.left -= 1
            raise OSError("away")
        self.inner.put(key, body)


def test_refused_rows_are_written_later(tmp_path: Path) -> None:
    metrics = Metrics()
    sink: Sink = Flaky(tmp_path)
    log = InputLogger(settings(), metrics, lambda _: sink)
    log.start()
    offer(log)
    until = time.monotonic() + 15.0
    while not written(metrics, "written") and time.monotonic() < until:
        time.sleep(0.05)
    assert written(metrics, "written") == 2.0
    log.stop(5.0)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """An S3 endpoint that keeps what is put."""
    objects: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: the test's output stays clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    }.items():
        monkeypatch.setenv(name, value)
    yield objects
    server.shutdown()
    thread.join()
    server.server_close()


def test_bucket_of_the_chart(bucket: dict[str, bytes]) -> None:
    log = InputLogger(settings("serving"), Metrics())
    log.start()
    offer(log)
    log.stop(20.0)
    (path, body), *others = bucket.items()
    assert not others
    assert path.startswith("/serving/inference/2")
    assert body.count(b"\n") == 2
