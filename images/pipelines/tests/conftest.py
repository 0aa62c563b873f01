"""Fixtures: an MLflow store, and the command as a function."""

from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest

from mlops_pipelines.cli import main

Run = Callable[..., int]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The tracking URI of a store that lives as long as the test run."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("demo", artifact_location=(folder / "artifacts").as_uri())
    yield uri
    mlflow.set_tracking_uri("")


@pytest.fixture
def run(store: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in this process and returns its exit code."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return lambda *arguments: main([str(argument) for argument in arguments])


@pytest.fixture
def splits(tmp_path: Path, run: Run) -> tuple[Path, Path]:
    """A small training and test split."""
    train, test = tmp_path / "train.parquet", tmp_path / "test.parquet"
    assert run("data", "--rows", 400, "--train", train, "--test", test) == 0
    return train, test
