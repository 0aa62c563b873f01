"""Options that several steps share, and the reading of their values."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from mlops_pipelines.files import read_text


def add_run_id(parser: ArgumentParser) -> None:
    """Declare the two ways to name a run."""
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--run-id", help="MLflow run")
    group.add_argument("--run-id-file", type=Path, help="file with the run's id, as train wrote it")


def run_id_of(args: Namespace) -> str:
    """Return the run's id from whichever option was given."""
    return str(args.run_id) if args.run_id else read_text(args.run_id_file)


def limit(text: str) -> tuple[str, float]:
    """Read ``name=value``, the form of a threshold."""
    name, sign, value = text.partition("=")
    try:
        if not name or not sign:
            raise ValueError
        return name, float(value)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not of the form name=number") from None


def s3_parts(uri: str) -> tuple[str, str]:
    """Split ``s3://bucket/prefix`` into bucket and prefix; the prefix may be empty."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix
