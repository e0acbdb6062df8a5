"""One reminder, from a stored Appointment to an email: exactly what is right, whatever changes on the way.

The clock begins at 2026-11-23T07:00Z; the visit of the 24th at 08:00Z is due an hour later.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest

from shared_code.azure.change_feed import follow
from shared_code.fhir import Resource
from shared_code.notifications import EmailChannel
from shared_code.notifications.retries import MAX_ATTEMPTS, STUCK_SECONDS
from tests.builders import appointment, patient
from tests.shared_code.reminders.journey import anna, visit

if TYPE_CHECKING:
    from tests.shared_code.notifications.capture import Capture
    from tests.shared_code.reminders.journey import Journey

LATER = "2026-11-24T15:00:00+01:00"


async def planned(journey: Journey, resource: Resource) -> None:
    await journey.put(resource)
    await journey.plan()


def content(request: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = request["message"]["content"]
    return found


# When all goes well


async def test_an_appointment_leads_to_one_email_when_it_is_due(journey: Journey, capture: Capture):
    await planned(journey, visit())
    assert await journey.sweep() == {}
    assert capture.requests() == []
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"sent": 1}
    (request,) = capture.requests()
    assert request["operation"] == (await journey.items())[0]["id"]
    assert request["message"]["senderAddress"] == "DoNotReply@portal.example"
    assert request["message"]["recipients"] == {"to": [{"address": "anna@example.org"}]}
    assert "Tuesday, 24 November 2026 at 09:00" in content(request)["subject"]
    for _ in range(4):
        journey.clock.forward(minutes=1)
        await journey.sweep()
    assert len(capture.requests()) == 1


async def test_the_planner_finds_appointments_in_the_change_feed(journey: Journey, capture: Capture):
    await journey.put(visit())
    for _ in range(2):
        await follow(journey.records, journey.leases, "reminders", journey.planner.handle, now=journey.clock)
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1


async def test_planning_the_same_page_again_plans_nothing_twice(journey: Journey, capture: Capture):
    await planned(journey, visit())
    for _ in range(3):
        await journey.plan()
        journey.clock.forward(hours=1)
        await journey.sweep()
    assert await journey.states() == ["sent"]
    assert len(capture.requests()) == 1


async def test_an_appointment_found_after_its_due_time_is_reminded_of_at_once_and_once(
    journey: Journey, capture: Capture
):
    await planned(journey, visit("2026-11-23T12:00:00Z"))
    assert await journey.sweep() == {"sent": 1}
    for _ in range(10):
        journey.clock.forward(minutes=1)
        await journey.plan()
        await journey.sweep()
    assert len(capture.requests()) == 1


async def test_an_appointment_of_the_past_leaves_nothing_in_the_outbox(journey: Journey):
    await planned(journey, visit("2026-11-23T06:59:00Z"))
    assert await journey.items() == []


async def test_each_patient_of_an_appointment_is_reminded_in_their_own_language(journey: Journey, capture: Capture):
    bob = patient(
        id="bob",
        telecom=[{"system": "email", "value": "bob@example.org"}],
        communication=[{"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "nl-BE"}]}, "preferred": True}],
    )
    await journey.put(bob)
    await planned(journey, appointment("anna", "bob", id="a1", start="2026-11-24T09:00:00+01:00"))
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"sent": 2}
    subjects = {one["message"]["recipients"]["to"][0]["address"]: content(one)["subject"] for one in capture.requests()}
    assert subjects == {
        "anna@example.org": "Reminder: your appointment on Tuesday, 24 November 2026 at 09:00",
        "bob@example.org": "Herinnering: uw afspraak op dinsdag 24 november 2026 om 09:00 uur",
    }


async def test_the_end_of_the_operation_is_stored(journey: Journey, capture: Capture):
    capture.switch("outcome", status="Succeeded")
    capture.switch("outcome", status="Failed")
    for appointment_id in ("a1", "a2"):
        await journey.put(visit(appointment_id=appointment_id))
        await journey.plan(appointment_id)
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"sent": 2}
    assert [item["operationStatus"] for item in await journey.items()] == ["Running", "Running"]
    await journey.wait_for_operations()
    journey.clock.forward(seconds=STUCK_SECONDS)
    assert await journey.sweep() == {"sent, Succeeded": 1, "failed, Failed": 1}
    ends = {(item["state"], item["operationStatus"], item.get("reason")) for item in await journey.items()}
    assert ends == {("sent", "Succeeded", None), ("failed", "Failed", "EmailDropped")}
    assert len(capture.requests()) == 2


async def test_neither_logs_nor_items_tell_who_is_reminded(
    journey: Journey, capture: Capture, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    capture.switch("fail", status=503)
    await planned(journey, visit(description="Oncology", comment="bring the scans"))
    journey.clock.forward(hours=1)
    await journey.sweep()
    journey.clock.forward(hours=1)
    await journey.sweep()
    (item,) = await journey.items()
    assert item["state"] == "sent"
    ours = " ".join(record.getMessage() for record in caplog.records if record.name.startswith("shared_code."))
    assert item["id"] in ours
    for secret in ("example.org", "Peeters", "Oncology", "scans"):
        assert secret not in ours + str(item)
    for secret in ("Peeters", "Oncology", "scans", "anna"):
        assert secret not in str(content(capture.accepted()[0]))


# Moved, cancelled, deleted


async def test_a_moved_appointment_is_reminded_of_at_its_new_time_alone(journey: Journey, capture: Capture):
    await planned(journey, visit())
    await planned(journey, visit(LATER))
    assert await journey.states() == ["dropped", "planned"]
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {}
    journey.clock.forward(hours=6)
    assert await journey.sweep() == {"sent": 1}
    (request,) = capture.requests()
    assert "at 15:00" in content(request)["subject"]


async def test_an_appointment_moved_away_and_back_is_reminded_of_once(journey: Journey, capture: Capture):
    for start in ("2026-11-24T09:00:00+01:00", LATER, "2026-11-24T09:00:00+01:00"):
        await planned(journey, visit(start))
    assert await journey.states() == ["planned", "dropped"]
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"sent": 1}
    for start in (LATER, "2026-11-24T09:00:00+01:00"):
        journey.clock.forward(minutes=10)
        await planned(journey, visit(start))
        await journey.sweep()
    assert len(capture.requests()) == 1


async def test_the_same_instant_in_another_offset_is_the_same_occurrence(journey: Journey, capture: Capture):
    await planned(journey, visit("2026-11-24T09:00:00+01:00"))
    await planned(journey, visit("2026-11-24T10:00:00+02:00"))
    assert await journey.states() == ["planned"]
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"sent": 1}
    (request,) = capture.requests()
    assert "at 10:00" in content(request)["subject"]


@pytest.mark.parametrize("change", ["cancelled", "deleted", "declined"])
async def test_what_no_longer_holds_is_dropped_by_the_planner(journey: Journey, capture: Capture, change: str):
    await planned(journey, visit())
    await withdraw(journey, change)
    await journey.plan()
    assert await journey.states() == ["dropped"]
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {}
    assert capture.requests() == []


@pytest.mark.parametrize("change", ["cancelled", "deleted", "declined", "moved"])
async def test_what_no_longer_holds_is_not_sent_although_the_planner_has_not_seen_it(
    journey: Journey, capture: Capture, change: str
):
    await planned(journey, visit())
    await withdraw(journey, change)
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"dropped": 1}
    assert capture.requests() == []


async def withdraw(journey: Journey, change: str) -> None:
    if change == "deleted":
        await journey.delete("Appointment/a1")
    elif change == "declined":
        declined = visit()
        declined["participant"][0]["status"] = "declined"
        await journey.put(declined)
    elif change == "moved":
        await journey.put(visit(LATER))
    else:
        await journey.put(visit(status="cancelled"))


async def test_a_cancelled_appointment_that_is_booked_again_is_reminded_of(journey: Journey, capture: Capture):
    await planned(journey, visit())
    await planned(journey, visit(status="cancelled"))
    journey.clock.forward(hours=2)  # its minute has long been swept
    await journey.sweep()
    await planned(journey, visit())
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1


async def test_an_older_version_that_is_handled_late_changes_nothing(journey: Journey):
    await journey.put(visit())
    first = await journey.feed("a1")
    await journey.put(visit(status="cancelled"))
    cancelled = await journey.feed("a1")
    await journey.put(visit())
    await journey.plan()
    await journey.planner.handle([cancelled])
    assert await journey.states() == ["planned"]
    await planned(journey, visit(status="cancelled"))
    await journey.planner.handle([first])
    assert await journey.states() == ["dropped"]


async def test_an_appointment_that_becomes_another_patients_reminds_that_one(journey: Journey, capture: Capture):
    await journey.put(patient(id="bob", telecom=[{"system": "email", "value": "bob@example.org"}]))
    await planned(journey, visit())
    left_behind = appointment("bob", id="a1", start="2026-11-24T09:00:00+01:00")
    await journey.put(left_behind)
    await journey.plan(home="bob")
    await journey.plan(home="anna")  # the tombstone that the move left, whenever it comes
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"sent": 1}
    (request,) = capture.requests()
    assert request["message"]["recipients"] == {"to": [{"address": "bob@example.org"}]}


# Nobody to write to


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"telecom": [{"system": "phone", "value": "+32 2 555 01 23"}]}, "no email address"),
        ({"deceasedDateTime": "2026-11-01"}, "deceased or out of use"),
        ({"active": False}, "deceased or out of use"),
    ],
)
async def test_who_cannot_or_must_not_be_written_to_gets_nothing(
    journey: Journey, capture: Capture, elements: dict[str, Any], reason: str
):
    await planned(journey, visit())
    await journey.put(anna(**elements))
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"undeliverable": 1}
    assert [item["reason"] for item in await journey.items()] == [reason]
    assert capture.requests() == []


async def test_a_patient_that_does_not_exist_is_recorded_as_undeliverable(journey: Journey, capture: Capture):
    await journey.put(appointment("nobody", id="a1", start="2026-11-24T09:00:00+01:00"))
    await journey.plan(home="nobody")
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"undeliverable": 1}
    assert capture.requests() == []


# Outages and refusals


async def test_after_an_outage_what_is_still_ahead_is_sent_once_and_the_rest_recorded_as_expired(
    journey: Journey, capture: Capture
):
    starts = {"a1": "2026-11-23T09:00:00Z", "a2": "2026-11-24T09:00:00+01:00", "a3": "2026-11-24T10:00:00+01:00"}
    for appointment_id, start in starts.items():
        await journey.put(visit(start, appointment_id))
        await journey.plan(appointment_id)
    journey.clock.forward(hours=3)  # a1 was due at once and has begun
    assert await journey.sweep() == {"expired": 1, "sent": 2}
    assert await journey.states() == ["expired", "sent", "sent"]
    assert await journey.sweep() == {}
    assert len(capture.requests()) == 2


async def test_a_busy_service_is_asked_again_no_sooner_than_it_says(journey: Journey, capture: Capture):
    capture.switch("fail", status=503, retryAfter=300)
    await planned(journey, visit())
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"planned": 1}
    for _ in range(4):
        journey.clock.forward(minutes=1)
        assert await journey.sweep() == {}
    journey.clock.forward(minutes=2)
    assert await journey.sweep() == {"sent": 1}
    assert [one["status"] for one in capture.requests()] == [503, 202]


async def test_at_its_limit_the_service_is_left_alone_for_as_long_as_it_says(journey: Journey, capture: Capture):
    for number in range(12):
        await journey.put(visit(appointment_id=f"a{number}"))
        await journey.plan(f"a{number}")
    capture.switch("fail", status=429, retryAfter=600, times=100)
    journey.clock.forward(hours=1)
    await journey.sweep()
    refused = len(capture.requests())
    assert 1 <= refused <= 8  # those under way at the same moment
    for _ in range(9):
        journey.clock.forward(minutes=1)
        assert await journey.sweep() == {}
    assert len(capture.requests()) == refused
    capture.forget()
    journey.clock.forward(minutes=2)
    assert await journey.sweep() == {"sent": 12}
    assert len(capture.requests()) == 12


async def test_more_reminders_than_the_domain_may_send_in_a_minute_all_leave_once(journey: Journey, capture: Capture):
    for number in range(36):
        await journey.put(visit(appointment_id=f"a{number}"))
        await journey.plan(f"a{number}")
    capture.switch("limits", domain="custom")  # 30 in a minute
    journey.clock.forward(hours=1)
    await journey.sweep()
    first = capture.accepted()
    assert len(first) == 30
    capture.forget()  # as if the minute were over
    journey.clock.forward(minutes=3)
    assert await journey.sweep() == {"sent": 6}
    assert len({one["operation"] for one in first + capture.accepted()}) == 36


async def test_a_service_that_never_answers_well_is_given_up(journey: Journey, capture: Capture):
    capture.switch("fail", status=500, retryAfter=0, times=100)
    await planned(journey, visit())
    journey.clock.forward(hours=1)
    for _ in range(MAX_ATTEMPTS):
        assert await journey.sweep() == {"planned": 1}
        (item,) = await journey.items()
        journey.clock.moment = type(journey.clock.moment).fromisoformat(item["notBefore"])
    assert await journey.sweep() == {"failed": 1}
    assert len(capture.requests()) == MAX_ATTEMPTS
    (item,) = await journey.items()
    assert (item["state"], item["reason"]) == ("failed", "gave up; last: answered 500")


async def test_a_message_that_the_service_will_never_take_is_not_sent_again(journey: Journey, capture: Capture):
    await planned(journey, visit())
    journey.channel = EmailChannel(journey.client, "not an address")
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"failed": 1}
    for _ in range(5):
        journey.clock.forward(minutes=1)
        assert await journey.sweep() == {}
    assert [one["status"] for one in capture.requests()] == [400]


# Twice at once


async def test_two_sweeps_at_once_send_each_notification_once(journey: Journey, capture: Capture):
    for number in range(10):
        await journey.put(visit(appointment_id=f"a{number}"))
        await asyncio.gather(journey.plan(f"a{number}"), journey.plan(f"a{number}"))
    journey.clock.forward(hours=1)
    outcomes = await asyncio.gather(*(journey.sweep() for _ in range(4)))
    assert sum(outcome["sent"] for outcome in outcomes) == 10
    assert len({one["operation"] for one in capture.requests()}) == len(capture.requests()) == 10


async def test_a_cancellation_that_arrives_while_the_email_is_sent_does_not_send_another(
    journey: Journey, capture: Capture
):
    capture.switch("hold", seconds=0.5)
    await planned(journey, visit())
    journey.clock.forward(hours=1)
    sweep = asyncio.create_task(journey.sweep())
    await asyncio.to_thread(capture.wait_for, 1)
    await planned(journey, visit(status="cancelled"))
    await planned(journey, visit())
    assert await sweep == {"sent": 1}
    journey.clock.forward(seconds=STUCK_SECONDS)
    await journey.sweep()
    assert await journey.states() == ["sent"]
    assert len(capture.requests()) == 1
