"""What an Appointment calls for, with values alone."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared_code.fhir import Resource
from shared_code.reminders.schedule import occurrences, start_of
from tests.builders import appointment

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def visit(*patients: str, **elements: Any) -> Resource:
    return appointment(*(patients or ("anna",)), id="a1", start="2026-11-24T09:05:00+01:00") | elements


def test_a_reminder_is_due_the_lead_hours_before_the_start():
    (one,) = occurrences(visit(), 24, NOW)
    assert (one.person, one.due_at) == ("Patient/anna", datetime(2026, 11, 23, 8, 5, tzinfo=UTC))
    assert one.start.isoformat() == "2026-11-24T09:05:00+01:00"


def test_the_lead_is_elapsed_time_also_across_a_change_of_the_clocks():
    (one,) = occurrences(visit(start="2026-10-25T09:00:00+01:00"), 24, datetime(2026, 10, 1, tzinfo=UTC))
    assert one.due_at == datetime(2026, 10, 24, 8, 0, tzinfo=UTC)


def test_a_reminder_whose_time_has_passed_is_due_now_while_the_appointment_is_ahead():
    now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    assert [one.due_at for one in occurrences(visit(), 24, now)] == [now]


@pytest.mark.parametrize("start", ["2026-11-20T12:00:00Z", "2026-11-20T11:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_an_appointment_that_has_begun_calls_for_none(start: str):
    assert occurrences(visit(start=start), 24, NOW) == []


def test_an_appointment_without_a_start_calls_for_none():
    proposed = visit()
    del proposed["start"]
    assert occurrences(proposed, 24, NOW) == []


@pytest.mark.parametrize(
    ("status", "count"),
    [
        ("booked", 1),
        ("pending", 1),
        ("proposed", 0),
        ("waitlist", 0),
        ("arrived", 0),
        ("checked-in", 0),
        ("fulfilled", 0),
        ("cancelled", 0),
        ("noshow", 0),
        ("entered-in-error", 0),
    ],
)
def test_only_what_is_booked_or_pending_is_reminded_of(status: str, count: int):
    assert len(occurrences(visit(status=status), 24, NOW)) == count


def test_each_patient_who_has_not_declined_gets_one_and_nobody_else_does():
    participants: list[dict[str, Any]] = [
        {"actor": {"reference": "Patient/anna"}, "status": "accepted"},
        {"actor": {"reference": "Patient/bob/_history/3"}, "status": "needs-action"},
        {"actor": {"reference": "Patient/carl"}, "status": "declined"},
        {"actor": {"reference": "Patient/anna"}, "status": "tentative"},
        {"actor": {"reference": "Practitioner/dr"}, "status": "accepted"},
        {"actor": {"display": "an interpreter"}, "status": "accepted"},
        {"type": [{"text": "whoever is on duty"}], "status": "accepted"},
    ]
    persons = [one.person for one in occurrences(visit(participant=participants), 24, NOW)]
    assert persons == ["Patient/anna", "Patient/bob"]


def test_an_occurrence_is_named_by_appointment_person_and_instant_and_by_nothing_else():
    (one,) = occurrences(visit(), 24, NOW)
    same = [
        occurrences(visit(start="2026-11-24T10:05:00+02:00"), 24, NOW),
        occurrences(visit(start="2026-11-24T08:05:00.000Z"), 24, NOW),
        occurrences(visit(), 48, NOW + timedelta(hours=1)),
        occurrences(visit(description="changed", status="pending"), 24, NOW),
    ]
    assert [[other.id for other in found] for found in same] == [[one.id]] * 4
    different = [
        occurrences(visit(start="2026-11-24T09:05:00+02:00"), 24, NOW),
        occurrences(visit("bob"), 24, NOW),
        occurrences(visit() | {"id": "a2"}, 24, NOW),
    ]
    assert len({one.id, *(found[0].id for found in different)}) == 4


def test_an_occurrence_has_the_same_id_in_every_release():
    (one,) = occurrences(visit(), 24, NOW)
    assert one.id == "79b456c2-3cc7-530e-9224-17833bcf33b9"
    assert str(uuid.UUID(one.id)) == one.id


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-24T09:05:00-03:30", "2026-11-24T09:05:00-03:30"),
        ("2026-11-24T09:05:00.1234567+14:00", "2026-11-24T09:05:00.123456+14:00"),
        ("2026-11-24T09:05:00Z", "2026-11-24T09:05:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59-14:00", "9999-12-31T09:59:59.999999-14:00"),
    ],
)
def test_a_start_is_read_in_its_own_offset(written: str, read: str):
    start = start_of({"start": written})
    assert start is not None
    assert start.isoformat() == read
