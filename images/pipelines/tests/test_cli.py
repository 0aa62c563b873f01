"""The command itself: help, options, files between steps."""

from pathlib import Path

import pytest

from mlops_pipelines.cli import STEPS, main
from mlops_pipelines.errors import StepError
from mlops_pipelines.files import read_json
from mlops_pipelines.options import s3_parts


def test_help_names_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(step in text for step in STEPS)


def test_bad_threshold_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["gate", "--min", "accuracy"])
    assert ended.value.code == 2
    assert "'accuracy' is not of the form name=number" in capsys.readouterr().err


def test_json_files_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text, message in [("{", "is not JSON"), ("[]", "holds no JSON object")]:
        path.write_text(text)
        with pytest.raises(StepError, match=message):
            read_json(path)


def test_s3_uri() -> None:
    assert s3_parts("s3://bucket/a/b/") == ("bucket", "a/b/")
    assert s3_parts("s3://bucket") == ("bucket", "")
