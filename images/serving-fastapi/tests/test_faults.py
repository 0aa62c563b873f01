"""What callers are told while models, registry or store are not what they should be."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .stack import HTTP, Stack, wait_for
from .stores import Inputs, Minio
from .test_end_to_end import corrupt_next_version, features, promote, split_form

MODEL = "faulty"
URI = f"models:/{MODEL}@champion"


@pytest.fixture(scope="module")
def trained(stack: Stack) -> Iterator[Path]:
    """The folder of a model that is the champion of ``MODEL``; MLflow runs."""
    with stack.mlflow():
        yield stack.train("faults", model=MODEL)


def problem_of(url: str, kind: str) -> dict[str, Any]:
    """Wait until ``/readyz`` names ``kind``; return its answer."""
    until = time.monotonic() + 60.0
    while True:
        body: dict[str, Any] = HTTP.get(f"{url}/readyz").json()
        if body.get("problem", {}).get("kind") == kind:
            return body
        assert time.monotonic() < until, body
        time.sleep(0.1)


def refused(url: str) -> dict[str, Any]:
    """Ask for a prediction that cannot be had; return the error."""
    answer = HTTP.post(f"{url}/predict", json={"instances": [[1, 2, 3, 4, 5]]})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    error: dict[str, Any] = answer.json()["error"]
    assert error["kind"] == "no_model"
    return error


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("models:/nobody@champion", "nobody"),
        (f"models:/{MODEL}/999", f"models:/{MODEL}/999"),
    ],
)
def test_unknown_model_is_named(stack: Stack, trained: Path, uri: str, named: str) -> None:
    del trained
    with stack.serving(MODEL_URI=uri) as (url, _, _):
        body = problem_of(url, "not_found")
        assert body["ready"] is False
        assert named in body["problem"]["message"]
        assert named in refused(url)["message"]


def test_corrupt_model_at_the_start(stack: Stack, trained: Path) -> None:
    version = (trained / "version").read_text()
    corrupt_next_version(stack, MODEL)
    with stack.serving(MODEL_URI=URI) as (url, _, _):
        body = problem_of(url, "artifact")
        assert "does not load" in body["problem"]["message"]
        assert "does not load" in refused(url)["message"]
        promote(stack, version, MODEL)
        assert wait_for(f"{url}/readyz").json()["model"]["version"] == version


def test_store_that_is_away_at_the_start(stack: Stack, trained: Path, minio: Minio) -> None:
    del trained
    with minio.away(), stack.serving(MODEL_URI=URI) as (url, _, _):
        assert problem_of(url, "download")["ready"] is False
        assert MODEL in refused(url)["message"]


def test_store_that_goes_away_costs_no_answer(
    stack: Stack, trained: Path, minio: Minio, inputs: Inputs
) -> None:
    table = features(trained / "test.parquet").head(2)
    with stack.serving(**inputs.env, MODEL_URI=URI) as (url, _, log):
        wait_for(f"{url}/readyz")
        with minio.away():
            for _ in range(3):
                answer = HTTP.post(f"{url}/predict", json=split_form(table))
                assert answer.status_code == 200
            until = time.monotonic() + 30.0
            while "input_log_failed" not in log.read_text():
                assert time.monotonic() < until, "the log says nothing of the store"
                time.sleep(0.1)
            assert HTTP.get(f"{url}/readyz").status_code == 200
        inputs.wait()
        metrics = HTTP.get(f"{url}/metrics").text
        assert 'mlops_input_log_rows_total{result="dropped"}' not in metrics


def test_body_that_is_no_table_of_the_model(stack: Stack, trained: Path) -> None:
    table = features(trained / "test.parquet")
    columns = list(table.columns)
    row = table.head(1).to_numpy().tolist()[0]
    cases: list[tuple[str, int, str, str | None]] = [
        ('{"instances": [[NaN, 1, 1, 1, 1]]}', 422, "invalid_input", columns[0]),
        ('{"instances": [["x", 1, 1, 1, 1]]}', 422, "invalid_input", columns[0]),
        ('{"dataframe_records": [{"age_years": 1}]}', 422, "invalid_input", columns[0]),
        (f'{{"instances": [{",".join([str(row)] * 1001)}]}}', 413, "too_many_rows", "instances"),
        ('{"instances": "' + "x" * (4 * 1024 * 1024) + '"}', 413, "too_large", None),
        ("no JSON", 400, "invalid_json", None),
    ]
    with stack.serving(MODEL_URI=URI) as (url, _, _):
        wait_for(f"{url}/readyz")
        for body, status, kind, field in cases:
            answer = HTTP.post(f"{url}/predict", content=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["kind"], error.get("field")) == (status, kind, field)
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert HTTP.post(f"{url}/predict", json=split_form(table)).status_code == 200
