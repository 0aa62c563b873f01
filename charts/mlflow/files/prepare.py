"""Makes the databases ready before the server starts.

The addresses hold passwords, so they come from the environment: `mlflow db upgrade URL` would show them in the process list.
"""

import configparser
import contextlib
import os
import sys
import time

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


upgrade_schema()
if "MLFLOW_AUTH_CONFIG_PATH" in os.environ:
    write_auth_config()
print("databases are ready")
