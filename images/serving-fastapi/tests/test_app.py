"""The routes, on a model that is loaded and on none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from mlops_serving.app import create_app
from mlops_serving.keeper import Keeper
from mlops_serving.metrics import Metrics
from mlops_serving.model import Identity, LoadedModel
from mlops_serving.modeluri import ModelUri
from mlops_serving.settings import Settings, from_env
from mlops_serving.source import SourceError

from .models import loaded


def client_for(model: LoadedModel | None, **env: str) -> TestClient:
    """A client of an app whose registry has just this model, or is away."""

    def resolve(uri: ModelUri) -> Identity:
        if model is None:
            raise SourceError("registry", f"{uri}: nobody answers")
        return model.identity

    def load(uri: ModelUri, identity: Identity) -> LoadedModel:
        del uri, identity
        assert model is not None
        return model

    def keeper(settings: Settings, metrics: Metrics) -> Keeper:
        return Keeper(settings.model, 60.0, metrics, resolve, load)

    settings = from_env({"MODEL_URI": "models:/m@champion", **env})
    return TestClient(create_app(settings, keeper))


def wait_ready(client: TestClient) -> None:
    """Wait for the keeper's first step."""
    for _ in range(10000):
        if "loading" not in client.get("/readyz").text:
            return
    raise AssertionError("the keeper did nothing")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A client of a server with a loaded classifier and small limits."""
    with client_for(loaded(tmp_path)[0], MAX_ROWS="2", MAX_BYTES="100") as client:
        wait_ready(client)
        yield client


def test_prediction_with_the_callers_id(client: TestClient) -> None:
    headers = {"x-request-id": "abc-1"}
    response = client.post("/predict", json={"instances": [[5, 0], [-5, 0]]}, headers=headers)
    assert response.status_code == 200
    assert response.json() == {"predictions": [1, 0], "model": {"name": "m", "version": "1"}}
    assert response.headers["x-request-id"] == "abc-1"
    odd = client.get("/healthz", headers={"x-request-id": "a b"})
    assert odd.headers["x-request-id"] != "a b"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"nonsense", 400, "invalid_json"),
        (b'{"instances": [[1, 2], [1, 2], [1, 2]]}', 413, "too_many_rows"),
        (b" " * 101, 413, "too_large"),
        (b'{"instances": [{"a": 1}]}', 422, "invalid_input"),
    ],
)
def test_errors_have_one_form(client: TestClient, body: bytes, status: int, kind: str) -> None:
    whole = client.post("/predict", content=body)
    chunks = client.post("/predict", content=iter([body[:5], body[5:]]))
    for response in (whole, chunks):
        assert response.status_code == status
        assert response.json()["error"]["kind"] == kind
        assert response.json()["request_id"] == response.headers["x-request-id"]
    assert f'mlops_errors_total{{kind="{kind}"}} 2.0' in client.get("/metrics").text


def test_missing_column_is_named(client: TestClient) -> None:
    error = client.post("/predict", content=b'{"instances": [{"a": 1}]}').json()["error"]
    assert error["field"] == "b"


def test_metrics_and_log(client: TestClient, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    client.post("/predict", json={"instances": [[5, 0], [-5, 0]]})
    client.get("/nowhere")
    text = client.get("/metrics").text
    assert 'mlops_predictions_total{class="1",version="1"} 1.0' in text
    assert 'mlops_model_info{name="m",uri="models:/m@champion",version="1"} 1.0' in text
    assert "mlops_model_version 1.0" in text
    assert 'path="/predict",status="200"' in text
    assert 'path="other",status="404"' in text
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    logged = [line for line in lines if line.get("path") == "/predict"]
    assert (logged[0]["rows"], logged[0]["status"]) == (2, 200)


def test_without_a_model_the_reason_is_shown() -> None:
    with client_for(None) as client:
        wait_ready(client)
        assert client.get("/healthz").status_code == 200
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["problem"]["kind"] == "registry"
        answer = client.post("/predict", json={"instances": [[1, 2]]})
        assert answer.status_code == 503
        assert "nobody answers" in answer.json()["error"]["message"]
        assert answer.headers["retry-after"] == "1"


def test_model_that_fails_is_a_500_without_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(tmp_path)[0]

    def fail(data: object) -> list[Any]:
        raise RuntimeError(f"secret {data}")

    monkeypatch.setattr(model, "answer", fail)
    with client_for(model) as client:
        wait_ready(client)
        response = client.post("/predict", json={"instances": [[1, 2]]})
        assert response.status_code == 500
        assert "secret" not in response.text
