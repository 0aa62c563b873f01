"""Places that a batch of log lines goes to."""

from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlparse

import boto3
from botocore.config import Config


class Sink(Protocol):
    """A place for objects."""

    def put(self, key: str, body: bytes) -> None:
        """Store ``body`` under ``key``; raises anything when it cannot."""


class S3Sink:
    """A bucket; endpoint, region and keys come from the environment, as boto3 reads them."""

    def __init__(self, bucket: str, client: Any = None) -> None:  # noqa: ANN401 (boto3 has no types)
        # Short times: the queue behind it retries by itself, and the end of the pod must not wait.
        config = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
        self._bucket = bucket
        self._client = client or boto3.client("s3", config=config)

    def put(self, key: str, body: bytes) -> None:
        """Store one object."""
        self._client.put_object(
            Bucket=self._bucket, Key=key, Body=body, ContentType="application/x-ndjson"
        )


class FolderSink:
    """A local folder with the layout of the bucket."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, body: bytes) -> None:
        """Store one file; it appears whole."""
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(body)
        part.replace(path)


def open_sink(bucket: str) -> Sink:
    """Return the sink for a bucket's name or a ``file:///folder``."""
    if bucket.startswith("file://"):
        return FolderSink(Path(unquote(urlparse(bucket).path)))
    return S3Sink(bucket)
