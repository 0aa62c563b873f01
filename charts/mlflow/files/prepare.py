"""Makes the databases and the bucket ready before the server starts.

The addresses hold passwords, so they come from the environment: `mlflow db upgrade URL` would show them in the process list.
"""

import configparser
import contextlib
import os
import sys
import time
import urllib.parse

import sqlalchemy

# Any number will do, as long as all pods of one database use the same.
LOCK = 7_286_015


def wait_for(name, uri):
    """Returns an engine once the database answers."""
    try:
        engine = sqlalchemy.create_engine(uri)
    except ImportError as error:
        sys.exit(f"error: {name} asks for a driver that the image lacks: {error}")
    except Exception as error:
        # Not the message: it may quote the address.
        sys.exit(f"error: {name} is no database address that SQLAlchemy knows ({type(error).__name__})")
    deadline = time.monotonic() + float(os.environ["WAIT_SECONDS"])
    while True:
        try:
            with engine.connect():
                return engine
        except sqlalchemy.exc.OperationalError as error:
            reason = str(error.orig).strip()
            if time.monotonic() > deadline:
                sys.exit(f"error: the database of {name} does not answer: {reason}")
            print(f"waiting for the database of {name}: {reason}", flush=True)
            time.sleep(3)


@contextlib.contextmanager
def one_pod_at_a_time(engine):
    if engine.dialect.name != "postgresql":
        yield
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        try:
            yield
        finally:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})


def upgrade_schema():
    uri = os.environ["MLFLOW_BACKEND_STORE_URI"]
    with one_pod_at_a_time(wait_for("MLFLOW_BACKEND_STORE_URI", uri)):
        # Imported late, since it takes seconds that the wait above need not have.
        from mlflow.db import commands

        # Makes the tables of an empty database as well.
        commands.main(args=["upgrade", uri], standalone_mode=False)


def write_auth_config():
    uri = os.environ["AUTH_DATABASE_URI"]
    wait_for("AUTH_DATABASE_URI", uri)
    config = configparser.ConfigParser()
    config["mlflow"] = {
        "default_permission": os.environ["AUTH_DEFAULT_PERMISSION"],
        # The server reads the file with interpolation, where a percent sign stands for itself only when doubled.
        "database_uri": uri.replace("%", "%%"),
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    path = os.environ["MLFLOW_AUTH_CONFIG_PATH"]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        config.write(file)


def refusal(error):
    """Returns the store's own code; an answer to HEAD has no body, and only the number of the status."""
    return error.response["Error"]["Code"]


def why_no_bucket(client, bucket):
    """Makes the bucket where it is missing; returns None once it is there, else the reason and whether that may heal."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.head_bucket(Bucket=bucket)
        return None
    except ClientError as error:
        if refusal(error) not in ("403", "404"):
            return str(error), True
        missing = refusal(error) == "404"
    except BotoCoreError as error:
        return str(error), True
    try:
        if not missing:
            # Asks once more in a way that is answered with a reason.
            client.list_objects_v2(Bucket=bucket, MaxKeys=1)
            return None
        region = client.meta.region_name
        # The default region must not be named.
        place = {} if region in ("us-east-1", "aws-global") else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client.create_bucket(Bucket=bucket, **place)
        print(f"made the bucket {bucket}", flush=True)
        return None
    except BotoCoreError as error:
        return str(error), True
    except ClientError as error:
        code = refusal(error)
        if code == "BucketAlreadyOwnedByYou":
            return None
        if code == "AccessDenied" and not missing:
            # Keys that read and write objects and see nothing else are enough for the server.
            print(f"the keys may not look at the bucket {bucket}, going on", flush=True)
            return None
        if code == "AccessDenied":
            return "it does not exist and the keys may not make it: make it, or allow s3:CreateBucket", True
        # Another owner has that name, or it cannot be one.
        return str(error), code not in ("BucketAlreadyExists", "InvalidBucketName", "IllegalLocationConstraintException")


def prepare_bucket():
    destination = urllib.parse.urlsplit(os.environ["MLFLOW_ARTIFACTS_DESTINATION"])
    if destination.scheme != "s3":
        return
    import boto3
    from botocore.config import Config

    bucket = destination.netloc
    endpoint = os.environ.get("MLFLOW_S3_ENDPOINT_URL")
    style = os.environ.get("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE", "auto")
    config = Config(s3={"addressing_style": style}, connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1})
    client = boto3.client("s3", endpoint_url=endpoint, config=config)
    deadline = time.monotonic() + float(os.environ["WAIT_SECONDS"])
    while (found := why_no_bucket(client, bucket)) is not None:
        reason, heals = found
        if not heals or time.monotonic() > deadline:
            sys.exit(f"error: the bucket {bucket} at {endpoint or 'AWS S3'} cannot be used: {reason}")
        # A Job may still be at work on the bucket and on its user.
        print(f"waiting for the bucket {bucket}: {reason}", flush=True)
        time.sleep(3)


upgrade_schema()
if os.environ.get("PREPARE_BUCKET") == "true":
    prepare_bucket()
if "MLFLOW_AUTH_CONFIG_PATH" in os.environ:
    write_auth_config()
print("ready")
