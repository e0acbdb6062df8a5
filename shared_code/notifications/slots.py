"""The partitions of the outbox: a minute of UTC and a shard of it, so that what is due is found and nothing else read.

A sweep reads the slots from its checkpoint to now and then moves the checkpoint, but always leaves the last minutes to
be read again: what is written into the slot of this very minute is then still seen. What is written later than that has
to be pointed to from a slot that is still ahead (`is_passed`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

SHARDS = 4  # 50,000 notifications of one minute are then 12,500 in a partition; may be raised, never lowered
READ_AGAIN_MINUTES = 2
_MINUTE = "%Y-%m-%dT%H:%M"
_CLOCKS_DIFFER = timedelta(seconds=60)


def instant_text(moment: datetime) -> str:
    """'2026-11-23T09:05:00.000+00:00': of fixed width, so that texts sort as moments do."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def minute_of(moment: datetime) -> str:
    """'2026-11-23T09:05', in UTC; texts sort as minutes do."""
    return moment.astimezone(UTC).strftime(_MINUTE)


def slot_of(moment: datetime, notification_id: str) -> str:
    """The partition of what is due at `moment`: '2026-11-23T09:05/3'."""
    return f"{minute_of(moment)}/{uuid.UUID(notification_id).int % SHARDS}"


def slots_of(minute: str) -> list[str]:
    """All partitions of a minute."""
    return [f"{minute}/{shard}" for shard in range(SHARDS)]


def minutes(first: str, last: datetime) -> Iterator[str]:
    """The minutes from `first` to the one of `last`, both among them."""
    moment = datetime.strptime(first, _MINUTE).replace(tzinfo=UTC)
    while moment <= last:
        yield minute_of(moment)
        moment += timedelta(minutes=1)


def checkpoint_after(now: datetime) -> str:
    """Where a sweep that began at `now` lets the next one begin."""
    return minute_of(now - timedelta(minutes=READ_AGAIN_MINUTES))


def is_passed(slot: str, now: datetime) -> bool:
    """Whether a sweep may have read the slot for the last time; on the safe side where clocks differ."""
    end = datetime.strptime(slot.partition("/")[0], _MINUTE).replace(tzinfo=UTC) + timedelta(minutes=1)
    return now >= end + timedelta(minutes=READ_AGAIN_MINUTES) - _CLOCKS_DIFFER
