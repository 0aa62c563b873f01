"""One line per event on stderr: stdout stays free for data."""

import sys


def say(text: str) -> None:
    """Print ``text`` for whoever reads the step's log."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 (the one place that prints)
