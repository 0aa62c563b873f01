"""The drift report itself, by Evidently 0.7."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from mlops_pipelines.errors import StepError
from mlops_pipelines.train import PREDICTION

SMALL_WINDOW = 1000
"""Rows below which columns are judged by tests in place of distances."""
TESTS = ("ks", "chisquare")
"""Kolmogorov-Smirnov for numbers, chi-square for classes."""
P_VALUE = 0.01
MOST_CLASSES = 20
"""A numeric prediction with no more different values than this counts as a class."""


@dataclass(frozen=True)
class ColumnDrift:
    """Drift of one column."""

    score: float
    """Distance or p-value, as ``method`` says."""
    threshold: float
    method: str
    detected: bool


@dataclass(frozen=True)
class Drift:
    """Outcome of one comparison."""

    share: float
    """Share of the columns that drifted, 0 to 1."""
    columns: dict[str, ColumnDrift]


def compare(current: pd.DataFrame, reference: pd.DataFrame, html: Path | None) -> Drift:
    """Compare the columns of ``reference`` with those of ``current``; write the page to ``html``.

    Columns that only ``current`` has are left out. StepError names those it lacks.
    """
    missing = [str(name) for name in reference.columns if name not in current.columns]
    if missing:
        raise StepError(f"the predictions lack what the reference has: {', '.join(missing)}")
    numeric, text = _kinds(reference)
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=text)
    current = _aligned(current[list(reference.columns)], numeric, text)
    empty = [name for name in current.columns if current[name].isna().all()]
    if empty:
        raise StepError(f"the predictions have no usable value in: {', '.join(empty)}")
    snapshot = Report([_preset(len(current))]).run(
        Dataset.from_pandas(current, data_definition=definition),
        Dataset.from_pandas(_aligned(reference, numeric, text), data_definition=definition),
    )
    if html:
        html.parent.mkdir(parents=True, exist_ok=True)
        snapshot.save_html(str(html))
    return _read(snapshot.dict())


def _preset(rows: int) -> DataDriftPreset:
    """Return how to judge a window of ``rows``.

    Evidently goes by the size of the reference alone: beside a large one it takes distances, which
    chance makes as large as their limit in a window of some hundred rows. A test knows how much
    chance does; in a large window it would find differences that matter to nobody.
    """
    if rows >= SMALL_WINDOW:
        return DataDriftPreset()
    numbers, classes = TESTS
    return DataDriftPreset(
        num_method=numbers, num_threshold=P_VALUE, cat_method=classes, cat_threshold=P_VALUE
    )


def _kinds(reference: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Sort the columns into numbers and categories."""
    numeric = [
        name
        for name in reference.select_dtypes("number").columns
        if name != PREDICTION or reference[name].nunique() > MOST_CLASSES
    ]
    return numeric, [name for name in reference.columns if name not in numeric]


def _aligned(table: pd.DataFrame, numeric: list[str], text: list[str]) -> pd.DataFrame:
    """Give both sides the same types: JSON has one kind of number, a table several."""
    numbers = {name: pd.to_numeric(table[name], errors="coerce") for name in numeric}
    words = {name: table[name].map(_word) for name in text}
    return pd.DataFrame({**numbers, **words})[list(table.columns)]


def _word(value: Any) -> str:  # noqa: ANN401 (a cell)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _read(result: Mapping[str, Any]) -> Drift:
    share = 0.0
    columns: dict[str, ColumnDrift] = {}
    for metric in result["metrics"]:
        config, value = metric["config"], metric["value"]
        if config["type"].endswith(":DriftedColumnsCount"):
            share = float(value["share"])
        elif config["type"].endswith(":ValueDrift"):
            score, threshold = float(value), float(config["threshold"])
            # A p-value is small where the columns differ, a distance is large.
            p_value = config["method"] in TESTS or config["method"].endswith("p_value")
            columns[config["column"]] = ColumnDrift(
                score=score,
                threshold=threshold,
                method=config["method"],
                detected=score < threshold if p_value else score >= threshold,
            )
    if not columns:
        raise StepError("Evidently's result has no column in it")
    return Drift(share, columns)
