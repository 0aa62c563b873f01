"""All that the environment decides."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlops_serving.modeluri import ModelUri, ModelUriError, parse


class SettingsError(ValueError):
    """A variable holds what it cannot; the text names it."""


@dataclass(frozen=True)
class InputLog:
    """Where a sample of inputs and predictions goes."""

    bucket: str
    """Bucket, or ``file:///folder`` for a local folder."""
    prefix: str
    sample_rate: float
    """Share of the requests, 0 to 1."""
    flush_seconds: float
    queue_rows: int
    """Rows that may wait for the store; more are dropped and counted."""


@dataclass(frozen=True)
class Settings:
    """What the server runs with."""

    model: ModelUri
    poll_seconds: float
    """How often the alias is looked up."""
    host: str
    port: int
    max_rows: int
    max_bytes: int
    max_in_flight: int
    """Predictions that may wait or run; more are answered with 503."""
    threads: int
    drain_seconds: int
    """How long running requests may take once the end was announced."""
    log_requests: bool
    input_log: InputLog | None


def from_env(env: Mapping[str, str]) -> Settings:
    """Read the settings; SettingsError names the first variable that does not fit."""
    uri = env.get("MODEL_URI", "")
    try:
        model = parse(uri)
    except ModelUriError as error:
        raise SettingsError(f"MODEL_URI: {error}") from error
    return Settings(
        model=model,
        poll_seconds=_number(env, "MODEL_POLL_SECONDS", 15.0, 0.1),
        host=env.get("HOST", "0.0.0.0"),  # noqa: S104 (a pod's address is not known before)
        port=_whole(env, "PORT", 8000, 0),
        max_rows=_whole(env, "MAX_ROWS", 1000, 1),
        max_bytes=_whole(env, "MAX_BYTES", 4 * 1024 * 1024, 1),
        max_in_flight=_whole(env, "MAX_IN_FLIGHT", 256, 1),
        threads=_whole(env, "PREDICT_THREADS", 2, 1),
        drain_seconds=_whole(env, "DRAIN_SECONDS", 15, 1),
        log_requests=env.get("LOG_REQUESTS", "true").lower() not in {"false", "0", "no"},
        input_log=_input_log(env),
    )


def _input_log(env: Mapping[str, str]) -> InputLog | None:
    bucket = env.get("INPUT_LOG_BUCKET", "")
    if not bucket:
        return None
    rate = _number(env, "INPUT_LOG_SAMPLE_RATE", 0.1, 0.0)
    if rate > 1.0:
        raise SettingsError(f"INPUT_LOG_SAMPLE_RATE: {rate:g} is above 1")
    return InputLog(
        bucket=bucket,
        prefix=env.get("INPUT_LOG_PREFIX", "inference/"),
        sample_rate=rate,
        flush_seconds=_number(env, "INPUT_LOG_FLUSH_SECONDS", 10.0, 0.05),
        queue_rows=_whole(env, "INPUT_LOG_QUEUE_ROWS", 10000, 1),
    )


def _number(env: Mapping[str, str], name: str, default: float, least: float) -> float:
    text = env.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        raise SettingsError(f"{name}: {text!r} is not a number") from None
    if not least <= value < float("inf"):
        raise SettingsError(f"{name}: {text} is below {least:g} or no number")
    return value


def _whole(env: Mapping[str, str], name: str, default: int, least: int) -> int:
    value = _number(env, name, float(default), float(least))
    if value != int(value):
        raise SettingsError(f"{name}: {value:g} is not a whole number")
    return int(value)
