"""Answers that are not predictions."""

from typing import Any


class RequestError(Exception):
    """A request that gets no prediction.

    ``kind`` is stable for programs and labels, the text is for people; ``field`` and ``row``
    (counted from 0) say where.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        field: str | None = None,
        row: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.field = field
        self.row = row

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON answer."""
        error: dict[str, Any] = {"kind": self.kind, "message": str(self)}
        if self.field is not None:
            error["field"] = self.field
        if self.row is not None:
            error["row"] = self.row
        return {"error": error, "request_id": request_id}


def invalid(message: str, *, field: str | None = None, row: int | None = None) -> RequestError:
    """Return a 422: the JSON is fine, what it says does not fit the model."""
    return RequestError(422, "invalid_input", message, field=field, row=row)
