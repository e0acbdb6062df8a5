"""When to look at a notification again, and how often."""

from __future__ import annotations

from datetime import timedelta

MAX_ATTEMPTS = 12  # with the waits below about ten hours
MAX_STATUS_CALLS = 8  # about four hours; the service knows the end of nearly every operation within a minute
STUCK_SECONDS = 180  # a notification that is `sending` for so long has lost its sender
SEND_SECONDS = 30  # a send that takes longer is given up; the rest of STUCK_SECONDS is for what comes before and after
_FIRST_WAIT_SECONDS = 60
_LONGEST_WAIT_SECONDS = 7200
_LONGEST_PAUSE_SECONDS = 3600  # the limits of the service are counted within an hour


def wait_after(attempts: int, retry_after_seconds: float | None) -> timedelta:
    """How long to wait after so many attempts: doubling, and never shorter than the service asks for.

    attempts   at least 1
    """
    backoff = min(_FIRST_WAIT_SECONDS * 2 ** (attempts - 1), _LONGEST_WAIT_SECONDS)
    asked = min(retry_after_seconds or 0, _LONGEST_WAIT_SECONDS)
    return timedelta(seconds=max(backoff, asked))


def pause_after(retry_after_seconds: float | None) -> timedelta:
    """How long to send nothing at all, once the service said that its limit is reached."""
    return timedelta(seconds=min(retry_after_seconds or _FIRST_WAIT_SECONDS, _LONGEST_PAUSE_SECONDS))
