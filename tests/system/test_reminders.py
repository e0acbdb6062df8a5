"""Reminders over HTTP: the served app's own timers turn a stored Appointment into one caught email."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.builders import appointment, patient

if TYPE_CHECKING:
    from local.stack.served import ServedStack

SOON_SECONDS = 60  # planned and sent by timers that fire every 10 and 5 s here


@pytest.fixture
def http(stack: ServedStack) -> Iterator[httpx.Client]:
    """A client of the served app that speaks as a system."""
    headers = {"Authorization": f"Bearer {stack.token(system=True)}"}
    with httpx.Client(base_url=f"{stack.url}/api/fhir", headers=headers, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def anna(http: httpx.Client) -> str:
    """The id of a new Patient, who has an email address of her own."""
    patient_id = f"anna-{uuid.uuid4().hex[:8]}"
    telecom = [
        {"system": "email", "value": f"work.{patient_id}@example.org", "rank": 2},
        {"system": "email", "value": f"{patient_id}@example.org", "rank": 1},
    ]
    assert http.put(f"/Patient/{patient_id}", json=patient(id=patient_id, telecom=telecom)).status_code == 201
    return patient_id


def visit(http: httpx.Client, patient_id: str, **ahead: float) -> dict[str, Any]:
    """A stored Appointment that begins so far ahead."""
    start = (datetime.now(UTC) + timedelta(**ahead)).isoformat(timespec="seconds")
    answer = http.post("/Appointment", json=appointment(patient_id, start=start, end=start))
    assert answer.status_code == 201, answer.text
    stored: dict[str, Any] = answer.json()
    return stored


def caught(stack: ServedStack, patient_id: str) -> list[dict[str, Any]]:
    """Every request to write to one of the patient's addresses, also the refused ones."""
    requests = httpx.get(f"{stack.services['email']['url']}/captured", trust_env=False).json()["requests"]
    return [one for one in requests if patient_id in str(one["message"])]


def switch(stack: ServedStack, name: str, **values: Any) -> None:
    url = f"{stack.services['email']['url']}/control/{name}"
    httpx.post(url, json=values, trust_env=False).raise_for_status()


def fire(stack: ServedStack, function: str) -> None:
    """Run a timer function now, beside its schedule."""
    answer = httpx.post(
        f"{stack.url}/admin/functions/{function}",
        json={"input": ""},
        headers={"x-functions-key": stack.services["app"]["masterKey"]},
        trust_env=False,
    )
    assert answer.status_code == 202


def hurry(stack: ServedStack) -> None:
    fire(stack, "reminders_plan")
    fire(stack, "outbox_send")


def wait_until(holds: Callable[[], bool], what: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    deadline = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        meanwhile()
        time.sleep(0.2)


def test_an_appointment_of_tomorrow_leads_to_one_email_whoever_fires_the_timers(
    stack: ServedStack, http: httpx.Client, anna: str
) -> None:
    her_own = {"Authorization": f"Bearer {stack.token(patient=anna)}"}
    with httpx.Client(base_url=http.base_url, headers=her_own, trust_env=False, timeout=30) as client:
        visit(client, anna, hours=20)
    wait_until(lambda: bool(caught(stack, anna)), "the host's own schedule sent no email")
    for _ in range(3):
        hurry(stack)
    sentinel(stack, http)
    (request,) = caught(stack, anna)
    assert request["status"] == 202
    assert request["message"]["recipients"]["to"] == [{"address": f"{anna}@example.org"}]


def test_timers_fired_many_times_at_once_send_each_email_once(
    stack: ServedStack, http: httpx.Client, anna: str
) -> None:
    for _ in range(5):
        visit(http, anna, hours=20)
    for _ in range(10):
        hurry(stack)
    wait_until(lambda: len(caught(stack, anna)) >= 5, "not all were sent")
    sentinel(stack, http)
    operations = [one["operation"] for one in caught(stack, anna)]
    assert len(operations) == len(set(operations)) == 5


def test_an_appointment_that_a_transaction_stores_reminds_each_of_its_patients(
    stack: ServedStack, http: httpx.Client
) -> None:
    people = [f"{name}-{uuid.uuid4().hex[:8]}" for name in ("cleo", "dirk")]
    start = (datetime.now(UTC) + timedelta(hours=20)).isoformat(timespec="seconds")
    meeting = appointment(*people, start=start, end=start)
    entries: list[dict[str, Any]] = [{"resource": meeting, "request": {"method": "POST", "url": "Appointment"}}]
    for place, patient_id in enumerate(people):
        uuid_url = f"urn:uuid:{uuid.uuid4()}"
        meeting["participant"][place]["actor"]["reference"] = uuid_url
        telecom = [{"system": "email", "value": f"{patient_id}@example.org"}]
        request = {"method": "POST", "url": "Patient"}
        entries.append({"fullUrl": uuid_url, "resource": patient(telecom=telecom), "request": request})
    answer = http.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text
    wait_until(lambda: all(caught(stack, one) for one in people), "no email was sent", lambda: hurry(stack))
    sentinel(stack, http)
    assert [len(caught(stack, patient_id)) for patient_id in people] == [1, 1]


def test_an_appointment_that_is_cancelled_or_moved_before_it_is_due_is_not_reminded_of(
    stack: ServedStack, http: httpx.Client, anna: str
) -> None:
    cancelled, moved = (visit(http, anna, hours=24, seconds=4) for _ in range(2))
    assert http.put(f"/Appointment/{cancelled['id']}", json=cancelled | {"status": "cancelled"}).status_code == 200
    later = {"start": "2099-01-01T09:00:00Z", "end": "2099-01-01T09:20:00Z"}
    assert http.put(f"/Appointment/{moved['id']}", json=moved | later).status_code == 200
    sentinel(stack, http, hours=24, seconds=5)
    assert caught(stack, anna) == []


def test_functions_killed_while_an_email_is_on_its_way_do_not_send_it_again(
    stack: ServedStack, http: httpx.Client, anna: str
) -> None:
    switch(stack, "hold", seconds=20)
    visit(http, anna, hours=20)
    fire(stack, "reminders_plan")
    wait_until(lambda: bool(caught(stack, anna)), "no email was sent", lambda: fire(stack, "outbox_send"))
    stack.kill_and_wait("functions")
    sentinel(stack, http)
    assert len(caught(stack, anna)) == 1


def sentinel(stack: ServedStack, http: httpx.Client, **ahead: float) -> None:
    """Return once somebody else's appointment, stored after all that came before, was reminded of."""
    other = f"bob-{uuid.uuid4().hex[:8]}"
    telecom = [{"system": "email", "value": f"{other}@example.org"}]
    assert http.put(f"/Patient/{other}", json=patient(id=other, telecom=telecom)).status_code == 201
    visit(http, other, **(ahead or {"hours": 20}))
    wait_until(lambda: bool(caught(stack, other)), "the sentinel was not reminded", lambda: hurry(stack))
