"""Places that a batch of log lines goes to."""

from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlparse

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


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
        """Store one object; a bucket that is missing is made, where the keys allow that."""
        request = {"Bucket": self._bucket, "Key": key, "Body": body}
        try:
            self._client.put_object(**request, ContentType="application/x-ndjson")
        except self._client.exceptions.NoSuchBucket as error:
            self._make_bucket(error)
            self._client.put_object(**request, ContentType="application/x-ndjson")

    def _make_bucket(self, missing: ClientError) -> None:
        region = self._client.meta.region_name
        # The default region must not be named.
        place = {} if region in {"us-east-1", "aws-global"} else {"LocationConstraint": region}
        options = {"CreateBucketConfiguration": place} if place else {}
        try:
            self._client.create_bucket(Bucket=self._bucket, **options)
        except ClientError as error:
            text = f"bucket {self._bucket} does not exist and cannot be made: {error}"
            raise OSError(text) from missing


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
