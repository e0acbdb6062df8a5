"""Bundles on a record store: conditions that meet each other, and what happens at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from shared_code import errors
from shared_code.fhir import parse
from shared_code.identity import Caller
from shared_code.loading import BundleLoader
from shared_code.records import Page, Query, RecordStore, read_query
from tests.builders import identifier, observation, organization, patient, person, system
from tests.system.fhir_answers import batch, post, put, transaction

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy

BASE = "https://portal.example.org/api/fhir"
BY_IDENTIFIER = "identifier=http://example.org/ids|c1"


@pytest.fixture
async def store(database: DatabaseProxy) -> Any:
    records, keys, transactions = map(database.get_container_client, ("records", "keys", "transactions"))
    made = RecordStore(records, keys, transactions)
    yield made
    await made.transactions.quiet()


def clinic(name: str = "Clinic") -> dict[str, Any]:
    entry = post(organization(name=name, identifier=[identifier("c1")]), f"urn:uuid:{name}")
    entry["request"]["ifNoneExist"] = BY_IDENTIFIER
    return entry


async def clinics(store: RecordStore) -> list[str]:
    return [v.id for v in (await store.search(system(), read_query("Organization", []))).resources]


async def test_a_transaction_with_one_condition_twice_makes_one(store: RecordStore) -> None:
    weight = observation("anna", performer=[{"reference": "urn:uuid:two"}])
    bundle = transaction(clinic("one"), clinic("two"), post(weight), put(patient(id="anna")))
    results = await BundleLoader(store, BASE).carry_out(system(), bundle)
    assert [result.status for result in results] == [201, 200, 201, 201]
    (made,) = await clinics(store)
    assert [result.version.id for result in results[:2] if result.version] == [made, made]
    assert results[2].version is not None
    assert f'"Organization/{made}"' in (results[2].version.text or "")


async def test_a_batch_with_one_condition_twice_makes_one(store: RecordStore) -> None:
    results = await BundleLoader(store, BASE).carry_out(system(), batch(*[clinic(f"clinic-{n}") for n in range(5)]))
    assert sorted(result.status for result in results) == [200, 200, 200, 200, 201]
    assert len(await clinics(store)) == 1


class Faulty(RecordStore):
    """A store whose searches fail as only a mistake of ours makes them fail."""

    async def search(self, caller: Caller, query: Query) -> Page:
        raise KeyError("a mistake")


@pytest.mark.parametrize("bundle_of", [transaction, batch])
async def test_a_mistake_of_ours_in_one_entry_hides_nothing_of_what_others_made(
    database: DatabaseProxy, caplog: pytest.LogCaptureFixture, bundle_of: Callable[..., Any]
) -> None:
    store = Faulty(*map(database.get_container_client, ("records", "keys", "transactions")))
    search = {"request": {"method": "GET", "url": "Observation?code=x"}}
    results = await BundleLoader(store, BASE).carry_out(system(), bundle_of(put(patient(id="anna")), search))
    assert [result.status for result in results] == [201, 500]
    assert "a mistake" not in str(results[1].error)
    assert "Traceback" in caplog.text
    assert (await store.read(system(), "Patient", "anna")).version == 1


@pytest.mark.parametrize("bundle_of", [transaction, batch])
async def test_a_persons_delete_of_what_is_not_theirs_is_not_found(
    store: RecordStore, bundle_of: Callable[..., Any]
) -> None:
    await store.update(system(), patient(id="anna"))
    bert = await store.create(system(), observation("bert"))
    own = await store.create(system(), observation("anna"))
    for other in (f"Observation/{bert.id}", "Observation/never-was"):
        both = bundle_of(*[{"request": {"method": "DELETE", "url": url}} for url in (f"Observation/{own.id}", other)])
        if bundle_of is transaction:
            with pytest.raises(errors.NotFound) as raised:
                await BundleLoader(store, BASE).carry_out(person("anna"), both)
            assert raised.value.issues[0].path == "Bundle.entry[1].request"
            assert (await store.read(system(), "Observation", own.id)).version == 1
        else:
            results = await BundleLoader(store, BASE).carry_out(person("anna"), both)
            assert [result.status for result in results] == [204, 404]
    assert (await store.read(system(), "Observation", bert.id)).version == 1


async def test_transactions_with_the_same_condition_at_once_make_one_and_refer_to_it(store: RecordStore) -> None:
    loader = BundleLoader(store, BASE)
    await store.update(system(), patient(id="anna"))

    def visit() -> dict[str, Any]:
        weight = observation(performer=[{"reference": "urn:uuid:Clinic"}], text=narrative("urn:uuid:Clinic"))
        return transaction(clinic(), post(weight))

    await asyncio.gather(*(loader.carry_out(system(), visit()) for _ in range(4)))
    (made,) = await clinics(store)
    page = await store.search(system(), read_query("Observation", []))
    for version in page.resources:
        resource = parse(version.text or "")
        assert resource["performer"] == [{"reference": f"Organization/{made}"}]
        assert f'href="Organization/{made}"' in resource["text"]["div"]
    assert len(page.resources) == 4


def narrative(href: str) -> dict[str, str]:
    return {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{href}">where</a></div>',
    }


ANNA = patient(id="anna", identifier=[identifier("anna")])
BY_NAME = "Patient?identifier=http://example.org/ids|anna"


@pytest.mark.parametrize("bundle_of", [transaction, batch])
@pytest.mark.parametrize("subject", [BY_NAME, f"{BASE}/Patient/anna", "Patient/anna"])
async def test_what_is_created_is_found_by_its_id_however_its_patient_is_named(
    store: RecordStore, bundle_of: Any, subject: str
) -> None:
    await store.update(system(), ANNA)
    entry = post(observation() | {"subject": {"reference": subject}})
    (result,) = await BundleLoader(store, BASE).carry_out(system(), bundle_of(entry))
    assert result.version is not None
    read = await store.read(system(), "Observation", result.version.id)
    assert parse(read.text or "")["subject"] == {"reference": "Patient/anna"}


async def test_a_second_patient_on_one_condition_is_the_first_for_those_who_name_it(store: RecordStore) -> None:
    patients = [post(patient(identifier=[identifier("eva")]), f"urn:uuid:{name}") for name in ("one", "two")]
    for entry in patients:
        entry["request"]["ifNoneExist"] = "identifier=http://example.org/ids|eva"
    weights = [post(observation() | {"subject": {"reference": f"urn:uuid:{name}"}}) for name in ("one", "two")]
    for bundle in (transaction(*patients, *weights), batch(*patients, *weights)):
        results = await BundleLoader(store, BASE).carry_out(system(), bundle)
        subjects = set()
        for result in results[2:]:
            assert result.version is not None
            read = await store.read(system(), "Observation", result.version.id)
            subjects.add(parse(read.text or "")["subject"]["reference"])
        found = await store.search(system(), read_query("Patient", [("identifier", "http://example.org/ids|eva")]))
        assert subjects == {f"Patient/{found.resources[0].id}"}
        assert len(found.resources) == 1


async def test_what_refers_to_an_entry_of_a_batch_that_failed_fails(store: RecordStore) -> None:
    caller = system("system/Observation.cruds")
    weight = observation() | {"subject": {"reference": "urn:uuid:a"}}
    about = observation() | {"derivedFrom": [{"reference": "urn:uuid:w"}]}
    bundle = batch(post(about), post(weight, "urn:uuid:w"), post(patient(), "urn:uuid:a"))
    results = await BundleLoader(store, BASE).carry_out(caller, bundle)
    assert [result.status for result in results] == [400, 400, 403]
    assert (await store.search(system(), read_query("Observation", []))).resources == []


async def test_entries_of_a_batch_that_refer_to_each_other_in_a_circle_are_made(store: RecordStore) -> None:
    pair = [
        post(observation() | {"derivedFrom": [{"reference": f"urn:uuid:{other}"}]}, f"urn:uuid:{name}")
        for name, other in (("a", "b"), ("b", "a"))
    ]
    results = await BundleLoader(store, BASE).carry_out(system(), batch(*pair))
    assert [result.status for result in results] == [201, 201]
    texts = [result.version.text or "" for result in results if result.version]
    ids = [result.version.id for result in results if result.version]
    assert f"Observation/{ids[1]}" in texts[0]
    assert f"Observation/{ids[0]}" in texts[1]


async def test_a_transaction_does_not_refer_to_what_it_deletes(store: RecordStore) -> None:
    await store.update(system(), ANNA)
    gone = {"request": {"method": "DELETE", "url": "Patient/anna"}}
    with pytest.raises(errors.Malformed, match="leads to nothing"):
        await BundleLoader(store, BASE).carry_out(system(), transaction(gone, post(observation("anna"))))
    assert (await store.read(system(), "Patient", "anna")).version == 1


async def test_a_url_of_this_server_that_leads_to_nothing_is_refused_in_a_transaction(store: RecordStore) -> None:
    weight = observation() | {"subject": {"reference": f"{BASE}/Patient/nobody"}}
    with pytest.raises(errors.Malformed, match="leads to nothing"):
        await BundleLoader(store, BASE).carry_out(system(), transaction(post(weight)))


async def test_what_refuses_a_transaction_names_the_entry(store: RecordStore) -> None:
    await store.update(system(), ANNA)
    stale = put(patient(id="anna"))
    stale["request"]["ifMatch"] = 'W/"9"'
    with pytest.raises(errors.VersionConflict) as refusal:
        await BundleLoader(store, BASE).carry_out(system(), transaction(post(organization()), stale))
    assert refusal.value.issues[0].path == "Bundle.entry[1].request"
    caller = system("system/Observation.cruds system/Patient.rs")
    bundle = transaction(post(observation("anna")), post(organization()))
    with pytest.raises(errors.Forbidden) as forbidden:
        await BundleLoader(store, BASE).carry_out(caller, bundle)
    assert forbidden.value.issues[0].path == "Bundle.entry[1].request"


@pytest.mark.parametrize("bundle_of", [transaction, batch])
async def test_an_entry_that_is_to_be_new_overwrites_nothing(store: RecordStore, bundle_of: Any) -> None:
    entry = put(patient(id="anna"))
    entry["request"]["ifNoneMatch"] = "*"
    assert [r.status for r in await BundleLoader(store, BASE).carry_out(system(), bundle_of(entry))] == [201]
    try:
        results = await BundleLoader(store, BASE).carry_out(system(), bundle_of(entry))
    except errors.VersionConflict:
        assert bundle_of is transaction
    else:
        assert [result.status for result in results] == [412]
    assert (await store.read(system(), "Patient", "anna")).version == 1


async def test_a_fault_in_a_batch_names_its_entry_in_its_text(store: RecordStore) -> None:
    results = await BundleLoader(store, BASE).carry_out(
        system(), batch(post(organization()), post(observation(status=1)))
    )
    assert results[1].error is not None
    assert results[1].error.issues[0].text.startswith("Bundle.entry[1].resource.status ")


async def test_what_a_transaction_deletes_matches_none_of_its_conditions(store: RecordStore) -> None:
    await store.update(system(), ANNA)
    await store.update(system(), organization(id="o", identifier=[identifier("c1")]))
    gone = [{"request": {"method": "DELETE", "url": url}} for url in ("Patient/anna", "Organization/o")]
    conditional = post(observation() | {"subject": {"reference": BY_NAME}})
    for entries, path in (
        ((gone[0], conditional), "Bundle.entry[1].resource.subject.reference"),
        ((gone[1], clinic()), "Bundle.entry[1].request.ifNoneExist"),
    ):
        with pytest.raises(errors.Malformed) as refusal:
            await BundleLoader(store, BASE).carry_out(system(), transaction(*entries))
        assert refusal.value.issues[0].path == path
    assert (await store.read(system(), "Patient", "anna")).version == 1


@pytest.mark.parametrize("wrong", [5, ["x"], {}, True])
async def test_an_entry_with_a_field_of_the_wrong_type_spoils_no_other(store: RecordStore, wrong: object) -> None:
    no_text = clinic("one")
    no_text["request"]["ifNoneExist"] = wrong
    no_url = clinic("two") | {"fullUrl": wrong}
    results = await BundleLoader(store, BASE).carry_out(system(), batch(no_text, put(patient(id="anna")), no_url))
    assert [result.status for result in results] == [422, 201, 422]


@pytest.mark.parametrize("wrong", [5, ["x"], {}, True, None])
@pytest.mark.parametrize("member", ["fullUrl", "request", "resource"])
async def test_an_entry_of_a_transaction_with_a_field_of_the_wrong_type_is_named(
    store: RecordStore, member: str, wrong: object
) -> None:
    with pytest.raises((errors.Invalid, errors.Malformed)) as refusal:
        await BundleLoader(store, BASE).carry_out(system(), transaction(clinic() | {member: wrong}))
    path = refusal.value.issues[0].path or ""
    assert path.startswith(f"Bundle.entry[0].{member}")


@pytest.mark.parametrize("bundle_of", [transaction, batch])
async def test_a_bundle_that_is_stored_keeps_its_own_references(store: RecordStore, bundle_of: Any) -> None:
    entries = [
        {"fullUrl": "urn:uuid:p", "resource": patient()},
        {"fullUrl": "urn:uuid:w", "resource": observation() | {"subject": {"reference": "urn:uuid:p"}}},
        {"fullUrl": "urn:uuid:v", "resource": observation("elsewhere")},
    ]
    inner = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    bundle = bundle_of(post(inner), post(patient(), "urn:uuid:p"))
    results = await BundleLoader(store, BASE).carry_out(system(), bundle)
    assert [result.status for result in results] == [201, 201]
    assert results[0].version is not None
    assert parse(results[0].version.text or "")["entry"] == entries


async def test_a_batch_that_is_run_again_makes_nothing_again_whatever_its_conditions(store: RecordStore) -> None:
    entry = post(organization(identifier=[identifier("a")]), "urn:uuid:o")
    entry["request"]["ifNoneExist"] = "identifier=http://example.org/ids|b"
    weight = post(observation(performer=[{"reference": "urn:uuid:o"}]))
    first, second = [
        await BundleLoader(store, BASE).carry_out(system(), batch(entry, weight), seed="job") for _ in range(2)
    ]
    assert [result.status for result in first] == [201, 201]
    assert [result.status for result in second] == [200, 200]
    assert [r.version.id for r in first if r.version] == [r.version.id for r in second if r.version]


async def test_a_name_of_two_entries_of_a_batch_leads_to_neither(store: RecordStore) -> None:
    twice = [post(organization(name=name), "urn:uuid:o") for name in ("One", "Other")]
    weight = post(observation(performer=[{"reference": "urn:uuid:o"}]))
    results = await BundleLoader(store, BASE).carry_out(system(), batch(*twice, weight))
    assert results[2].error is not None
    assert results[2].error.issues[0].code == "multiple-matches"
