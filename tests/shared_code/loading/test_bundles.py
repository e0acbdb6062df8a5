"""Bundles on a record store: conditions that meet each other, and what happens at the same moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from shared_code.fhir import parse
from shared_code.loading import BundleLoader
from shared_code.records import RecordStore, read_query
from tests.builders import identifier, observation, organization, patient, system
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
