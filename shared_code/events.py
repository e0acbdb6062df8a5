"""The log: one JSON object a line, with what was done, how it ended, and the ids it was about; no clinical content."""

from __future__ import annotations

import logging
from typing import Any, Literal

import msgspec

# refused: what was asked for is not allowed or not right; delayed: it is tried again; failure: somebody has to look.
Outcome = Literal["success", "refused", "delayed", "failure"]
_LEVELS: dict[Outcome, int] = {
    "success": logging.INFO,
    "refused": logging.INFO,
    "delayed": logging.WARNING,
    "failure": logging.ERROR,
}
_log = logging.getLogger(__name__)


def log_event(operation: str, outcome: Outcome, *, with_traceback: bool = False, **details: Any) -> None:
    """Write a line, as a warning what is delayed and as an error a failure.

    details          JSON values such as ids, counts and milliseconds
    with_traceback   of the exception that is handled now
    """
    level = _LEVELS[outcome]
    if _log.isEnabledFor(level):
        line = msgspec.json.encode({"operation": operation, "outcome": outcome, **details}).decode()
        _log.log(level, line, exc_info=with_traceback)
