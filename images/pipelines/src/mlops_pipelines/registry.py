"""What the steps ask of the MLflow registry: versions and aliases, no stages."""

from datetime import UTC, datetime
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from mlops_pipelines.errors import StepError
from mlops_pipelines.model import MODEL_NAME

CHAMPION = "champion"
CHALLENGER = "challenger"
CHAMPION_SINCE = "champion_since"
"""Tag of a version: when it became the champion, RFC 3339; ``mlopsctl model rollback`` reads it."""


def by_alias(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """Return the version under ``alias``, or None when model or alias is not there."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        # A missing alias is INVALID_PARAMETER_VALUE, a missing model RESOURCE_DOES_NOT_EXIST;
        # anything else, such as a server that is away, must not pass for "no champion yet".
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def load(uri: str) -> Any:  # noqa: ANN401 (mlflow's own type is only known to pyfunc)
    """Return the pyfunc model at ``uri``, with a StepError that names it when it cannot load."""
    try:
        return mlflow.pyfunc.load_model(uri)
    except Exception as error:  # a broken artifact may raise anything
        raise StepError(f"{uri} cannot be loaded: {error}") from error


def logged_model_uri(client: MlflowClient, run_id: str) -> str:
    """Return the URI of the model that ``train`` logged in the run; StepError where it has none.

    By the model's own id. Under ``runs:/<run>/<name>`` MLflow looks among the run's files first,
    and what it answers for a missing one of an S3 store counts as a fault that goes by: its client
    asks again for 30 s.
    """
    outputs = client.get_run(run_id).outputs
    for output in outputs.model_outputs if outputs else ():
        if client.get_logged_model(output.model_id).name == MODEL_NAME:
            return f"models:/{output.model_id}"
    raise StepError(f"the run {run_id} has logged no model {MODEL_NAME!r}")


def register_once(client: MlflowClient, name: str, run_id: str) -> ModelVersion:
    """Return the version of the run's model, registering it only when there is none yet.

    Raises MlflowException when the run or its model does not exist.
    """
    found = client.search_model_versions(f"name='{name}' and run_id='{run_id}'")
    if found:
        return min(found, key=lambda version: int(version.version))
    return mlflow.register_model(f"runs:/{run_id}/{MODEL_NAME}", name)


def make_champion(client: MlflowClient, version: ModelVersion) -> None:
    """Point ``champion`` at ``version``, and note the time before, so that it never lacks."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    client.set_model_version_tag(version.name, str(version.version), CHAMPION_SINCE, now)
    set_alias(client, version, CHAMPION)


def set_alias(client: MlflowClient, version: ModelVersion, alias: str) -> bool:
    """Point ``alias`` at ``version``; return whether it pointed elsewhere before."""
    current = by_alias(client, version.name, alias)
    if current is not None and str(current.version) == str(version.version):
        return False
    client.set_registered_model_alias(version.name, alias, str(version.version))
    return True
