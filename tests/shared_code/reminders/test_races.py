"""What the sender does when something happens between two of its steps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from shared_code import errors
from shared_code.notifications import Compose, Message, Sweep, Unsent
from shared_code.notifications.retries import STUCK_SECONDS
from shared_code.reminders import Letters, Planner
from tests.shared_code.reminders.journey import LEAD_HOURS, visit

if TYPE_CHECKING:
    from datetime import datetime

    from tests.shared_code.notifications.capture import Capture
    from tests.shared_code.reminders.journey import Journey


async def sweep(journey: Journey, compose: Compose, **options: Any) -> dict[str, int]:
    return await Sweep(journey.outbox, journey.channel, compose, journey.clock, **options).run()


async def planned(journey: Journey, count: int = 1) -> None:
    """So many visits, all due now."""
    for number in range(1, count + 1):
        await journey.put(visit(appointment_id=f"a{number}"))
        await journey.plan(f"a{number}")
    journey.clock.forward(hours=1)


async def test_a_drop_does_not_overrule_an_appointment_that_is_booked_again_at_that_moment(
    journey: Journey, capture: Capture
):
    await planned(journey)
    letters = Letters(journey.store, LEAD_HOURS)

    async def cancelled_then_booked(item: dict[str, Any], now: datetime) -> Message | Unsent:
        await journey.put(visit(status="cancelled"))
        seen = await letters.compose(item, now)
        await journey.put(visit())
        await journey.plan()
        return seen

    assert await sweep(journey, cancelled_then_booked) == {"planned": 1}
    journey.clock.forward(seconds=STUCK_SECONDS)
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1


async def test_a_cancellation_during_the_sweep_is_heeded_up_to_the_last_look(journey: Journey, capture: Capture):
    await planned(journey)
    letters = Letters(journey.store, LEAD_HOURS)

    async def cancelled_before_the_look(item: dict[str, Any], now: datetime) -> Message | Unsent:
        await journey.put(visit(status="cancelled"))
        await journey.plan()  # the planner cannot drop what is being sent, the sender can
        return await letters.compose(item, now)

    assert await sweep(journey, cancelled_before_the_look) == {"dropped": 1}
    assert capture.requests() == []


async def test_a_sender_that_was_held_up_sends_nothing_any_more(journey: Journey, capture: Capture):
    await planned(journey)
    letters = Letters(journey.store, LEAD_HOURS)

    async def slow(item: dict[str, Any], now: datetime) -> Message | Unsent:
        journey.clock.forward(seconds=STUCK_SECONDS - 50)
        return await letters.compose(item, now)

    assert await sweep(journey, slow) == {}
    assert (await journey.states(), capture.requests()) == (["sending"], [])
    journey.clock.forward(seconds=50)
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1


async def test_a_sender_that_comes_back_after_another_took_its_turn_changes_nothing(journey: Journey, capture: Capture):
    await planned(journey)

    async def overtaken(item: dict[str, Any], now: datetime) -> Message | Unsent:
        journey.clock.forward(seconds=STUCK_SECONDS)
        assert await journey.sweep() == {"sent": 1}
        return Unsent("dropped", "moved or cancelled")

    assert await sweep(journey, overtaken) == {}
    assert await journey.states() == ["sent"]
    assert len(capture.requests()) == 1


async def test_one_that_cannot_be_made_does_not_keep_the_others_waiting(journey: Journey, capture: Capture):
    await planned(journey, 3)
    letters = Letters(journey.store, LEAD_HOURS)

    async def faulty(item: dict[str, Any], now: datetime) -> Message | Unsent:
        if item["about"] == "Appointment/a2":
            raise errors.Busy("the store does not answer")
        return await letters.compose(item, now)

    with pytest.raises(ExceptionGroup) as raised:
        await sweep(journey, faulty)
    assert raised.group_contains(errors.Busy)
    assert len(capture.requests()) == 2
    assert await journey.sweep() == {}
    journey.clock.forward(seconds=STUCK_SECONDS)
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 3


async def test_a_sweep_whose_time_is_over_leaves_the_rest_to_the_next(journey: Journey, capture: Capture):
    await planned(journey, 3)
    letters = Letters(journey.store, LEAD_HOURS)
    assert await sweep(journey, letters.compose, run_seconds=-1) == {}
    journey.clock.forward(minutes=30)
    assert await sweep(journey, letters.compose, run_seconds=-1) == {}
    assert await journey.sweep() == {"sent": 3}
    assert len(capture.requests()) == 3


async def test_what_is_planned_into_a_minute_that_was_swept_already_is_found_all_the_same(
    journey: Journey, capture: Capture
):
    await planned(journey)
    (item,) = await journey.items()
    await journey.container.delete_item(item["id"], partition_key=item["slot"])  # its planner died before writing it
    for _ in range(4):
        journey.clock.forward(minutes=3)
        assert await journey.sweep() == {}
    await journey.plan()
    assert [one["slot"] for one in await journey.items()] == [item["slot"]]
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1


async def test_an_appointment_that_is_read_older_than_it_was_planned_is_not_decided_on(
    journey: Journey, capture: Capture
):
    await planned(journey)
    (item,) = await journey.items()
    ahead = {**item, "version": 2}
    await journey.outbox.replace(item, ahead)
    with pytest.raises(ExceptionGroup):
        await journey.sweep()
    assert (await journey.states(), capture.requests()) == (["sending"], [])


async def test_sweeps_at_once_leave_the_later_checkpoint(journey: Journey):
    await journey.outbox.open()
    journey.clock.forward(minutes=10)
    await asyncio.gather(*(journey.sweep() for _ in range(4)))
    assert (await journey.checkpoint())["minute"] == "2026-11-23T07:08"
    await journey.outbox.move_checkpoint("2026-11-23T07:01", None)
    assert (await journey.checkpoint())["minute"] == "2026-11-23T07:08"


async def test_an_email_that_may_have_left_is_asked_for_also_after_a_cancellation_and_a_new_booking(
    journey: Journey, capture: Capture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared_code.notifications.email.SEND_SECONDS", 0.3)
    capture.switch("hold", seconds=3)
    await planned(journey)
    assert await journey.sweep() == {"planned": 1}  # accepted, but the answer did not come
    for status in ("cancelled", "booked"):
        await journey.put(visit(status=status))
        await journey.plan()
    journey.clock.forward(minutes=2)
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1


async def test_an_attempt_before_a_drop_is_asked_for_when_it_is_planned_again(journey: Journey, capture: Capture):
    await planned(journey)

    async def dropped(item: dict[str, Any], now: datetime) -> Message | Unsent:
        answer = await journey.channel.send(Message("anna@example.org", "s", "t", "h"), item["id"])
        assert answer
        return Unsent("dropped", "moved or cancelled")

    assert await sweep(journey, dropped) == {"dropped": 1}
    await journey.put(visit(comment="booked again"))
    await journey.plan()
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1


async def test_a_shorter_lead_holds_for_what_is_planned_again(journey: Journey, capture: Capture):
    await journey.put(visit())
    await journey.plan()
    await journey.put(visit(status="cancelled"))
    await journey.plan()
    journey.planner = Planner(journey.container, journey.outbox, 23, journey.clock)
    await journey.put(visit())
    await journey.plan()
    for _ in range(23):  # until five minutes before it is due
        journey.clock.forward(minutes=5)
        assert await journey.sweep() == {}
    journey.clock.forward(minutes=5)
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1
