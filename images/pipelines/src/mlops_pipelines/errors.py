"""What a step may end with."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of ``mlops-pipelines``; a workflow may tell the cases apart by them."""

    OK = 0
    FAILED = 1
    """The step could not do its work: the message says why."""
    USAGE = 2
    """The options are wrong; argparse ends with the same code."""
    REFUSED = 3
    """The step did its work and the answer is no (``gate --exit-code``, ``drift --exit-code``)."""


class StepError(Exception):
    """A step cannot go on; the text is a fragment that says what and why."""


class UsageError(StepError):
    """Options that do not fit together or name something that cannot be."""
