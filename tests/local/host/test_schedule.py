"""NCRONTAB: when a schedule comes next, and what is no schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from local.host.errors import StartError
from local.host.schedule import parse_schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("* * * * * *", "2026-01-31T23:59:59", "2026-02-01T00:00:00"),
        ("*/5 * * * * *", "2026-01-01T00:00:05", "2026-01-01T00:00:10"),
        ("5/20 * * * * *", "2026-01-01T00:00:26", "2026-01-01T00:00:45"),
        ("0 */5 * * * *", "2026-01-01T00:04:59.900", "2026-01-01T00:05:00"),
        ("*/5 * * * *", "2026-01-01T00:04:59", "2026-01-01T00:05:00"),
        ("0 30 9 * * *", "2026-01-01T09:30:00", "2026-01-02T09:30:00"),
        ("0 0 9-17/4 * * *", "2026-01-01T10:00:00", "2026-01-01T13:00:00"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 31 * *", "2026-01-31T00:00:00", "2026-03-31T00:00:00"),
        ("0 0 8 * * MON-FRI", "2026-01-30T08:00:00", "2026-02-02T08:00:00"),
        ("0 0 8 * JAN,jul sun", "2026-01-26T00:00:00", "2026-07-05T08:00:00"),
        ("0 0 8 * * Monday", "2026-01-01T00:00:00", "2026-01-05T08:00:00"),
        ("0 0 0 13 * FRI", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),
        ("0 0 0 29 2 0", "2026-01-01T00:00:00", "2032-02-29T00:00:00"),
    ],
)
def test_the_next_occurrence(schedule: str, moment: str, expected: str) -> None:
    assert parse_schedule(schedule, "x").after(at(moment)) == at(expected)


def test_a_moment_of_another_offset_is_taken_in_utc() -> None:
    moment = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert parse_schedule("0 0 0 * * *", "x").after(moment) == at("2026-01-01T00:00:00")


@pytest.mark.parametrize(
    "schedule",
    [
        "* * * *",
        "60 * * * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "0 0 0 L * *",
        "0 0 0 ? * *",
        "0 0 0 * * MON#1",
        "*/0 * * * * *",
        "30-10 * * * * *",
        "*-3 * * * * *",
        "@daily",
        "00:05:00",
        "0 0 0 30 2 *",
    ],
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(StartError, match="schedule"):
        parse_schedule(schedule, "function 'x'")


@pytest.mark.parametrize(("schedule", "expected"), [("*/30 * * * * *", True), ("0 * * * * *", False)])
def test_a_schedule_of_more_than_once_a_minute_is_known(schedule: str, expected: bool) -> None:
    assert parse_schedule(schedule, "x").is_within_minutes(at("2026-01-01T00:00:10")) is expected
