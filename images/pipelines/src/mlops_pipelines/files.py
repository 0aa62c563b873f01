"""Tables and small output files.

Outputs are replaced in one move: a step that is killed leaves the old file or none,
never half of one that the next step would read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_pipelines.errors import StepError, UsageError


def read_table(path: Path) -> pd.DataFrame:
    """Return the table in a ``.csv`` or ``.parquet`` file.

    Raises StepError when there is no such file or it is not a table, UsageError on another suffix.
    """
    try:
        match path.suffix:
            case ".csv":
                return pd.read_csv(path)
            case ".parquet":
                return pd.read_parquet(path)
            case other:
                raise UsageError(f"{path}: tables end in .csv or .parquet, not {other!r}")
    except (OSError, ValueError) as error:
        raise StepError(f"{path} cannot be read: {error}") from error


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write ``table`` without its index, as CSV or Parquet by the suffix of ``path``."""
    part = _part(path)
    match path.suffix:
        case ".csv":
            table.to_csv(part, index=False)
        case ".parquet":
            table.to_parquet(part, index=False)
        case other:
            raise UsageError(f"{path}: tables end in .csv or .parquet, not {other!r}")
    part.replace(path)


def read_text(path: Path) -> str:
    """Return the content of ``path`` without surrounding white space; StepError when it cannot."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StepError(f"{path} cannot be read: {error}") from error


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as it is: Argo takes the whole file as the value of an output parameter."""
    part = _part(path)
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in ``path``; StepError when there is none."""
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise StepError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise StepError(f"{path} holds no JSON object")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` as indented JSON with sorted keys."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def _part(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.part")
