"""Train, evaluate, gate and register against a real store."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
from mlflow import MlflowClient

from mlops_pipelines.gate import losses, shortfalls
from mlops_pipelines.model import TRUSTED_TYPES, build, features_of, measure
from mlops_pipelines.registry import by_alias
from mlops_pipelines.train import VERIFICATION_FILE, example_of, verification

from .conftest import Run


class Candidate:
    """One pass through the steps up to the gate."""

    def __init__(self, run: Run, folder: Path, splits: tuple[Path, Path], name: str) -> None:
        self.run, self.folder, self.name = run, folder, name
        self.train_file, self.test_file = splits
        folder.mkdir(exist_ok=True)

    def train(self, *options: object) -> str:
        """Train and evaluate; return the run's id."""
        run_id = self.folder / "run-id"
        train = ("--train", self.train_file, "--run-id-file", run_id)
        assert self.run("train", *train, *options) == 0
        metrics = ("--metrics-file", self.folder / "metrics.json")
        assert (
            self.run("evaluate", "--run-id-file", run_id, "--test", self.test_file, *metrics) == 0
        )
        return run_id.read_text()

    def gate(self, *options: object) -> tuple[int, dict[str, Any]]:
        """Return exit code and decision."""
        decision = self.folder / "decision.json"
        code = self.run(
            *("gate", "--name", self.name, "--metrics-file", self.folder / "metrics.json"),
            *("--test", self.test_file, "--decision-file", decision),
            *("--passed-file", self.folder / "passed", *options),
        )
        return code, json.loads(decision.read_text())

    def register(self) -> tuple[int, str]:
        """Register with --promote; return exit code and version."""
        version = self.folder / "version"
        code = self.run(
            *("register", "--name", self.name, "--run-id-file", self.folder / "run-id"),
            *("--promote", "--decision-file", self.folder / "decision.json"),
            *("--version-file", version),
        )
        return code, version.read_text() if version.exists() else ""


def aliases(name: str) -> dict[str, str]:
    """Alias to version of a registered model."""
    found = MlflowClient().get_registered_model(name).aliases
    return {alias: str(version) for alias, version in found.items()}


def test_first_model_becomes_champion_and_a_worse_one_does_not(
    tmp_path: Path, run: Run, splits: tuple[Path, Path]
) -> None:
    first = Candidate(run, tmp_path / "first", splits, "first-wins")
    run_id = first.train()
    code, decision = first.gate("--min", "accuracy=0.6")
    assert (code, decision["passed"], decision["champion_version"]) == (0, True, None)
    assert (first.folder / "passed").read_text() == "true"
    assert first.register() == (0, "1")
    assert first.register() == (0, "1"), "repeating changes nothing"
    assert aliases("first-wins") == {"champion": "1", "challenger": "1"}

    logged = MlflowClient().get_run(run_id).data
    assert {"train_accuracy", "test_accuracy"} <= set(logged.metrics)
    info = mlflow.models.get_model_info("models:/first-wins@champion")
    assert info.signature is not None
    assert info.saved_input_example_info is not None

    uri = f"runs:/{run_id}/{VERIFICATION_FILE}"
    known = json.loads(Path(mlflow.artifacts.download_artifacts(uri)).read_text())
    rows = known["inputs"]["dataframe_split"]
    example = pd.DataFrame(rows["data"], columns=rows["columns"])
    model = mlflow.pyfunc.load_model("models:/first-wins@champion")
    assert model.predict(example).tolist() == known["predictions"]

    worse = Candidate(run, tmp_path / "worse", splits, "first-wins")
    worse.train("--c", "0.000001")
    code, decision = worse.gate("--exit-code")
    assert (code, decision["acceptable"], decision["passed"]) == (3, True, False)
    assert "is below the champion's" in decision["reasons"][0]
    assert (worse.folder / "passed").read_text() == "false"
    assert worse.register() == (0, "2")
    assert aliases("first-wins") == {"champion": "1", "challenger": "2"}


def test_promotion_needs_a_decision_on_the_present_champion(
    tmp_path: Path, run: Run, splits: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    one = Candidate(run, tmp_path / "one", splits, "raced")
    two = Candidate(run, tmp_path / "two", splits, "raced")
    for candidate in (one, two):
        candidate.train()
        assert candidate.gate()[1]["passed"]
    assert one.register()[0] == 0
    assert two.register() == (1, "")
    assert "run the gate again" in capsys.readouterr().err
    assert aliases("raced")["champion"] == "1"
    assert two.gate()[1]["passed"], "as good as the champion is good enough"
    assert two.register() == (0, "2")

    assert run("register", "--run-id", "x", "--promote") == 2
    decision = one.folder / "decision.json"
    decision.write_text(json.dumps({**json.loads(decision.read_text()), "run_id": "other"}))
    assert one.register()[0] == 1
    assert "is about run other" in capsys.readouterr().err


def test_champion_with_other_columns_refuses(
    tmp_path: Path, run: Run, splits: tuple[Path, Path]
) -> None:
    first = Candidate(run, tmp_path / "first", splits, "columns")
    first.train()
    first.gate()
    first.register()
    narrow = tmp_path / "train.csv", tmp_path / "test.csv"
    for old, new in zip(splits, narrow, strict=True):
        pd.read_parquet(old).drop(columns="age_years").to_csv(new, index=False)
    second = Candidate(run, tmp_path / "second", narrow, "columns")
    second.train()
    _, decision = second.gate()
    assert not decision["passed"]
    assert decision["reasons"][0].startswith("no comparison with the champion")


def test_model_takes_text_and_missing_values() -> None:
    table = pd.DataFrame(
        {"n": [1, 2, None, 4] * 5, "t": ["a", "b", None, "a"] * 5, "y": ["no", "yes"] * 10}
    )
    features = features_of(table, "y")
    assert features.dtypes.astype(str).tolist() == ["float64", "object"]
    model = build(features, {"max_iter": 100}).fit(features, table["y"])
    assert set(model.predict(features)) <= {"no", "yes"}
    assert set(skops.io.get_untrusted_types(data=skops.io.dumps(model))) <= set(TRUSTED_TYPES)


def test_measures_compare_numbers_with_their_text() -> None:
    assert measure(pd.Series(["0", "1"]), [0, 1])["accuracy"] == 1.0


def test_example_has_every_answer_once_at_least() -> None:
    features = pd.DataFrame({"n": [1.0, 2.0, None, 4.0, 5.0, 6.0, 7.0, 8.0], "t": list("abcdefgh")})
    answers = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    example = example_of(features, answers)
    assert example["t"].tolist() == ["a", "b", "c", "d", "g"]
    assert len(example_of(features.head(2), answers[:2])) == 2
    known = verification(example, answers[:5])
    assert known["inputs"]["dataframe_split"]["columns"] == ["n", "t"]
    assert known["inputs"]["dataframe_split"]["data"][2] == [None, "c"]
    assert json.loads(json.dumps(known, allow_nan=False)) == known


@pytest.mark.parametrize(
    ("least", "reasons"),
    [
        ([("accuracy", 0.9)], []),
        ([("accuracy", 0.95)], ["accuracy 0.9000 is below 0.95"]),
        ([("auc", 0.5)], ["there is no metric auc"]),
    ],
)
def test_thresholds(least: list[tuple[str, float]], reasons: list[str]) -> None:
    assert shortfalls({"accuracy": 0.9}, least) == reasons
    assert shortfalls({"accuracy": float("nan")}, [("accuracy", 0.0)]) != []


def test_tolerance() -> None:
    assert losses({"f1": 0.89}, {"f1": 0.9}, "f1", 0.02) == []
    assert losses({"f1": 0.87}, {"f1": 0.9}, "f1", 0.02) != []
    assert losses({}, {"f1": 0.9}, "f1", 0.02) == ["there is no metric f1 to compare"]


def test_run_without_a_model_is_named(
    tmp_path: Path, run: Run, splits: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    mlflow.set_experiment("demo")
    with mlflow.start_run() as active:
        run_id = active.info.run_id
    options = ("--test", splits[1], "--metrics-file", tmp_path / "metrics.json")
    assert run("evaluate", "--run-id", run_id, *options) == 1
    assert f"the run {run_id} has logged no model 'model'" in capsys.readouterr().err


def test_missing_model_has_no_alias(run: Run) -> None:
    del run
    assert by_alias(MlflowClient(), "no-such-model", "champion") is None


def test_server_that_is_away_is_an_error_not_a_missing_champion(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    metrics = tmp_path / "metrics.json"
    metrics.write_text('{"run_id": "r", "metrics": {"accuracy": 1.0}}')
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    decision = tmp_path / "decision.json"
    options = ("--test", tmp_path / "t.csv", "--decision-file", decision)
    try:
        assert run("gate", "--metrics-file", metrics, *options) == 1
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # back to the environment
    assert not decision.exists()
    assert "127.0.0.1" in capsys.readouterr().err
