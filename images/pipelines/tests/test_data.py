"""The data step: deterministic, stratified, clear about tables it cannot use."""

from pathlib import Path

import pandas as pd
import pytest

from mlops_pipelines.data import TARGET, make, split
from mlops_pipelines.errors import StepError
from mlops_pipelines.files import read_table, write_table

from .conftest import Run


def test_same_seed_same_bytes(tmp_path: Path, run: Run) -> None:
    for name in ("a", "b"):
        folder = tmp_path / name
        train, test = folder / "train.csv", folder / "test.csv"
        assert run("data", "--rows", 100, "--train", train, "--test", test) == 0
    for name in ("train.csv", "test.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_split_keeps_every_row_once_and_the_shares() -> None:
    table = make(400, 3).reset_index(names="row")
    train, test = split(table, TARGET, 0.25, 3)
    assert sorted([*train["row"], *test["row"]]) == list(range(400))
    assert abs(train[TARGET].mean() - test[TARGET].mean()) < 0.02


def test_shift_moves_features_by_their_deviation() -> None:
    still, moved = make(2000, 1), make(2000, 1, shift=1.0)
    for name in still.columns.drop(TARGET):
        distance = (moved[name].mean() - still[name].mean()) / still[name].std()
        assert distance == pytest.approx(1.0, abs=0.1), name


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_survive_both_formats(tmp_path: Path, suffix: str) -> None:
    table = make(50, 1)
    write_table(table, tmp_path / f"t.{suffix}")
    pd.testing.assert_frame_equal(read_table(tmp_path / f"t.{suffix}"), table)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1.0] * 20, "has 1 classes"),
        (["a"] * 19 + ["b"], "has one row"),
        ([None] * 20, "has 0 classes"),
    ],
)
def test_unusable_target_is_named(column: list[object], message: str) -> None:
    table = pd.DataFrame({"x": range(20), TARGET: column})
    with pytest.raises(StepError, match=message):
        split(table, TARGET, 0.25, 1)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--input", "none.csv"], 1, "none.csv cannot be read"),
        (["--input", "table.xlsx"], 2, "tables end in .csv or .parquet"),
        (["--rows", "5"], 1, "5 rows are too few"),
        (["--test-share", "1.5"], 1, "not between 0 and 1"),
        (["--target", "nope"], 1, "no column 'nope', there are: tenure_months"),
    ],
)
def test_errors_say_what_is_wrong(
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    message: str,
) -> None:
    outputs = ["--train", tmp_path / "a.csv", "--test", tmp_path / "b.csv"]
    assert run("data", *options, *outputs) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()
