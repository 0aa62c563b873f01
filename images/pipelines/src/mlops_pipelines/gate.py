"""``gate``: says whether a model may take the champion's place.

It is acceptable, and worth a place in the registry, when it reaches every threshold. It passes when
it also is at least as good as the current champion on the same test split: figures that the
champion once got on other data would not compare. The answer is a JSON file with the reasons, and
optionally files with ``true`` or ``false`` for a workflow's ``when``. A champion that cannot be
measured refuses the candidate, since nobody can say it wins.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mlflow import MlflowClient

from mlops_pipelines.data import TARGET
from mlops_pipelines.errors import ExitCode, StepError
from mlops_pipelines.evaluate import score
from mlops_pipelines.files import read_json, read_table, write_json, write_text
from mlops_pipelines.log import say
from mlops_pipelines.options import limit
from mlops_pipelines.registry import CHAMPION, by_alias

SUMMARY = "compare with thresholds and with the current champion"


@dataclass(frozen=True)
class Decision:
    """Outcome of the gate, as written to ``--decision-file``."""

    acceptable: bool
    """Whether every threshold is reached."""
    passed: bool
    """Whether the champion is also matched."""
    reasons: list[str]
    run_id: str
    champion_version: str | None
    """Version that was compared with; ``register`` refuses when another one took its place."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options of the step."""
    parser.add_argument("--metrics-file", type=Path, required=True, help="as evaluate wrote it")
    parser.add_argument("--test", type=Path, required=True, help="test split, for the champion")
    parser.add_argument("--target", default=TARGET, help=f"target column (default: {TARGET})")
    parser.add_argument("--name", default="demo-model", help="registered model")
    parser.add_argument(
        "--min", type=limit, action="append", default=[], help="least value, as accuracy=0.8"
    )
    parser.add_argument("--compare", default="accuracy", help="metric to beat (default: accuracy)")
    parser.add_argument(
        "--tolerance", type=float, default=0.0, help="how much worse than the champion it may be"
    )
    parser.add_argument("--decision-file", type=Path, required=True, help="output, JSON")
    parser.add_argument("--acceptable-file", type=Path, help="output: true or false")
    parser.add_argument("--passed-file", type=Path, help="output: true or false")
    parser.add_argument(
        "--exit-code", action="store_true", help=f"end with {ExitCode.REFUSED:d} on a refusal"
    )


def run(args: Namespace) -> int:
    """Write the decision; the exit code is 0 for either answer unless ``--exit-code`` is given."""
    measured = read_json(args.metrics_file)
    try:
        metrics = {str(name): float(value) for name, value in measured["metrics"].items()}
        run_id = str(measured["run_id"])
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise StepError(f"{args.metrics_file} is not what evaluate writes: {error!r}") from error
    champion = by_alias(MlflowClient(), args.name, CHAMPION)
    reasons = shortfalls(metrics, args.min)
    acceptable = not reasons
    if champion is not None and champion.run_id != run_id:
        uri = f"models:/{args.name}/{champion.version}"
        try:
            theirs = score(uri, read_table(args.test), args.target)
            reasons += losses(metrics, theirs, args.compare, args.tolerance)
        except StepError as error:
            reasons.append(f"no comparison with the champion: {error}")
    decision = Decision(
        acceptable=acceptable,
        passed=not reasons,
        reasons=reasons or [_praise(champion is None)],
        run_id=run_id,
        champion_version=None if champion is None else str(champion.version),
    )
    write_json(args.decision_file, asdict(decision))
    for path, answer in (
        (args.acceptable_file, decision.acceptable),
        (args.passed_file, decision.passed),
    ):
        if path:
            write_text(path, "true" if answer else "false")
    say(f"{'passed' if decision.passed else 'refused'}: {'; '.join(decision.reasons)}")
    return ExitCode.OK if decision.passed or not args.exit_code else ExitCode.REFUSED


def shortfalls(metrics: Mapping[str, float], least: Iterable[tuple[str, float]]) -> list[str]:
    """Return one sentence per threshold that is missed or names no metric."""
    reasons = []
    for name, value in least:
        if name not in metrics:
            reasons.append(f"there is no metric {name}")
        elif not metrics[name] >= value:
            reasons.append(f"{name} {metrics[name]:.4f} is below {value:g}")
    return reasons


def losses(
    ours: Mapping[str, float], theirs: Mapping[str, float], name: str, tolerance: float
) -> list[str]:
    """Return why ``ours`` does not hold against the champion; empty when it does."""
    if name not in ours or name not in theirs:
        return [f"there is no metric {name} to compare"]
    if ours[name] >= theirs[name] - tolerance:
        return []
    return [f"{name} {ours[name]:.4f} is below the champion's {theirs[name]:.4f}"]


def _praise(first: bool) -> str:
    return "thresholds reached" + (", no champion yet" if first else ", the champion is matched")
