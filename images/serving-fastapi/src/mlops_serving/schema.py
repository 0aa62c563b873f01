"""The model's signature as a check and a conversion, done once per request.

MLflow's own enforcement works on a finished table and answers with one message for all; this one
names field and row, and makes the array that the model is called with in the same pass.
"""

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, TensorSpec

from mlops_serving.errors import invalid
from mlops_serving.payload import Payload, to_columns

Data = npt.NDArray[Any] | pd.DataFrame


class SignatureError(ValueError):
    """The model's signature is none that this server can check."""


@dataclass(frozen=True)
class Column:
    """One column of the signature."""

    name: str
    kind: str
    """Name of MLflow's DataType."""
    required: bool


@dataclass(frozen=True)
class Columns:
    """A signature of named columns."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Names in the order of the signature."""
        return [column.name for column in self.columns]

    @property
    def all_double(self) -> bool:
        """Whether a table is one float64 array."""
        return all(column.kind == "double" for column in self.columns)

    def convert(self, payload: Payload) -> Data:
        """Return a float64 array of shape (rows, columns) or a table; RequestError with 422."""
        found = to_columns(payload, self.names)
        checked = [
            _convert(column, values, len(payload.rows))
            for column, values in zip(self.columns, found, strict=True)
        ]
        if self.all_double:
            return np.array(checked, dtype=np.float64).T
        return pd.DataFrame(dict(zip(self.names, checked, strict=True)))

    def frame(self, data: Data) -> pd.DataFrame:
        """Return ``data`` as a table with the columns' names."""
        return data if isinstance(data, pd.DataFrame) else pd.DataFrame(data, columns=self.names)


@dataclass(frozen=True)
class Tensor:
    """A signature of one array, as models trained on plain arrays have."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """-1 stands for any length; the first axis counts the rows."""

    def convert(self, payload: Payload) -> Data:
        """Return an array of ``dtype`` that fits ``shape``; RequestError with 422."""
        if isinstance(payload.rows[0], dict):
            raise invalid("the model has no column names: send rows as lists")
        try:
            array = np.array(payload.rows)
        except ValueError:
            raise invalid("the rows have different lengths") from None
        fits = {"f": "iuf", "i": "iu", "u": "iu", "b": "b"}.get(self.dtype.kind, "U")
        if array.dtype.kind not in fits:
            raise invalid(f"values of type {self.dtype.name} are needed")
        axes = zip(array.shape, self.shape, strict=False)
        if array.ndim != len(self.shape) or any(have != want != -1 for have, want in axes):
            raise invalid(f"shape {array.shape} does not fit {self.shape}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise invalid("NaN or infinite", row=int(np.argwhere(~np.isfinite(array))[0][0]))
        return array.astype(self.dtype)


Schema = Columns | Tensor


def from_signature(signature: ModelSignature | None) -> Schema:
    """Return the schema of the model's inputs; SignatureError when there is none to check."""
    if signature is None or signature.inputs is None:
        raise SignatureError("the model has no signature: log it with one")
    inputs = list(signature.inputs.inputs)
    if len(inputs) == 1 and isinstance(inputs[0], TensorSpec):
        return Tensor(np.dtype(inputs[0].type), tuple(inputs[0].shape))
    columns = []
    for number, spec in enumerate(inputs):
        if not isinstance(spec, ColSpec) or not isinstance(spec.type, DataType):
            raise SignatureError(f"input {number} of the signature is neither number nor text")
        name = str(number) if spec.name is None else str(spec.name)
        columns.append(Column(name, spec.type.name, spec.required))
    return Columns(tuple(columns))


_TYPES: dict[str, frozenset[type]] = {
    "double": frozenset({float, int}),
    "float": frozenset({float, int}),
    "long": frozenset({int}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
    "string": frozenset({str}),
    "datetime": frozenset({str}),
    "binary": frozenset({str}),
}
_NULLABLE = {"double", "float", "string", "datetime"}


def _convert(column: Column, values: Sequence[Any] | None, rows: int) -> Any:  # noqa: ANN401
    """Return the values in the column's type, for a table or an array."""
    if values is None:
        if column.required or column.kind not in _NULLABLE:
            raise invalid("the column is missing", field=column.name)
        values = [None] * rows
    types = set(map(type, values))
    if not types <= _TYPES[column.kind]:
        values = _repair(column, values)
    if column.kind in {"double", "float"}:
        for row, value in enumerate(values):
            if value is not None and not _finite(value):
                raise invalid("NaN or infinite", field=column.name, row=row)
        array = np.array(values, dtype=np.float64)
        return array if column.kind == "double" else array.astype(np.float32)
    if column.kind in {"long", "integer"}:
        dtype = np.int64 if column.kind == "long" else np.int32
        limits = np.iinfo(dtype)
        for row, value in enumerate(values):
            if not limits.min <= value <= limits.max:
                raise invalid("the number is too large", field=column.name, row=row)
        return np.array(values, dtype=dtype)
    if column.kind == "boolean":
        return np.array(values, dtype=np.bool_)
    if column.kind == "datetime":
        return [_each(column, row, value, pd.Timestamp) for row, value in enumerate(values)]
    if column.kind == "binary":
        return [_each(column, row, value, _decode) for row, value in enumerate(values)]
    return list(values)


def _repair(column: Column, values: Sequence[Any]) -> list[Any]:
    """Return ``values`` with 3.0 made 3; name the first value that is wrong.

    Nulls pass where the signature allows them.
    """
    allowed, repaired = _TYPES[column.kind], []
    for row, value in enumerate(values):
        if value is None:
            if column.required or column.kind not in _NULLABLE:
                raise invalid("the value is missing", field=column.name, row=row)
        elif type(value) not in allowed:
            if column.kind in {"long", "integer"} and _is_whole(value):
                value = int(value)
            else:
                name = type(value).__name__
                raise invalid(f"{column.kind} is needed, not {name}", field=column.name, row=row)
        repaired.append(value)
    return repaired


def _is_whole(value: object) -> bool:
    return type(value) is float and math.isfinite(value) and value.is_integer()


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _each(column: Column, row: int, value: Any, read: Any) -> Any:  # noqa: ANN401
    try:
        return None if value is None else read(value)
    except (ValueError, binascii.Error) as error:
        raise invalid(f"no {column.kind}: {error}", field=column.name, row=row) from None
