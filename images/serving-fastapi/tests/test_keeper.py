"""Loading, following the alias and keeping the old model."""

import gc
from pathlib import Path

import pandas as pd
import pytest

from mlops_serving.keeper import LONGEST_WAIT, Keeper
from mlops_serving.metrics import Metrics
from mlops_serving.model import Identity, LoadedModel
from mlops_serving.modeluri import Alias, ModelUri, Version
from mlops_serving.payload import Payload
from mlops_serving.source import SourceError

from .models import loaded, table


class Registry:
    """A registry in memory: an alias, and what loading a version leads to."""

    def __init__(self, models: dict[str, LoadedModel | SourceError]) -> None:
        self.models = models
        self.alias: str | SourceError = "1"
        self.loads = 0

    def resolve(self, uri: ModelUri) -> Identity:
        """Look the alias up."""
        if isinstance(self.alias, SourceError):
            raise self.alias
        return Identity("m", uri.version if isinstance(uri, Version) else self.alias)

    def load(self, uri: ModelUri, identity: Identity) -> LoadedModel:
        """Hand out a prepared model."""
        del uri
        self.loads += 1
        model = self.models[identity.version]
        if isinstance(model, SourceError):
            raise model
        return model


def keeper_of(registry: Registry, uri: ModelUri = Alias("m", "champion")) -> Keeper:  # noqa: B008
    """A keeper that is stepped by hand."""
    return Keeper(uri, 5.0, Metrics(), registry.resolve, registry.load)


def waiting(keeper: Keeper) -> tuple[str, int] | None:
    """What hinders the wanted model, and how often it did."""
    return (keeper.problem.kind, keeper.problem.tries) if keeper.problem else None


def test_alias_is_followed_and_failures_keep_the_old_model(tmp_path: Path) -> None:
    one, two = loaded(tmp_path)[0], loaded(tmp_path, version="2")[0]
    broken = SourceError("artifact", "models:/m/3 does not load")
    registry = Registry({"1": one, "2": two, "3": broken})
    registry.alias = SourceError("registry", "away")
    keeper = keeper_of(registry)
    waits = [keeper.step() or 0.0 for _ in range(10)]
    assert waits[0] < 2.0 < waits[3]
    assert max(waits) <= LONGEST_WAIT * 1.2
    assert waiting(keeper) == ("registry", 10)

    registry.alias = "1"
    assert keeper.step() == 5.0
    assert keeper.current is one
    assert waiting(keeper) is None
    keeper.step()
    assert registry.loads == 1, "what is loaded is not loaded again"
    registry.alias = "2"
    keeper.step()
    assert keeper.current is two
    registry.alias = "3"
    keeper.step()
    assert keeper.current is two
    assert waiting(keeper) == ("artifact", 1)
    registry.alias = "2"
    keeper.step()
    assert waiting(keeper) is None


def test_fixed_version_is_loaded_once(tmp_path: Path) -> None:
    registry = Registry({"7": loaded(tmp_path, version="7")[0]})
    keeper = keeper_of(registry, Version("m", "7"))
    assert keeper.step() is None
    assert keeper.current is not None


def test_logins_stay_out_of_messages() -> None:
    assert str(SourceError("registry", "http://user:word@host/x")) == "http://host/x"


@pytest.mark.parametrize(
    ("kind", "path", "classes"),
    [("numbers", "array", True), ("text", "table", True), ("regression", "array", False)],
)
def test_every_way_answers_as_the_estimator_does(
    tmp_path: Path, kind: str, path: str, classes: bool
) -> None:
    model, estimator = loaded(tmp_path, kind)
    features = table(15)
    if kind == "text":
        features = features.assign(t=["x", "y", "y"] * 5)
    rows = features.to_dict("records")
    answers = model.answer(model.convert(Payload(rows, None)))
    assert answers == estimator.predict(pd.DataFrame(rows)).tolist()
    assert (model.path, model.has_classes) == (path, classes)


def test_folder_goes_with_the_model(tmp_path: Path) -> None:
    model, _ = loaded(tmp_path)
    assert (tmp_path / "1").exists()
    del model
    gc.collect()
    assert not (tmp_path / "1").exists()
