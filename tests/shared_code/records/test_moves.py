"""Resources that change their home, and those of two persons: who sees which of their versions."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from shared_code import errors
from shared_code.fhir import parse
from shared_code.records import HistoryQuery, RecordStore, read_history_query, read_query
from tests.builders import appointment, observation, person, system

if TYPE_CHECKING:
    from azure.cosmos.aio import DatabaseProxy


async def versions(store: RecordStore, who: str | None, resource_type: str, resource_id: str, count: int) -> list[str]:
    """The history, page by page, as version and subject (or deletion), newest first."""
    caller = person(who) if who else system()
    found: list[str] = []
    cursor: str | None = None
    for _ in range(20):
        page = await store.history(caller, resource_type, resource_id, HistoryQuery(count, cursor))
        for version in page.resources:
            text = parse(version.text)["subject"]["reference"].removeprefix("Patient/") if version.text else "deleted"
            found.append(f"{version.version} {text}")
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError(f"the history does not end: {found}")


async def wander(store: RecordStore, *homes: str) -> str:
    """An Observation that was at home with these persons, one after the other; changed once more at the end."""
    made = await store.create(system(), observation(homes[0]))
    for home in homes[1:]:
        await store.update(system(), observation(home, id=made.id))
    await store.update(system(), observation(homes[-1], id=made.id, status="amended"))
    return made.id


@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize(
    "homes",
    [
        ("anna", "bert"),
        ("anna", "bert", "anna"),
        ("anna", "bert", "cleo"),
        ("anna", "bert", "cleo", "bert"),
        ("anna", "bert", "anna", "bert", "cleo"),
    ],
    ids="-".join,
)
async def test_a_system_sees_every_version_of_what_moved_once(
    store: RecordStore, homes: tuple[str, ...], count: int
) -> None:
    own = await wander(store, *homes)
    expected = [f"{number} {home}" for number, home in enumerate([*homes, homes[-1]], 1)][::-1]
    assert await versions(store, None, "Observation", own, count) == expected
    for line in expected:
        number, home = line.split()
        version = await store.vread(system(), "Observation", own, number)
        assert parse(version.text or "")["subject"]["reference"] == f"Patient/{home}"


async def test_a_system_sees_the_former_versions_of_what_moved_and_was_deleted(store: RecordStore) -> None:
    own = await wander(store, "anna", "bert")
    await store.delete(system(), "Observation", own)
    assert await versions(store, None, "Observation", own, 2) == ["4 deleted", "3 bert", "2 bert", "1 anna"]
    await store.update(system(), observation("bert", id=own))
    assert await versions(store, None, "Observation", own, 2) == ["5 bert", "4 deleted", "3 bert", "2 bert", "1 anna"]
    with pytest.raises(errors.Gone):
        await store.vread(system(), "Observation", own, "4")


async def test_a_person_sees_the_versions_of_their_own_time(store: RecordStore) -> None:
    own = await wander(store, "anna", "bert", "anna")
    assert await versions(store, "anna", "Observation", own, 1) == ["4 anna", "3 anna", "2 deleted", "1 anna"]
    assert await versions(store, "bert", "Observation", own, 1) == ["3 deleted", "2 bert"]
    for who, hidden in (("anna", "5"), ("bert", "1"), ("bert", "4")):
        with pytest.raises(errors.NotFound):
            await store.vread(person(who), "Observation", own, hidden)
    with pytest.raises(errors.Gone):
        await store.vread(person("bert"), "Observation", own, "3")


async def test_a_person_cannot_bring_back_what_went_to_somebody_else(store: RecordStore) -> None:
    own = await wander(store, "anna", "bert")
    with pytest.raises(errors.Gone):
        await store.update(person("anna"), observation("anna", id=own))
    assert (await store.read(system(), "Observation", own)).version == 3
    assert (await store.delete(person("anna"), "Observation", own)) is not None
    assert (await store.read(person("bert"), "Observation", own)).version == 3


async def test_a_further_patient_sees_only_versions_that_name_them(store: RecordStore) -> None:
    made = await store.create(system(), appointment("anna", description="Anna's alone"))
    await store.update(system(), appointment("anna", "bert", id=made.id))
    await store.update(system(), appointment("anna", "bert", id=made.id, status="arrived"))
    history = await store.history(person("bert"), "Appointment", made.id)
    assert [version.version for version in history.resources] == [3, 2]
    assert (await store.vread(person("bert"), "Appointment", made.id, "2")).version == 2
    with pytest.raises(errors.NotFound):
        await store.vread(person("bert"), "Appointment", made.id, "1")
    anna = await store.history(person("anna"), "Appointment", made.id)
    assert [version.version for version in anna.resources] == [3, 2, 1]


async def test_the_persons_of_an_appointment_may_change_places(store: RecordStore) -> None:
    made = await store.create(system(), appointment("anna", "bert"))
    await store.update(system(), appointment("bert", "anna", id=made.id))
    await store.update(system(), appointment("bert", "anna", id=made.id, status="arrived"))
    for caller in (person("anna"), person("bert"), system()):
        assert (await store.read(caller, "Appointment", made.id)).version == 3
        history = await store.history(caller, "Appointment", made.id)
        assert [version.version for version in history.resources] == [3, 2, 1]
        page = await store.search(caller, read_query("Appointment", []))
        assert [version.id for version in page.resources] == [made.id]
    await store.update(system(), appointment("anna", "bert", id=made.id))
    await store.update(system(), appointment("cleo", "anna", id=made.id))
    for caller in (person("anna"), person("cleo"), system()):
        assert (await store.read(caller, "Appointment", made.id)).version == 5
    with pytest.raises(errors.Gone):
        await store.read(person("bert"), "Appointment", made.id)
    history = await store.history(person("bert"), "Appointment", made.id)
    assert [version.version for version in history.resources] == [5, 3, 2], "those of the time at home with bert"
    await store.delete(system(), "Appointment", made.id)
    for who in ("anna", "bert", "cleo"):
        with pytest.raises(errors.Gone):
            await store.read(person(who), "Appointment", made.id)


async def test_a_person_names_no_further_patient_but_keeps_those_that_a_system_named(store: RecordStore) -> None:
    with pytest.raises(errors.Forbidden):
        await store.create(person("anna"), appointment("anna", "bert"))
    assert (await store.search(person("bert"), read_query("Appointment", []))).resources == []
    made = await store.create(system(), appointment("anna", "bert"))
    await store.update(person("anna"), appointment("anna", "bert", id=made.id, status="cancelled"))
    assert (await store.read(person("bert"), "Appointment", made.id)).version == 2
    with pytest.raises(errors.Forbidden):
        await store.update(person("anna"), appointment("anna", id=made.id))
    with pytest.raises(errors.Forbidden):
        await store.delete(person("anna"), "Appointment", made.id)
    assert (await store.read(person("bert"), "Appointment", made.id)).version == 2
    await store.update(system(), appointment("anna", id=made.id))
    with pytest.raises(errors.NotFound):
        await store.read(person("bert"), "Appointment", made.id)
    with pytest.raises(errors.Forbidden):
        await store.update(person("anna"), appointment("anna", "bert", id=made.id))
    await store.delete(person("anna"), "Appointment", made.id)


async def test_what_was_once_in_a_persons_record_looks_to_them_as_what_never_was(store: RecordStore) -> None:
    made = await store.create(system(), appointment("anna", "bert"))
    await store.update(system(), appointment("anna", id=made.id))
    for if_match in (None, "*", 'W/"1"'):
        told = []
        for own in (made.id, "never-was"):
            with pytest.raises(errors.NotFound) as raised:
                await store.delete(person("bert"), "Appointment", own, if_match)
            told.append((str(raised.value).replace(own, "…"), raised.value.about == f"Appointment/{own}"))
        assert told[0] == told[1] == ("there is no Appointment/…", True)


async def test_a_version_that_others_see_ends_the_one_before_it(store: RecordStore) -> None:
    made = await store.create(system(), appointment("anna", "bert"))
    instants = [made.last_updated]
    for patients, status in ((["anna"], "booked"), (["anna"], "arrived"), (["anna", "bert"], "arrived")):
        await asyncio.sleep(0.005)
        changed = appointment(*patients, id=made.id, status=status)
        instants.append((await store.update(system(), changed)).last_updated)
    seen = []
    for instant in instants:
        query = read_history_query([("_at", instant)])
        seen.append([v.version for v in (await store.history(person("bert"), "Appointment", made.id, query)).resources])
    assert seen == [[1], [], [], [4]]
    whole = read_history_query([("_at", made.last_updated[:4])])
    versions = (await store.history(person("bert"), "Appointment", made.id, whole)).resources
    assert [version.version for version in versions] == [4, 1]


async def test_a_version_is_never_older_than_the_one_before_it(database: DatabaseProxy) -> None:
    clock = iter([datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC) for second in (5, 3, 4, 9)])
    containers = map(database.get_container_client, ("records", "keys", "transactions"))
    now = next(clock)
    store = RecordStore(*containers, lambda: now)
    made = await store.create(system(), observation("anna"))
    stamps = [made.last_updated]
    for status in ("amended", "corrected"):
        now = next(clock)
        stamps.append((await store.update(system(), observation("anna", id=made.id, status=status))).last_updated)
    now = next(clock)
    deleted = await store.delete(system(), "Observation", made.id)
    assert deleted is not None
    assert [*stamps, deleted.last_updated] == [f"2026-01-01T12:00:0{second}.000Z" for second in (5, 5, 5, 9)]


async def test_a_person_who_names_a_patient_is_found_by_that(store: RecordStore) -> None:
    made = await store.create(system(), {"resourceType": "Person", "link": [{"target": {"reference": "Patient/anna"}}]})
    page = await store.search(system(), read_query("Person", [("patient", "Patient/anna")]))
    assert [version.id for version in page.resources] == [made.id]
    with pytest.raises(errors.Malformed):
        await store.create(system(), {"resourceType": "Person"}, "patient=Patient/anna")


NOBODYS = {"subject": {"reference": "Group/g"}}


async def seen_by(store: RecordStore, patient_id: str) -> list[str]:
    page = await store.search(person(patient_id), read_query("Observation", [("_total", "accurate")]))
    assert page.total == len(page.resources)
    return [version.id for version in page.resources]


async def test_what_becomes_nobodys_leaves_the_record_it_was_in(store: RecordStore) -> None:
    made = await store.create(system(), observation("anna"))
    for status in ("amended", "corrected"):
        await store.update(system(), observation(id=made.id, status=status) | NOBODYS)
    assert await seen_by(store, "anna") == []
    with pytest.raises(errors.Gone):
        await store.read(person("anna"), "Observation", made.id)
    assert await versions(store, "anna", "Observation", made.id, 50) == ["2 deleted", "1 anna"]
    assert (await store.read(system(), "Observation", made.id)).version == 3
    page = await store.history(system(), "Observation", made.id)
    assert [version.version for version in page.resources] == [3, 2, 1]
    await store.update(system(), observation("anna", id=made.id))
    assert await seen_by(store, "anna") == [made.id]
    assert (await store.read(person("anna"), "Observation", made.id)).version == 4
    assert (await store.read(system(), "Observation", made.id)).version == 4


async def test_a_detour_over_another_person_keeps_the_history(store: RecordStore) -> None:
    made = await store.create(system(), observation("anna"))
    await store.update(system(), observation("bert", id=made.id))
    await store.update(system(), observation(id=made.id) | NOBODYS)
    assert await versions(store, "anna", "Observation", made.id, 50) == ["2 deleted", "1 anna"]
    assert await versions(store, "bert", "Observation", made.id, 50) == ["3 deleted", "2 bert"]
    assert await seen_by(store, "anna") == await seen_by(store, "bert") == []


async def test_an_id_that_names_a_persons_partition_makes_nothing_theirs(store: RecordStore) -> None:
    hers = await store.create(system(), observation("anna"))
    foreign = hers.id[:-1] + ("0" if hers.id[-1] != "0" else "1")
    await store.update(system(), observation(id=foreign) | NOBODYS)
    assert await seen_by(store, "anna") == [hers.id]
    assert (await store.read(system(), "Observation", foreign)).person is None


async def test_a_former_home_that_was_named_beside_the_next_one_keeps_its_versions(store: RecordStore) -> None:
    made = await store.create(system(), appointment("anna"))
    await store.update(system(), appointment("bert", "anna", id=made.id))
    await store.update(system(), appointment("bert", id=made.id))
    with pytest.raises(errors.Gone):
        await store.read(person("anna"), "Appointment", made.id)
    page = await store.history(person("anna"), "Appointment", made.id)
    seen = [(version.version, version.text is None) for version in page.resources]
    assert seen == [(3, True), (2, False), (1, False)], "also the one that named her beside bert"
    assert (await store.vread(person("anna"), "Appointment", made.id, "2")).version == 2


async def test_a_further_patient_sees_that_it_was_deleted(store: RecordStore) -> None:
    made = await store.create(system(), appointment("anna", "bert"))
    await store.delete(system(), "Appointment", made.id)
    for who in ("anna", "bert"):
        with pytest.raises(errors.Gone):
            await store.read(person(who), "Appointment", made.id)
        page = await store.history(person(who), "Appointment", made.id)
        assert [(version.version, version.text is None) for version in page.resources] == [(2, True), (1, False)]
    with pytest.raises(errors.NotFound):
        await store.read(person("cleo"), "Appointment", made.id)
