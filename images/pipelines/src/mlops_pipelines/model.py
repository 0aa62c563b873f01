"""The estimator and the measures that all steps share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_pipelines.errors import StepError

TRUSTED_TYPES = [
    "numpy.dtype",
    "sklearn.compose._column_transformer._RemainderColsList",
]
"""What ``build`` uses beyond the types that skops loads without being told."""

MODEL_NAME = "model"
"""Name of the logged model inside its run."""


def features_of(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Return the feature columns, numbers and booleans as float64, all else as text.

    Whole numbers become float64 too: an integer column in the signature would refuse 3.0 and
    missing values at prediction time.
    """
    if target not in table.columns:
        raise StepError(f"no column {target!r}, there are: {', '.join(map(str, table.columns))}")
    features = table.drop(columns=[target])
    if features.shape[1] == 0:
        raise StepError("the table has no features beside the target")
    kinds = {
        name: "float64" if pd.api.types.is_numeric_dtype(column) else "str"
        for name, column in features.items()
    }
    return features.astype(kinds)


def build(features: pd.DataFrame, params: Mapping[str, Any]) -> Pipeline:
    """Return an unfitted classifier for the columns of ``features``.

    A purely numeric table gets a chain of array operations: a ColumnTransformer would make
    every prediction an order of magnitude slower.
    """
    numeric = features.select_dtypes("number").columns.tolist()
    text = [name for name in features.columns if name not in numeric]
    scale = make_pipeline(SimpleImputer(), StandardScaler())
    classifier = LogisticRegression(**params)
    if not text:
        return Pipeline([*scale.steps, ("classifier", classifier)])
    columns = make_column_transformer(
        (scale, numeric), (OneHotEncoder(handle_unknown="ignore"), text)
    )
    return make_pipeline(columns, classifier)


def measure(truth: "pd.Series[Any]", predicted: Any) -> dict[str, float]:  # noqa: ANN401
    """Return accuracy, macro F1, precision and recall, each from 0 to 1.

    ``truth`` and ``predicted`` have shape (rows,). Both are compared as text when their types
    differ, since a registry may hand back ``1`` where the file says ``"1"``.
    """
    expected, answers = np.asarray(truth), np.asarray(predicted)
    if expected.dtype.kind != answers.dtype.kind:
        expected, answers = expected.astype(str), answers.astype(str)
    macro: dict[str, Any] = {"average": "macro", "zero_division": 0}
    return {
        "accuracy": float(accuracy_score(expected, answers)),
        "f1": float(f1_score(expected, answers, **macro)),
        "precision": float(precision_score(expected, answers, **macro)),
        "recall": float(recall_score(expected, answers, **macro)),
    }
