"""Transactions and batches over HTTP: what is referred to, what is answered, and that it is all or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import httpx
import pytest

from shared_code.fhir import Resource, validate
from tests.builders import observation, organization, patient
from tests.system.fhir_answers import asked, batch, ids, issue, locations, pages, post, put, resources, statuses
from tests.system.fhir_answers import transaction as transaction_of

CLINICS = "http://example.org/clinics"
PEOPLE = "http://example.org/people"


def urn() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def answered(api: httpx.Client, bundle: Resource, **headers: str) -> Resource:
    """The response bundle, which is valid R4."""
    answer = api.post("/fhir", json=bundle, headers=headers)
    assert answer.status_code == 200, answer.text
    found: Resource = answer.json()
    validate(found)
    assert found["type"] == f"{bundle['type']}-response"
    assert len(found.get("entry", [])) == len(bundle.get("entry", []))
    return found


def read(api: httpx.Client, location: str) -> Resource:
    answer = api.get(f"/fhir/{location}")
    assert answer.status_code == 200, answer.text
    found: Resource = answer.json()
    return found


def test_entries_refer_to_each_other_by_their_full_urls(api: httpx.Client) -> None:
    of_patient, of_clinic = urn(), urn()
    weight = observation() | {"subject": {"reference": of_patient}, "performer": [{"reference": of_clinic}]}
    bundle = transaction_of(
        post(weight, urn()),
        post(patient(managingOrganization={"reference": of_clinic}), of_patient),
        post(organization(), of_clinic),
    )
    found = answered(api, bundle)
    weight_at, patient_at, clinic_at = locations(found)
    assert statuses(found) == ["201 Created"] * 3
    assert all(entry["response"]["etag"] == 'W/"1"' for entry in found["entry"])
    stored = read(api, weight_at)
    assert (stored["subject"]["reference"], stored["performer"][0]["reference"]) == (patient_at, clinic_at)
    assert read(api, patient_at)["managingOrganization"]["reference"] == clinic_at
    assert ids(api, "/fhir/Observation", {"patient": patient_at}) == [weight_at.partition("/")[2]]


def test_links_in_narratives_and_urls_follow_the_resources(api: httpx.Client, anna: str) -> None:
    of_weight = urn()
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{of_weight}">weight</a></div>'
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": {"reference": f"Patient/{anna}"},
        "text": {"status": "generated", "div": div},
        "content": [{"attachment": {"url": of_weight}}],
    }
    found = answered(api, transaction_of(post(document), post(observation(anna), of_weight)))
    document_at, weight_at = locations(found)
    stored = read(api, document_at)
    assert stored["content"][0]["attachment"]["url"] == weight_at
    assert f'href="{weight_at}"' in stored["text"]["div"]


def test_every_method_is_carried_out_in_the_order_of_r4_and_answered_in_the_order_sent(
    api: httpx.Client, anna: str
) -> None:
    old, kept = (api.post("/fhir/Observation", json=observation(anna)).json() for _ in range(2))
    bundle = transaction_of(
        asked("GET", f"Observation/{kept['id']}"),
        put(kept | {"status": "amended"}),
        post(observation(anna)),
        asked("DELETE", f"Observation/{old['id']}"),
        asked("GET", f"Observation?patient={anna}"),
    )
    found = answered(api, bundle)
    assert statuses(found) == ["200 OK", "200 OK", "201 Created", "204 No Content", "200 OK"]
    created_at = found["entry"][2]["response"]["location"].split("/")[1]
    assert sorted(r["id"] for r in resources(found["entry"][4]["resource"])) == sorted([kept["id"], created_at])
    issue(api.get(f"/fhir/Observation/{old['id']}"), 410)


def test_resources_are_in_the_answer_when_they_are_asked_for(api: httpx.Client, anna: str) -> None:
    bundle = transaction_of(post(observation(anna)))
    assert "resource" not in answered(api, bundle)["entry"][0]
    found = answered(api, bundle, Prefer="return=representation")
    assert found["entry"][0]["resource"]["subject"]["reference"] == f"Patient/{anna}"


def test_a_get_entry_answers_with_its_resource(api: httpx.Client, anna: str) -> None:
    found = answered(api, batch(asked("GET", f"Patient/{anna}")))
    assert found["entry"][0]["resource"]["id"] == anna


def test_a_create_under_a_condition_is_made_once_and_what_refers_to_it_finds_it(api: httpx.Client) -> None:
    value = uuid.uuid4().hex
    clinic = organization(identifier=[{"system": CLINICS, "value": value}])
    of_clinic = urn()
    bundle = transaction_of(
        post(clinic, of_clinic, f"identifier={CLINICS}|{value}"),
        post(patient(managingOrganization={"reference": of_clinic})),
    )
    first, second = answered(api, bundle), answered(api, bundle)
    assert [statuses(one) for one in (first, second)] == [["201 Created"] * 2, ["200 OK", "201 Created"]]
    assert locations(first)[0] == locations(second)[0]
    assert read(api, locations(second)[1])["managingOrganization"]["reference"] == locations(first)[0]
    assert read(api, locations(first)[0])["meta"]["versionId"] == "1"


def test_a_conditional_reference_finds_the_one_it_names(api: httpx.Client, anna: str) -> None:
    value = uuid.uuid4().hex
    clinic = organization(identifier=[{"system": CLINICS, "value": value}])
    own = api.post("/fhir/Organization", json=clinic).json()["id"]
    weight = observation(anna, performer=[{"reference": f"Organization?identifier={CLINICS}|{value}"}])
    for bundle in (transaction_of(post(weight)), batch(post(weight))):
        stored = read(api, locations(answered(api, bundle))[0])
        assert stored["performer"][0]["reference"] == f"Organization/{own}"


@pytest.mark.parametrize(("count", "code"), [(0, "not-found"), (2, "multiple-matches")])
def test_a_conditional_reference_to_none_or_to_several_refuses_the_transaction(
    api: httpx.Client, anna: str, count: int, code: str
) -> None:
    value = uuid.uuid4().hex
    for _ in range(count):
        api.post("/fhir/Organization", json=organization(identifier=[{"system": CLINICS, "value": value}]))
    weight = observation(anna, performer=[{"reference": f"Organization?identifier={CLINICS}|{value}"}])
    fault = issue(api.post("/fhir", json=transaction_of(post(observation(anna)), post(weight))), 400)
    assert (fault["code"], fault["expression"]) == (code, ["Bundle.entry[1].resource.performer[0].reference"])
    assert ids(api, "/fhir/Observation", {"patient": anna}) == []


def faulty(anna: str) -> dict[str, tuple[Resource, int, str | None]]:
    """An entry that refuses its transaction, with the status and the place of the fault."""
    weight = observation(anna, id="w")
    return {
        "a reference to nothing": (post(observation("not-there")), 400, "Bundle.entry[1].resource.subject.reference"),
        "an urn that no entry has": (
            post(observation() | {"subject": {"reference": urn()}}),
            400,
            "Bundle.entry[1].resource.subject.reference",
        ),
        "an invalid resource": (post(observation(anna, status="so-so")), 422, "Bundle.entry[1].resource.status"),
        "an unknown element": (post(observation(anna, mood="good")), 422, "Bundle.entry[1].resource.mood"),
        "an unknown type": (
            {"resource": weight, "request": {"method": "POST", "url": "Elephant"}},
            400,
            "Bundle.entry[1].request.url",
        ),
        "another type than the address says": (
            {"resource": weight, "request": {"method": "POST", "url": "Patient"}},
            400,
            "Bundle.entry[1].resource",
        ),
        "another id than the address says": (
            {"resource": weight, "request": {"method": "PUT", "url": "Observation/v"}},
            400,
            "Bundle.entry[1].resource.id",
        ),
        "an address without an id": (
            {"resource": weight, "request": {"method": "PUT", "url": "Observation?code=x"}},
            400,
            "Bundle.entry[1].request.url",
        ),
        "no request": ({"resource": weight}, 400, "Bundle.entry[1].request"),
        "no resource": (asked("POST", "Observation"), 400, "Bundle.entry[1].resource"),
        "a patch": (asked("PATCH", "Observation/w"), 400, "Bundle.entry[1].request.method"),
        "a stale version": (put(patient(id=anna, gender="other"), 'W/"7"'), 412, None),
        "a search that cannot be": (asked("GET", "Observation?date=x"), 400, "Bundle.entry[1].request.url"),
        "a bad condition": (
            post(organization(), if_none_exist="name=x"),
            400,
            "Bundle.entry[1].request.ifNoneExist",
        ),
    }


@pytest.mark.parametrize("name", faulty("anna"))
def test_one_bad_entry_refuses_the_transaction_and_nothing_of_it_is_stored(
    api: httpx.Client, anna: str, name: str
) -> None:
    entry, status, path = faulty(anna)[name]
    answer = api.post("/fhir", json=transaction_of(post(observation(anna)), entry))
    fault = issue(answer, status)
    if path:
        assert fault["expression"] == [path]
    assert ids(api, "/fhir/Observation", {"patient": anna}) == []
    assert read(api, f"Patient/{anna}")["meta"]["versionId"] == "1"


def test_a_read_of_nothing_is_answered_as_such_beside_what_was_written(api: httpx.Client, anna: str) -> None:
    bundle = transaction_of(post(observation(anna)), asked("GET", "Observation/not-there"))
    found = answered(api, bundle)
    assert statuses(found) == ["201 Created", "404 Not Found"]
    assert found["entry"][1]["response"]["outcome"]["issue"][0]["code"] == "not-found"


def test_several_faults_are_all_named(api: httpx.Client, anna: str) -> None:
    answer = api.post("/fhir", json=transaction_of(*(post(observation(anna, status=f"no-{n}")) for n in range(3))))
    paths = [one["expression"][0] for one in answer.json()["issue"]]
    assert paths == [f"Bundle.entry[{n}].resource.status" for n in range(3)]


def test_the_same_resource_twice_refuses_the_transaction(api: httpx.Client, anna: str) -> None:
    own = uuid.uuid4().hex
    twice = [put(observation(anna, id=own)), put(observation(anna, id=own, status="amended"))]
    same_url = urn()
    both = [post(observation(anna), same_url), post(observation(anna), same_url)]
    for entries in (twice, [twice[0], asked("DELETE", f"Observation/{own}")], both):
        fault = issue(api.post("/fhir", json=transaction_of(*entries)), 400)
        assert fault["expression"][0].startswith("Bundle.entry[1]")
        assert fault["code"] == "duplicate"
    assert ids(api, "/fhir/Observation", {"patient": anna}) == []


def test_a_batch_answers_entry_by_entry(api: httpx.Client, anna: str) -> None:
    good = post(observation(anna))
    bundle = batch(good, *(entry for entry, _, _ in faulty(anna).values()), good)
    found = answered(api, bundle)
    expected = [status for _, status, _ in faulty(anna).values()]
    seen = [int(status[:3]) for status in statuses(found)]
    # A batch holds nothing against a reference to what is not there; all else is refused as in a transaction.
    assert seen == [201, 201, *expected[1:], 201]
    for number, (entry, (_, _, path)) in enumerate(zip(found["entry"][1:-1], faulty(anna).values(), strict=True), 1):
        if number == 1:
            continue
        named = entry["response"]["outcome"]["issue"][0].get("expression")
        assert path is None or named == [path.replace("[1]", f"[{number}]")]
        assert entry["response"]["outcome"]["issue"][0]["diagnostics"]
        assert "location" not in entry["response"]
    assert len(ids(api, "/fhir/Observation", {"patient": anna})) == 2


@pytest.mark.parametrize("bundle", [transaction_of(), batch(), {"resourceType": "Bundle", "type": "batch"}])
def test_an_empty_bundle_is_answered_with_an_empty_one(api: httpx.Client, bundle: Resource) -> None:
    bundle = {name: value for name, value in bundle.items() if value}
    assert answered(api, bundle).get("entry") is None


@pytest.mark.parametrize("kind", ["collection", "searchset", "document", None])
def test_a_bundle_that_asks_for_nothing_is_refused(api: httpx.Client, kind: str | None) -> None:
    bundle = {"resourceType": "Bundle"} | ({"type": kind} if kind else {})
    assert issue(api.post("/fhir", json=bundle), 400)["expression"] == ["Bundle.type"]
    assert issue(api.post("/fhir", json=patient()), 400)["expression"] == ["resourceType"]


def history(people: list[str], entries: int) -> Resource:
    """A transaction over these people, as many entries as said, each with a reference to another entry."""
    of_clinic = urn()
    weights = [
        post(
            observation(people[n % len(people)], performer=[{"reference": of_clinic}], issued="2026-03-01T08:00:00Z")
            | {"effectiveDateTime": f"2026-{1 + n % 12:02d}-{1 + n // 12:02d}"},
            urn(),
        )
        for n in range(entries - 1)
    ]
    return transaction_of(*weights, post(organization(), of_clinic))


def test_a_transaction_of_300_entries_over_two_people_is_there_at_once_and_whole(
    api: httpx.Client, new_person: Callable[[], str]
) -> None:
    people = [new_person(), new_person()]
    found = answered(api, history(people, 300))
    assert statuses(found) == ["201 Created"] * 300
    clinic = locations(found)[-1]
    for number, patient_id in enumerate(people):
        stored = [
            r
            for page in pages(api, "/fhir/Observation", {"patient": patient_id, "_count": 60})
            for r in resources(page)
        ]
        assert len(stored) == 150 - number
        assert {one["performer"][0]["reference"] for one in stored} == {clinic}
        assert len({one["id"] for one in stored}) == len(stored)


def test_a_refused_transaction_of_300_entries_leaves_nothing(api: httpx.Client, new_person: Callable[[], str]) -> None:
    people = [new_person(), new_person()]
    bundle = history(people, 300)
    bundle["entry"].append(put(patient(id=people[1], gender="other"), 'W/"9"'))
    issue(api.post("/fhir", json=bundle), 412)
    for patient_id in people:
        assert ids(api, "/fhir/Observation", {"patient": patient_id}) == []
        assert read(api, f"Patient/{patient_id}")["meta"]["versionId"] == "1"


def test_what_refers_to_a_failed_entry_of_a_batch_is_not_stored_with_a_reference_to_nothing(
    api: httpx.Client, anna: str
) -> None:
    of_clinic = urn()
    weight = observation(anna, performer=[{"reference": of_clinic}])
    found = answered(api, batch(post(organization(name=5), of_clinic), post(weight)))
    assert [status[:3] for status in statuses(found)] == ["422", "400"]
    assert ids(api, "/fhir/Observation", {"patient": anna}) == []


@pytest.mark.parametrize("part", ["resource", "request"])
@pytest.mark.parametrize("junk", [5, "x", [], [5], {"reference": 5}, None, True, {"url": {}, "method": []}])
def test_an_entry_of_the_wrong_shape_fails_alone(api: httpx.Client, anna: str, part: str, junk: object) -> None:
    entry = post(observation(anna)) | {part: junk}
    of_wrong_parts = post(observation(anna) | {"subject": junk, "identifier": junk, "status": junk})
    found = answered(api, batch(entry, of_wrong_parts, post(observation(anna))))
    seen = [status[:3] for status in statuses(found)]
    assert seen[2] == "201"
    assert set(seen[:2]) <= {"400", "422"}
