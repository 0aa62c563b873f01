"""The files in ``workflows``: Argo's types, the steps' own options, data from step to step."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hera.workflows.models as argo
import pytest
from mlflow import MlflowClient

from mlops_pipelines import __version__
from mlops_pipelines.cli import STEPS, main, make_parser
from mlops_pipelines.data import make

from .conftest import Run
from .logged import log_table
from .workflow import (
    REFERENCE,
    Document,
    Driver,
    Scope,
    document,
    documents,
    fill,
    parameters_of,
    templates,
)

STEP_TEMPLATES = [
    pytest.param(owner, template, id=f"{owner['metadata']['name']}-{template['name']}")
    for owner, template in templates()
    if "container" in template
]


def test_files_hold_what_users_apply() -> None:
    found = {(entry["kind"], entry["metadata"]["name"]) for entry in documents()}
    assert found == {
        ("WorkflowTemplate", "train-register"),
        ("Workflow", "train-register"),
        ("WorkflowTemplate", "drift"),
        ("CronWorkflow", "drift"),
    }
    assert all("namespace" not in entry["metadata"] for entry in documents())


@pytest.mark.parametrize("entry", documents(), ids=lambda entry: entry["kind"])
def test_argo_knows_every_field(entry: Document) -> None:
    model = getattr(argo, entry["kind"]).model_validate(entry)
    # Unknown fields are dropped in silence, by the types as by the small CRDs of the stack.
    assert model.model_dump(mode="json", by_alias=True, exclude_unset=True) == entry


def test_cron_has_schedules_that_fire() -> None:
    spec = document("CronWorkflow", "drift")["spec"]
    assert "schedule" not in spec
    minute, *rest = spec["schedules"][0].split()
    assert (0 < int(minute) < 60, rest) == (True, ["*"] * 4)
    assert spec["concurrencyPolicy"] == "Forbid"


@pytest.mark.parametrize(("owner", "template"), STEP_TEMPLATES)
def test_step_takes_its_options(owner: Document, template: Document) -> None:
    container = template["container"]
    assert container["command"] == ["mlops-pipelines"]
    inputs = template.get("inputs", {}).get("parameters", ())
    scope = {
        **parameters_of(owner),
        **{f"inputs.parameters.{entry['name']}": "x" for entry in inputs},
    }
    arguments = [fill(text, scope) for text in container["args"]]
    args = make_parser(arguments).parse_args(arguments)
    assert args.step in STEPS
    assert fill(container["image"], scope) == f"docker.io/mlopsctl/pipelines:{__version__}"
    # What is declared is what the options name, so nothing is looked for where it never comes.
    named = {value.partition("=")[2] for value in arguments}
    folders = {f"{args.figures_dir}/"} if getattr(args, "figures_dir", None) else set()
    for path in declared_paths(template):
        assert path in named or any(path.startswith(folder) for folder in folders), path


def declared_paths(template: Document) -> list[str]:
    """Paths of the inputs and outputs of a step."""
    sides = [template.get(side, {}) for side in ("inputs", "outputs")]
    parameters = [entry for side in sides for entry in side.get("parameters", ())]
    artifacts = [entry["path"] for side in sides for entry in side.get("artifacts", ())]
    return [*artifacts, *(p["valueFrom"]["path"] for p in parameters if "valueFrom" in p)]


@pytest.mark.parametrize(("owner", "template"), STEP_TEMPLATES)
def test_step_is_restricted_and_limited(owner: Document, template: Document) -> None:
    pod, container = owner["spec"]["securityContext"], template["container"]
    assert (pod["runAsNonRoot"], pod["runAsUser"]) == (True, 1000)
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert "memory" in container["resources"]["limits"]
    assert template["retryStrategy"]["limit"] == "2"


def test_every_reference_has_a_source() -> None:
    for owner, template in templates():
        known = set(parameters_of(owner)) | {"status"}
        inputs, outputs = template.get("inputs", {}), template.get("outputs", {})
        known |= {f"inputs.parameters.{entry['name']}" for entry in inputs.get("parameters", ())}
        known |= {f"outputs.parameters.{entry['name']}" for entry in outputs.get("parameters", ())}
        others = {entry["name"]: entry for entry in owner["spec"]["templates"]}
        for task in template.get("dag", {}).get("tasks", ()):
            made = others[task["template"]].get("outputs", {})
            for kind in ("parameters", "artifacts"):
                known |= {
                    f"tasks.{task['name']}.outputs.{kind}.{entry['name']}"
                    for entry in made.get(kind, ())
                }
        assert set(REFERENCE.findall(json.dumps(template))) <= known


def in_process(arguments: Sequence[str], environment: Scope) -> int:
    """Run a step here; the fixture has set where MLflow is."""
    assert "MLFLOW_TRACKING_URI" in environment
    return main(arguments)


def test_training_promotes_the_better_and_registers_the_acceptable(
    tmp_path: Path, run: Run
) -> None:
    del run
    owner = document("WorkflowTemplate", "train-register")

    def train(name: str, **parameters: str) -> dict[str, Any]:
        small = {"rows": "400", "model": "flow", **parameters}
        return Driver(owner, tmp_path / name, in_process, **small).run()

    first = train("first")
    assert {name: node.phase for name, node in first.items()} == dict.fromkeys(
        ("data", "train", "evaluate", "gate", "register", "promote"), "Succeeded"
    )
    assert first["register"].outputs == {"version": "1"}

    refused = train("refused", threshold="accuracy=0.999")
    assert (refused["register"].phase, refused["promote"].phase) == ("Skipped", "Omitted")

    worse = train("worse", seed="3", rows="40", threshold="accuracy=0.1")
    # Whether a model of 30 rows is worse depends on the split: the gate's answer decides.
    promoted = worse["gate"].outputs["passed"] == "true"
    assert worse["register"].outputs == {"version": "2"}
    assert worse["promote"].phase == ("Succeeded" if promoted else "Skipped")
    aliases = MlflowClient().get_registered_model("flow").aliases
    expected = {"challenger": 2, "champion": 2 if promoted else 1}
    assert {alias: int(version) for alias, version in aliases.items()} == expected


def test_drift_before_and_after_the_first_champion(tmp_path: Path, run: Run) -> None:
    del run
    owner = document("WorkflowTemplate", "drift")
    predictions = tmp_path / "inference"
    predictions.mkdir()

    def judge(name: str) -> dict[str, str]:
        changed = {"predictions": str(predictions), "model": "flow-drift", "min_rows": "100"}
        node = Driver(owner, tmp_path / name, in_process, **changed).run()["it"]
        assert node.phase == "Succeeded"
        return node.outputs

    assert judge("none")["status"] == "no champion"
    training = document("WorkflowTemplate", "train-register")
    small = {"rows": "800", "model": "flow-drift"}
    nodes = Driver(training, tmp_path / "train", in_process, **small).run()
    assert nodes["promote"].phase == "Succeeded"

    few = judge("few")
    assert (few["status"], few["judged"], few["share"]) == ("too few rows", "false", "0")
    log_table(predictions, make(300, 5, 1.5), datetime.now(UTC) - timedelta(minutes=1))
    drifted = judge("drifted")
    assert (drifted["status"], drifted["judged"], drifted["detected"]) == ("drift", "true", "1")
    assert (drifted["rows"], drifted["malformed"]) == ("300", "0")
    assert float(drifted["share"]) > 0.5
    assert abs(int(drifted["timestamp"]) - datetime.now(UTC).timestamp()) < 120
