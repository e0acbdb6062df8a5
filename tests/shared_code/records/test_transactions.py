"""Transactions that are more than one batch: whole or not at all, whatever dies when and whoever reads meanwhile."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from shared_code import errors
from shared_code.fhir import Resource, parse
from shared_code.records import RecordStore, Stored, Write, partition_key, read_query, update_write
from tests.builders import appointment, identifier, observation, organization, person, system
from tests.shared_code.records.deaths import Death, DyingTransport, dying_store, store_of

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy

    from tests.conftest import CosmosAccount

LONG = "x" * 950_000  # two versions of this do not fit into one item


def own_id(patient_id: str, number: int) -> str:
    return f"{partition_key(f'Patient/{patient_id}')}-{number:026d}"


async def prepare(store: RecordStore) -> None:
    """What the transaction of the kill tests finds."""
    await store.update(system(), observation("anna", id=own_id("anna", 1)))
    await store.update(system(), observation("anna", id=own_id("anna", 2), note=[{"text": LONG}]))
    await store.update(system(), observation("bert", id=own_id("bert", 3)))
    await store.update(system(), organization(id="clinic", identifier=[identifier("old")]))


def writes(store: RecordStore) -> list[Write]:
    """Updates, creates, a delete, a change of home and a link, over four partitions."""
    resources = [
        observation("anna", id=own_id("anna", 1), status="amended"),
        observation("anna", id=own_id("anna", 2), status="amended", note=[{"text": LONG}]),
        organization(id="clinic", name="New", identifier=[identifier("new")]),
    ]
    updates = [update_write(resource, resource["id"]) for resource in resources]
    meeting = store.new_write(appointment("anna", "bert"), own_id("anna", 4))
    return [*updates, meeting, Write("delete", "Observation", own_id("bert", 3))]


async def state(store: RecordStore) -> str:
    """'before' or 'after', as every kind of reader sees it; anything between fails here."""

    async def status(resource_type: str, resource_id: str) -> str:
        try:
            version = await store.read(system(), resource_type, resource_id)
        except (errors.NotFound, errors.Gone) as error:
            return type(error).__name__
        resource = parse(version.text or "")
        return str(resource.get("status") or resource.get("name"))

    named = [("Observation", own_id("anna", 1)), ("Observation", own_id("anna", 2)), ("Organization", "clinic")]
    named += [("Appointment", own_id("anna", 4)), ("Observation", own_id("bert", 3))]
    seen = [await status(*one) for one in named]
    found = []
    for patient_id, resource_type in (("anna", "Observation"), ("anna", "Appointment"), ("bert", "Appointment")):
        page = await store.search(person(patient_id), read_query(resource_type, [("_total", "accurate")]))
        found.append((page.total, sorted(str(parse(v.text or "")["status"]) for v in page.resources)))
    history = await store.history(system(), "Observation", own_id("anna", 1))
    versions = [version.version for version in history.resources]
    if seen == ["final", "final", "Clinic", "NotFound", "final"]:
        assert (found, versions) == ([(2, ["final"] * 2), (0, []), (0, [])], [1])
        return "before"
    assert seen == ["amended", "amended", "New", "booked", "Gone"]
    assert found == [(2, ["amended"] * 2), (1, ["booked"]), (1, ["booked"])]
    assert versions == [2, 1]
    return "after"


async def unfinished(database: DatabaseProxy) -> list[str]:
    """What a transaction left in the store, if anything."""
    records, headers = database.get_container_client("records"), database.get_container_client("transactions")
    left: list[Any] = [row async for row in records.query_items("SELECT VALUE c.id FROM c WHERE IS_DEFINED(c.tx)")]
    return left + [row async for row in headers.query_items("SELECT VALUE c.state FROM c WHERE c.id = '0'")]


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "after it is done"])
async def test_a_death_at_any_write_leaves_all_or_nothing(
    cosmos: CosmosAccount, database: DatabaseProxy, after: bool
) -> None:
    clean = store_of(database)
    await prepare(clean)
    outcomes = []
    for write in range(1, 60):
        transport = DyingTransport(write, after=after)
        async with dying_store(cosmos.endpoint, cosmos.key, database.id, transport, lambda: datetime.now(UTC)) as dying:
            try:
                await dying.transact(system(), writes(dying))
                await dying.transactions.quiet()
                acknowledged = True
            except Death:
                acknowledged = False
        met = await state(clean)
        assert met == "after" or not acknowledged, f"acknowledged and lost at write {write}"
        late = store_of(database, now=lambda: datetime.now(UTC) + timedelta(hours=1))
        await late.transactions.sweep()
        assert await state(clean) == met, f"the sweep changed what was seen at write {write}"
        assert await unfinished(database) == []
        outcomes.append(met)
        if not transport.dead:
            break
        if met == "after":
            await _undo(clean, database)
    assert set(outcomes) == {"before", "after"}
    assert outcomes == sorted(outcomes, reverse=True)  # before the commit nothing, from then on all
    assert len(outcomes) > 8


async def _undo(store: RecordStore, database: DatabaseProxy) -> None:
    """Remove everything, and make what was there before."""
    records = database.get_container_client("records")
    rows = [(row["id"], row["pk"]) async for row in records.query_items("SELECT c.id, c.pk FROM c")]
    for item_id, pk in rows:
        await records.delete_item(item_id, pk)
    await prepare(store)


class Accounts:
    """Units that are moved among the Observations of a person, and now and then to another person's.

    A move touches every account of its owner, more than one batch takes, and leaves its name in each.
    """

    def __init__(self, people: Sequence[str], each: int) -> None:
        self.people, self.each = people, each
        self.acknowledged: dict[str, int] = {}
        self.moves = 0

    def account(self, owner: str, number: int, units: int, names: Sequence[str]) -> Resource:
        return {
            "resourceType": "Observation",
            "id": own_id(owner, number),
            "status": "final",
            "code": {"text": "units"},
            "subject": {"reference": f"Patient/{owner}"},
            "valueInteger": units,
            "note": [{"text": name} for name in ["opened", *names]],
        }

    async def open(self, store: RecordStore) -> None:
        for owner in self.people:
            await store.transact(
                system(),
                [update_write(r, r["id"]) for r in (self.account(owner, n, 100, []) for n in range(self.each))],
            )

    async def page(self, store: RecordStore, owner: str) -> list[tuple[Stored, Resource]]:
        page = await store.search(person(owner), read_query("Observation", [("_count", "1000")]))
        return [(version, parse(version.text or "")) for version in page.resources]

    async def move(self, store: RecordStore, chance: random.Random) -> None:
        owner = chance.choice(self.people)
        self.moves += 1
        name = f"move {self.moves}"
        moved, deltas = [], [chance.randint(-5, 5) for _ in range(self.each - 1)]
        for (version, old), delta in zip(await self.page(store, owner), [*deltas, -sum(deltas)], strict=True):
            names = [note["text"] for note in old["note"][1:]]
            number = int(version.id.rpartition("-")[2])
            new = self.account(owner, number, old["valueInteger"] + delta, [*names, name])
            moved.append(update_write(new, new["id"], version.etag))
        await store.transact(system(), moved)
        self.acknowledged[name] = self.each

    async def give(self, store: RecordStore, chance: random.Random) -> None:
        """Move units from one person to another: every total of both changes, the total of all does not."""
        self.moves += 1
        name = f"gift {self.moves}"
        moved = []
        for owner, delta in zip(chance.sample(self.people, 2), (-1, 1), strict=True):
            version, old = (await self.page(store, owner))[0]
            names = [note["text"] for note in old["note"][1:]]
            new = self.account(owner, 0, old["valueInteger"] + delta, [*names, name])
            moved.append(update_write(new, new["id"], version.etag))
        await store.transact(system(), moved)
        self.acknowledged[name] = 2

    async def check_page(self, store: RecordStore, owner: str) -> None:
        """A page shows every move to its owner's accounts whole: in all of them or in none."""
        accounts = [resource for _, resource in await self.page(store, owner)]
        assert len(accounts) == self.each
        seen = [{note["text"] for note in account["note"] if note["text"].startswith("move")} for account in accounts]
        assert all(names == seen[0] for names in seen), "a page shows half a transaction"
        gifts = sum(note["text"].startswith("gift") for note in accounts[0]["note"])
        assert abs(sum(account["valueInteger"] for account in accounts) - 100 * self.each) <= gifts

    async def check_all(self, store: RecordStore) -> None:
        names: dict[str, int] = {}
        units = 0
        for owner in self.people:
            await self.check_page(store, owner)
            for _, account in await self.page(store, owner):
                units += account["valueInteger"]
                for note in account["note"][1:]:
                    names[note["text"]] = names.get(note["text"], 0) + 1
        assert units == 100 * self.each * len(self.people)
        expected = {name: 2 if name.startswith("gift") else self.each for name in names}
        assert names == expected, "a transaction is half there"
        assert self.acknowledged.items() <= names.items(), "an acknowledged update is lost"


REFUSED = (errors.VersionConflict, errors.Conflict, errors.Busy)


@pytest.mark.parametrize(("seed", "speed"), [(1, 60), (2, 1200)], ids=["deaths", "deaths and late commits"])
async def test_concurrent_moves_with_deaths_keep_every_total(
    cosmos: CosmosAccount, database: DatabaseProxy, seed: int, speed: int
) -> None:
    began = time.monotonic()
    start = datetime.now(UTC)

    def fast() -> datetime:  # the deadline of a minute passes in a second, or even before the transaction is through
        return start + timedelta(seconds=(time.monotonic() - began) * speed)

    accounts = Accounts(["anna", "bert", "cleo"], 104)
    calm = store_of(database, fast)
    await accounts.open(store_of(database))
    ends = time.monotonic() + 7

    async def mover(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        while time.monotonic() < ends:
            try:
                await (accounts.give if chance.random() < 0.3 else accounts.move)(calm, chance)
            except REFUSED:
                await asyncio.sleep(chance.random() * 0.02)

    async def mortal(number: int) -> None:
        chance = random.Random(seed * 1000 + number)
        while time.monotonic() < ends:
            transport = DyingTransport(chance.randint(1, 9), after=chance.random() < 0.5)
            async with dying_store(cosmos.endpoint, cosmos.key, database.id, transport, fast) as dying:
                try:
                    while time.monotonic() < ends:
                        await accounts.move(dying, chance)
                except REFUSED:
                    await asyncio.sleep(chance.random() * 0.02)
                except Death:
                    await asyncio.sleep(chance.random() * 0.5)

    async def reader(owner: str) -> int:
        pages = 0
        while time.monotonic() < ends:
            await accounts.check_page(calm, owner)
            pages += 1
        return pages

    async def sweeper() -> None:
        while time.monotonic() < ends:
            await calm.transactions.sweep()
            await asyncio.sleep(0.05)

    work: list[Any] = [mover(0), mover(1), mortal(2), sweeper(), *map(reader, accounts.people)]
    results = await asyncio.gather(*work)
    assert min(results[-3:]) > 5
    assert len(accounts.acknowledged) > 5
    await calm.transactions.quiet()
    late = store_of(database, now=lambda: start + timedelta(days=30))
    await late.transactions.sweep()
    await accounts.check_all(calm)
    for owner in accounts.people:  # a writer takes off the mark of one that staged after its header had gone
        await late.transact(system(), [update_write(r, r["id"]) for _, r in await accounts.page(late, owner)])
    assert await unfinished(database) == []


async def test_a_small_transaction_of_one_person_is_one_batch(store: RecordStore, database: DatabaseProxy) -> None:
    made = await store.transact(system(), [store.new_write(observation()) for _ in range(20)])
    assert all(isinstance(version, Stored) and version.created for version in made)
    assert await unfinished(database) == []


async def test_one_failing_write_keeps_back_all(store: RecordStore) -> None:
    await prepare(store)
    stale = update_write(observation("bert", id=own_id("bert", 3), status="amended"), own_id("bert", 3), 'W/"7"')
    with pytest.raises(errors.VersionConflict):
        await store.transact(system(), [*writes(store)[:4], stale])
    assert await state(store) == "before"


async def test_a_writer_waits_for_a_pending_transaction_and_then_says_busy(
    cosmos: CosmosAccount, database: DatabaseProxy, store: RecordStore
) -> None:
    await prepare(store)
    transport = DyingTransport(4, after=False)  # the header and two partitions are written, the commit is not
    async with dying_store(cosmos.endpoint, cosmos.key, database.id, transport, lambda: datetime.now(UTC)) as dying:
        with pytest.raises(Death):
            await dying.transact(system(), writes(dying))
    assert await unfinished(database) != []
    locked = next(item for item in await unfinished(database) if item != "pending")
    resource_type, _, resource_id = locked.partition(":")
    changed = observation("anna", id=resource_id) if resource_type == "Observation" else organization(id=resource_id)
    with pytest.raises(errors.Busy):
        await store.update(system(), changed | {"language": "nl"})
    late = store_of(database, now=lambda: datetime.now(UTC) + timedelta(minutes=5))
    assert (await late.update(system(), changed | {"language": "nl"})).version == 2
