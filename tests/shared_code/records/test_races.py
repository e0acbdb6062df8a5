"""What goes on at the same moment: hints of identifiers, conditions, totals, all under the writes of others."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared_code import errors
from shared_code.fhir import parse
from shared_code.records import (
    ConditionalCreate,
    RecordStore,
    Write,
    headers,
    partition_key,
    read_condition,
    read_query,
)
from tests.builders import appointment, identifier, observation, organization, person, system
from tests.shared_code.records.deaths import Death, DyingTransport, dying_store, store_of
from tests.shared_code.records.pauses import PausingTransport, pausing_store
from tests.shared_code.records.test_transactions import prepare, state, unfinished, writes

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy

    from tests.conftest import CosmosAccount

CLINIC = organization(id="clinic", identifier=[identifier("c1")])
BY_IDENTIFIER = "identifier=http://example.org/ids|c1"


def utc() -> datetime:
    return datetime.now(UTC)


async def named(store: RecordStore) -> list[str]:
    """The ids of the Organizations that have the identifier, by look-up and by going through all."""
    condition = read_condition("Organization", BY_IDENTIFIER)
    found = (await store.find(system(), [condition]))[condition]
    page = await store.search(system(), read_query("Organization", [("identifier", "http://example.org/ids|c1")]))
    assert sorted(found) == sorted(version.id for version in page.resources)
    return found


async def test_a_create_that_comes_long_after_a_failed_one_is_awaited_by_a_conditional_create(
    cosmos: CosmosAccount, database: DatabaseProxy
) -> None:
    an_hour_ago = utc() - timedelta(hours=1)
    dying = DyingTransport(2, after=False)  # the hint is written, the resource is not
    async with dying_store(cosmos.endpoint, cosmos.key, database.id, dying, lambda: an_hour_ago) as failing:
        with pytest.raises(Death):
            await failing.update(system(), CLINIC)
    await _conditional_create_meanwhile(cosmos, database, PausingTransport("records"))


async def test_a_create_whose_former_transaction_was_aborted_is_awaited_by_a_conditional_create(
    cosmos: CosmosAccount, database: DatabaseProxy
) -> None:
    dying = DyingTransport(4, after=False)  # header, reservation and hint are written
    async with dying_store(cosmos.endpoint, cosmos.key, database.id, dying, utc) as failing:
        other = organization(identifier=[identifier("c2")])
        condition = read_condition("Organization", "identifier=http://example.org/ids|c2")
        with pytest.raises(Death):
            await failing.transact(
                system(), [_update(CLINIC)], [ConditionalCreate(failing.new_write(other), condition)]
            )
    await store_of(database, lambda: utc() + timedelta(minutes=5)).transactions.sweep()
    await _conditional_create_meanwhile(cosmos, database, PausingTransport("records"))


def _update(resource: dict[str, object]) -> Write:
    from shared_code.records import update_write

    return update_write(resource, str(resource["id"]))


async def _conditional_create_meanwhile(
    cosmos: CosmosAccount, database: DatabaseProxy, transport: PausingTransport
) -> None:
    store = store_of(database)
    async with pausing_store(cosmos.endpoint, cosmos.key, database.id, transport, utc) as slow:
        update = asyncio.create_task(slow.update(system(), CLINIC))
        await transport.paused.wait()
        create = asyncio.create_task(store.create(system(), organization(identifier=[identifier("c1")]), BY_IDENTIFIER))
        await asyncio.wait({create}, timeout=0.5)
        transport.go.set()
        await update
        assert (await create).id == "clinic"
    await store.transactions.quiet()
    assert await named(store) == ["clinic"]


async def test_a_total_shows_a_transaction_whole_while_it_is_staged_and_promoted(database: DatabaseProxy) -> None:
    writer, reader = store_of(database), store_of(database)
    each = 104
    ended = False

    async def load() -> None:
        for _ in range(3):
            await writer.transact(system(), [writer.new_write(observation()) for _ in range(each)])
            await writer.transactions.quiet()

    async def count() -> set[int]:
        totals = set()
        while not ended:
            try:
                page = await reader.search(person("anna"), read_query("Observation", [("_count", "0")]))
            except errors.Busy:  # an honest answer while everything changes, where a wrong number would be none
                continue
            totals.add(page.total or 0)
        return totals

    counting = asyncio.create_task(count())
    await load()
    ended = True
    assert await counting <= {0, each, 2 * each, 3 * each}


async def test_a_condition_finds_what_comes_after_many_marked_items(
    cosmos: CosmosAccount, database: DatabaseProxy
) -> None:
    store = store_of(database)
    partition = partition_key("Patient/anna")
    condition = "patient=Patient/anna&code=29463-7"
    dying = DyingTransport(5, after=False)  # all is staged and not committed
    async with dying_store(cosmos.endpoint, cosmos.key, database.id, dying, utc) as failing:
        staged = [failing.new_write(observation(), f"{partition}-{number:026d}") for number in range(250)]
        with pytest.raises(Death):
            await failing.transact(system(), staged)
    made = await store.update(system(), observation(id=f"{partition}-{'z' * 26}"))
    again = await store.create(system(), observation(), condition)
    assert (again.id, again.created) == (made.id, False)


async def test_two_creates_of_one_transaction_may_name_the_same_identifier_in_different_conditions(
    store: RecordStore,
) -> None:
    creates = [
        ConditionalCreate(
            store.new_write(organization(identifier=[identifier("c1"), identifier(other)])),
            read_condition("Organization", f"{BY_IDENTIFIER}&identifier=http://example.org/ids|{other}"),
        )
        for other in ("c2", "c3")
    ]
    made = await store.transact(system(), [], creates)
    assert sorted(version.id for version in made if version) == sorted(await named(store))


async def test_two_creates_that_name_the_same_identifiers_in_another_order_make_one_resource(
    store: RecordStore,
) -> None:
    both = ["identifier=http://example.org/ids|o1", "identifier=http://example.org/ids|o2"]

    async def create(query: str) -> str:
        body = organization(identifier=[identifier("o1"), identifier("o2")])
        return (await store.create(system(), body, query)).id

    made = await asyncio.gather(*(create("&".join(order)) for order in (both, both[::-1]) * 4))
    assert len(set(made)) == 1


@pytest.fixture
def short_deadline(monkeypatch: pytest.MonkeyPatch) -> float:
    """A deadline that a transaction outlives only by putting it off."""
    monkeypatch.setattr(headers, "DEADLINE_SECONDS", 0.3)
    return 0.3


async def test_a_transaction_that_outlives_its_deadline_is_not_swept_while_its_request_lives(
    cosmos: CosmosAccount, database: DatabaseProxy, short_deadline: float
) -> None:
    await prepare(store_of(database))
    transport = PausingTransport("records", 2)
    async with pausing_store(cosmos.endpoint, cosmos.key, database.id, transport, utc) as slow:
        transaction = asyncio.create_task(slow.transact(system(), writes(slow)))
        await transport.paused.wait()
        begun = utc()
        while utc() < begun + timedelta(seconds=3 * short_deadline):
            assert await store_of(database).transactions.sweep() == 0
        transport.go.set()
        await transaction
    assert await state(store_of(database)) == "after"


@pytest.mark.usefixtures("short_deadline")
async def test_a_transaction_that_was_aborted_while_it_kept_its_header_does_not_come_back(
    cosmos: CosmosAccount, database: DatabaseProxy
) -> None:
    clean = store_of(database)
    await prepare(clean)
    transport = PausingTransport("records", 2)
    async with pausing_store(cosmos.endpoint, cosmos.key, database.id, transport, utc) as slow:
        transaction = asyncio.create_task(slow.transact(system(), writes(slow)))
        await transport.paused.wait()
        assert await store_of(database, lambda: utc() + timedelta(seconds=30)).transactions.sweep() == 1
        await asyncio.wait({transaction}, timeout=0.5)  # the deadline is to be put off meanwhile, and cannot
        assert await state(clean) == "before"
        transport.go.set()
        await transaction
    assert await state(clean) == "after"
    await store_of(database, lambda: utc() + timedelta(hours=1)).transactions.sweep()
    assert await unfinished(database) == []
    assert await state(clean) == "after"


async def test_a_transaction_whose_request_is_cancelled_leaves_nothing(
    cosmos: CosmosAccount, database: DatabaseProxy
) -> None:
    clean = store_of(database)
    await prepare(clean)
    transport = PausingTransport("records", 3)
    async with pausing_store(cosmos.endpoint, cosmos.key, database.id, transport, utc) as slow:
        transaction = asyncio.create_task(slow.transact(system(), writes(slow)))
        await transport.paused.wait()
        transaction.cancel()
        with pytest.raises(asyncio.CancelledError):
            await transaction
        transport.go.set()
    assert await state(clean) == "before"
    assert await unfinished(database) == ["aborted"]
    await clean.transact(system(), writes(clean))
    assert await state(clean) == "after"


async def test_persons_who_change_places_do_so_at_once_whatever_dies(
    cosmos: CosmosAccount, database: DatabaseProxy
) -> None:
    clean = store_of(database)
    places = [("anna", "bert"), ("bert", "anna")]
    made = await clean.create(system(), appointment(*places[0]))
    for write in range(1, 30):
        before = await clean.read(system(), "Appointment", made.id)
        transport = DyingTransport(write, after=write % 2 == 0)
        async with dying_store(cosmos.endpoint, cosmos.key, database.id, transport, utc) as dying:
            try:
                await dying.update(
                    system(), appointment(*places[before.version % 2], id=made.id, description=f"{write}")
                )
                await dying.transactions.quiet()
            except Death:
                pass
        late = store_of(database, lambda: utc() + timedelta(hours=1))
        for _ in range(2):
            now = await clean.read(system(), "Appointment", made.id)
            assert now.version in (before.version, before.version + 1)
            for caller in (system(), person("anna"), person("bert")):
                assert (await clean.read(caller, "Appointment", made.id)).text == now.text
                page = await clean.search(caller, read_query("Appointment", [("_total", "accurate")]))
                assert ([version.text for version in page.resources], page.total) == ([now.text], 1)
                history = await clean.history(caller, "Appointment", made.id)
                assert [version.version for version in history.resources] == list(range(now.version, 0, -1))
            await late.transactions.sweep()
        assert await unfinished(database) == []
        if not transport.dead:
            return
    raise AssertionError("the update always dies")


@pytest.mark.parametrize("seed", range(2))
async def test_conditional_creates_with_deaths_make_one_of_each(
    cosmos: CosmosAccount, database: DatabaseProxy, seed: int
) -> None:
    start, began = utc(), time.monotonic()

    def fast() -> datetime:  # the deadlines of the dead pass in a second
        return start + timedelta(seconds=(time.monotonic() - began) * 60)

    calm = store_of(database, fast)
    ends = began + 3

    async def create(store: RecordStore, chance: random.Random) -> None:
        value = str(chance.randrange(1000))
        if chance.random() < 0.5:
            own = organization(identifier=[identifier(value)])
            await store.create(system(), own, f"identifier=http://example.org/ids|{value}")
        else:
            own = observation(chance.choice(["anna", "bert"]), identifier=[identifier(value)])
            subject = own["subject"]["reference"]
            await store.create(system(), own, f"patient={subject}&identifier=http://example.org/ids|{value}")

    async def creator(number: int) -> None:
        chance = random.Random(seed * 10 + number // 2)  # two and two create the same at the same moment
        while time.monotonic() < ends:
            try:
                await create(calm, chance)
            except (errors.Conflict, errors.Busy):
                continue

    async def mortal(number: int) -> None:
        chance = random.Random(seed * 10 + number // 2)
        while time.monotonic() < ends:
            transport = DyingTransport(chance.randint(1, 9), after=chance.random() < 0.5)
            async with dying_store(cosmos.endpoint, cosmos.key, database.id, transport, fast) as dying:
                try:
                    while time.monotonic() < ends:
                        await create(dying, chance)
                except (errors.Conflict, errors.Busy, Death):
                    continue

    await asyncio.gather(*(creator(number) for number in range(4)), mortal(0), mortal(2))
    await calm.transactions.quiet()
    await store_of(database, lambda: utc() + timedelta(days=30)).transactions.sweep()
    seen: list[tuple[str, str, str]] = []
    for resource_type in ("Organization", "Observation"):
        page = await calm.search(system(), read_query(resource_type, [("_count", "1000")]))
        for version in page.resources:
            value = parse(version.text or "")["identifier"][0]["value"]
            seen.append((resource_type, str(version.person), value))
            if resource_type == "Organization":
                condition = read_condition("Organization", f"identifier=http://example.org/ids|{value}")
                assert (await calm.find(system(), [condition]))[condition] == [version.id]
    assert len(seen) == len(set(seen)) > 50
