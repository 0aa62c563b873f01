"""Fixtures of the tests with real processes.

MLOPS_TEST_POSTGRES (a folder with the server's programs) and MLOPS_TEST_MINIO (a program), both as
``images/stores`` prints them, put PostgreSQL and S3 below MLflow; without them it has a file and a
folder, and the tests about S3 are skipped.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .stack import Stack
from .stores import BucketInputs, FolderInputs, Inputs, Minio, Postgres

POSTGRES, MINIO = os.environ.get("MLOPS_TEST_POSTGRES"), os.environ.get("MLOPS_TEST_MINIO")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The place of all files of the processes."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def store(folder: Path) -> Iterator[Minio | None]:
    """The S3 store with its buckets, or None."""
    if not MINIO:
        yield None
        return
    minio = Minio(Path(MINIO), folder)
    with minio.running():
        for bucket in ("mlflow", "serving"):
            minio.client().create_bucket(Bucket=bucket)
        yield minio


@pytest.fixture(scope="session")
def database(folder: Path) -> Iterator[str]:
    """The URI of an empty database."""
    if not POSTGRES:
        yield f"sqlite:///{folder / 'mlflow.db'}"
        return
    postgres = Postgres(Path(POSTGRES), folder)
    with postgres.running():
        yield postgres.uri


@pytest.fixture(scope="session")
def stack(folder: Path, database: str, store: Minio | None) -> Stack:
    """A stack whose MLflow server the tests start and stop as they need."""
    artifacts = "s3://mlflow/" if store else str(folder / "artifacts")
    return Stack(folder, database, artifacts, store.env if store else {})


@pytest.fixture
def minio(store: Minio | None) -> Minio:
    """The S3 store, for tests about it."""
    if store is None:
        pytest.skip("needs images/check --stores")
    return store


@pytest.fixture
def inputs(folder: Path, store: Minio | None) -> Inputs:
    """Where the model server logs its inputs, empty."""
    found = BucketInputs(store, "serving") if store else FolderInputs(folder / "inputs")
    found.clear()
    return found
