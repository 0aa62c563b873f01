"""The three forms of MODEL_URI."""

import re
from dataclasses import dataclass

STAGES = {"production", "staging", "archived", "none", "latest"}


class ModelUriError(ValueError):
    """MODEL_URI is not of a form that this server can follow; the text says which are."""


@dataclass(frozen=True)
class Alias:
    """``models:/<name>@<alias>``: followed when it moves."""

    name: str
    alias: str

    def __str__(self) -> str:
        return f"models:/{self.name}@{self.alias}"


@dataclass(frozen=True)
class Version:
    """``models:/<name>/<version>``: never changes."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class Artifact:
    """A model outside the registry, such as ``runs:/<run>/<path>``: never changes."""

    uri: str

    def __str__(self) -> str:
        return self.uri


ModelUri = Alias | Version | Artifact


def parse(text: str) -> ModelUri:
    """Read MODEL_URI; ModelUriError says what to write instead."""
    if text.startswith("runs:/") or re.fullmatch(r"models:/m-[0-9a-f]+", text):
        return Artifact(text)
    if match := re.fullmatch(r"models:/([^/@]+)@([^/@]+)", text):
        return Alias(match[1], match[2])
    if match := re.fullmatch(r"models:/([^/@]+)/([0-9]+)", text):
        return Version(match[1], match[2])
    if (match := re.fullmatch(r"models:/([^/@]+)/([^/@]+)", text)) and match[2].lower() in STAGES:
        raise ModelUriError(
            f"{text}: stages are gone from MLflow, set an alias on the version and write "
            f"models:/{match[1]}@champion"
        )
    raise ModelUriError(
        f"{text!r} is none of models:/<name>@<alias>, models:/<name>/<version>, runs:/<run>/<path>"
    )
