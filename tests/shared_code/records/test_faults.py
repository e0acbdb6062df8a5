"""A store that refuses, does not answer, or answers and is not heard: nothing acknowledged is lost, nothing is half."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shared_code import errors
from shared_code.records import RecordStore, read_query
from tests.builders import observation, organization, person, system
from tests.shared_code.records.deaths import store_of
from tests.shared_code.records.test_transactions import prepare, state, unfinished, writes

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy

    from tests.conftest import CosmosAccount

SetFaults = Callable[..., None]


@pytest.fixture
def faults(cosmos: CosmosAccount) -> Iterator[SetFaults]:
    """Sets the fault rules of the Cosmos server, which end with the test."""

    def put(*rules: dict[str, Any], seed: int = 0) -> None:
        body = {"rules": rules, "seed": seed}
        httpx.put(f"{cosmos.endpoint}/_local/faults", json=body).raise_for_status()

    yield put
    put()


def lost_answer(container: str = "records") -> dict[str, Any]:
    return {"fault": "drop-after", "operations": ["write"], "container": container, "times": 1}


async def test_a_create_whose_answer_from_the_store_is_lost_is_made_once_and_answered(
    store: RecordStore, faults: SetFaults
) -> None:
    faults(lost_answer())
    made = await store.create(system(), observation())
    page = await store.search(person("anna"), read_query("Observation", []))
    assert [version.text for version in page.resources] == [made.text]


async def test_an_update_whose_answer_from_the_store_is_lost_is_made_once_and_answered(
    store: RecordStore, faults: SetFaults
) -> None:
    made = await store.create(system(), observation())
    faults(lost_answer())
    changed = await store.update(system(), observation(id=made.id, status="amended"), made.etag)
    assert changed.version == 2
    assert (await store.read(system(), "Observation", made.id)).text == changed.text


async def test_a_write_that_the_store_never_got_is_busy_and_not_made(store: RecordStore, faults: SetFaults) -> None:
    faults({"fault": "drop-before", "operations": ["write"], "container": "records"})
    with pytest.raises(errors.Busy):
        await store.create(system(), observation())
    faults()
    assert (await store.search(person("anna"), read_query("Observation", []))).resources == []


@pytest.mark.parametrize("fault", ["449", "503"])
async def test_a_first_use_of_a_clients_id_survives_a_refused_claim(
    store: RecordStore, faults: SetFaults, fault: str
) -> None:
    faults({"fault": fault, "operations": ["write"], "container": "keys", "times": 1})
    try:
        await store.update(system(), observation(id="mine"))
    except errors.Busy:
        assert fault == "503"
        await store.update(system(), observation(id="mine"))
    assert (await store.read(person("anna"), "Observation", "mine")).version == 1


@pytest.mark.parametrize("fault", ["449", "503", "drop-before", "drop-after"])
async def test_a_commit_that_fails_once_is_made_all_the_same(
    database: DatabaseProxy, faults: SetFaults, fault: str
) -> None:
    store = store_of(database)
    await prepare(store)
    header, commit = {"fault": "delay", "operations": ["write"], "container": "transactions", "times": 1}, fault
    faults(header | {"seconds": 0}, header | {"fault": commit})
    await store.transact(system(), writes(store))
    assert await state(store) == "after"
    await store.transactions.quiet()
    assert await unfinished(database) == []


@pytest.mark.parametrize("seed", range(6))
async def test_a_transaction_in_a_store_that_fails_often_is_whole_or_not_there(
    database: DatabaseProxy, faults: SetFaults, seed: int
) -> None:
    store = store_of(database)
    await prepare(store)
    kinds = ("449", "503", "drop-before", "drop-after")
    faults(*({"fault": kind, "probability": 0.04, "operations": ["write"]} for kind in kinds), seed=seed)
    acknowledged = False
    for _ in range(6):
        try:
            await store.transact(system(), writes(store))
            acknowledged = True
            break
        except (errors.Busy, errors.Conflict):
            pass
    await store.transactions.quiet()
    faults()
    met = await state(store)
    assert met == "after" or not acknowledged
    await store_of(database, lambda: datetime.now(UTC) + timedelta(hours=1)).transactions.sweep()
    assert await state(store) == met
    assert await unfinished(database) == []


async def test_a_sweep_goes_on_where_one_transaction_cannot_be_finished(
    database: DatabaseProxy, faults: SetFaults
) -> None:
    store = store_of(database)
    late = store_of(database, lambda: datetime.now(UTC) + timedelta(hours=1))
    for _ in range(2):
        faults({"fault": "503", "operations": ["write"], "container": "records"})
        resources = [observation("anna"), organization()]
        with pytest.raises(errors.Busy):
            await store.transact(system(), [store.new_write(resource) for resource in resources])
        await store.transactions.quiet()
    faults({"fault": "449", "operations": ["query"], "container": "records", "times": 1})
    with pytest.raises(errors.Conflict):
        await late.transactions.sweep()
    assert len(await unfinished(database)) == 1
    faults()
    await late.transactions.sweep()
    assert await unfinished(database) == []


async def test_empty_pages_and_refused_reads_change_no_answer(store: RecordStore, faults: SetFaults) -> None:
    made = [await store.create(system(), observation()) for _ in range(7)]
    await store.update(system(), observation(id=made[0].id, status="amended"))
    faults(
        {"fault": "empty-page", "probability": 0.5, "operations": ["query"]},
        {"fault": "503", "probability": 0.03, "operations": ["read", "query"]},
        {"fault": "429", "probability": 0.2, "operations": ["read", "query"], "seconds": 0},
    )
    for caller in (person("anna"), system()):
        found: list[str] = []
        cursor: list[tuple[str, str]] = []
        while True:
            query = read_query("Observation", [("_count", "3"), ("_total", "accurate"), *cursor])
            page = await store.search(caller, query)
            assert page.total == 7
            found += [version.id for version in page.resources]
            if page.next is None:
                break
            cursor = [("_cursor", page.next)]
        assert sorted(found) == sorted(version.id for version in made)
        history = await store.history(caller, "Observation", made[0].id)
        assert [version.version for version in history.resources] == [2, 1]
    condition = "patient=Patient/bert&code=29463-7"
    first, second = [await store.create(system(), observation("bert"), condition) for _ in range(2)]
    assert (first.created, second.created, second.id) == (True, False, first.id)
