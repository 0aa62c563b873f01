"""What ``/metrics`` shows."""

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry

MOST_CLASSES = 50
"""Predictions of further classes count under ``other``: a label must not grow without bounds."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


class Metrics:
    """The server's metrics, in a registry of their own so that tests can have several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.latency = Histogram(
            "mlops_request_duration_seconds",
            "Time from a request's arrival to its answer.",
            ["path", "status"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.predictions = Counter(
            "mlops_predictions",
            "Rows answered, by version and class; class is empty where the model has none.",
            ["version", "class"],
            registry=self.registry,
        )
        self.errors = Counter(
            "mlops_errors", "Requests refused or failed, by kind.", ["kind"], registry=self.registry
        )
        self.in_flight = Gauge(
            "mlops_requests_in_flight", "Predictions that wait or run.", registry=self.registry
        )
        self.model_info = Gauge(
            "mlops_model_info",
            "1 for the model that answers.",
            ["name", "version", "uri"],
            registry=self.registry,
        )
        self.model_version = Gauge(
            "mlops_model_version",
            "Number of the version that answers, 0 before the first and outside the registry.",
            registry=self.registry,
        )
        self.model_loads = Counter(
            "mlops_model_loads",
            "Models loaded, or the kind of what hindered it.",
            ["result"],
            registry=self.registry,
        )
        self.input_log = Counter(
            "mlops_input_log_rows",
            "Rows for the drift report: written, or dropped since the queue was full.",
            ["result"],
            registry=self.registry,
        )
        self._classes: set[str] = set()

    def class_label(self, value: object) -> str:
        """Return the label of a predicted class, ``other`` beyond the first MOST_CLASSES."""
        label = str(value)
        if label not in self._classes:
            if len(self._classes) >= MOST_CLASSES:
                return "other"
            self._classes.add(label)
        return label
