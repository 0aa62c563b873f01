"""``train``: fits the model and logs it to MLflow.

The run holds parameters, metrics on the training split, the model with signature and input
example, and two files: ``reference/reference.parquet``, the training features and the model's own
answers on them, which ``drift`` compares live traffic with, and ``verification.json``, a request
and the answer that a server of this model must give. The model is saved in the skops format, which
loads only known types.
"""

import tempfile
from argparse import ArgumentParser, Namespace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy.typing as npt
import pandas as pd
from mlflow.models import infer_signature

from mlops_pipelines.data import TARGET
from mlops_pipelines.errors import ExitCode
from mlops_pipelines.files import read_table, write_table, write_text
from mlops_pipelines.log import say
from mlops_pipelines.model import MODEL_NAME, TRUSTED_TYPES, build, features_of, measure

SUMMARY = "fit the model, log it to MLflow"
REFERENCE_FOLDER = "reference"
REFERENCE_FILE = "reference.parquet"
VERIFICATION_FILE = "verification.json"
EXAMPLE_ROWS = 5
"""Rows of the model's input example and of the verification file."""
PREDICTION = "prediction"
"""Column of the model's answers, in the reference and in the serving image's log."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of the step."""
    parser.add_argument("--train", type=Path, required=True, help="training split")
    parser.add_argument("--target", default=TARGET, help=f"target column (default: {TARGET})")
    parser.add_argument("--experiment", default="demo", help="MLflow experiment (default: demo)")
    parser.add_argument("--c", type=float, default=1.0, help="inverse regularisation (default: 1)")
    parser.add_argument("--max-iter", type=int, default=500, help="solver steps (default: 500)")
    parser.add_argument("--seed", type=int, default=7, help="of the solver")
    parser.add_argument("--run-id-file", type=Path, required=True, help="output: the run's id")


def run(args: Namespace) -> int:
    """Log one finished run; a run that fails on the way ends as FAILED in MLflow."""
    table = read_table(args.train).dropna(subset=[args.target])
    features = features_of(table, args.target)
    target = table[args.target]
    params = {"C": args.c, "max_iter": args.max_iter, "random_state": args.seed}
    mlflow.set_experiment(args.experiment)
    with mlflow.start_run() as active:
        run_id: str = active.info.run_id
        mlflow.log_params(
            {**params, "target": args.target, "rows": len(table), "features": features.shape[1]}
        )
        model = build(features, params).fit(features, target)
        answers = model.predict(features)
        metrics = measure(target, answers)
        mlflow.log_metrics({f"train_{name}": value for name, value in metrics.items()})
        example = example_of(features, answers)
        mlflow.sklearn.log_model(
            model,
            name=MODEL_NAME,
            signature=infer_signature(features, answers),
            input_example=example,
            skops_trusted_types=TRUSTED_TYPES,
            # Left out, MLflow finds them by loading the model in another process: ten seconds.
            pip_requirements=_requirements(),
        )
        mlflow.log_dict(verification(example, model.predict(example)), VERIFICATION_FILE)
        _log_reference(features.assign(**{PREDICTION: answers}))
    write_text(args.run_id_file, run_id)
    say(f"run {run_id}, accuracy {metrics['accuracy']:.4f} on the training split")
    return ExitCode.OK


def example_of(features: pd.DataFrame, answers: npt.NDArray[Any]) -> pd.DataFrame:
    """Return at most ``EXAMPLE_ROWS`` rows, with as many different answers among them as fit.

    Rows of one class alone would also suit a server that always says the same.
    """
    different = pd.Series(answers).drop_duplicates().index
    places = dict.fromkeys([*different, *range(len(features))])
    return features.iloc[sorted([*places][:EXAMPLE_ROWS])].reset_index(drop=True)


def verification(example: pd.DataFrame, answers: npt.NDArray[Any]) -> dict[str, Any]:
    """Return ``inputs``, a body for ``/predict``, and ``predictions``, what has to come back."""
    rows = example.astype(object).to_numpy().tolist()
    # JSON has no NaN, and the server takes null for a value that is missing.
    data = [[None if pd.isna(value) else value for value in row] for row in rows]
    split = {"columns": example.columns.tolist(), "data": data}
    return {"inputs": {"dataframe_split": split}, "predictions": answers.tolist()}


def _requirements() -> list[str]:
    names = ("mlflow-skinny", "numpy", "pandas", "scikit-learn", "skops")
    return [f"{name}=={version(name)}" for name in names]


def _log_reference(reference: pd.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, REFERENCE_FILE)
        write_table(reference, path)
        mlflow.log_artifact(str(path), REFERENCE_FOLDER)
