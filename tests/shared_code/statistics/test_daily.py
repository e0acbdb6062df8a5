"""Statistics follow what is stored: new, amended, withdrawn, deleted and moved Observations, and repeated handling."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from shared_code import errors
from shared_code.azure.change_feed import follow
from shared_code.azure.cosmos import Item, in_parallel
from shared_code.azure.leases import lease
from shared_code.records import partition_key
from shared_code.records.items import Change
from shared_code.records.staging import promote_steps, stage_steps
from shared_code.statistics.aggregates import Aggregates, Person
from shared_code.statistics.measures import Key
from tests.builders import observation, person, practitioner, system
from tests.shared_code.statistics.conftest import NOW, Portal

UCUM = "http://unitsofmeasure.org"
WEIGHT = "http://loinc.org|29463-7"
CLINIC = system()


def weight(value: Any, when: str | None = "2024-05-01T08:00:00+02:00", unit: str = "kg", **elements: Any) -> Any:
    made = observation(valueQuantity={"value": value, "unit": unit, "system": UCUM, "code": unit}, **elements)
    if when is None:
        del made["effectiveDateTime"]
        return made
    return made | {"effectiveDateTime": when}


async def test_a_days_numbers_come_to_count_extremes_and_mean(portal: Portal) -> None:
    for value in (Decimal("72.50"), 71, Decimal("73.1")):
        await portal.store.create(CLINIC, weight(value))
    await portal.counted()
    assert await portal.days() == {"2024-05-01": ("kg", 3, "71", "73.1", "72.2000")}


async def test_units_persons_and_codes_stay_apart(portal: Portal) -> None:
    await portal.store.create(CLINIC, weight(72))
    await portal.store.create(CLINIC, weight(160, unit="[lb_av]"))
    await portal.store.create(CLINIC, weight(80) | {"subject": {"reference": "Patient/ben"}})
    await portal.store.create(CLINIC, weight(1) | {"code": {"coding": [{"code": "own"}]}})
    await portal.counted()
    asked = [("patient", "anna"), ("code", WEIGHT)]
    days = (await portal.statistics.answer(CLINIC, asked))["days"]
    assert [(day["unit"], day["count"]) for day in days] == [("[lb_av]", 1), ("kg", 1)]
    assert (await portal.days("ben"))["2024-05-01"][2] == "80"
    assert (await portal.days(code="|own"))["2024-05-01"][2] == "1"


async def test_a_day_is_of_the_observations_own_offset(portal: Portal) -> None:
    await portal.store.create(CLINIC, weight(1, "2024-05-01T23:59:00-12:00"))
    await portal.store.create(CLINIC, weight(2, "2024-05-01T00:01:00+14:00"))
    await portal.store.create(CLINIC, weight(3, "2024-05-01"))
    await portal.store.create(CLINIC, weight(4, "2024-05-02T00:01:00+14:00"))
    await portal.counted()
    assert {day: numbers[1] for day, numbers in (await portal.days()).items()} == {"2024-05-01": 3, "2024-05-02": 1}


async def test_an_observation_that_was_only_issued_counts_with_the_others_of_that_day(portal: Portal) -> None:
    await portal.store.create(CLINIC, weight(70))
    await portal.counted()
    await portal.store.create(CLINIC, weight(72, None, issued="2024-05-01T23:30:00-05:00"))
    await portal.counted()
    await portal.store.create(CLINIC, weight(74))
    await portal.counted()
    assert await portal.days() == {"2024-05-01": ("kg", 3, "70", "74", "72.00")}


async def test_a_timing_counts_on_the_day_of_its_first_event_whenever_its_bounds_begin(portal: Portal) -> None:
    bounds = {"boundsPeriod": {"start": "2024-04-01", "end": "2024-06-01"}}
    timing = {"event": ["2024-05-20", "2024-05-03T08:00:00Z"], "repeat": bounds}
    await portal.store.create(CLINIC, weight(70, None, effectiveTiming=timing))
    await portal.counted()
    assert await portal.days() == {"2024-05-03": ("kg", 1, "70", "70", "70.00")}


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "9999-12-30"])
async def test_the_first_and_the_last_days_of_the_calendar_count(portal: Portal, day: str) -> None:
    await portal.store.create(CLINIC, weight(1, day))
    await portal.counted()
    assert list(await portal.days()) == [day]


async def test_an_amended_value_changes_its_day(portal: Portal) -> None:
    await portal.store.create(CLINIC, weight(70))
    wrong = await portal.store.create(CLINIC, weight(720))
    await portal.counted()
    before = await portal.days()
    await portal.store.update(CLINIC, weight(72, status="amended", id=wrong.id))
    await portal.counted()
    assert before == {"2024-05-01": ("kg", 2, "70", "720", "395.00")}
    assert await portal.days() == {"2024-05-01": ("kg", 2, "70", "72", "71.00")}


async def test_an_amended_date_moves_the_number_from_one_day_to_the_other(portal: Portal) -> None:
    moved = await portal.store.create(CLINIC, weight(72))
    await portal.store.create(CLINIC, weight(70))
    await portal.store.create(CLINIC, weight(80, "2024-07-09T10:00:00Z"))
    await portal.counted()
    await portal.store.update(CLINIC, weight(72, "2024-07-09T10:00:00Z", id=moved.id))
    await portal.counted()
    days = await portal.days()
    assert days["2024-05-01"] == ("kg", 1, "70", "70", "70.00")
    assert days["2024-07-09"] == ("kg", 2, "72", "80", "76.00")


async def test_amended_several_times_between_two_runs_only_the_last_version_counts(portal: Portal) -> None:
    stored = await portal.store.create(CLINIC, weight(1, "2024-05-01"))
    await portal.counted()
    for number in range(2, 6):
        await portal.store.update(CLINIC, weight(number, f"2024-05-0{number}", id=stored.id))
    await portal.counted()
    assert await portal.days() == {"2024-05-05": ("kg", 1, "5", "5", "5.00")}


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
async def test_a_withdrawn_observation_leaves_its_day(portal: Portal, status: str) -> None:
    wrong = await portal.store.create(CLINIC, weight(720))
    await portal.store.create(CLINIC, weight(70))
    await portal.counted()
    await portal.store.update(CLINIC, weight(720, status=status, id=wrong.id))
    await portal.counted()
    assert await portal.days() == {"2024-05-01": ("kg", 1, "70", "70", "70.00")}


async def test_the_last_number_of_a_day_takes_the_day_with_it(portal: Portal) -> None:
    stored = await portal.store.create(CLINIC, weight(72))
    await portal.counted()
    await portal.store.delete(CLINIC, "Observation", stored.id)
    await portal.counted()
    assert await portal.days() == {}
    assert await portal.stored_aggregates() == []


async def test_an_observation_that_moves_to_another_person_moves_in_the_statistics_too(portal: Portal) -> None:
    stored = await portal.store.create(CLINIC, weight(72))
    await portal.counted()
    await portal.store.update(CLINIC, weight(72, id=stored.id) | {"subject": {"reference": "Patient/ben"}})
    await portal.counted()
    assert await portal.days("anna") == {}
    assert await portal.days("ben") == {"2024-05-01": ("kg", 1, "72", "72", "72.00")}


async def test_an_observation_whose_persons_change_places_counts_for_its_subject_alone(portal: Portal) -> None:
    made = await portal.store.create(CLINIC, weight(72, performer=[{"reference": "Patient/bert"}]))
    await portal.counted()
    assert await portal.days() == {"2024-05-01": ("kg", 1, "72", "72", "72.00")}
    swapped = weight(72, id=made.id, performer=[{"reference": "Patient/anna"}])
    await portal.store.update(CLINIC, swapped | {"subject": {"reference": "Patient/bert"}})
    await portal.counted()
    assert await portal.days() == {}
    assert (await portal.store.read(person("anna"), "Observation", made.id)).version == 2


async def test_what_belongs_to_nobody_is_counted_nowhere(portal: Portal) -> None:
    await portal.store.create(CLINIC, weight(72) | {"subject": {"reference": "Device/scale"}})
    await portal.counted()
    assert await portal.stored_aggregates() == []


async def test_components_count_under_their_own_codes(portal: Portal) -> None:
    pressure = weight(1) | {
        "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
        "component": [
            {
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "valueQuantity": {"value": value, "system": UCUM, "code": "mm[Hg]"},
            }
            for code, value in (("8480-6", 120), ("8462-4", 80))
        ],
    }
    del pressure["valueQuantity"]
    await portal.store.create(CLINIC, pressure)
    await portal.counted()
    assert await portal.days(code="http://loinc.org|8480-6") == {"2024-05-01": ("mm[Hg]", 1, "120", "120", "120.00")}
    assert await portal.days(code="http://loinc.org|8462-4") == {"2024-05-01": ("mm[Hg]", 1, "80", "80", "80.00")}


async def test_a_transaction_counts_once_it_is_committed_and_promoted(portal: Portal) -> None:
    writes = [portal.store.new_write(weight(value) | {"subject": {"reference": f"Patient/{who}"}})
              for value, who in ((70, "anna"), (90, "ben"))]  # fmt: skip
    await portal.store.transact(CLINIC, writes)
    await portal.counted()
    assert (await portal.days("anna"))["2024-05-01"][1:3] == (1, "70")
    assert (await portal.days("ben"))["2024-05-01"][1:3] == (1, "90")


async def test_an_observation_that_a_transaction_has_marked_counts_as_it_was_until_that_is_decided(
    portal: Portal,
) -> None:
    stored = await portal.store.create(CLINIC, weight(70))
    await portal.counted()
    pk = partition_key("Patient/anna")
    item = await portal.records.read_item(f"Observation:{stored.id}", pk)
    changed = {**item, "version": 2, "resource": item["resource"].replace('"value":70', '"value":99')}
    await portal.records.execute_item_batch(stage_steps(Change(changed, item), "undecided")[0], pk)
    await portal.store.create(CLINIC, weight(72))
    await portal.counted()
    while_undecided = await portal.days()
    marked = await portal.records.read_item(f"Observation:{stored.id}", pk)
    await portal.records.execute_item_batch(promote_steps(marked, None)[0], pk)
    await portal.counted()
    assert while_undecided == {"2024-05-01": ("kg", 2, "70", "72", "71.00")}
    assert await portal.days() == {"2024-05-01": ("kg", 2, "72", "99", "85.50")}


async def test_handling_the_same_pages_again_and_out_of_order_changes_nothing(portal: Portal) -> None:
    stored = [await portal.store.create(CLINIC, weight(value, f"2024-05-0{value}")) for value in range(1, 6)]
    old = await portal.changes()
    await portal.store.update(CLINIC, weight(9, "2024-05-09", id=stored[0].id))
    await portal.store.delete(CLINIC, "Observation", stored[1].id)
    new = await portal.changes()
    await portal.counted()
    expected = await portal.stored_aggregates()
    aggregates = portal.runner()
    for page in new + old + new + old:
        await aggregates.update(page)
    assert await portal.stored_aggregates() == expected
    assert list(await portal.days()) == ["2024-05-03", "2024-05-04", "2024-05-05", "2024-05-09"]


async def test_a_death_between_counting_and_the_checkpoint_counts_nothing_twice(portal: Portal) -> None:
    aggregates = portal.runner()
    for value in (70, 72):
        await portal.store.create(CLINIC, weight(value))

    async def counts_and_dies(items: list[Item]) -> None:
        await aggregates.update(items)
        raise ConnectionError("killed before the checkpoint")

    with pytest.raises(ConnectionError):
        await follow(portal.records, portal.leases, "statistics", counts_and_dies)
    assert (await portal.days())["2024-05-01"][1] == 2
    await portal.counted()
    assert await portal.days() == {"2024-05-01": ("kg", 2, "70", "72", "71.00")}


async def test_runners_at_once_while_observations_change_come_to_what_is_stored(portal: Portal) -> None:
    """No lease keeps these apart, as when a slow holder has lost it: the turn of the person must be enough."""
    stored = [await portal.store.create(CLINIC, weight(n, f"2024-05-0{n % 3 + 1}")) for n in range(1, 7)]
    everything = [item for page in await portal.changes() for item in page]
    aggregates = [portal.runner() for _ in range(3)]

    async def change(number: int) -> None:
        await portal.store.update(CLINIC, weight(number * 10, f"2024-05-0{number % 4 + 1}", id=stored[number].id))

    async def handle(runner: Aggregates) -> None:
        try:
            await runner.update(everything)
        except errors.VersionConflict:  # given up against the others; its page comes again
            await runner.update(everything)

    await asyncio.gather(*(change(number) for number in range(6)), *(handle(runner) for runner in aggregates))
    latest = [item for page in await portal.changes() for item in page]
    await asyncio.gather(*(handle(runner) for runner in aggregates), aggregates[0].update(latest))
    days = await portal.days()
    assert {day: numbers[1] for day, numbers in days.items()} == {
        "2024-05-01": 2, "2024-05-02": 2, "2024-05-03": 1, "2024-05-04": 1
    }  # fmt: skip
    assert sum(Decimal(row["numbers"]["sum"]) for row in await portal.stored_aggregates()) == 150


class HeldBack(Aggregates):
    """A runner that has read what there is to count, and then is held back before it writes; the first time only."""

    def __init__(self, portal: Portal) -> None:
        super().__init__(portal.records, portal.aggregates, lambda: NOW)
        self.has_read, self.may_write = asyncio.Event(), asyncio.Event()

    async def _counted(self, person: Person, days: Sequence[str]) -> list[tuple[str, Key, Decimal]]:
        counted = await super()._counted(person, days)
        self.has_read.set()
        await self.may_write.wait()
        return counted


async def test_a_runner_that_read_what_is_no_longer_so_counts_again_instead_of_writing_it(portal: Portal) -> None:
    stored = await portal.store.create(CLINIC, weight(72))
    slow = HeldBack(portal)
    work = asyncio.create_task(slow.update((await portal.changes())[0]))
    await slow.has_read.wait()
    await portal.store.delete(CLINIC, "Observation", stored.id)
    await portal.runner().update((await portal.changes())[0])  # nothing is counted yet, so there is nothing to lower
    slow.may_write.set()
    await work
    assert await portal.stored_aggregates() == []


async def test_many_days_of_several_persons_come_to_what_the_statistics_module_says(portal: Portal) -> None:
    chance = random.Random(3)
    expected: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    made = []
    for _ in range(120):
        who, day = chance.choice(["anna", "ben"]), f"2024-{chance.randint(1, 12):02d}-{chance.randint(1, 5):02d}"
        value = Decimal(chance.randint(400, 900)).scaleb(-1)
        expected[who, day].append(value)
        made.append(weight(value, f"{day}T{chance.randint(0, 23):02d}:30:00-06:00") | {
            "subject": {"reference": f"Patient/{who}"}})  # fmt: skip
    await in_parallel([partial(portal.store.create, CLINIC, one) for one in made], 8)
    await portal.counted()
    found = {(who, day): numbers for who in ("anna", "ben") for day, numbers in (await portal.days(who)).items()}
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        _, count, low, high, mean = found[key]
        assert (count, Decimal(low), Decimal(high)) == (len(values), min(values), max(values))
        assert Decimal(mean) == round(statistics.mean(values), 3)


async def test_a_day_of_more_numbers_than_one_batch_holds_is_counted_and_uncounted_whole(portal: Portal) -> None:
    panel = weight(1, component=[
        {"code": {"coding": [{"system": "http://example.org", "code": f"c{number}"}]},
         "valueQuantity": {"value": number, "system": UCUM, "code": "mmol/L"}}
        for number in range(150)
    ])  # fmt: skip
    stored = await portal.store.create(CLINIC, panel)
    await portal.counted()
    counted = await portal.stored_aggregates()
    await portal.store.delete(CLINIC, "Observation", stored.id)
    await portal.counted()
    assert len(counted) == 151
    assert await portal.stored_aggregates() == []


async def test_the_answer_covers_the_days_asked_for_both_ends_included(portal: Portal) -> None:
    for number in range(1, 6):
        await portal.store.create(CLINIC, weight(number, f"2024-05-0{number}"))
    await portal.counted()
    assert list(await portal.days(**{"from": "2024-05-02", "to": "2024-05-04"})) == [
        "2024-05-02", "2024-05-03", "2024-05-04"
    ]  # fmt: skip
    assert list(await portal.days(**{"from": "2024-05-04"})) == ["2024-05-04", "2024-05-05"]
    assert list(await portal.days(to="2024-05-01")) == ["2024-05-01"]


async def test_the_answer_says_how_far_the_changes_were_followed(portal: Portal) -> None:
    asked = [("patient", "anna"), ("code", WEIGHT)]
    assert (await portal.statistics.answer(CLINIC, asked))["asOf"] is None
    await portal.counted()
    assert (await portal.statistics.answer(CLINIC, asked))["asOf"] == "2024-06-01T12:00:00.000Z"


async def test_a_second_instance_leaves_the_following_to_the_first(portal: Portal) -> None:
    async with lease(portal.leases, "statistics"):
        assert await portal.statistics.follow() is None


async def test_a_person_gets_their_own_statistics_and_nobody_elses(portal: Portal) -> None:
    await portal.store.create(CLINIC, weight(72))
    await portal.counted()
    own = await portal.statistics.answer(person("anna"), [("code", WEIGHT)])
    assert (own["patient"], len(own["days"])) == ("Patient/anna", 1)
    for stranger in (person("ben"), practitioner()):
        with pytest.raises(errors.NotFound):
            await portal.statistics.answer(stranger, [("code", WEIGHT), ("patient", "anna")])
