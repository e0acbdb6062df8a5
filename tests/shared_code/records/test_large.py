"""Resources near the size of an item: their versions do not fit into one batch, nor beside each other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared_code import errors
from shared_code.fhir import parse
from shared_code.records import HistoryQuery, RecordStore, read_query
from tests.builders import observation, person, system
from tests.shared_code.records.deaths import Death, DyingTransport, dying_store, store_of

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy

    from tests.conftest import CosmosAccount

LONG = "x" * 700_000  # twice in each note: below the limit of a resource, above that of a batch with another version


async def test_a_resource_near_the_limit_is_updated_and_keeps_its_past(store: RecordStore) -> None:
    first = await store.create(system(), observation(note=[{"text": LONG}, {"text": LONG}]))
    second = await store.update(
        system(), observation(id=first.id, status="amended", note=[{"text": LONG}, {"text": LONG}])
    )
    assert second.version == 2
    await store.transactions.quiet()
    assert (await store.read(person("anna"), "Observation", first.id)).text == second.text
    assert (await store.vread(person("anna"), "Observation", first.id, "1")).text == first.text


async def test_of_parallel_updates_of_a_large_resource_none_is_lost(store: RecordStore) -> None:
    first = await store.create(system(), observation(note=[{"text": LONG}, {"text": LONG}]))
    texts = [f"{number}{LONG}" for number in range(3)]
    edits = [observation(id=first.id, note=[{"text": text}, {"text": LONG}]) for text in texts]
    done = await asyncio.gather(*(store.update(system(), edit) for edit in edits), return_exceptions=True)
    assert all(not isinstance(one, BaseException) or isinstance(one, errors.Busy | errors.Conflict) for one in done)
    made = [one for one in done if not isinstance(one, BaseException)]
    assert made
    await store.transactions.quiet()
    history = await store.history(system(), "Observation", first.id)
    assert [version.version for version in history.resources] == list(range(len(made) + 1, 0, -1))
    assert {version.text for version in made} < {version.text for version in history.resources}


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "after it is done"])
async def test_a_death_in_the_update_of_a_large_resource_leaves_one_version_or_the_other(
    cosmos: CosmosAccount, database: DatabaseProxy, after: bool
) -> None:
    clean = store_of(database)
    seen = set()
    for write in range(1, 30):
        first = await clean.create(system(), observation(note=[{"text": LONG}, {"text": LONG}]))
        transport = DyingTransport(write, after=after)
        async with dying_store(cosmos.endpoint, cosmos.key, database.id, transport, lambda: datetime.now(UTC)) as dying:
            try:
                await dying.update(
                    system(), observation(id=first.id, status="amended", note=[{"text": LONG}, {"text": LONG}])
                )
                await dying.transactions.quiet()
            except Death:
                pass
        late = store_of(database, now=lambda: datetime.now(UTC) + timedelta(hours=1))
        for store in (clean, late):
            version = await store.read(system(), "Observation", first.id)
            page = await store.search(person("anna"), read_query("Observation", [("_id", first.id)]))
            history = await store.history(system(), "Observation", first.id)
            assert [page.resources[0].text] == [version.text]
            assert [one.version for one in history.resources] == list(range(version.version, 0, -1))
            seen.add(parse(version.text or "")["status"])
            await late.transactions.sweep()
        records = database.get_container_client("records")
        assert [row async for row in records.query_items("SELECT VALUE c.id FROM c WHERE IS_DEFINED(c.tx)")] == []
        if not transport.dead:
            break
    assert seen == {"final", "amended"}


async def test_a_history_of_large_versions_comes_in_pages_that_memory_holds(store: RecordStore) -> None:
    made = await store.create(system(), observation("anna", note=[{"text": LONG}, {"text": LONG}]))
    for number in range(2, 8):
        subject = "bert" if number > 4 else "anna"
        note = [{"text": f"{number}{LONG}"}, {"text": LONG}]
        await store.update(system(), observation(subject, id=made.id, note=note))
    seen: list[int] = []
    pages = 0
    cursor = None
    while pages == 0 or cursor:
        page = await store.history(system(), "Observation", made.id, HistoryQuery(50, cursor))
        assert sum(len(version.text or "") for version in page.resources) < 10_000_000
        seen += [version.version for version in page.resources]
        pages, cursor = pages + 1, page.next
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert pages > 1
