"""The HTTP routes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect

from mlops_serving import __version__
from mlops_serving.errors import RequestError
from mlops_serving.inputlog import InputLogger
from mlops_serving.keeper import Keeper
from mlops_serving.logs import log
from mlops_serving.metrics import Metrics
from mlops_serving.middleware import Requests
from mlops_serving.predictor import Predictor
from mlops_serving.settings import Settings

FLUSH_SECONDS = 5.0
"""Time that the input log gets at the end to write what waits."""

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"required": ["instances"]},
                        {"required": ["dataframe_split"]},
                        {"required": ["dataframe_records"]},
                    ]
                }
            }
        },
    }
}


def create_app(
    settings: Settings, make_keeper: Callable[[Settings, Metrics], Keeper] | None = None
) -> FastAPI:
    """Return the application; its background work runs while the server does."""
    metrics = Metrics()
    make = make_keeper or (lambda s, m: Keeper(s.model, s.poll_seconds, m))
    keeper = make(settings, metrics)
    input_log = InputLogger(settings.input_log, metrics) if settings.input_log else None
    predictor = Predictor(settings, keeper, metrics, input_log)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        log("info", "started", version=__version__, model=str(settings.model))
        keeper.start()
        if input_log:
            input_log.start()
        yield
        # The server has answered what was running: the rest ends in the order of the data's way.
        keeper.stop()
        predictor.close()
        if input_log:
            input_log.stop(FLUSH_SECONDS)
        log("info", "ended")

    app = FastAPI(
        title="mlops-serving",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Requests, metrics=metrics, log_requests=settings.log_requests)

    @app.post("/predict", openapi_extra=_BODY, response_class=Response)
    async def predict(request: Request) -> Response:
        """Predict one or more rows."""
        state = request.scope["state"]
        try:
            body = await read_body(request, settings.max_bytes)
            answer = await predictor.answer(body, state["request_id"])
        except ClientDisconnect:
            state["error"] = "client_gone"
            return Response(status_code=499)
        except RequestError as error:
            metrics.errors.labels(error.kind).inc()
            state["error"] = error.kind
            headers = {"retry-after": "1"} if error.status == 503 else None
            return json(error.body(state["request_id"]), error.status, headers)
        state["rows"], state["version"] = answer.rows, answer.version
        return Response(answer.body, media_type="application/json")

    @app.get("/healthz")
    async def healthz() -> Response:
        """Say that the process lives; a model that is missing does not make it sick."""
        return json({"status": "ok"})

    @app.get("/readyz")
    async def readyz() -> Response:
        """Say whether a model answers, and what hinders the wanted one."""
        return json(*readiness(keeper))

    @app.get("/metrics")
    async def show_metrics() -> Response:
        """Show the metrics in Prometheus' text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return app


def readiness(keeper: Keeper) -> tuple[dict[str, Any], int]:
    """Return body and status of ``/readyz``."""
    model, problem = keeper.current, keeper.problem
    body: dict[str, Any] = {"ready": model is not None, "uri": str(keeper.uri)}
    if model is not None:
        body["model"] = {"name": model.identity.name, "version": model.identity.version}
    if problem is not None:
        body["problem"] = {
            "kind": problem.kind,
            "message": problem.message,
            "tries": problem.tries,
        }
    elif model is None:
        body["problem"] = {"kind": "loading", "message": "the model is being loaded", "tries": 0}
    return body, 200 if model is not None else 503


async def read_body(request: Request, most: int) -> bytes:
    """Return the body; RequestError with 413 as soon as it is known to be larger than ``most``."""
    length = request.headers.get("content-length")
    if length is not None:
        # The server has checked that it is a number and that no more bytes come.
        if int(length) > most:
            raise _too_large(most)
        return await request.body()
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        chunks.append(chunk)
    return b"".join(chunks)


def json(
    value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return ``value`` as a JSON answer."""
    return Response(orjson.dumps(value), status, headers, "application/json")


def _too_large(most: int) -> RequestError:
    return RequestError(413, "too_large", f"the body is larger than {most} bytes")
