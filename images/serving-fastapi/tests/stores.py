"""PostgreSQL and MinIO on 127.0.0.1, from the programs that ``images/stores`` prints."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from .stack import free_port, process, wait_for

NOBODY = 65534
KEY, SECRET = "test-admin", "test-admin-secret"


class Postgres:
    """A database server of its own, with an empty database."""

    def __init__(self, programs: Path, folder: Path) -> None:
        """Keep the folder with ``initdb`` and ``postgres``, and where the data goes."""
        self._programs = programs
        self._data = folder / "postgres"
        self._log = folder / "postgres.log"
        self.port = free_port()
        self.uri = f"postgresql+psycopg2://test@127.0.0.1:{self.port}/postgres"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the server; data stay between two runs."""
        if not self._data.exists():
            self._initialise()
        command = self._as_user("postgres", "-D", self._data, "-p", self.port, "-k", "")
        with process(
            "postgres", [*command, "-c", "listen_addresses=127.0.0.1"], self._env, self._log
        ):
            self._wait()
            yield

    def _initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self._data, NOBODY, NOBODY)
        options = ("--auth=trust", "--username=test", "--encoding=UTF8", "--no-locale", "--no-sync")
        command = self._as_user("initdb", "-D", self._data, *options)
        done = subprocess.run(command, env=self._env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def _wait(self) -> None:
        until = time.monotonic() + 60.0
        command = [str(self._programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(command, env=self._env, capture_output=True, check=False).returncode:
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.1)

    def _as_user(self, program: str, *arguments: object) -> list[str]:
        """Return the command; as another user than root, whom the server refuses.

        That user keeps root's right to read: the test cache is often closed to all others. With
        ``no_setuid_fixup`` the right also counts in access(2), which the programs ask first.
        """
        command = [str(self._programs / program), *map(str, arguments)]
        if os.geteuid() != 0:
            return command
        user = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        right = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        return ["setpriv", *user, *right, "--securebits=+no_setuid_fixup", *command]

    @property
    def _env(self) -> dict[str, str]:
        # What the machine lacked was unpacked beside it.
        libraries = self._programs.parents[2] / f"{os.uname().machine}-linux-gnu"
        return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": str(libraries)}


class Minio:
    """An S3 store."""

    def __init__(self, program: Path, folder: Path) -> None:
        """Keep the program and where objects go."""
        self._program = program
        self._data = folder / "minio"
        self._log = folder / "minio.log"
        self._running = contextlib.ExitStack()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            "MLFLOW_S3_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the server."""
        with contextlib.ExitStack() as self._running:
            self._start()
            yield

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Stop the server for as long as the block lasts; objects stay."""
        self._running.close()
        yield
        self._start()

    def _start(self) -> None:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._data.parent),
            "MINIO_ROOT_USER": KEY,
            "MINIO_ROOT_PASSWORD": SECRET,
            # Nothing is looked up outside.
            "MINIO_UPDATE": "off",
            "MINIO_CALLHOME_ENABLE": "off",
        }
        address = ("--address", f"127.0.0.1:{self.port}", "--console-address", "127.0.0.1:0")
        command = [str(self._program), "server", "--quiet", str(self._data), *address]
        self._running.enter_context(process("minio", command, env, self._log))
        wait_for(f"{self.url}/minio/health/ready")

    @property
    def access(self) -> dict[str, Any]:
        """Address and keys of the administrator, as boto3 takes them."""
        return {
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "aws_access_key_id": KEY,
            "aws_secret_access_key": SECRET,
        }

    def client(self) -> Any:
        """Return a client of the administrator."""
        return boto3.client("s3", **self.access)


class Inputs:
    """Where the model server logs its inputs."""

    def __init__(self, target: str, predictions: str) -> None:
        """Keep ``INPUT_LOG_BUCKET`` and what ``drift --predictions`` takes."""
        self.target = target
        self.predictions = predictions

    @property
    def env(self) -> dict[str, str]:
        """Settings under which every request is logged at once."""
        return {
            "INPUT_LOG_BUCKET": self.target,
            "INPUT_LOG_SAMPLE_RATE": "1",
            "INPUT_LOG_FLUSH_SECONDS": "0.2",
        }

    def names(self) -> list[str]:
        """Names of the objects."""
        raise NotImplementedError

    def clear(self) -> None:
        """Remove all objects."""
        raise NotImplementedError

    def wait(self) -> None:
        """Wait for an object."""
        until = time.monotonic() + 30.0
        while not self.names():
            assert time.monotonic() < until, "nothing was logged"
            time.sleep(0.05)


class FolderInputs(Inputs):
    """A local folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder.as_uri(), f"{folder}/inference")
        self._folder = folder

    def names(self) -> list[str]:
        """Names of the files."""
        return [path.name for path in self._folder.rglob("*.jsonl")]

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


class BucketInputs(Inputs):
    """A bucket."""

    def __init__(self, minio: Minio, bucket: str) -> None:
        super().__init__(bucket, f"s3://{bucket}/inference/")
        self._client = minio.client()

    def names(self) -> list[str]:
        """Keys of the objects."""
        found = self._client.list_objects_v2(Bucket=self.target)
        return [entry["Key"] for entry in found.get("Contents", ())]

    def clear(self) -> None:
        """Remove all objects."""
        for key in self.names():
            self._client.delete_object(Bucket=self.target, Key=key)
