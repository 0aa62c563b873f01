"""The command ``mlops-pipelines``: one sub-command per step.

Modules of steps are imported when they run: Evidently alone takes seconds to import, which no
other step should pay for.
"""

import logging
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from mlops_pipelines import __version__
from mlops_pipelines.errors import ExitCode, StepError, UsageError
from mlops_pipelines.log import say

STEPS = ("data", "train", "evaluate", "gate", "register", "drift")


class Step(Protocol):
    """What every module of a step offers."""

    SUMMARY: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options of the step."""

    def run(self, args: Namespace) -> int:
        """Do the work and return the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the sub-command in ``argv`` and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    quiet_libraries()
    args = make_parser(arguments).parse_args(arguments)
    try:
        return _step(args.step).run(args)
    except UsageError as error:
        say(f"error: {error}")
        return ExitCode.USAGE
    except Exception as error:
        if args.debug:
            raise
        kind = "" if isinstance(error, StepError) else f"{type(error).__name__}: "
        say(f"error: {args.step} failed: {kind}{error}")
        return ExitCode.FAILED


def make_parser(arguments: Sequence[str]) -> ArgumentParser:
    """Return a parser that knows the step in ``arguments``, or all where there is none."""
    parser = ArgumentParser(prog="mlops-pipelines", description="Steps of an MLOps pipeline.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    commands = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    wanted = next((argument for argument in arguments if argument in STEPS), None)
    for name in STEPS:
        if wanted in (None, name):
            step = _step(name)
            command = commands.add_parser(
                name,
                help=step.SUMMARY,
                description=step.__doc__,
                formatter_class=RawDescriptionHelpFormatter,
            )
            step.add_arguments(command)
    return parser


def quiet_libraries() -> None:
    """Keep libraries from calling home and from waiting for minutes on a server that is away.

    The environment wins where it says otherwise. Must run before mlflow or evidently is imported.
    """
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "GIT_PYTHON_REFRESH": "quiet",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4",
        # Artifacts go through the server. It would hand out addresses of the store itself, which
        # a network policy may keep a pod from.
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
    }.items():
        os.environ.setdefault(name, value)
    logging.getLogger("mlflow").setLevel(logging.WARNING)


def _step(name: str) -> Step:
    return cast(Step, import_module(f"mlops_pipelines.{name}"))
