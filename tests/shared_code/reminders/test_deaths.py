"""Exactly one email, wherever whoever works on it dies."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from shared_code.notifications.retries import STUCK_SECONDS
from tests.shared_code.reminders.journey import START, visit

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy

    from tests.conftest import CosmosAccount
    from tests.shared_code.notifications.capture import Capture
    from tests.shared_code.reminders.journey import Journey

ROOT = Path(__file__).resolve().parents[3]


class DiedError(BaseException):
    """This worker is no more; no handler of the product may catch it."""


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, at: int) -> Iterator[None]:
    """Die before the request of that number leaves, which is after everything before it was done; nor do later ones."""
    count = 0
    request = aiohttp.ClientSession._request

    async def numbered(session: aiohttp.ClientSession, *arguments: Any, **options: Any) -> aiohttp.ClientResponse:
        nonlocal count
        count += 1
        if count >= at:
            raise DiedError
        return await request(session, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "_request", numbered)
        yield


def at_minute(number: int) -> str:
    return (START + timedelta(days=1, minutes=number)).isoformat()


async def recover(journey: Journey, appointment_id: str) -> dict[str, Any]:
    """What comes after a death: the feed hands the page on again, and the sender's timer goes on firing."""
    await journey.plan(appointment_id)
    for _ in range(4):
        await journey.sweep()
        items = [item for item in await journey.items() if item["about"] == f"Appointment/{appointment_id}"]
        latest = items[-1]
        if latest["state"] not in ("planned", "sending"):
            return latest
        journey.clock.forward(seconds=STUCK_SECONDS)
    pytest.fail(f"{appointment_id} is left {latest['state']}")


async def test_a_worker_that_dies_at_any_request_leads_to_one_email(
    journey: Journey, capture: Capture, monkeypatch: pytest.MonkeyPatch
):
    at, alive = 0, False
    left: set[tuple[str, int]] = set()
    while not alive:
        at += 1
        due, appointment_id = START + timedelta(minutes=6 * at), f"a{at}"
        journey.clock.moment = due - timedelta(minutes=1)
        await journey.sweep()  # so that what follows makes the same requests each time
        await journey.put(visit((due + timedelta(days=1)).isoformat(), appointment_id))
        item = await journey.feed(appointment_id)
        journey.clock.moment = due
        try:
            with dying(monkeypatch, at):
                await journey.planner.handle([item])
                await journey.sweep()
            alive = True
        except DiedError:
            left |= {(item["state"], len(capture.requests()) - at + 1) for item in (await journey.items())[-1:]}
        notification = await recover(journey, appointment_id)
        assert notification["state"] == "sent"
        sent = [one for one in capture.requests() if one["operation"] == notification["id"]]
        assert len(sent) == 1, f"died at request {at}"
    assert len(capture.requests()) == at
    # It died in every way there is: sending with and without the service having the email.
    assert left >= {("planned", 0), ("sending", 0), ("sending", 1), ("sent", 1)}


async def test_a_planner_that_dies_while_an_appointment_moves_leads_to_one_email_at_the_new_time(
    journey: Journey, capture: Capture, monkeypatch: pytest.MonkeyPatch
):
    at, alive = 0, False
    while not alive:
        at += 1
        old, new = 12 * at, 12 * at + 3
        appointment_id = f"a{at}"
        await journey.put(visit(at_minute(old), appointment_id))
        await journey.plan(appointment_id)
        await journey.put(visit(at_minute(new), appointment_id))
        item = await journey.feed(appointment_id)
        try:
            with dying(monkeypatch, at):
                await journey.planner.handle([item])
            alive = True
        except DiedError:
            alive = False
        journey.clock.moment = START + timedelta(minutes=old)
        await journey.sweep()
        assert len(capture.requests()) == at - 1, f"reminded of the old time after death at request {at}"
        journey.clock.moment = START + timedelta(minutes=new)
        notification = await recover(journey, appointment_id)
        assert notification["state"] == "sent"
        assert capture.requests()[-1]["operation"] == notification["id"]
        assert len(capture.requests()) == at
    assert at > 5


async def test_a_process_killed_between_sending_and_saving_is_followed_by_a_question_and_not_by_a_second_email(
    journey: Journey, capture: Capture, cosmos: CosmosAccount, database: DatabaseProxy
):
    await journey.put(visit())
    await journey.plan()
    journey.clock.forward(hours=1)
    capture.switch("hold", seconds=30)
    where = {
        "cosmos": cosmos.endpoint,
        "cosmos_key": cosmos.key,
        "database": database.id,
        "email": capture.url,
        "email_key": capture.key,
        "now": journey.clock().isoformat(),
    }
    command = [sys.executable, "-m", "tests.shared_code.reminders.sender_process", json.dumps(where)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        await asyncio.to_thread(capture.wait_for, 1)
    finally:
        process.kill()
        await process.wait()
    assert await journey.states() == ["sending"]
    assert await journey.sweep() == {}  # its turn is not over
    journey.clock.forward(seconds=STUCK_SECONDS)
    assert await journey.sweep() == {"sent": 1}
    (item,) = await journey.items()
    assert (item["state"], item["attempts"]) == ("sent", 2)
    assert len(capture.requests()) == 1


async def test_an_email_that_the_service_accepted_without_saying_so_is_not_sent_again(
    journey: Journey, capture: Capture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared_code.notifications.email.SEND_SECONDS", 0.3)
    capture.switch("hold", seconds=3)
    await journey.put(visit())
    await journey.plan()
    journey.clock.forward(hours=1)
    assert await journey.sweep() == {"planned": 1}
    (item,) = await journey.items()
    assert (item["inDoubt"], item["reason"]) == (True, "no answer")
    journey.clock.forward(minutes=1)
    assert await journey.sweep() == {"sent": 1}
    assert len(capture.requests()) == 1
