"""Reads what the serving image logged: objects of JSON lines, newest first.

A line holds ``ts`` (ISO 8601, UTC), ``model``, ``version``, ``request_id``, ``inputs`` (column to
value) and ``prediction``. Objects are named ``<prefix>YYYY/MM/DD/HHMMSS-….jsonl``, so only the days
inside the window are listed, however much lies in the bucket.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import boto3
import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from mlops_pipelines.errors import StepError
from mlops_pipelines.options import s3_parts
from mlops_pipelines.train import PREDICTION


class Store(Protocol):
    """A place that holds the log."""

    def objects(self, day: datetime) -> Iterator[bytes]:
        """Yield the objects of one day, newest first."""


class FolderStore:
    """A local folder with the layout of the bucket."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise StepError(f"there is no folder {root}")
        self._root = root

    def objects(self, day: datetime) -> Iterator[bytes]:
        """Yield the files of one day, newest first."""
        folder = self._root / day.strftime("%Y/%m/%d")
        for path in sorted(folder.glob("*.jsonl"), reverse=True):
            yield path.read_bytes()


class S3Store:
    """A bucket; endpoint, region and keys come from the environment, as boto3 reads them."""

    def __init__(self, uri: str, client: Any = None) -> None:  # noqa: ANN401 (boto3 has no types)
        self._bucket, self._prefix = s3_parts(uri)
        self._client = client or boto3.client("s3")

    def objects(self, day: datetime) -> Iterator[bytes]:
        """Yield the objects of one day, newest first; StepError when the store refuses."""
        prefix = f"{self._prefix}{day.strftime('%Y/%m/%d')}/"
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
            for key in sorted(keys, reverse=True):
                yield self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise StepError(f"s3://{self._bucket}/{prefix} cannot be read: {error}") from error


def open_store(uri: str) -> Store:
    """Return the store behind ``s3://bucket/prefix`` or a local path."""
    return S3Store(uri) if uri.startswith("s3://") else FolderStore(Path(uri))


@dataclass
class Window:
    """Predictions of a stretch of time."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    malformed: int = 0
    """Lines that were left out since they are not what the serving image writes."""

    def table(self) -> pd.DataFrame:
        """Return one row per prediction: its inputs and the column ``prediction``."""
        return pd.DataFrame(self.rows)


def read_window(
    store: Store, until: datetime, hours: float, most: int, version: str | None = None
) -> Window:
    """Return at most ``most`` rows from the ``hours`` before ``until``, newest objects first.

    With ``version`` only rows that this version of the model answered count.
    """
    since = until - timedelta(hours=hours)
    window = Window()
    day = until.replace(hour=0, minute=0, second=0, microsecond=0)
    while day + timedelta(days=1) > since:
        for body in store.objects(day):
            for line in body.splitlines():
                _take(line, window, since, until, version)
            if len(window.rows) >= most:
                del window.rows[most:]
                return window
        day -= timedelta(days=1)
    return window


def _take(
    line: bytes, window: Window, since: datetime, until: datetime, version: str | None
) -> None:
    try:
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["ts"])
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        row = {**entry["inputs"], PREDICTION: entry["prediction"]}
        answered_by = str(entry["version"])
    except (ValueError, KeyError, TypeError):
        window.malformed += 1
        return
    if since <= at <= until and version in (None, answered_by):
        window.rows.append(row)
