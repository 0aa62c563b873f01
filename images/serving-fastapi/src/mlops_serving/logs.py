"""One JSON object per line on stdout."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson


def log(level: str, event: str, **fields: object) -> None:
    """Write one line: ``ts``, ``level``, ``event`` and ``fields``.

    This is not the logging module, since it runs once per request and that module costs more than
    a small model's prediction.
    """
    entry: dict[str, Any] = {"ts": datetime.now(UTC), "level": level, "event": event, **fields}
    line = orjson.dumps(entry, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    try:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except (OSError, ValueError):
        # Whoever read the log is gone; that must not fail a request.
        return


class JsonHandler(logging.Handler):
    """Brings what libraries log into the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; a traceback goes into the field ``exception``."""
        fields: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["exception"] = logging.Formatter().formatException(record.exc_info)
        log(record.levelname.lower(), "library", **fields)


def set_up() -> None:
    """Send all records from warnings up through ``JsonHandler``, errors of uvicorn included."""
    logging.basicConfig(handlers=[JsonHandler()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    for name in ("mlflow", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)
