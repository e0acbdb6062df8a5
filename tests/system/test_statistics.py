"""Statistics over HTTP: the served app's own timer counts what was written, and each caller gets what is theirs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shared_code.fhir import dump
from tests.builders import observation, patient

if TYPE_CHECKING:
    from local.stack.served import ServedStack

WEIGHT = "http://loinc.org|29463-7"
BEHIND_SECONDS = 15


@pytest.fixture
def http(stack: ServedStack) -> Iterator[httpx.Client]:
    """A client of the served app that speaks as a system."""
    headers = {"Authorization": f"Bearer {stack.token(system=True)}"}
    with httpx.Client(base_url=f"{stack.url}/api", headers=headers, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def anna(http: httpx.Client) -> str:
    """The id of a new Patient."""
    patient_id = f"anna-{uuid.uuid4().hex[:8]}"
    assert http.put(f"/fhir/Patient/{patient_id}", json=patient(id=patient_id)).status_code == 201
    return patient_id


def days(http: httpx.Client, patient_id: str) -> list[dict[str, Any]]:
    answer = http.get("/statistics", params={"code": WEIGHT, "patient": patient_id})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["days"]
    return found


def wait_until(holds: Callable[[], bool], seconds: float = BEHIND_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"the statistics are more than {seconds} s behind"
        time.sleep(0.1)


def test_what_is_written_is_counted_soon_and_a_correction_and_a_deletion_too(http: httpx.Client, anna: str) -> None:
    base = "/fhir/Observation"
    kept = http.post(base, content=weight(anna, "72.50"), headers={"Content-Type": "application/fhir+json"}).json()
    wrong = http.post(base, json=observation(anna, effectiveDateTime="2026-03-02")).json()
    gone = http.post(base, json=observation(anna, effectiveDateTime="2026-03-03")).json()
    wait_until(lambda: [day["date"] for day in days(http, anna)] == ["2026-03-01", "2026-03-02", "2026-03-03"])

    corrected = wrong | {"status": "corrected", "effectiveDateTime": "2026-03-01"}
    assert http.put(f"{base}/{wrong['id']}", json=corrected).status_code == 200
    assert http.delete(f"{base}/{gone['id']}").status_code in (200, 204)
    wait_until(lambda: [(day["date"], day["count"]) for day in days(http, anna)] == [("2026-03-01", 2)])

    raw = http.get("/statistics", params={"code": WEIGHT, "patient": anna}).text
    assert '"min":72,"max":72.50,"mean":72.2500' in raw
    assert http.get(f"{base}/{kept['id']}").status_code == 200


def test_functions_killed_right_after_counting_go_on_when_they_are_back_and_count_nothing_twice(
    stack: ServedStack, http: httpx.Client, anna: str
) -> None:
    entries = [
        {"request": {"method": "POST", "url": "Observation"}, "resource": observation(anna, effectiveDateTime=day)}
        for day in ("2026-03-01", "2026-03-02", "2026-03-03")
        for _ in range(30)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert http.post("/fhir", json=bundle).status_code == 200
    wait_until(lambda: days(http, anna) != [])
    stack.kill_and_wait("functions")
    assert http.post("/fhir", json=bundle).status_code == 200
    complete = [("2026-03-01", 60), ("2026-03-02", 60), ("2026-03-03", 60)]
    held_by_the_dead = 10
    wait_until(
        lambda: [(day["date"], day["count"]) for day in days(http, anna)] == complete, BEHIND_SECONDS + held_by_the_dead
    )


def test_a_person_asks_for_themself_and_finds_nobody_else(stack: ServedStack, http: httpx.Client, anna: str) -> None:
    own = {"Authorization": f"Bearer {stack.token(patient=anna)}"}
    stranger = {"Authorization": f"Bearer {stack.token(patient='somebody-else')}"}
    practitioner = {"Authorization": f"Bearer {stack.token(practitioner='dr')}"}
    assert http.get("/statistics", params={"code": WEIGHT}, headers=own).json()["patient"] == f"Patient/{anna}"
    for headers in (stranger, practitioner):
        answer = http.get("/statistics", params={"code": WEIGHT, "patient": anna}, headers=headers)
        assert answer.status_code == 404
        assert answer.json()["resourceType"] == "OperationOutcome"


def test_without_a_token_there_is_no_answer(stack: ServedStack) -> None:
    answer = httpx.get(f"{stack.url}/api/statistics", params={"code": WEIGHT, "patient": "anna"}, trust_env=False)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("query", "named"),
    [({"patient": "anna"}, "code"), ({"code": WEIGHT}, "patient"), ({"code": WEIGHT, "patient": "a", "to": "x"}, "to")],
)
def test_a_faulty_parameter_is_named_in_an_outcome(http: httpx.Client, query: dict[str, str], named: str) -> None:
    answer = http.get("/statistics", params=query)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["diagnostics"].startswith(f"{named}: ")


def test_statistics_are_only_read(http: httpx.Client) -> None:
    answer = http.post("/statistics", json={})
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


def weight(patient_id: str, digits: str) -> str:
    """A body weight as JSON text whose value has exactly these digits."""
    return dump(observation(patient_id, valueQuantity={**observation()["valueQuantity"], "value": Decimal(digits)}))
