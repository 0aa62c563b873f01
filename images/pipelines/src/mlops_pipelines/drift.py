"""``drift``: compares recent predictions with the training reference.

Writes Evidently's page, a JSON summary and a file in Prometheus' text format; with
``--pushgateway`` it pushes the same metrics. The file always comes, since a job is gone before
anything could scrape it and not every stack has a Pushgateway: a node exporter's textfile folder
or an artifact of the workflow serves as well. Pushing is what the stack's dashboard needs: a
Pushgateway keeps the last values until the next run. It comes last, so that a gateway that is away
costs no report.
"""

import tempfile
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, write_to_textfile

from mlops_pipelines.errors import ExitCode, StepError
from mlops_pipelines.files import read_table, write_json
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
    parser.add_argument("--pushgateway", help="URL to push to")
    parser.add_argument(
        "--exit-code", action="store_true", help=f"end with {ExitCode.REFUSED:d} on drift"
    )


def run(args: Namespace) -> int:
    """Write report and metrics; too few rows give metrics without a verdict."""
    reference, version = _reference(args)
    window = read_window(
        open_store(args.predictions), datetime.now(UTC), args.hours, args.max_rows, version
    )
    rows = len(window.rows)
    drift = None
    if rows >= args.min_rows:
        # Imported late: Evidently takes seconds, which a window without rows need not wait for.
        from mlops_pipelines.report import compare

        drift = compare(window.table(), reference, args.html_file)
    detected = drift is not None and drift.share >= args.drift_share
    status = "too few rows" if drift is None else "drift" if detected else "no drift"
    summary: dict[str, Any] = {
        "model": args.name,
        "version": version,
        "rows": rows,
        "malformed": window.malformed,
        "status": status,
        "drift": None if drift is None else asdict(drift),
    }
    write_json(args.summary_file, summary)
    registry = metrics(args.name, drift, detected, rows, window.malformed)
    args.metrics_file.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(args.metrics_file), registry)
    say(f"{status}: {rows} rows" + (f", share {drift.share:.2f}" if drift else ""))
    if args.pushgateway:
        push(args.pushgateway, args.name, registry)
    return ExitCode.REFUSED if detected and args.exit_code else ExitCode.OK


def metrics(
    model: str, drift: "Drift | None", detected: bool, rows: int, malformed: int
) -> CollectorRegistry:
    """Return the gauges of one run; without ``drift`` those of a verdict are left out."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(name, text, ["model"], registry=registry).labels(model).set(value)

    gauge("mlops_drift_rows", "Predictions in the window.", rows)
    gauge("mlops_drift_malformed_lines", "Log lines that could not be read.", malformed)
    gauge(
        "mlops_drift_last_run_timestamp_seconds",
        "Unix time of the run.",
        datetime.now(UTC).timestamp(),
    )
    if drift is None:
        return registry
    gauge("mlops_drift_share", "Share of the columns that drifted, 0 to 1.", drift.share)
    gauge("mlops_drift_detected", "1 where the share reaches the limit.", float(detected))
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


def _reference(args: Namespace) -> tuple[pd.DataFrame, str | None]:
    """Return the reference and the version it belongs to; a given table belongs to none."""
    if args.reference:
        return read_table(args.reference), None
    champion = by_alias(MlflowClient(), args.name, CHAMPION)
    if champion is None:
        raise StepError(f"{args.name} has no version under the alias {CHAMPION}")
    uri = f"runs:/{champion.run_id}/{REFERENCE_FOLDER}/{REFERENCE_FILE}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        except Exception as error:  # stores raise what they like
            raise StepError(f"no reference at {uri}: {error}") from error
        return read_table(Path(path)), str(champion.version)
