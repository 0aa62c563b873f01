"""Bodies against signatures: what passes, and what is said of the rest."""

from typing import Any

import numpy as np
import orjson
import pytest

from mlops_serving.errors import RequestError
from mlops_serving.payload import decode
from mlops_serving.schema import Column, Columns, Tensor

TWO = Columns((Column("a", "double", True), Column("b", "double", False)))
MIXED = Columns(
    (
        Column("n", "long", True),
        Column("t", "string", True),
        Column("f", "boolean", True),
        Column("d", "datetime", False),
        Column("x", "binary", False),
    )
)


def convert(schema: Columns | Tensor, body: object) -> Any:
    """Decode and check a body given as JSON value or bytes."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return schema.convert(decode(raw, max_rows=3))


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["b", "z", "a"], "data": [[2, 9, 1], [4, 9, 3.0]]}},
        {"dataframe_split": {"data": [[1, 2], [3, 4]]}},
        {"dataframe_records": [{"a": 1, "b": 2}, {"b": 4, "a": 3, "z": "left out"}]},
        {"instances": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]},
        {"instances": [[1, 2], [3, 4]]},
    ],
)
def test_all_forms_give_the_same_array(body: dict[str, Any]) -> None:
    data = convert(TWO, body)
    assert data.dtype == np.float64
    assert data.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_optional_values_may_be_missing() -> None:
    assert np.isnan(convert(TWO, {"instances": [{"a": 1}]})[0, 1])
    assert np.isnan(convert(TWO, {"instances": [[1, None]]})[0, 1])


@pytest.mark.parametrize(
    ("body", "status", "field", "row", "message"),
    [
        (b"{", 400, None, None, "not JSON"),
        (b"[]", 422, None, None, "an object"),
        ({}, 422, None, None, "exactly one of"),
        ({"instances": [[1]], "dataframe_split": {}}, 422, None, None, "not 2"),
        ({"instances": 1}, 422, "instances", None, "a list of rows"),
        ({"instances": []}, 422, "instances", None, "no rows"),
        ({"instances": [[1, 2]] * 4}, 413, "instances", None, "3 are the most"),
        ({"instances": [1]}, 422, None, 0, "a list or an object"),
        ({"instances": [{"a": 1}, [1, 2]]}, 422, None, 1, "is not"),
        ({"instances": [[1, 2], [1]]}, 422, None, 1, "1 values for 2 columns"),
        ({"dataframe_records": [[1, 2]]}, 422, "dataframe_records", None, "an object"),
        ({"dataframe_split": {"columns": ["a", "a"]}}, 422, "dataframe_split", None, "different"),
        ({"instances": [{"b": 1}]}, 422, "a", None, "column is missing"),
        ({"instances": [{"a": 1}, {"b": 1}]}, 422, "a", 1, "value is missing"),
        ({"instances": [{"a": "1"}]}, 422, "a", 0, "double is needed, not str"),
        ({"instances": [{"a": True}]}, 422, "a", 0, "not bool"),
        ({"instances": [{"a": [1]}]}, 422, "a", 0, "not list"),
        (b'{"instances": [{"a": 1}, {"a": NaN}]}', 422, "a", 1, "NaN or infinite"),
        (b'{"instances": [{"a": Infinity}]}', 422, "a", 0, "NaN or infinite"),
        (b'{"instances": [{"a": 1' + b"0" * 400 + b"}]}", 422, "a", 0, "NaN or infinite"),
    ],
)
def test_what_does_not_fit_is_named(
    body: object, status: int, field: str | None, row: int | None, message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        convert(TWO, body)
    error = caught.value
    assert (error.status, error.field, error.row) == (status, field, row)


def test_types_of_a_table() -> None:
    row = {"n": 3.0, "t": "text", "f": True, "d": "2026-01-02T03:04:05", "x": "aGk="}
    table = convert(MIXED, {"instances": [row]})
    assert table["n"].dtype == np.int64
    assert table["f"].dtype == np.bool_
    assert table["d"].dtype.kind == "M"
    assert table["x"].tolist() == [b"hi"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("n", 1.5), ("n", 2**63), ("n", None), ("t", 1), ("f", 1), ("d", "soon"), ("x", "?")],
)
def test_types_are_not_guessed(field: str, value: object) -> None:
    row = {"n": 1, "t": "text", "f": True, field: value}
    with pytest.raises(RequestError) as caught:
        convert(MIXED, {"instances": [row]})
    assert (caught.value.status, caught.value.field, caught.value.row) == (422, field, 0)


def test_tensor() -> None:
    schema = Tensor(np.dtype("float64"), (-1, 2))
    assert convert(schema, {"instances": [[1, 2.5]]}).tolist() == [[1.0, 2.5]]
    for rows in ([[1]], [[1, 2], [3]], [["a", "b"]], [[None, 1]], [{"a": 1}], [1, 2]):
        with pytest.raises(RequestError) as caught:
            convert(schema, {"instances": rows})
        assert caught.value.status == 422
