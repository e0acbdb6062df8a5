"""The interactions on single resources, over the real SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared_code import errors
from shared_code.fhir import parse
from shared_code.records import HistoryQuery, Page, RecordStore, partition_key, read_query
from tests.builders import appointment, identifier, observation, organization, patient, person, practitioner, system


async def search(store: RecordStore, caller: object, kind: str, *pairs: tuple[str, str]) -> Page:
    return await store.search(caller, read_query(kind, pairs))  # type: ignore[arg-type]


def ids(page: Page) -> list[str]:
    return [version.id for version in page.resources]


async def anna(store: RecordStore, patient_id: str = "anna") -> None:
    await store.update(system(), patient(id=patient_id))


async def test_a_created_resource_is_read_back_with_its_digits(store: RecordStore) -> None:
    made = await store.create(
        system(),
        parse(
            b'{"resourceType":"Observation","status":"final","code":{"text":"w"},'
            b'"subject":{"reference":"Patient/anna"},"valueQuantity":{"value":72.50}}'
        ),
    )
    read = await store.read(person("anna"), "Observation", made.id)
    assert '"value":72.50' in (read.text or "")
    assert (read.version, read.etag, made.created) == (1, 'W/"1"', True)
    assert made.id.startswith(partition_key("Patient/anna") + "-")


async def test_a_given_id_is_ignored_by_create(store: RecordStore) -> None:
    made = await store.create(system(), observation(id="mine"))
    assert made.id != "mine"
    with pytest.raises(errors.NotFound):
        await store.read(system(), "Observation", "mine")


async def test_an_update_makes_the_next_version_and_keeps_the_past_one(store: RecordStore) -> None:
    made = await store.create(system(), observation())
    await store.update(system(), observation(id=made.id, status="amended"))
    assert '"status":"amended"' in ((await store.read(system(), "Observation", made.id)).text or "")
    assert '"status":"final"' in ((await store.vread(system(), "Observation", made.id, "1")).text or "")
    page = await store.history(system(), "Observation", made.id)
    assert [version.version for version in page.resources] == [2, 1]


async def test_an_equal_update_makes_no_version(store: RecordStore) -> None:
    made = await store.create(system(), observation())
    again = await store.update(system(), dict(reversed(observation(id=made.id).items())))
    assert (again.version, again.created) == (1, False)


async def test_an_update_that_changes_only_digits_makes_a_version(store: RecordStore) -> None:
    weight = (
        '{"resourceType":"Observation","id":"w","status":"final","code":{"text":"w"},'
        '"subject":{"reference":"Patient/anna"},"valueQuantity":{"value":%s}}'
    )
    await store.update(system(), parse(weight % "72.5"))
    assert (await store.update(system(), parse(weight % "72.50"))).version == 2


async def test_an_update_with_a_stale_if_match_is_a_version_conflict(store: RecordStore) -> None:
    made = await store.create(system(), observation())
    await store.update(system(), observation(id=made.id, status="amended"), 'W/"1"')
    with pytest.raises(errors.VersionConflict):
        await store.update(system(), observation(id=made.id, status="corrected"), 'W/"1"')


async def test_if_match_any_wants_something_to_be_there(store: RecordStore) -> None:
    with pytest.raises(errors.VersionConflict):
        await store.update(system(), observation(id="mine"), "*")
    await store.update(system(), observation(id="mine"))
    assert (await store.update(system(), observation(id="mine", status="amended"), "*")).version == 2


async def test_of_two_parallel_updates_with_the_same_if_match_exactly_one_wins(store: RecordStore) -> None:
    made = await store.create(system(), observation())
    results = await asyncio.gather(
        *(store.update(system(), observation(id=made.id, issued=f"2026-03-01T08:00:0{n}Z"), 'W/"1"') for n in range(6)),
        return_exceptions=True,
    )
    assert sorted(type(result).__name__ for result in results) == ["Stored"] + ["VersionConflict"] * 5


async def test_parallel_updates_without_if_match_lose_no_version(store: RecordStore) -> None:
    made = await store.create(system(), observation())
    await asyncio.gather(
        *(store.update(system(), observation(id=made.id, issued=f"2026-03-01T08:00:0{n}Z")) for n in range(3))
    )
    page = await store.history(system(), "Observation", made.id)
    assert [version.version for version in page.resources] == [4, 3, 2, 1]


async def test_a_deleted_resource_is_gone_and_comes_back_with_the_next_version(store: RecordStore) -> None:
    made = await store.create(system(), observation())
    await store.delete(system(), "Observation", made.id)
    await store.delete(system(), "Observation", made.id)
    with pytest.raises(errors.Gone):
        await store.read(person("anna"), "Observation", made.id)
    with pytest.raises(errors.NotFound):
        await store.read(person("bert"), "Observation", made.id)
    back = await store.update(system(), observation(id=made.id))
    assert (back.version, back.created) == (3, True)
    methods = [version.method for version in (await store.history(system(), "Observation", made.id)).resources]
    assert methods == ["PUT", "DELETE", "POST"]


async def test_a_clients_id_is_found_by_system_and_person(store: RecordStore) -> None:
    made = await store.update(system(), observation(id="weight-1"))
    assert made.created
    assert (await store.read(system(), "Observation", "weight-1")).version == 1
    assert (await store.read(person("anna"), "Observation", "weight-1")).version == 1


async def test_a_clients_id_cannot_be_given_twice_to_different_people(store: RecordStore) -> None:
    await store.update(person("anna"), observation(id="weight-1"))
    with pytest.raises(errors.NotFound):
        await store.update(person("bert"), observation("bert", id="weight-1"))
    assert (await store.read(system(), "Observation", "weight-1")).person == "Patient/anna"


async def test_an_id_of_server_form_belongs_to_its_partition(store: RecordStore) -> None:
    pk = partition_key("Patient/anna")
    own = f"{pk}-{'0' * 26}"
    assert (await store.update(person("anna"), observation(id=own))).created
    with pytest.raises(errors.NotFound):
        await store.update(system(), observation("bert", id=f"{pk}-{'1' * 26}"))


async def test_another_persons_resources_do_not_exist(store: RecordStore) -> None:
    made = await store.create(system(), observation("anna"))
    bert = person("bert")
    for call in (
        store.read(bert, "Observation", made.id),
        store.vread(bert, "Observation", made.id, "1"),
        store.history(bert, "Observation", made.id),
        store.delete(bert, "Observation", made.id),
        store.update(bert, observation("bert", id=made.id)),
    ):
        with pytest.raises(errors.NotFound):
            await call
    assert ids(await search(store, bert, "Observation")) == []
    assert ids(await search(store, bert, "Observation", ("patient", "Patient/anna"))) == []
    assert ids(await search(store, bert, "Observation", ("_id", made.id))) == []


async def test_a_person_may_not_write_elsewhere(store: RecordStore) -> None:
    await anna(store)
    for call in (
        store.create(person("anna"), observation("bert")),
        store.create(person("anna"), patient()),
        store.update(person("cleo"), patient(id="cleo")),
        store.update(person("anna", "patient/*.ru"), observation("anna", id="new")),
        store.delete(person("anna"), "Patient", "anna"),
        store.create(person("anna"), organization()),
        store.create(practitioner(), observation("anna")),
        store.create(person("anna", "patient/*.rs"), observation("anna")),
        store.create(system("system/Observation.rs"), observation("anna")),
    ):
        with pytest.raises(errors.Forbidden):
            await call
    assert (await store.update(person("anna"), patient(id="anna", gender="female"))).version == 2


async def test_shared_types_are_read_by_all(store: RecordStore) -> None:
    made = await store.create(system(), organization(identifier=[identifier("c1")]))
    for caller in (person("anna"), practitioner(), system()):
        assert (await store.read(caller, "Organization", made.id)).version == 1
        assert ids(await search(store, caller, "Organization", ("identifier", "http://example.org/ids|c1"))) == [
            made.id
        ]
    with pytest.raises(errors.NotImplementedHere):
        await search(store, person("anna"), "Organization")


async def test_what_belongs_to_nobody_is_a_systems(store: RecordStore) -> None:
    made = await store.create(system(), observation() | {"subject": {"reference": "Group/g1"}})
    assert (await store.read(system(), "Observation", made.id)).person is None
    with pytest.raises(errors.NotFound):
        await store.read(person("anna"), "Observation", made.id)
    kept = await store.update(system(), observation(id="of-nobody") | {"subject": {"display": "a sample"}})
    assert (await store.read(system(), "Observation", kept.id)).version == 1


async def test_a_change_of_home_is_a_move(store: RecordStore) -> None:
    made = await store.create(system(), observation("anna"))
    moved = await store.update(system(), observation("bert", id=made.id))
    assert (moved.version, moved.created) == (2, False)
    assert (await store.read(system(), "Observation", made.id)).person == "Patient/bert"
    assert (await store.read(person("bert"), "Observation", made.id)).version == 2
    with pytest.raises(errors.Gone):
        await store.read(person("anna"), "Observation", made.id)
    assert '"Patient/anna"' in ((await store.vread(system(), "Observation", made.id, "1")).text or "")
    with pytest.raises(errors.NotFound):
        await store.vread(person("bert"), "Observation", made.id, "1")
    back = await store.update(system(), observation("anna", id=made.id))
    assert back.version == 3
    assert (await store.read(person("anna"), "Observation", made.id)).version == 3


async def test_an_appointment_of_two_is_seen_by_both(store: RecordStore) -> None:
    made = await store.create(system(), appointment("anna", "bert"))
    for one in ("anna", "bert"):
        assert (await store.read(person(one), "Appointment", made.id)).version == 1
        assert ids(await search(store, person(one), "Appointment", ("date", "2026-12-01"))) == [made.id]
    await store.update(system(), appointment("anna", id=made.id))
    assert ids(await search(store, person("bert"), "Appointment")) == []
    with pytest.raises(errors.NotFound):
        await store.read(person("bert"), "Appointment", made.id)
    assert ids(await search(store, system(), "Appointment")) == [made.id]


async def weights(store: RecordStore, count: int) -> list[str]:
    made = [
        await store.create(system(), observation(effectiveDateTime=f"2026-03-{day:02d}")) for day in range(1, count + 1)
    ]
    return [one.id for one in made]


@pytest.mark.parametrize(
    ("pairs", "days"),
    [
        ([("date", "2026-03-02")], [2]),
        ([("date", "ge2026-03-02"), ("date", "lt2026-03-04")], [2, 3]),
        ([("date", "gt2026-03-04")], [5]),
        ([("code", "http://loinc.org|29463-7"), ("date", "2026-03")], [1, 2, 3, 4, 5]),
        ([("code", "http://loinc.org|other")], []),
        ([("code", "29463-7,other"), ("status", "final"), ("date", "eb2026-03-02")], [1]),
        ([("status:not", "final")], []),
        ([("identifier:missing", "true"), ("date", "sa2026-03-04")], [5]),
        ([("patient", "anna"), ("date", "le2026-03-01")], [1]),
        ([("subject", "Patient/anna"), ("_lastUpdated", "gt2020"), ("date", "ne2026-03-01")], [2, 3, 4, 5]),
        ([("_lastUpdated", "lt2020")], []),
        ([("subject:Group", "Patient/anna")], []),
        ([("subject:Patient", "Group/anna,Patient/anna"), ("date", "eb2026-03-02")], [1]),
    ],
)
async def test_searches_of_one_person(store: RecordStore, pairs: Sequence[tuple[str, str]], days: list[int]) -> None:
    made = await weights(store, 5)
    await store.create(system(), observation("bert", effectiveDateTime="2026-03-02"))
    for caller in (person("anna"), system()):
        scoped = pairs if caller.person else [*pairs, ("patient", "Patient/anna")]
        assert sorted(ids(await search(store, caller, "Observation", *scoped))) == sorted(made[day - 1] for day in days)


@pytest.mark.parametrize("scope", [[("patient", "Patient/anna")], []], ids=["one person", "all partitions"])
async def test_pages_lose_and_repeat_nothing_while_others_write(
    store: RecordStore, scope: list[tuple[str, str]]
) -> None:
    made = set(await weights(store, 12)) | {
        (await store.create(system(), observation("anna" if scope else f"p{n}"))).id for n in range(12)
    }
    seen: list[str] = []
    cursor: list[tuple[str, str]] = []
    while True:
        page = await search(store, system(), "Observation", *scope, ("_count", "5"), *cursor)
        seen += ids(page)
        await store.create(system(), observation())
        if page.next is None:
            break
        cursor = [("_cursor", page.next)]
    assert len(seen) == len(set(seen))
    assert made <= set(seen)


@pytest.mark.parametrize("total", [(), (("_total", "accurate"),)], ids=["a page", "a total"])
async def test_a_search_of_all_for_what_cannot_be_finds_nothing(
    store: RecordStore, total: tuple[tuple[str, str], ...]
) -> None:
    await weights(store, 1)
    for name, value in (("subject:Patient", "Group/anna"), ("patient:Patient", "Device/anna")):
        page = await search(store, system(), "Observation", (name, value), *total)
        assert (page.resources, page.total) == ([], 0 if total else None)


async def test_a_total_is_counted_when_asked(store: RecordStore) -> None:
    await weights(store, 3)
    await store.create(system(), observation("bert"))
    assert (await search(store, person("anna"), "Observation", ("_total", "accurate"), ("_count", "1"))).total == 3
    assert (await search(store, system(), "Observation", ("_summary", "count"))).total == 4
    assert (await search(store, person("anna"), "Observation")).total is None


async def test_a_conditional_create_makes_one_of_many(store: RecordStore) -> None:
    made = await asyncio.gather(
        *(
            store.create(system(), patient(identifier=[identifier("p1")]), "identifier=http://example.org/ids|p1")
            for _ in range(5)
        )
    )
    assert len({one.id for one in made}) == 1
    assert sum(one.created for one in made) == 1


async def test_a_conditional_create_on_another_condition_makes_one(store: RecordStore) -> None:
    weight = observation(identifier=[identifier("o1")])
    condition = "identifier=http://example.org/ids|o1&patient=Patient/anna"
    made = await asyncio.gather(*(store.create(system(), weight, condition) for _ in range(4)))
    assert len({one.id for one in made}) == 1


async def test_a_condition_that_nothing_can_match_makes_another(store: RecordStore) -> None:
    condition = "patient=Patient/anna&subject:Group=Patient/anna"
    made = [await store.create(system(), observation(), condition) for _ in range(2)]
    assert [one.created for one in made] == [True, True]


async def test_a_condition_that_several_match_is_a_version_conflict(store: RecordStore) -> None:
    for _ in range(2):
        await store.create(system(), patient(identifier=[identifier("p1")]))
    with pytest.raises(errors.VersionConflict):
        await store.create(system(), patient(identifier=[identifier("p1")]), "identifier=http://example.org/ids|p1")


async def test_a_resource_above_one_item_is_too_large(store: RecordStore) -> None:
    with pytest.raises(errors.TooLarge):
        await store.create(system(), observation(note=[{"text": "x" * 1_000_000}, {"text": "y" * 600_000}]))


@pytest.mark.parametrize("count", [1, 2, 50])
async def test_the_history_says_which_versions_were_made_anew(store: RecordStore, count: int) -> None:
    await store.update(system(), organization(id="o"))
    await store.update(system(), organization(id="o", name="Other"))
    await store.delete(system(), "Organization", "o")
    assert (await store.update(system(), organization(id="o"))).created
    made: list[tuple[int, bool]] = []
    cursor: str | None = None
    while True:
        page = await store.history(system(), "Organization", "o", HistoryQuery(count, cursor))
        made += [(version.version, version.created) for version in page.resources]
        cursor = page.next
        if cursor is None:
            break
    assert made == [(4, True), (3, False), (2, False), (1, True)]
