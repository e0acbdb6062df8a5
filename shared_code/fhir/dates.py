"""The span of time that a FHIR date means: what its precision leaves open, it covers."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_LONGEST_REMEMBERED = 40  # characters
_LARGEST_OFFSET = timedelta(hours=14)
EARLIEST = "0001-01-01T00:00:00.000000Z"
LATEST = "9999-12-31T23:59:59.999999Z"

_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


def span(text: str) -> tuple[str, str]:
    """First instant and first instant after it, as UTC text of fixed width ('2024-01-01T00:00:00.000000Z').

    text      date, dateTime or instant of any precision, UTC where it has no zone; 23:59:60 follows 23:59:59
    raises    ValueError: not a date, or one that the calendar does not have
    """
    return _short_span(text) if len(text) <= _LONGEST_REMEMBERED else _span(text)


def _span(text: str) -> tuple[str, str]:
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not a date")
    start, length = _start_and_length(match)
    zone = match["zone"]
    try:
        if zone and zone != "Z":
            offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            if offset > _LARGEST_OFFSET or int(zone[4:6]) > 59:
                raise ValueError(f"'{text}' has no zone that there is")
            start = start - offset if zone[0] == "+" else start + offset
    except OverflowError:  # within hours of the first or last instant that there is
        return (EARLIEST, EARLIEST) if start.year == 1 else (LATEST, LATEST)
    try:
        end = _text(_next_unit(start, match) if length is None else start + length)
    except (OverflowError, ValueError):
        end = LATEST
    return _text(start), end


_short_span = lru_cache(2048)(_span)  # what was done in one visit has one date


def _start_and_length(match: re.Match[str]) -> tuple[datetime, timedelta | None]:
    """The local start without its zone, and how long it lasts; None where that depends on the calendar."""
    day = datetime(int(match["year"]), int(match["month"] or 1), int(match["day"] or 1))
    if match["day"] is None:
        return day, None
    if match["hour"] is None:
        return day, timedelta(days=1)
    second = int(match["second"] or 0)
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(f"'{match[0]}' is not a time of day")
    start = day + timedelta(hours=hour, minutes=minute, seconds=second)
    if match["second"] is None:
        return start, timedelta(minutes=1)
    if match["fraction"] is None:
        return start, timedelta(seconds=1)
    digits = match["fraction"][:6]
    unit = timedelta(microseconds=10 ** (6 - len(digits)))
    return start + int(digits) * unit, unit


def _next_unit(start: datetime, match: re.Match[str]) -> datetime:
    if match["month"] is None:
        return start.replace(year=start.year + 1)
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def _text(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='microseconds')}Z"


def period_span(period: dict[str, Any]) -> tuple[str, str]:
    """The span of a Period; an end that is not given is open."""
    start, end = period.get("start"), period.get("end")
    return (span(start)[0] if start else EARLIEST, span(end)[1] if end else LATEST)


def timing_span(timing: dict[str, Any]) -> tuple[str, str] | None:
    """The outer limits of a Timing, from the first to the last of its events and of its bounds; None without any."""
    spans = _event_spans(timing)
    bounds = timing.get("repeat", {}).get("boundsPeriod")
    if bounds:
        spans.append(period_span(bounds))
    return (min(lo for lo, _ in spans), max(hi for _, hi in spans)) if spans else None


def first_event(timing: dict[str, Any]) -> str | None:
    """When the first event of a Timing begins; None without any."""
    return min((lo for lo, _ in _event_spans(timing)), default=None)


def _event_spans(timing: dict[str, Any]) -> list[tuple[str, str]]:
    return [span(event) for event in timing.get("event", ()) if event is not None]


def instant_text(moment: datetime) -> str:
    """A moment in the same form, for comparing with stored spans."""
    return _text(moment.astimezone(UTC).replace(tzinfo=None))
