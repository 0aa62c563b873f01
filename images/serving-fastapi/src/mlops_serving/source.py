"""Where models come from: the registry and its artifact store."""

import re
import shutil
import tempfile
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mlops_serving.model import Identity, LoadedModel
from mlops_serving.modeluri import Alias, Artifact, ModelUri, Version


class SourceError(Exception):
    """A model cannot be had for now; ``kind`` is stable, the text says why."""

    def __init__(self, kind: str, message: str) -> None:
        # Addresses may carry a login.
        super().__init__(re.sub(r"//[^/@\s]+@", "//", message))
        self.kind = kind


def resolve(uri: ModelUri) -> Identity:
    """Ask which version ``uri`` means now.

    Raises SourceError: ``not_found`` when model, version or alias is not there, ``denied`` when the
    login is refused, ``registry`` when the server is away or fails.
    """
    match uri:
        case Version(name, version):
            return Identity(name, version)
        case Artifact(text):
            return Identity(text, text.rpartition("/")[2])
        case Alias(name, alias):
            try:
                found = MlflowClient().get_model_version_by_alias(name, alias)
            except MlflowException as error:
                raise SourceError(_kind(error), f"{uri}: {error}") from error
            except Exception as error:
                raise SourceError("registry", f"{uri}: {error}") from error
            return Identity(name, str(found.version))


def load(uri: ModelUri, identity: Identity) -> LoadedModel:
    """Download and load a version.

    Raises SourceError: ``download`` when the artifact does not come, ``artifact`` when it does not
    load or does not answer its own example.
    """
    exact = str(uri) if isinstance(uri, Artifact) else f"models:/{identity.name}/{identity.version}"
    folder = Path(tempfile.mkdtemp(prefix="model-"))
    try:
        path = Path(mlflow.artifacts.download_artifacts(artifact_uri=exact, dst_path=str(folder)))
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        not_found = isinstance(error, MlflowException) and _kind(error) == "not_found"
        raise SourceError("not_found" if not_found else "download", f"{exact}: {error}") from error
    try:
        return LoadedModel(identity, path, folder)
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        text = f"{exact} does not load: {type(error).__name__}: {error}"
        raise SourceError("artifact", text) from error


def _kind(error: MlflowException) -> str:
    if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
        return "not_found"
    if error.error_code in {"PERMISSION_DENIED", "UNAUTHENTICATED"}:
        return "denied"
    return "denied" if re.search(r"error code 40[13]", str(error)) else "registry"
