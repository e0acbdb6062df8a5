"""Functions over points in time: ISO 8601 text in UTC with seven digits of a second, ticks of 100 ns, milliseconds."""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from local.cosmos.errors import bad_request
from local.cosmos.sql.date_formats import formatted
from local.cosmos.sql.operators import negative
from local.cosmos.sql.values import UNDEFINED, Value, is_number

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(Z)?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS_PER_SECOND = 10_000_000
_PARTS = {
    "year": ("year", "yyyy", "yy"),
    "month": ("month", "mm", "m"),
    "day": ("day", "dd", "d"),
    "hour": ("hour", "hh"),
    "minute": ("minute", "mi", "n"),
    "second": ("second", "ss", "s"),
    "millisecond": ("millisecond", "ms"),
    "microsecond": ("microsecond", "mcs"),
    "nanosecond": ("nanosecond", "ns"),
}
_PART_NAMES = {name: part for part, names in _PARTS.items() for name in names}
_TICKS = {
    "day": 86_400 * _TICKS_PER_SECOND,
    "hour": 3_600 * _TICKS_PER_SECOND,
    "minute": 60 * _TICKS_PER_SECOND,
    "second": _TICKS_PER_SECOND,
    "millisecond": 10_000,
    "microsecond": 10,
}


def _part(name: Value) -> str | None:
    return _PART_NAMES.get(name.lower()) if type(name) is str else None


def _ticks(text: Value) -> int | None:
    """Ticks since 1970; None for what is no date."""
    match = _ISO.fullmatch(text) if type(text) is str else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, _ = match.groups(default="0")
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return int((moment - _EPOCH).total_seconds()) * _TICKS_PER_SECOND + int(fraction.ljust(7, "0"))


def _text(ticks: int) -> Value:
    seconds, fraction = divmod(ticks, _TICKS_PER_SECOND)
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return UNDEFINED
    return f"{moment.year:04}-{moment:%m-%dT%H:%M:%S}.{fraction:07}Z"


def _moment(ticks: int) -> datetime:
    return _EPOCH + timedelta(seconds=ticks // _TICKS_PER_SECOND)


def date_time_at(nanoseconds: int) -> Value:
    """GETCURRENTDATETIME, so long after 1970."""
    return _text(nanoseconds // 100)


def timestamp_at(nanoseconds: int) -> Value:
    """GETCURRENTTIMESTAMP, in milliseconds."""
    return nanoseconds // 1_000_000


def ticks_at(nanoseconds: int) -> Value:
    """GETCURRENTTICKS."""
    return nanoseconds // 100


def add(part_name: Value, count: Value, text: Value) -> Value:
    """DATETIMEADD; a month that is too short takes its last day."""
    part, ticks = _part(part_name), _ticks(text)
    if part is None or ticks is None or not is_number(count) or count != int(count):
        return UNDEFINED
    if part == "nanosecond":
        return _text(ticks + int(count) // 100)
    if part in _TICKS:
        return _text(ticks + int(count) * _TICKS[part])
    moment = _moment(ticks)
    months = moment.year * 12 + moment.month - 1 + int(count) * (12 if part == "year" else 1)
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        return UNDEFINED
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    moved = moment.replace(year=year, month=month + 1, day=day)
    return _text(int((moved - _EPOCH).total_seconds()) * _TICKS_PER_SECOND + ticks % _TICKS_PER_SECOND)


def difference(part_name: Value, start: Value, end: Value) -> Value:
    """DATETIMEDIFF: how many boundaries of the part lie between."""
    part, first, last = _part(part_name), _ticks(start), _ticks(end)
    if part is None or first is None or last is None:
        return UNDEFINED
    if part in ("year", "month"):
        begins, ends = _moment(first), _moment(last)
        months = (ends.year - begins.year) * 12 + ends.month - begins.month
        return ends.year - begins.year if part == "year" else months
    if part == "nanosecond":
        return (last - first) * 100
    return last // _TICKS[part] - first // _TICKS[part]


def part_of(part_name: Value, text: Value) -> Value:
    """DATETIMEPART."""
    part, ticks = _part(part_name), _ticks(text)
    if part is None or ticks is None:
        return UNDEFINED
    fraction = ticks % _TICKS_PER_SECOND
    fractions = {"millisecond": fraction // 10_000, "microsecond": fraction // 10, "nanosecond": fraction * 100}
    return fractions[part] if part in fractions else getattr(_moment(ticks), part)


def now(*offset: Value) -> Value:
    """NOW, perhaps with a part of a date and how many of them are added."""
    if len(offset) == 1:
        raise bad_request("The NOW function does not take 1 argument(s).")
    part_name, count = offset or ("day", 0)
    return add(part_name, count, date_time_at(time.time_ns()))


def ago(part_name: Value, count: Value) -> Value:
    """AGO."""
    return now(part_name, negative(count))


def format_of(text: Value, wanted: Value) -> Value:
    """DATETIMEFORMAT; between date and time there may also be a space. Raises CosmosError 400 as `formatted` does."""
    ticks = _ticks(text.replace(" ", "T", 1)) if type(text) is str else None
    if ticks is None or type(wanted) is not str:
        return UNDEFINED
    return formatted(_moment(ticks), ticks % _TICKS_PER_SECOND, wanted)


def from_parts(
    year: Value,
    month: Value,
    day: Value,
    hour: Value = 0,
    minute: Value = 0,
    second: Value = 0,
    fraction: Value = 0,
) -> Value:
    """DATETIMEFROMPARTS; the fraction of a second is in units of 100 ns."""
    parts = (year, month, day, hour, minute, second, fraction)
    if not all(is_number(part) and part == int(part) for part in parts) or not 0 <= fraction < _TICKS_PER_SECOND:
        return UNDEFINED
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except (ValueError, OverflowError):
        return UNDEFINED
    return _text(int((moment - _EPOCH).total_seconds()) * _TICKS_PER_SECOND + int(fraction))


def bin_of(text: Value, part_name: Value, size: Value = 1, origin: Value = "1970-01-01T00:00:00.0000000Z") -> Value:
    """DATETIMEBIN: rounded down to a multiple of so many parts since the origin."""
    part, ticks, start = _part(part_name), _ticks(text), _ticks(origin)
    if part not in _TICKS or ticks is None or start is None or not is_number(size) or size < 1:
        return UNDEFINED
    width = _TICKS[part] * int(size)
    return _text(start + (ticks - start) // width * width)


def to_timestamp(text: Value) -> Value:
    """DATETIMETOTIMESTAMP."""
    ticks = _ticks(text)
    return UNDEFINED if ticks is None else ticks // 10_000


def from_timestamp(value: Value) -> Value:
    """TIMESTAMPTODATETIME."""
    return _text(int(value) * 10_000) if is_number(value) else UNDEFINED


def to_ticks(text: Value) -> Value:
    """DATETIMETOTICKS."""
    ticks = _ticks(text)
    return UNDEFINED if ticks is None else ticks


def from_ticks(value: Value) -> Value:
    """TICKSTODATETIME."""
    return _text(int(value)) if is_number(value) else UNDEFINED


# Constants of one run of a query, of the time at which it begins.
STATIC: dict[str, Callable[[int], Value]] = {
    "GETCURRENTDATETIMESTATIC": date_time_at,
    "GETCURRENTTIMESTAMPSTATIC": timestamp_at,
    "GETCURRENTTICKSSTATIC": ticks_at,
}

FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "GETCURRENTDATETIME": (lambda: date_time_at(time.time_ns()), 0, 0),
    "GETCURRENTTIMESTAMP": (lambda: timestamp_at(time.time_ns()), 0, 0),
    "GETCURRENTTICKS": (lambda: ticks_at(time.time_ns()), 0, 0),
    "NOW": (now, 0, 2),
    "AGO": (ago, 2, 2),
    "YEAR": (lambda text: part_of("year", text), 1, 1),
    "MONTH": (lambda text: part_of("month", text), 1, 1),
    "DAY": (lambda text: part_of("day", text), 1, 1),
    "DATETIMEFORMAT": (format_of, 2, 2),
    "DATETIMEADD": (add, 3, 3),
    "DATETIMEBIN": (bin_of, 2, 4),
    "DATETIMEFROMPARTS": (from_parts, 3, 7),
    "DATETIMEDIFF": (difference, 3, 3),
    "DATETIMEPART": (part_of, 2, 2),
    "DATETIMETOTIMESTAMP": (to_timestamp, 1, 1),
    "TIMESTAMPTODATETIME": (from_timestamp, 1, 1),
    "DATETIMETOTICKS": (to_ticks, 1, 1),
    "TICKSTODATETIME": (from_ticks, 1, 1),
}
