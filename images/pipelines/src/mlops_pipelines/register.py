"""``register``: makes a version of the run's model and sets aliases.

Repeating it changes nothing: a run has one version, and an alias that is right stays untouched.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from mlops_pipelines.errors import ExitCode, StepError, UsageError
from mlops_pipelines.files import read_json, write_text
from mlops_pipelines.log import say
from mlops_pipelines.options import add_run_id, run_id_of
from mlops_pipelines.registry import (
    CHALLENGER,
    CHAMPION,
    by_alias,
    make_champion,
    register_once,
    set_alias,
)

SUMMARY = "register the run's model, set its alias"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of the step."""
    add_run_id(parser)
    parser.add_argument("--name", default="demo-model", help="registered model")
    parser.add_argument(
        "--promote", action="store_true", help="also set champion, where the gate let it pass"
    )
    parser.add_argument("--decision-file", type=Path, help="as gate wrote it, for --promote")
    parser.add_argument("--version-file", type=Path, help="output: the version's number")


def run(args: Namespace) -> int:
    """Register and set aliases; StepError when another champion came after the gate's answer."""
    if args.promote and not args.decision_file:
        raise UsageError("--promote needs --decision-file: only the gate says who wins")
    client = MlflowClient()
    version = register_once(client, args.name, run_id_of(args))
    changed = set_alias(client, version, CHALLENGER)
    say(f"{args.name} version {version.version} {'is now' if changed else 'was'} {CHALLENGER}")
    if args.promote:
        promote(client, version, args.decision_file)
    if args.version_file:
        write_text(args.version_file, str(version.version))
    return ExitCode.OK


def promote(client: MlflowClient, version: ModelVersion, decision_file: Path) -> bool:
    """Set ``champion`` when the decision allows it; return whether the version holds it then."""
    decision = read_json(decision_file)
    if decision.get("run_id") != version.run_id:
        raise StepError(f"{decision_file} is about run {decision.get('run_id')}")
    if decision.get("passed") is not True:
        say(f"not promoted: {'; '.join(decision.get('reasons', ['refused']))}")
        return False
    current = by_alias(client, version.name, CHAMPION)
    holder = None if current is None else str(current.version)
    if holder == str(version.version):
        say(f"version {version.version} was {CHAMPION}")
        return True
    if holder != decision.get("champion_version"):
        raise StepError(
            f"version {holder or 'none'} is {CHAMPION} now, the gate compared with "
            f"{decision.get('champion_version') or 'none'}: run the gate again"
        )
    make_champion(client, version)
    say(f"version {version.version} is now {CHAMPION}, {holder or 'none'} before")
    return True
