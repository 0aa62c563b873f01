"""``drift``: compares recent predictions with the training reference.

Writes Evidently's page, a JSON summary and a file in Prometheus' text format. A job is gone before
anything could scrape it, so the figures leave it by one of two more ways: ``--figures-dir`` writes
one file per figure, which a workflow takes as output parameters and shows as metrics of its
controller, and ``--pushgateway`` pushes all metrics where there is such a gateway. Pushing comes
last, so that a gateway that is away costs no report.
"""

import tempfile
from argparse import ArgumentParser, Namespace
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, write_to_textfile

from mlops_pipelines.errors import ExitCode, StepError
from mlops_pipelines.files import read_table, write_json, write_text
from mlops_pipelines.log import say
from mlops_pipelines.predictions import open_store, read_window
from mlops_pipelines.registry import CHAMPION, by_alias
from mlops_pipelines.train import REFERENCE_FILE, REFERENCE_FOLDER

if TYPE_CHECKING:
    from mlops_pipelines.report import Drift

SUMMARY = "compare recent predictions with the training reference"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of the step."""
    parser.add_argument(
        "--predictions", required=True, help="s3://bucket/prefix or a folder, as serving logs them"
    )
    parser.add_argument("--name", default="demo-model", help="registered model")
    parser.add_argument("--reference", type=Path, help="table in place of the champion's own")
    parser.add_argument("--hours", type=float, default=24.0, help="window (default: 24)")
    parser.add_argument("--min-rows", type=int, default=50, help="fewer are not judged")
    parser.add_argument("--max-rows", type=int, default=20000, help="the newest ones are taken")
    parser.add_argument(
        "--drift-share", type=float, default=0.5, help="share of columns that counts as drift"
    )
    parser.add_argument("--html-file", type=Path, help="output: Evidently's page")
    parser.add_argument("--summary-file", type=Path, required=True, help="output, JSON")
    parser.add_argument(
        "--metrics-file", type=Path, required=True, help="output, .prom in Prometheus' text format"
    )
    parser.add_argument(
        "--figures-dir", type=Path, help="output: files status, share, detected, rows, …"
    )
    parser.add_argument("--pushgateway", help="URL to push to")
    parser.add_argument(
        "--allow-no-champion",
        action="store_true",
        help="end well where nothing was promoted yet, with the status 'no champion'",
    )
    parser.add_argument(
        "--exit-code", action="store_true", help=f"end with {ExitCode.REFUSED:d} on drift"
    )


@dataclass(frozen=True)
class Result:
    """What one run found."""

    model: str
    version: str | None
    """Version whose answers were judged; None with ``--reference`` and without a champion."""
    rows: int
    malformed: int
    drift: "Drift | None"
    status: str
    """``drift``, ``no drift``, ``too few rows`` or ``no champion``."""
    at: datetime

    @property
    def detected(self) -> bool:
        """Whether there was enough to judge, and it drifted."""
        return self.status == "drift"

    def summary(self) -> dict[str, Any]:
        """Return what goes to ``--summary-file``."""
        return {
            "model": self.model,
            "version": self.version,
            "rows": self.rows,
            "malformed": self.malformed,
            "status": self.status,
            "drift": None if self.drift is None else asdict(self.drift),
        }

    def figures(self) -> dict[str, str]:
        """Return file name to content for ``--figures-dir``; all are there whatever the status."""
        return {
            "status": self.status,
            "judged": "false" if self.drift is None else "true",
            "share": "0" if self.drift is None else f"{self.drift.share:.6g}",
            "detected": "1" if self.detected else "0",
            "rows": str(self.rows),
            "malformed": str(self.malformed),
            "timestamp": str(int(self.at.timestamp())),
        }


def run(args: Namespace) -> int:
    """Write report and metrics; too few rows give metrics without a verdict."""
    result = judge(args, datetime.now(UTC))
    write_json(args.summary_file, result.summary())
    registry = metrics(result)
    args.metrics_file.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(args.metrics_file), registry)
    if args.figures_dir:
        for name, text in result.figures().items():
            write_text(args.figures_dir / name, text)
    share = f", share {result.drift.share:.2f}" if result.drift else ""
    say(f"{result.status}: {result.rows} rows{share}")
    if args.pushgateway:
        push(args.pushgateway, args.name, registry)
    return ExitCode.REFUSED if result.detected and args.exit_code else ExitCode.OK


def judge(args: Namespace, now: datetime) -> Result:
    """Compare the window before ``now`` with the reference; StepError when either cannot be had."""
    found = _reference(args)
    if found is None:
        return Result(args.name, None, 0, 0, None, "no champion", now)
    reference, version = found
    store = open_store(args.predictions)
    window = read_window(store, now, args.hours, args.max_rows, version)
    rows = len(window.rows)
    if rows < args.min_rows:
        return Result(args.name, version, rows, window.malformed, None, "too few rows", now)
    # Imported late: Evidently takes seconds, which a window without rows need not wait for.
    from mlops_pipelines.report import compare

    drift = compare(window.table(), reference, args.html_file)
    status = "drift" if drift.share >= args.drift_share else "no drift"
    return Result(args.name, version, rows, window.malformed, drift, status, now)


def metrics(result: Result) -> CollectorRegistry:
    """Return the gauges of one run; without a comparison those of a verdict are left out."""
    registry = CollectorRegistry()
    model, drift = result.model, result.drift

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(name, text, ["model"], registry=registry).labels(model).set(value)

    gauge("mlops_drift_rows", "Predictions in the window.", result.rows)
    gauge("mlops_drift_malformed_lines", "Log lines that could not be read.", result.malformed)
    at = result.at.timestamp()
    gauge("mlops_drift_last_run_timestamp_seconds", "Unix time of the run.", at)
    if drift is None:
        return registry
    detected = float(result.detected)
    gauge("mlops_drift_share", "Share of the columns that drifted, 0 to 1.", drift.share)
    gauge("mlops_drift_detected", "1 where the share reaches the limit.", detected)
    score = Gauge(
        "mlops_drift_column_score",
        "Distance or p-value of a column, as its method says.",
        ["model", "column", "method"],
        registry=registry,
    )
    drifted = Gauge(
        "mlops_drift_column_detected",
        "1 where the column drifted.",
        ["model", "column"],
        registry=registry,
    )
    for name, column in drift.columns.items():
        score.labels(model, name, column.method).set(column.score)
        drifted.labels(model, name).set(float(column.detected))
    return registry


def push(url: str, model: str, registry: CollectorRegistry) -> None:
    """Replace the model's group on the Pushgateway; StepError when it is away."""
    try:
        push_to_gateway(
            url, job="mlops-drift", registry=registry, grouping_key={"model": model}, timeout=10
        )
    except OSError as error:
        raise StepError(f"the Pushgateway at {url} took nothing: {error}") from error


def _reference(args: Namespace) -> tuple[pd.DataFrame, str | None] | None:
    """Return the reference and the version it belongs to; a given table belongs to none.

    None stands for a model without a champion, where ``--allow-no-champion`` is given.
    """
    if args.reference:
        return read_table(args.reference), None
    champion = by_alias(MlflowClient(), args.name, CHAMPION)
    if champion is None and args.allow_no_champion:
        return None
    if champion is None:
        raise StepError(f"{args.name} has no version under the alias {CHAMPION}")
    uri = f"runs:/{champion.run_id}/{REFERENCE_FOLDER}/{REFERENCE_FILE}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        except Exception as error:  # stores raise what they like
            raise StepError(f"no reference at {uri}: {error}") from error
        return read_table(Path(path)), str(champion.version)
