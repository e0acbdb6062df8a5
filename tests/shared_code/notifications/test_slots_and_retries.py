"""Minutes, their partitions, and waits, with values alone."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared_code.notifications.email import retry_after_seconds
from shared_code.notifications.retries import MAX_ATTEMPTS, pause_after, wait_after
from shared_code.notifications.slots import (
    SHARDS,
    checkpoint_after,
    instant_text,
    is_passed,
    minute_of,
    minutes,
    slot_of,
    slots_of,
)

NOW = datetime(2026, 11, 23, 9, 5, 30, tzinfo=UTC)


def test_a_slot_is_a_minute_of_utc_and_a_shard_of_the_notification():
    notification = str(uuid.UUID(int=7))
    assert slot_of(NOW.astimezone(timezone(timedelta(hours=2))), notification) == f"2026-11-23T09:05/{7 % SHARDS}"


def test_the_slots_of_a_minute_hold_every_notification_of_it():
    slots = {slot_of(NOW, str(uuid.uuid5(uuid.NAMESPACE_URL, str(number)))) for number in range(200)}
    assert slots == set(slots_of("2026-11-23T09:05"))


def test_minutes_go_from_the_first_to_the_one_of_now():
    assert list(minutes("2026-11-23T09:03", NOW)) == ["2026-11-23T09:03", "2026-11-23T09:04", "2026-11-23T09:05"]
    assert list(minutes("2026-11-23T09:06", NOW)) == []


def test_a_slot_that_is_not_yet_passed_is_read_by_every_sweep_that_begins_later():
    # Whatever a writer holds for not passed, with a clock that is up to a minute behind, must still be read.
    for second in range(0, 600, 5):
        writer = NOW + timedelta(seconds=second)
        slot = slot_of(NOW, str(uuid.UUID(int=0)))
        if not is_passed(slot, writer):
            last_sweep = writer + timedelta(seconds=60)
            assert checkpoint_after(last_sweep) <= minute_of(NOW)
    assert is_passed(slot, NOW + timedelta(minutes=3))
    assert not is_passed(slot, NOW)


def test_texts_of_instants_sort_as_they_follow_each_other():
    moments = [NOW + timedelta(milliseconds=number * 333) for number in range(20)]
    texts = [instant_text(moment) for moment in moments]
    assert texts == sorted(texts)
    assert {len(text) for text in texts} == {29}


def test_waits_double_up_to_two_hours_and_heed_the_service():
    waits = [wait_after(attempt, None).total_seconds() for attempt in range(1, MAX_ATTEMPTS + 1)]
    assert waits[:4] == [60, 120, 240, 480]
    assert max(waits) == 7200
    assert wait_after(1, 300).total_seconds() == 300
    assert wait_after(3, 5).total_seconds() == 240


def test_a_pause_is_what_the_service_asks_for_but_at_most_an_hour():
    assert [pause_after(wait).total_seconds() for wait in (None, 30, 86_400)] == [60, 30, 3600]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("120", 120),
        ("Mon, 23 Nov 2026 09:06:30 GMT", 60),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(header: str | None, seconds: float | None):
    assert retry_after_seconds(header, NOW) == seconds
