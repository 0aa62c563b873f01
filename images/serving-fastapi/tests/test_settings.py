"""The environment, and the forms of MODEL_URI."""

import pytest

from mlops_serving.modeluri import Alias, Artifact, ModelUriError, Version, parse
from mlops_serving.settings import SettingsError, from_env

BASE = {"MODEL_URI": "models:/demo-model@champion"}


@pytest.mark.parametrize(
    "text",
    ["models:/demo-model@champion", "models:/demo-model/3", "runs:/0a1b/model", "models:/m-0a1b"],
)
def test_uri_reads_back(text: str) -> None:
    assert str(parse(text)) == text


def test_uri_kinds() -> None:
    assert parse("models:/m@a") == Alias("m", "a")
    assert parse("models:/m/12") == Version("m", "12")
    assert isinstance(parse("runs:/r/model"), Artifact)


def test_stage_says_what_to_write() -> None:
    with pytest.raises(ModelUriError, match=r"stages are gone.*models:/demo-model@champion"):
        parse("models:/demo-model/Production")


@pytest.mark.parametrize("text", ["", "s3://b/m", "models:/m", "models:/m@", "models:/m/next"])
def test_other_uris_are_refused(text: str) -> None:
    with pytest.raises(ModelUriError, match="is none of"):
        parse(text)


def test_defaults_and_what_the_chart_sets() -> None:
    assert from_env(BASE).input_log is None
    chart = {
        **BASE,
        "INPUT_LOG_BUCKET": "serving",
        "INPUT_LOG_PREFIX": "in/",
        "INPUT_LOG_SAMPLE_RATE": "0.5",
    }
    log = from_env(chart).input_log
    assert log is not None
    assert (log.bucket, log.prefix, log.sample_rate) == ("serving", "in/", 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_ROWS", "many"),
        ("MAX_ROWS", "0"),
        ("MAX_ROWS", "1.5"),
        ("MODEL_POLL_SECONDS", "nan"),
        ("PORT", "inf"),
        ("INPUT_LOG_SAMPLE_RATE", "2"),
        ("MODEL_URI", "models:/m/Staging"),
    ],
)
def test_bad_values_are_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        from_env({**BASE, "INPUT_LOG_BUCKET": "b", name: value})
