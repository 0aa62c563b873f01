"""Keeps the model that answers: loads the first, follows the alias, survives what goes wrong.

One background thread does all of it. A new version is loaded and has answered its own example
before it takes the old one's place, by one assignment; requests that run hold their own reference
to the old one.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from mlops_serving.logs import log
from mlops_serving.metrics import Metrics
from mlops_serving.model import Identity, LoadedModel
from mlops_serving.modeluri import Alias, ModelUri
from mlops_serving.source import SourceError, load, resolve

SHORTEST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between tries while something is wrong."""


@dataclass(frozen=True)
class Problem:
    """Why the wanted model is not the one that answers."""

    kind: str
    message: str
    tries: int


class Keeper:
    """Holds the current model and the thread that renews it."""

    def __init__(
        self,
        uri: ModelUri,
        poll_seconds: float,
        metrics: Metrics,
        resolve: Callable[[ModelUri], Identity] = resolve,
        load: Callable[[ModelUri, Identity], LoadedModel] = load,
    ) -> None:
        self.uri = uri
        self.current: LoadedModel | None = None
        self.problem: Problem | None = None
        self._poll_seconds = poll_seconds
        self._metrics = metrics
        self._resolve = resolve
        self._load = load
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to look for the model; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a download that runs is left behind, the process ends anyway."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            pause = self.step()
            if pause is None:
                return
            self._ended.wait(pause)

    def step(self) -> float | None:
        """Look once; return the seconds to wait, or None when nothing can change any more."""
        try:
            wanted = self._resolve(self.uri)
            if self.current is None or self.current.identity != wanted:
                self._replace(wanted)
        except SourceError as error:
            return self._failed(error)
        if self.problem is not None:
            log("info", "model_source_recovered", tries=self.problem.tries)
            self.problem = None
        return self._poll_seconds if isinstance(self.uri, Alias) else None

    def _replace(self, wanted: Identity) -> None:
        began = time.monotonic()
        model = self._load(self.uri, wanted)
        old, self.current = self.current, model
        self._metrics.model_loads.labels("ok").inc()
        self._metrics.model_info.clear()
        self._metrics.model_info.labels(wanted.name, wanted.version, str(self.uri)).set(1)
        number = float(wanted.version) if wanted.version.isdecimal() else 0.0
        self._metrics.model_version.set(number)
        log(
            "info",
            "model_loaded",
            name=wanted.name,
            version=wanted.version,
            before=old.identity.version if old else None,
            path=model.path,
            seconds=round(time.monotonic() - began, 3),
        )

    def _failed(self, error: SourceError) -> float:
        tries = 1 if self.problem is None else self.problem.tries + 1
        self.problem = Problem(error.kind, str(error), tries)
        self._metrics.model_loads.labels(error.kind).inc()
        wait = min(LONGEST_WAIT, SHORTEST_WAIT * 2.0 ** min(tries - 1, 10))
        # Pods that lost the same server should not come back to it in the same moment.
        wait *= random.uniform(0.8, 1.2)  # noqa: S311 (no secret)
        log(
            "warning" if self.current else "error",
            "model_not_loaded",
            kind=error.kind,
            message=str(error),
            serving=self.current.identity.version if self.current else None,
            tries=tries,
            retry_seconds=round(wait, 1),
        )
        return wait
