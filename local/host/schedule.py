"""NCRONTAB: which seconds a timer's schedule names; `{second} {minute} {hour} {day} {month} {weekday}`, all in UTC."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local.host.errors import StartError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
SEARCH_YEARS = 30  # longer than any gap: 29 February on a given weekday comes every 28 years, or 12 across 2100


@dataclass(frozen=True, slots=True)
class Schedule:
    """The numbers that each field allows; 0 is Sunday. A day must be allowed by both its number and its weekday."""

    text: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def after(self, moment: datetime) -> datetime:
        """The first occurrence later than `moment` (in UTC), to the second."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        day, first = start.date(), True
        while day.year <= start.year + SEARCH_YEARS:
            if day.month not in self.months:
                last = calendar.monthrange(day.year, day.month)[1]
                day, first = day.replace(day=last) + timedelta(days=1), False
                continue
            if day.day in self.days and day.isoweekday() % 7 in self.weekdays:
                time = self._first_time((start.hour, start.minute, start.second) if first else (0, 0, 0))
                if time is not None:
                    return datetime(day.year, day.month, day.day, *time, tzinfo=UTC)
            day, first = day + timedelta(days=1), False
        raise StartError(f"the schedule '{self.text}' never comes: no date has such a day, month and weekday")

    def is_within_minutes(self, moment: datetime) -> bool:
        """Whether it comes more than once in the minute after `moment`; the host keeps no status of such a schedule."""
        return self.after(self.after(moment)) <= moment + timedelta(minutes=1)

    def _first_time(self, earliest: tuple[int, int, int]) -> tuple[int, int, int] | None:
        """The first allowed hour, minute and second of a day that is not before `earliest`."""
        for hour in self.hours:
            if hour < earliest[0]:
                continue
            for minute in self.minutes:
                if (hour, minute) < earliest[:2]:
                    continue
                for second in self.seconds:
                    if (hour, minute, second) >= earliest:
                        return hour, minute, second
        return None


def parse_schedule(text: str, where: str) -> Schedule:
    """The schedule that `text` is; five fields mean second 0. `where` is for the StartError."""
    if re.fullmatch(r"[\d.]+:\d+:\d+", text.strip()):
        raise StartError(f"{where} has the interval '{text}' for a schedule: Flex Consumption takes NCRONTAB only")
    fields = text.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    if len(fields) != 6:
        raise StartError(f"{where} has the schedule '{text}': six fields are needed, second to weekday")
    try:
        seconds, minutes, hours, days, months, weekdays = (
            _allowed(field, low, high, names)
            for field, (low, high, names) in zip(
                fields,
                [(0, 59, ()), (0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (0, 6, WEEKDAYS)],
                strict=True,
            )
        )
    except ValueError as fault:
        raise StartError(f"{where} has the schedule '{text}': {fault}") from fault
    times = tuple(sorted(seconds)), tuple(sorted(minutes)), tuple(sorted(hours))
    schedule = Schedule(text, *times, frozenset(days), frozenset(months), frozenset(weekdays))
    schedule.after(datetime.now(UTC))  # one that never comes is refused now, not by a timer that waits for ever
    return schedule


def _allowed(field: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    """The numbers of one field: `*`, `5`, `MON-FRI`, `*/10`, `5/15`, and lists of these."""
    allowed: set[int] = set()
    for part in field.split(","):
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", part)
        if not match or (match[1] == "*" and match[2]):
            raise ValueError(f"'{part}' is not of the form *, 5, 1-5, */10 or a list of these")
        step = int(match[3] or 1)
        if step == 0:
            raise ValueError(f"'{part}' has a step of 0")
        if match[1] == "*":
            first, last = low, high
        else:
            first = _number(match[1], low, high, names)
            last = _number(match[2], low, high, names) if match[2] else high if match[3] else first
        if last < first:
            raise ValueError(f"'{part}' runs backwards")
        allowed.update(range(first, last + 1, step))
    return allowed


def _number(text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    short = text.lower()[:3]
    number = names.index(short) + low if short in names and text.isalpha() else int(text) if text.isdecimal() else -1
    if not low <= number <= high:
        raise ValueError(f"'{text}' is not from {low} to {high}")
    return number
