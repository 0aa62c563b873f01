"""Predictions as the serving image logs them."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_pipelines.data import TARGET


def line(at: datetime, version: str = "1", **inputs: float) -> dict[str, Any]:
    """One line of the serving image's log."""
    return {"ts": at.isoformat(), "version": version, "inputs": inputs, "prediction": 1}


def body(*lines: dict[str, Any]) -> bytes:
    """An object of the log."""
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in lines)


def log_table(root: Path, table: pd.DataFrame, at: datetime) -> None:
    """Write ``table`` the way the serving image logs it."""
    folder = root / at.strftime("%Y/%m/%d")
    folder.mkdir(parents=True, exist_ok=True)
    rows = table.drop(columns=TARGET).to_dict("records")
    answers = table[TARGET].tolist()
    lines = [
        {**line(at), "inputs": row, "prediction": answer}
        for row, answer in zip(rows, answers, strict=True)
    ]
    (folder / f"{at.strftime('%H%M%S')}-pod-1.jsonl").write_bytes(body(*lines))
