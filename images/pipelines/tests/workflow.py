"""The files of the folder ``workflows``, and a driver that runs one without a cluster.

The driver knows what those files use of Argo: a DAG with ``depends`` and ``when``, parameters,
artifacts. Each task gets a folder of its own in place of ``/tmp``.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[3] / "workflows"
FILES = sorted(FOLDER.glob("*.yaml"))
REFERENCE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")

Document = dict[str, Any]
Scope = dict[str, str]
Execute = Callable[[Sequence[str], Scope], int]
"""Runs a step's arguments with its environment and returns the exit code."""


def documents() -> list[Document]:
    """Return every object in the files."""
    return [entry for path in FILES for entry in yaml.safe_load_all(path.read_text())]


def document(kind: str, name: str) -> Document:
    """Return one object."""
    wanted = (kind, name)
    return next(d for d in documents() if (d["kind"], d["metadata"]["name"]) == wanted)


def templates() -> Iterator[tuple[Document, Document]]:
    """Yield each WorkflowTemplate with each of its templates, defaults merged in."""
    for owner in documents():
        if owner["kind"] == "WorkflowTemplate":
            for template in owner["spec"]["templates"]:
                yield owner, merged(owner, template)


def merged(owner: Document, template: Document) -> Document:
    """Return the template of a step with the defaults of its WorkflowTemplate; a DAG as it is."""
    defaults = owner["spec"].get("templateDefaults", {})
    if "container" not in template:
        return template
    container = {**defaults.get("container", {}), **template["container"]}
    return {**defaults, **template, "container": container}


def fill(text: str, scope: Scope) -> str:
    """Replace the references in ``text``; KeyError on one that nothing provides."""
    return REFERENCE.sub(lambda found: scope[found.group(1)], text)


def parameters_of(owner: Document) -> Scope:
    """Return the workflow's parameters as the references that steps write."""
    found = owner["spec"]["arguments"]["parameters"]
    return {f"workflow.parameters.{entry['name']}": entry["value"] for entry in found}


@dataclass
class Node:
    """How a task ended."""

    phase: str
    """``Succeeded``, ``Failed``, ``Skipped`` or ``Omitted``, as Argo names them."""
    outputs: Scope = field(default_factory=dict)


class Driver:
    """Runs one WorkflowTemplate."""

    def __init__(self, owner: Document, folder: Path, execute: Execute, **changed: str) -> None:
        """Keep what to run, where files go, and parameters with other values (``_`` for ``-``)."""
        self._templates = {entry["name"]: entry for entry in owner["spec"]["templates"]}
        self._owner, self._folder, self._execute = owner, folder, execute
        self._scope = parameters_of(owner)
        for name, value in changed.items():
            key = f"workflow.parameters.{name.replace('_', '-')}"
            assert key in self._scope, f"no parameter {name}"
            self._scope[key] = value
        self._artifacts: dict[str, Path] = {}
        self.nodes: dict[str, Node] = {}

    def run(self) -> dict[str, Node]:
        """Run the entry point; stop at the first failure."""
        entry = self._templates[self._owner["spec"]["entrypoint"]]
        tasks = entry["dag"]["tasks"] if "dag" in entry else [{"name": "it", "template": "drift"}]
        for task in tasks:
            self.nodes[task["name"]] = node = self._task(task)
            if node.phase == "Failed":
                break
        return self.nodes

    def _task(self, task: Document) -> Node:
        if task.get("depends"):
            before, _, result = task["depends"].partition(".")
            phase = self.nodes[before].phase
            if phase != "Succeeded" and not (phase == "Skipped" and not result):
                return Node("Omitted")
        if "when" in task:
            left, right = fill(task["when"], self._scope).split(" == ")
            if left != right:
                return Node("Skipped")
        template = merged(self._owner, self._templates[task["template"]])
        root = self._folder / task["name"]
        scope = dict(self._scope)
        given = task.get("arguments", {})
        for parameter in given.get("parameters", ()):
            scope[f"inputs.parameters.{parameter['name']}"] = fill(parameter["value"], scope)
        sources = {a["name"]: a["from"] for a in given.get("artifacts", ())}
        for artifact in template.get("inputs", {}).get("artifacts", ()):
            self._copy(sources[artifact["name"]], local(artifact["path"], root))
        container = template["container"]
        arguments = [fill(local(text, root), scope) for text in container["args"]]
        environment = {
            entry["name"]: fill(entry["value"], scope)
            for entry in container["env"]
            if "value" in entry
        }
        if self._execute(arguments, environment) != 0:
            return Node("Failed")
        return Node("Succeeded", self._collect(task["name"], template, root))

    def _collect(self, name: str, template: Document, root: Path) -> Scope:
        outputs: Scope = {}
        declared = template.get("outputs", {})
        for parameter in declared.get("parameters", ()):
            text = Path(local(parameter["valueFrom"]["path"], root)).read_text()
            outputs[parameter["name"]] = text
            self._scope[f"tasks.{name}.outputs.parameters.{parameter['name']}"] = text
        for artifact in declared.get("artifacts", ()):
            path = Path(local(artifact["path"], root))
            if path.exists() or not artifact.get("optional"):
                assert path.is_file(), f"{name} did not write {artifact['path']}"
                self._artifacts[f"tasks.{name}.outputs.artifacts.{artifact['name']}"] = path
        return outputs

    def _copy(self, reference: str, to: str) -> None:
        found = REFERENCE.fullmatch(reference)
        assert found, reference
        Path(to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._artifacts[found.group(1)], to)


def local(text: str, root: Path) -> str:
    """Return ``text`` with the container's ``/tmp`` inside ``root``."""
    return re.sub(r"(^|=)/tmp/", rf"\g<1>{root}/", text)
