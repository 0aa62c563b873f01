"""What surrounds every request: its id, its time, its line in the log."""

import os
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mlops_serving.logs import log
from mlops_serving.metrics import Metrics

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
KNOWN = PROBES | {"/predict", "/openapi.json"}
_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")


class Requests:
    """Plain ASGI: the framework's own middleware class costs a task per request."""

    def __init__(self, app: App, metrics: Metrics, log_requests: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log_requests

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on with ``scope["state"]["request_id"]`` set."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _request_id(scope["headers"])
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            path = scope["path"]
            if path not in PROBES:
                self._record(scope, path, request_id, status, time.perf_counter() - began)

    def _record(
        self, scope: Message, path: str, request_id: bytes, status: int, seconds: float
    ) -> None:
        # Paths that do not exist share one label: anybody can make them up.
        label = path if path in KNOWN else "other"
        self._metrics.latency.labels(label, str(status)).observe(seconds)
        if self._log:
            log(
                "info" if status < 500 else "error",
                "request",
                request_id=request_id.decode(),
                method=scope["method"],
                path=path,
                status=status,
                ms=round(seconds * 1000.0, 3),
                rows=scope["state"].get("rows"),
                version=scope["state"].get("version"),
                error=scope["state"].get("error"),
            )


def _request_id(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return the caller's id where it is harmless in a log, else a new one."""
    for name, value in headers:
        if name == b"x-request-id":
            if _ID.fullmatch(value):
                return value
            break
    return os.urandom(12).hex().encode()
