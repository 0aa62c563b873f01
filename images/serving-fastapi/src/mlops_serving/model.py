"""A loaded model: its schema and the shortest way to call it."""

import shutil
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel

from mlops_serving.payload import Payload
from mlops_serving.schema import Columns, Data, Schema, from_signature

# An array is given only to models that were shown to answer it as they answer a table.
warnings.filterwarnings("ignore", message="X does not have valid feature names")

Call = Callable[[Data], Any]


@dataclass(frozen=True)
class Identity:
    """Which model this is."""

    name: str
    version: str
    """Number of the registered version, or the URI's last part outside the registry."""


class LoadedModel:
    """One version, ready to answer from any thread.

    The folder it was downloaded to goes with the last reference: some flavors read from it later,
    and the container's scratch space is limited.
    """

    def __init__(self, identity: Identity, folder: Path, owned: Path) -> None:
        """Load the model in ``folder`` and answer one row with it; ``owned`` is removed in the end.

        Raises whatever the model's own code raises, and SignatureError.
        """
        self.identity = identity
        weakref.finalize(self, shutil.rmtree, owned, ignore_errors=True)
        pyfunc: PyFuncModel = mlflow.pyfunc.load_model(str(folder))
        self.schema: Schema = from_signature(pyfunc.metadata.signature)
        sample = _sample(self.schema, pyfunc.metadata, folder)
        self._call, self.path = _shortest_call(self.schema, pyfunc, sample)
        classes = getattr(_raw(pyfunc), "classes_", None)
        self.has_classes = classes is not None and np.ndim(classes) == 1
        self.answer(sample)

    def answer(self, data: Data) -> list[Any]:
        """Return one JSON-ready prediction per row of ``data``."""
        result = self._call(data)
        if isinstance(result, pd.DataFrame):
            return result.to_dict("records")
        if isinstance(result, np.ndarray | pd.Series):
            return list(result.tolist())
        return list(result)

    def convert(self, payload: Payload) -> Data:
        """Check a request against the signature; RequestError names what does not fit."""
        return self.schema.convert(payload)


def _raw(pyfunc: PyFuncModel) -> Any:  # noqa: ANN401 (any library's model)
    try:
        return pyfunc.get_raw_model()  # type: ignore[no-untyped-call]
    except (NotImplementedError, AttributeError):
        return None


def _sample(schema: Schema, metadata: Model, folder: Path) -> Data:
    """Return rows to try the model with: its input example, or zeros and empty text."""
    if not isinstance(schema, Columns):
        return np.zeros([1 if axis == -1 else axis for axis in schema.shape], dtype=schema.dtype)
    example: Any = None
    if metadata.saved_input_example_info:
        example = metadata.load_input_example(str(folder))
    if isinstance(example, pd.DataFrame) and set(schema.names) <= set(example.columns):
        table = example[schema.names]
        return table.to_numpy(dtype=np.float64) if schema.all_double else table
    empty = {"string": "", "boolean": False, "binary": b"", "datetime": "2000-01-01"}
    row = [empty.get(column.kind, 0) for column in schema.columns]
    return schema.convert(Payload([row], None))


def _shortest_call(schema: Schema, pyfunc: PyFuncModel, sample: Data) -> tuple[Call, str]:
    """Return the cheapest way to call the model that gives MLflow's own answer, and its name.

    MLflow checks the types again on every call, and scikit-learn takes a table apart into the array
    that was there before. Both are left out where the model answers ``sample`` alike without.
    """

    def table(data: Data) -> Data:
        return schema.frame(data) if isinstance(schema, Columns) else data

    def whole(data: Data) -> Any:  # noqa: ANN401
        return pyfunc.predict(table(data))

    raw = _raw(pyfunc)
    if raw is None or not type(raw).__module__.startswith("sklearn."):
        return whole, "pyfunc"
    expected = np.asarray(whole(sample))
    known = getattr(raw, "feature_names_in_", None)
    ordered = isinstance(schema, Columns) and (known is None or list(known) == schema.names)
    array = isinstance(sample, np.ndarray) and (ordered or known is None)
    if array and _same(raw.predict, sample, expected):
        return raw.predict, "array"
    if _same(lambda data: raw.predict(table(data)), sample, expected):
        return lambda data: raw.predict(table(data)), "table"
    return whole, "pyfunc"


def _same(call: Call, sample: Data, expected: Any) -> bool:  # noqa: ANN401
    try:
        return bool(np.array_equal(np.asarray(call(sample)), expected))
    except Exception:  # noqa: BLE001 (any failure means no)
        return False
