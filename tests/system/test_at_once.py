"""Many requests at the same moment: one of several wins, none is lost, and what is made once is made once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.builders import observation, organization, patient
from tests.system.fhir_answers import ids, post, put, transaction

AT_ONCE = 8
CLINICS = "http://example.org/clinics"


def at_once(send: Callable[[int], httpx.Response], count: int = AT_ONCE) -> list[httpx.Response]:
    """The answers to requests that are all sent at the same moment."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(send, range(count)))


def statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def test_of_updates_of_one_version_one_wins(api: httpx.Client, anna: str) -> None:
    def update(n: int) -> httpx.Response:
        changed = patient(id=anna, birthDate=f"198{n}-01-01")
        return api.put(f"/fhir/Patient/{anna}", json=changed, headers={"If-Match": 'W/"1"'})

    answers = at_once(update)
    assert statuses(answers) == [200] + [412] * (AT_ONCE - 1)
    (won,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert api.get(f"/fhir/Patient/{anna}").json() == won


def test_of_creates_under_one_id_one_creates(api: httpx.Client, anna: str) -> None:
    own = f"weight-{uuid.uuid4().hex}"

    def create(n: int) -> httpx.Response:
        return api.put(f"/fhir/Observation/{own}", json=observation(anna, id=own, issued=f"2026-03-01T08:00:0{n}Z"))

    answers = at_once(create, 4)
    assert statuses(answers).count(201) == 1
    assert set(statuses(answers)) <= {200, 201, 409}
    versions = api.get(f"/fhir/Observation/{own}").json()["meta"]["versionId"]
    assert int(versions) == sum(answer.is_success for answer in answers)


def test_of_creates_under_one_condition_one_creates(api: httpx.Client) -> None:
    value = uuid.uuid4().hex
    clinic = organization(identifier=[{"system": CLINICS, "value": value}])
    condition = f"identifier={CLINICS}|{value}"

    def create(n: int) -> httpx.Response:
        if n % 2:
            return api.post("/fhir", json=transaction(post(clinic, if_none_exist=condition)))
        return api.post("/fhir/Organization", json=clinic, headers={"If-None-Exist": condition})

    answers = at_once(create)
    assert set(statuses(answers)) <= {200, 201, 409, 503}
    assert any(answer.is_success for answer in answers)
    assert len(ids(api, "/fhir/Organization", {"identifier": f"{CLINICS}|{value}"})) == 1


def test_transactions_that_change_the_same_resources_follow_each_other(
    api: httpx.Client, new_person: Callable[[], str]
) -> None:
    people = [new_person(), new_person()]

    def change(n: int) -> httpx.Response:
        ordered = people if n % 2 else people[::-1]
        entries = [put(patient(id=patient_id, birthDate=f"198{n}-01-01")) for patient_id in ordered]
        return api.post("/fhir", json=transaction(*entries))

    answers = at_once(change, 6)
    assert set(statuses(answers)) <= {200, 409, 503}
    made = sum(answer.status_code == 200 for answer in answers)
    assert made >= 1
    stored = [api.get(f"/fhir/Patient/{patient_id}").json() for patient_id in people]
    assert [one["meta"]["versionId"] for one in stored] == [str(made + 1)] * 2
    assert stored[0]["birthDate"] == stored[1]["birthDate"]


def test_many_people_write_at_once(api: httpx.Client, new_person: Callable[[], str]) -> None:
    people = [new_person() for _ in range(AT_ONCE)]
    answers = at_once(lambda n: api.post("/fhir/Observation", json=observation(people[n % AT_ONCE])), 4 * AT_ONCE)
    assert statuses(answers) == [201] * 4 * AT_ONCE
    assert {len(ids(api, "/fhir/Observation", {"patient": one})) for one in people} == {4}
