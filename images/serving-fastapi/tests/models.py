"""Real models in local folders, as the server loads them."""

import shutil
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops_serving.model import Identity, LoadedModel


def table(rows: int = 40) -> pd.DataFrame:
    """Two numeric features."""
    random = np.random.default_rng(1)
    return pd.DataFrame({"a": random.normal(size=rows), "b": random.normal(size=rows)})


def estimator(kind: str, features: pd.DataFrame) -> Any:
    """A fitted estimator: ``numbers``, ``text`` or ``regression``."""
    target = (features["a"] > 0).astype(int)
    if kind == "regression":
        return LinearRegression().fit(features, features["a"] * 2.0)
    if kind == "text":
        columns = make_column_transformer((OneHotEncoder(), ["t"]), remainder="passthrough")
        return make_pipeline(columns, LogisticRegression()).fit(features, target)
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(features, target)


def loaded(folder: Path, kind: str = "numbers", version: str = "1") -> tuple[LoadedModel, Any]:
    """Save a model and load it as the server does; return it with its estimator."""
    features = table()
    if kind == "text":
        features = features.assign(t=["x", "y"] * 20)
    model = estimator(kind, features)
    owned = folder / version
    shutil.rmtree(owned, ignore_errors=True)
    mlflow.sklearn.save_model(
        model,
        str(owned / "model"),
        signature=infer_signature(features, model.predict(features)),
        input_example=features.head(3),
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
    )
    return LoadedModel(Identity("m", version), owned / "model", owned), model
