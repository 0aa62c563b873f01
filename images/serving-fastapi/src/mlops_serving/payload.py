"""From a request's bytes to columns or rows, whatever of the three forms it has."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mlops_serving.errors import RequestError, invalid

FORMS = ("instances", "dataframe_split", "dataframe_records")


@dataclass(frozen=True)
class Payload:
    """Rows as they came: lists of values, or objects from name to value."""

    rows: list[Any]
    names: list[str] | None
    """Names of the values in list rows; None means the order of the signature."""


def decode(body: bytes, max_rows: int) -> Payload:
    """Read a request's body.

    Raises RequestError: 400 when it is not JSON, 413 on too many rows, 422 on an unknown form.
    """
    document = _parse(body)
    if not isinstance(document, dict):
        raise invalid(f"an object with one of {', '.join(FORMS)} is needed")
    given = [form for form in FORMS if form in document]
    if len(given) != 1:
        raise invalid(f"exactly one of {', '.join(FORMS)} is needed, not {len(given)}")
    form = given[0]
    value = document[form]
    names = None
    if form == "dataframe_split":
        if not isinstance(value, dict):
            raise invalid("an object with columns and data is needed", field=form)
        names, value = value.get("columns"), value.get("data")
        if names is not None and not _are_names(names):
            raise invalid("columns is not a list of different names", field=form)
    if not isinstance(value, list):
        raise invalid("a list of rows is needed", field=form)
    if not value:
        raise invalid("there are no rows", field=form)
    if len(value) > max_rows:
        raise RequestError(
            413, "too_many_rows", f"{len(value)} rows, {max_rows} are the most", field=form
        )
    if form == "dataframe_records" and not all(isinstance(row, dict) for row in value):
        raise invalid("every row must be an object", field=form)
    return Payload(value, names)


def to_columns(payload: Payload, wanted: Sequence[str]) -> list[Sequence[Any] | None]:
    """Return the values of each wanted column; None for a column that no row has.

    Columns nobody wants are left out, as MLflow does. A row that lacks a column which others have
    gets None there.
    """
    rows = payload.rows
    if isinstance(rows[0], dict):
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                raise invalid("some rows are objects, this one is not", row=number)
        return [
            [row.get(name) for row in rows] if any(name in row for row in rows) else None
            for name in wanted
        ]
    names = list(wanted) if payload.names is None else payload.names
    for number, row in enumerate(rows):
        if not isinstance(row, list):
            raise invalid("a row must be a list or an object", row=number)
        if len(row) != len(names):
            raise invalid(f"the row has {len(row)} values for {len(names)} columns", row=number)
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    if payload.names is None:
        return list(columns)
    place = {name: index for index, name in enumerate(names)}
    return [columns[place[name]] if name in place else None for name in wanted]


def _are_names(names: object) -> bool:
    return (
        isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and len(set(names)) == len(names)
    )


def _parse(body: bytes) -> Any:  # noqa: ANN401 (JSON)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Python's own writers put NaN and Infinity, which JSON does not know. Read leniently, they
        # reach the check that can name their field.
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise RequestError(400, "invalid_json", f"the body is not JSON: {error}") from None
