"""Who may: a person reaches what is theirs and shared, a practitioner what is shared, a system what its scopes name."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from shared_code.fhir import Resource
from tests.builders import appointment, observation, organization, patient
from tests.system.conftest import Speaks
from tests.system.fhir_answers import batch, ids, issue, pages, post, put, resources, statuses, transaction

NEVER = "person-that-never-was"


@dataclass(frozen=True)
class World:
    """Anna with a weight, and a clinic that all may see."""

    anna: str
    weight: Resource
    clinic: Resource

    @property
    def address(self) -> str:
        return f"/fhir/Observation/{self.weight['id']}"


@pytest.fixture
def world(api: httpx.Client, anna: str) -> World:
    weight = api.post("/fhir/Observation", json=observation(anna)).json()
    return World(anna, weight, api.post("/fhir/Organization", json=organization()).json())


@pytest.fixture
def stranger(speaks: Speaks, new_person: Callable[[], str]) -> httpx.Client:
    """Another person."""
    return speaks(patient=new_person())


@pytest.fixture
def practitioner(speaks: Speaks) -> httpx.Client:
    return speaks(practitioner="dr-who")


def test_a_person_does_with_what_is_theirs_what_their_scopes_say(speaks: Speaks, world: World) -> None:
    person = speaks(patient=world.anna)
    assert person.get(world.address).json() == world.weight
    assert person.get(f"{world.address}/_history/1").json() == world.weight
    assert [r["id"] for r in resources(pages(person, f"{world.address}/_history")[0])] == [world.weight["id"]]
    assert ids(person, "/fhir/Observation") == [world.weight["id"]]
    assert person.put(world.address, json=world.weight | {"status": "amended"}).status_code == 200
    created = person.post("/fhir/Observation", json=observation(world.anna))
    assert created.status_code == 201
    assert person.delete(f"/fhir/Observation/{created.json()['id']}").status_code == 204
    assert person.get(f"/fhir/Patient/{world.anna}").status_code == 200
    assert ids(person, "/fhir/Patient") == [world.anna]


@pytest.mark.parametrize("who", ["stranger", "practitioner"])
def test_what_somebody_may_not_see_does_not_exist_for_them(
    api: httpx.Client, world: World, who: str, request: pytest.FixtureRequest
) -> None:
    client: httpx.Client = request.getfixturevalue(who)
    for own, path in ((world.weight["id"], "Observation"), (world.anna, "Patient")):
        for suffix in ("", "/_history", "/_history/1", "/_history/9"):
            seen = issue(client.get(f"/fhir/{path}/{own}{suffix}"), 404)
            absent = issue(client.get(f"/fhir/{path}/{NEVER}{suffix}"), 404)
            assert seen["diagnostics"].replace(own, NEVER) == absent["diagnostics"]
    api.delete(world.address)
    issue(client.get(world.address), 404)


def test_another_person_finds_nothing_of_hers_by_any_search(stranger: httpx.Client, world: World) -> None:
    for query in (
        {},
        {"patient": world.anna},
        {"subject": f"Patient/{world.anna}"},
        {"_id": world.weight["id"]},
        {"code": "29463-7"},
    ):
        bundle = stranger.get("/fhir/Observation", params={**query, "_total": "accurate"}).json()
        assert (bundle["total"], bundle.get("entry")) == (0, None)
    assert ids(stranger, "/fhir/Patient", {"_id": world.anna}) == []


def test_another_person_changes_nothing_of_hers(api: httpx.Client, stranger: httpx.Client, world: World) -> None:
    issue(stranger.post("/fhir/Observation", json=observation(world.anna)), 403)
    issue(stranger.put(world.address, json=world.weight | {"status": "amended"}), 403)
    mine = {"subject": {"reference": ids_of(stranger)}}
    issue(stranger.put(world.address, json=world.weight | mine), 404)
    issue(stranger.delete(world.address), 404)
    issue(stranger.put(f"/fhir/Patient/{world.anna}", json=patient(id=world.anna)), 403)
    assert api.get(world.address).json() == world.weight
    assert ids(api, "/fhir/Observation", {"patient": world.anna}) == [world.weight["id"]]


def ids_of(person: httpx.Client) -> str:
    """The reference of the person who speaks."""
    return f"Patient/{ids(person, '/fhir/Patient')[0]}"


def test_a_person_cannot_take_a_resource_out_of_another_record_nor_give_theirs_away(
    api: httpx.Client, speaks: Speaks, stranger: httpx.Client, world: World
) -> None:
    person = speaks(patient=world.anna)
    issue(person.put(world.address, json=world.weight | {"subject": {"reference": ids_of(stranger)}}), 403)
    assert api.get(world.address).json() == world.weight


@pytest.mark.parametrize("bundle", [transaction, batch])
def test_a_bundle_reaches_no_further_than_its_entries_would(
    api: httpx.Client, stranger: httpx.Client, world: World, bundle: Callable[..., Resource]
) -> None:
    hers = put(world.weight | {"status": "amended"})
    own = post(observation(ids_of(stranger).removeprefix("Patient/"), code={"text": uuid.uuid4().hex}))
    answer = stranger.post("/fhir", json=bundle(own, hers))
    if bundle is transaction:
        issue(answer, 403)
        assert ids(stranger, "/fhir/Observation") == []
    else:
        assert statuses(answer.json()) == ["201 Created", "403 Forbidden"]
    assert api.get(world.address).json() == world.weight


def test_a_conditional_create_tells_nothing_of_another_persons_resources(
    api: httpx.Client, stranger: httpx.Client, world: World
) -> None:
    marked = observation(world.anna, identifier=[{"system": "http://example.org/o", "value": "1"}])
    api.post("/fhir/Observation", json=marked)
    condition = f"identifier=http://example.org/o|1&patient={world.anna}"
    issue(stranger.post("/fhir/Observation", json=marked, headers={"If-None-Exist": condition}), 403)
    theirs = marked | {"subject": {"reference": ids_of(stranger)}}
    for code in ("29463-7", "not-hers"):
        probe = {"If-None-Exist": f"code={code}&patient={world.anna}"}
        issue(stranger.post("/fhir/Observation", json=theirs, headers=probe), 403)
    assert ids(stranger, "/fhir/Observation") == []


def test_a_person_neither_makes_nor_deletes_a_patient(speaks: Speaks, world: World) -> None:
    person = speaks(patient=world.anna)
    issue(person.post("/fhir/Patient", json=patient()), 403)
    issue(person.delete(f"/fhir/Patient/{world.anna}"), 403)
    assert person.put(f"/fhir/Patient/{world.anna}", json=patient(id=world.anna, gender="female")).status_code == 200


def test_a_person_whose_patient_is_not_there_does_not_make_it(speaks: Speaks) -> None:
    own = f"person-{uuid.uuid4().hex[:10]}"
    issue(speaks(patient=own).put(f"/fhir/Patient/{own}", json=patient(id=own)), 403)
    issue(speaks(patient=own).get(f"/fhir/Patient/{own}"), 404)


@pytest.mark.parametrize("who", ["person", "practitioner"])
def test_what_is_shared_is_read_by_all_and_written_by_systems(
    speaks: Speaks, world: World, practitioner: httpx.Client, who: str
) -> None:
    client = practitioner if who == "practitioner" else speaks(patient=world.anna)
    address = f"/fhir/Organization/{world.clinic['id']}"
    assert client.get(address).json() == world.clinic
    assert client.get(f"{address}/_history").status_code == 200
    issue(client.put(address, json=world.clinic | {"name": "Mine"}), 403)
    issue(client.delete(address), 403)
    issue(client.post("/fhir/Organization", json=organization()), 403)


def test_a_practitioner_writes_nothing_and_finds_nobody(practitioner: httpx.Client, world: World) -> None:
    issue(practitioner.post("/fhir/Observation", json=observation(world.anna)), 403)
    issue(practitioner.post("/fhir/Patient", json=patient()), 403)
    issue(practitioner.put(world.address, json=world.weight), 403)
    issue(practitioner.delete(world.address), 403)
    by_id, by_person = {"_id": world.weight["id"]}, {"patient": world.anna, "_total": "accurate"}
    for query in ({}, by_id, by_person, {"identifier": "http://example.org/ids|1"}, {"identifier": "1"}):
        assert ids(practitioner, "/fhir/Observation", query) == []
    assert practitioner.get("/fhir/Observation", params=by_person).json()["total"] == 0
    assert ids(practitioner, "/fhir/Patient", {"identifier:missing": "true"}) == []
    issue(practitioner.post("/fhir", json=transaction(put(world.weight))), 403)


def test_what_is_nobodys_is_a_systems(api: httpx.Client, speaks: Speaks, world: World) -> None:
    group = api.post("/fhir/Group", json={"resourceType": "Group", "type": "person", "actual": True}).json()
    for client in (speaks(patient=world.anna), speaks(practitioner="dr-who")):
        issue(client.get(f"/fhir/Group/{group['id']}"), 404)
    issue(speaks(patient=world.anna).post("/fhir/Group", json=group), 403)


SCOPES = [
    ("patient/*.rs", {"read", "search"}),
    ("patient/Observation.c", {"create"}),
    ("patient/*.read", {"read", "search"}),
    ("patient/*.write", {"create", "update", "delete"}),
    ("patient/Patient.cruds", set()),
    ("user/*.cruds system/*.cruds", set()),
    ("openid profile", set()),
    ("patient/Observation.ud", {"update", "delete"}),
]


@pytest.mark.parametrize(("scope", "allowed"), SCOPES, ids=[scope for scope, _ in SCOPES])
def test_a_scope_allows_what_it_names_and_nothing_else(
    api: httpx.Client, speaks: Speaks, world: World, scope: str, allowed: set[str]
) -> None:
    person = speaks(patient=world.anna, scope=scope)
    answers = {
        "read": person.get(world.address),
        "search": person.get("/fhir/Observation"),
        "create": person.post("/fhir/Observation", json=observation(world.anna)),
        "update": person.put(world.address, json=world.weight | {"status": "amended"}),
        "delete": person.delete(world.address),
    }
    assert {name for name, answer in answers.items() if answer.is_success} == allowed
    for name in answers.keys() - allowed:
        assert issue(answers[name], 403)["code"] == "forbidden"


def test_a_systems_scopes_reach_the_types_that_they_name(speaks: Speaks, world: World) -> None:
    reader = speaks(system=True, scope="system/Observation.rs")
    assert reader.get(world.address).status_code == 200
    issue(reader.get(f"/fhir/Patient/{world.anna}"), 403)
    issue(reader.post("/fhir/Observation", json=observation(world.anna)), 403)
    issue(reader.post("/fhir", json=transaction(post(observation(world.anna)))), 403)


def test_only_a_system_that_may_read_everything_sees_loads(
    speaks: Speaks, world: World, practitioner: httpx.Client
) -> None:
    for client in (speaks(patient=world.anna), practitioner):
        issue(client.get("/load", params={"file": "x"}), 403)
    issue(speaks(system=True, scope="system/Observation.rs").get("/load", params={"file": "x"}), 403)
    issue(speaks(system=True, scope="system/*.rs").get("/load", params={"file": "not-there.json"}), 404)


def test_a_person_puts_nothing_into_anothers_record_by_naming_them(
    api: httpx.Client, speaks: Speaks, new_person: Callable[[], str]
) -> None:
    one, other = new_person(), new_person()
    person = speaks(patient=one)
    for answer in (
        person.post("/fhir/Appointment", json=appointment(one, other)),
        person.post("/fhir", json=transaction(post(appointment(one, other)))),
    ):
        assert answer.status_code in (400, 403), answer.text
    own = person.post("/fhir/Appointment", json=appointment(one)).json()
    issue(person.put(f"/fhir/Appointment/{own['id']}", json=appointment(one, other, id=own["id"])), 403)
    assert ids(speaks(patient=other), "/fhir/Appointment") == []
    both = api.post("/fhir/Appointment", json=appointment(one, other)).json()
    address = f"/fhir/Appointment/{both['id']}"
    assert person.put(address, json=both | {"status": "cancelled"}).status_code == 200
    assert speaks(patient=other).get(address).json()["status"] == "cancelled"
    issue(speaks(patient=other).put(address, json=both), 403)
    assert speaks(patient=other).delete(address).status_code in (403, 404)
    assert person.get(address).json()["status"] == "cancelled"


def test_what_was_moved_to_another_record_is_no_longer_its_former_persons(
    api: httpx.Client, speaks: Speaks, world: World, new_person: Callable[[], str]
) -> None:
    other = new_person()
    moved = world.weight | {"subject": {"reference": f"Patient/{other}"}}
    assert api.put(world.address, json=moved).status_code == 200
    former, present = speaks(patient=world.anna), speaks(patient=other)
    issue(former.get(world.address), 410)
    assert former.get(f"{world.address}/_history/1").json() == world.weight
    issue(former.put(world.address, json=world.weight), 410)
    assert ids(former, "/fhir/Observation") == []
    assert present.get(world.address).headers["ETag"] == 'W/"2"'
    issue(present.get(f"{world.address}/_history/1"), 404)
    versions = [
        [
            (e["request"]["method"], e["response"]["etag"])
            for e in pages(client, f"{world.address}/_history")[0]["entry"]
        ]
        for client in (present, former, api)
    ]
    moved_away, arrived, made = ("DELETE", 'W/"2"'), ("PUT", 'W/"2"'), ("POST", 'W/"1"')
    assert versions == [[arrived], [moved_away, made], [arrived, made]]
