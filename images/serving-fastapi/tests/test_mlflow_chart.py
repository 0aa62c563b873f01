"""What the chart ``mlflow`` does before its server starts, against the real database and store."""

import json
import runpy
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from .stack import Stack, fork, free_port
from .stores import Minio

SCRIPT = Path(__file__).parents[3] / "charts" / "mlflow" / "files" / "prepare.py"


def prepare(
    stack: Stack, database: str, bucket: str, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the script of the init container; what is missing is waited for only once."""
    settings = {
        **stack.env,
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{bucket}/",
        "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE": "path",
        "PREPARE_BUCKET": "true",
        "WAIT_SECONDS": "2",
        **env,
    }
    return fork(partial(run_script, SCRIPT), settings, stack.folder)


def run_script(path: Path) -> int:
    """Be ``python path``."""
    runpy.run_path(str(path), run_name="__main__")
    return 0


def limited(minio: Minio, bucket: str, *actions: str) -> dict[str, str]:
    """Return keys that may do just this in the bucket."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client: Any = boto3.client("sts", **minio.access)
    found = client.assume_role(
        RoleArn="arn:aws:iam::0:role/any", RoleSessionName="test", Policy=policy
    )
    keys = found["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }


def test_missing_bucket_is_made_once(stack: Stack, database: str, minio: Minio) -> None:
    first = prepare(stack, database, "fresh", AWS_DEFAULT_REGION="eu-central-1")
    assert (first.returncode, "made the bucket fresh" in first.stdout) == (0, True), first.stderr
    again = prepare(stack, database, "fresh")
    assert (again.returncode, "made" in again.stdout) == (0, False), again.stderr
    minio.client().head_bucket(Bucket="fresh")


def test_keys_that_may_not_make_it_are_told_so(stack: Stack, database: str, minio: Minio) -> None:
    keys = limited(minio, "forbidden", "s3:GetObject", "s3:PutObject", "s3:ListBucket")
    done = prepare(stack, database, "forbidden", **keys)
    assert done.returncode == 1
    assert "error: the bucket forbidden at http://127.0.0.1" in done.stderr
    assert "it does not exist and the keys may not make it" in done.stderr
    with pytest.raises(ClientError):
        minio.client().head_bucket(Bucket="forbidden")


def test_keys_that_only_write_are_enough(stack: Stack, database: str, minio: Minio) -> None:
    keys = limited(minio, "mlflow", "s3:GetObject", "s3:PutObject")
    done = prepare(stack, database, "mlflow", **keys)
    assert done.returncode == 0, done.stderr
    assert "may not look at the bucket mlflow" in done.stdout


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId"),
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
        ({"MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}, "Could not connect"),
    ],
)
def test_store_that_refuses_is_waited_for_and_named(
    stack: Stack, database: str, minio: Minio, env: dict[str, str], message: str
) -> None:
    del minio
    done = prepare(stack, database, "mlflow", **env)
    assert done.returncode == 1
    assert "waiting for the bucket mlflow" in done.stdout
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_no_bucket_is_looked_for_where_none_is_meant(stack: Stack, database: str) -> None:
    for env in ({"PREPARE_BUCKET": "false"}, {"MLFLOW_ARTIFACTS_DESTINATION": "artifacts"}):
        done = prepare(stack, database, "no-such", **env)
        assert done.returncode == 0, done.stderr
