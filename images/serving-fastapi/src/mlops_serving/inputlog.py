"""Writes a sample of inputs and predictions as JSON lines, for drift reports.

Requests only put rows into a bounded queue: a store that is slow or away costs rows, which are
counted, and never an answer. Objects are named ``<prefix>YYYY/MM/DD/HHMMSS-<host>-<number>.jsonl``,
so that a reader lists only the days it wants.
"""

import queue
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd

from mlops_serving.logs import log
from mlops_serving.metrics import Metrics
from mlops_serving.model import Identity
from mlops_serving.schema import Columns, Data, Schema
from mlops_serving.settings import InputLog
from mlops_serving.sinks import Sink, open_sink

MOST_ROWS = 1000
"""Rows of one object."""
LONGEST_WAIT = 30.0


@dataclass(frozen=True)
class Sample:
    """One answered request."""

    identity: Identity
    request_id: str
    schema: Schema
    data: Data
    predictions: list[Any]
    at: datetime


class InputLogger:
    """Samples requests and writes them in the background."""

    def __init__(
        self,
        settings: InputLog,
        metrics: Metrics,
        open_sink: Callable[[str], Sink] = open_sink,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._open = open_sink
        self._samples: queue.SimpleQueue[Sample] = queue.SimpleQueue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._number = 0
        self._host = socket.gethostname()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="input-log", daemon=True)

    def start(self) -> None:
        """Begin to write; returns at once."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Write what waits, for at most ``seconds``."""
        self._ending.set()
        self._thread.join(seconds)
        if self._waiting:
            log("warning", "input_log_lost", rows=self._waiting)

    def offer(
        self,
        identity: Identity,
        request_id: str,
        schema: Schema,
        data: Data,
        predictions: list[Any],
    ) -> None:
        """Take the request into the sample or not; never blocks, never raises."""
        if random.random() >= self._settings.sample_rate:  # noqa: S311 (no secret)
            return
        rows = len(predictions)
        with self._lock:
            if self._waiting + rows > self._settings.queue_rows:
                self._metrics.input_log.labels("dropped").inc(rows)
                return
            self._waiting += rows
        sample = Sample(identity, request_id, schema, data, predictions, datetime.now(UTC))
        self._samples.put(sample)

    def _run(self) -> None:
        sink: Sink | None = None
        failures = 0
        batch: list[Sample] = []
        while True:
            if not batch:
                batch = self._collect()
            if not batch:
                if self._ending.is_set():
                    return
                continue
            try:
                sink = sink or self._open(self._settings.bucket)
                self._write(sink, batch)
            except Exception as error:  # noqa: BLE001 (nothing here may end the thread)
                failures += 1
                wait = min(LONGEST_WAIT, 2.0 ** min(failures - 1, 5))
                log("warning", "input_log_failed", message=str(error), tries=failures)
                # After the end was announced one more try per second is all the time there is.
                if self._ending.wait(wait):
                    time.sleep(min(wait, 1.0))
                continue
            failures = 0
            rows = sum(len(sample.predictions) for sample in batch)
            with self._lock:
                self._waiting -= rows
            self._metrics.input_log.labels("written").inc(rows)
            batch = []

    def _collect(self) -> list[Sample]:
        """Return samples once the flush time is over or an object is full."""
        until = time.monotonic() + self._settings.flush_seconds
        batch: list[Sample] = []
        rows = 0
        while rows < MOST_ROWS:
            left = until - time.monotonic()
            if self._ending.is_set():
                left = 0.0
            elif left <= 0.0:
                break
            try:
                # Short waits, so that the end of the process is seen.
                sample = self._samples.get(block=left > 0.0, timeout=min(left, 0.2) or None)
            except queue.Empty:
                if self._ending.is_set():
                    break
                continue
            batch.append(sample)
            rows += len(sample.predictions)
        return batch

    def _write(self, sink: Sink, batch: list[Sample]) -> None:
        body = b"".join(line for sample in batch for line in _lines(sample))
        self._number += 1
        at = batch[0].at
        name = f"{at:%Y/%m/%d/%H%M%S}-{self._host}-{self._number}.jsonl"
        sink.put(f"{self._settings.prefix}{name}", body)


def _lines(sample: Sample) -> list[bytes]:
    data = sample.data
    if isinstance(data, pd.DataFrame):
        rows: list[dict[str, Any]] = data.to_dict("records")  # type: ignore[assignment]
    elif isinstance(sample.schema, Columns):
        names = sample.schema.names
        rows = [dict(zip(names, row, strict=True)) for row in data.tolist()]
    else:
        flat = np.reshape(data, (len(data), -1)).tolist()
        rows = [{str(place): value for place, value in enumerate(row)} for row in flat]
    fixed = {
        "ts": sample.at,
        "model": sample.identity.name,
        "version": sample.identity.version,
        "request_id": sample.request_id,
    }
    return [
        orjson.dumps(
            {**fixed, "inputs": row, "prediction": prediction},
            default=str,
            option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS,
        )
        for row, prediction in zip(rows, sample.predictions, strict=False)
    ]
