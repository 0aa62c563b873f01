"""The command ``mlops-serving``: settings from the environment, then the server."""

import os

from mlops_serving.logs import log, set_up
from mlops_serving.settings import SettingsError, from_env


def main() -> int:
    """Serve until SIGTERM; return 2 at once when the environment can never work."""
    set_up()
    # MLflow waits up to two minutes per call by default. Whoever probes the server wants to read
    # the reason before that, and the keeper tries again anyway.
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        # The model comes through MLflow, which would name the store's own address.
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }.items():
        os.environ.setdefault(name, value)
    try:
        settings = from_env(os.environ)
    except SettingsError as error:
        log("error", "bad_settings", message=str(error))
        return 2
    # Imported late: mlflow reads the variables above when it is imported.
    import uvicorn

    from mlops_serving.app import create_app

    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    return 0
