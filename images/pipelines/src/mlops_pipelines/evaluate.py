"""``evaluate``: measures a run's model on the test split.

The figures go to a JSON file and, as ``test_…``, to the run itself.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

import mlflow
import pandas as pd

from mlops_pipelines.data import TARGET
from mlops_pipelines.errors import ExitCode, StepError
from mlops_pipelines.files import read_table, write_json
from mlops_pipelines.log import say
from mlops_pipelines.model import features_of, measure
from mlops_pipelines.options import add_run_id, run_id_of
from mlops_pipelines.registry import load, logged_model_uri

SUMMARY = "measure the run's model on the test split"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of the step."""
    add_run_id(parser)
    parser.add_argument("--test", type=Path, required=True, help="test split")
    parser.add_argument("--target", default=TARGET, help=f"target column (default: {TARGET})")
    parser.add_argument("--metrics-file", type=Path, required=True, help="output, JSON")


def run(args: Namespace) -> int:
    """Write ``{"run_id", "rows", "metrics": {name: value}}``."""
    run_id = run_id_of(args)
    test = read_table(args.test)
    client = mlflow.MlflowClient()
    metrics = score(logged_model_uri(client, run_id), test, args.target)
    for name, value in metrics.items():
        client.log_metric(run_id, f"test_{name}", value)
    write_json(args.metrics_file, {"run_id": run_id, "rows": len(test), "metrics": metrics})
    say(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    return ExitCode.OK


def score(uri: str, test: pd.DataFrame, target: str) -> dict[str, float]:
    """Return the measures of the model at ``uri``; StepError when it does not take the columns."""
    if test.empty:
        raise StepError("the test split has no rows")
    features = features_of(test, target)
    model = load(uri)
    try:
        answers = model.predict(features)
    except Exception as error:  # a foreign model may raise anything
        raise StepError(f"{uri} does not take the test split: {error}") from error
    return measure(test[target], answers)
