"""Fixtures of the end-to-end test.

The store is a fixture: with MLOPS_TEST_BACKEND_URI and MLOPS_TEST_ARTIFACTS_URI the same tests run
against PostgreSQL and S3, whose AWS_* and MLFLOW_S3_* variables are passed on.
"""

import os

import pytest

from .stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack whose MLflow server the tests start and stop as they need."""
    folder = tmp_path_factory.mktemp("stack")
    backend = os.environ.get("MLOPS_TEST_BACKEND_URI", f"sqlite:///{folder / 'mlflow.db'}")
    artifacts = os.environ.get("MLOPS_TEST_ARTIFACTS_URI", str(folder / "artifacts"))
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("AWS_", "MLFLOW_S3_", "MLFLOW_BOTO_"))
    }
    return Stack(folder, backend, artifacts, passed)
