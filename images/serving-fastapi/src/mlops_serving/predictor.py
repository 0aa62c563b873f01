"""One request, from bytes to bytes, in a worker thread."""

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson

from mlops_serving.errors import RequestError
from mlops_serving.inputlog import InputLogger
from mlops_serving.keeper import Keeper
from mlops_serving.logs import log
from mlops_serving.metrics import Metrics
from mlops_serving.model import LoadedModel
from mlops_serving.payload import decode
from mlops_serving.settings import Settings


@dataclass(frozen=True)
class Answer:
    """A finished prediction."""

    body: bytes
    rows: int
    version: str


class Predictor:
    """Answers requests with the model that is current when they arrive."""

    def __init__(
        self, settings: Settings, keeper: Keeper, metrics: Metrics, input_log: InputLogger | None
    ) -> None:
        self._settings = settings
        self._keeper = keeper
        self._metrics = metrics
        self._input_log = input_log
        self._in_flight = 0
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="predict")
        metrics.in_flight.set_function(lambda: self._in_flight)

    async def answer(self, body: bytes, request_id: str) -> Answer:
        """Return the predictions for a request's body.

        Raises RequestError: 503 without a model or under too much load, and what the checks and the
        model itself lead to.
        """
        model = self._keeper.current
        if model is None:
            problem = self._keeper.problem
            reason = problem.message if problem else "the model is being loaded"
            raise RequestError(503, "no_model", reason)
        if self._in_flight >= self._settings.max_in_flight:
            raise RequestError(503, "overloaded", f"{self._in_flight} requests are waiting")
        self._in_flight += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._work, model, body, request_id)
        finally:
            self._in_flight -= 1

    def close(self) -> None:
        """End the threads once their work is done."""
        self._pool.shutdown(wait=True)

    def _work(self, model: LoadedModel, body: bytes, request_id: str) -> Answer:
        data = model.convert(decode(body, self._settings.max_rows))
        try:
            predictions = model.answer(data)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            log("error", "prediction_failed", request_id=request_id, message=text)
            raise RequestError(500, "model_failed", "the model failed, the log says why") from error
        self._count(model, predictions)
        if self._input_log is not None:
            identity, schema = model.identity, model.schema
            self._input_log.offer(identity, request_id, schema, data, predictions)
        name, version = model.identity.name, model.identity.version
        answer = orjson.dumps(
            {"predictions": predictions, "model": {"name": name, "version": version}},
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        return Answer(answer, len(predictions), version)

    def _count(self, model: LoadedModel, predictions: list[Any]) -> None:
        version, counter = model.identity.version, self._metrics.predictions
        if not model.has_classes:
            counter.labels(version, "").inc(len(predictions))
            return
        for value, count in Counter(map(str, predictions)).items():
            counter.labels(version, self._metrics.class_label(value)).inc(count)
