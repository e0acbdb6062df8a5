"""Which numbers of an Observation count, for which day, and what several of them come to."""

from __future__ import annotations

import random
import statistics
from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest

from shared_code.fhir import parse
from shared_code.statistics.measures import Key, Tally, day_of, plain, points, tallies
from tests.builders import observation

UCUM = "http://unitsofmeasure.org"
WEIGHT = "http://loinc.org|29463-7"


def quantity(value: Any, unit: str = "kg", **fields: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit} | fields


def concept(*codes: str, system: str | None = "http://loinc.org") -> dict[str, Any]:
    return {"coding": [{"code": code} | ({"system": system} if system else {}) for code in codes]}


def tally(*values: str) -> Tally:
    made = Tally()
    for number, value in enumerate(values):
        made.add(Decimal(value), str(number))
    return made


def test_the_value_counts_under_its_code_unit_and_day_with_its_digits() -> None:
    made = parse('{"status": "final", "effectiveDateTime": "2024-05-01T08:00:00+02:00", "code": {"coding": [{"system": '
                 '"http://loinc.org", "code": "29463-7"}]}, "valueQuantity": {"value": 72.50, "system": '
                 '"http://unitsofmeasure.org", "code": "kg"}}')  # fmt: skip
    ((key, value),) = points(made)
    assert key == Key("2024-05-01", WEIGHT, "kg")
    assert str(value) == "72.50"


def test_every_coding_counts_once_and_a_coding_without_system_begins_with_a_bar() -> None:
    codings = concept("29463-7", "29463-7", "3141-9")["coding"] + concept("weight", system=None)["coding"]
    found = [key.code for key, _ in points(observation(code={"coding": codings}))]
    assert found == [WEIGHT, "http://loinc.org|3141-9", "|weight"]


def test_a_code_that_is_text_alone_counts_nowhere() -> None:
    assert points(observation(code={"text": "weight"})) == []


def test_components_count_under_their_own_codes() -> None:
    pressure = observation(
        code=concept("85354-9"),
        component=[
            {"code": concept("8480-6"), "valueQuantity": quantity(120, "mm[Hg]")},
            {"code": concept("8462-4"), "valueQuantity": quantity(80, "mm[Hg]")},
            {"code": concept("8478-0"), "dataAbsentReason": {"text": "not measured"}},
        ],
    )
    del pressure["valueQuantity"]
    assert {key.code: value for key, value in points(pressure)} == {
        "http://loinc.org|8480-6": 120,
        "http://loinc.org|8462-4": 80,
    }


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_what_is_void_does_not_count(status: str) -> None:
    assert points(observation(status=status)) == []


def test_what_an_extension_modifies_does_not_count() -> None:
    modified = {"modifierExtension": [{"url": "http://example.org/negated", "valueBoolean": True}]}
    assert points(observation(**modified)) == []
    part = {"code": concept("8480-6"), "valueQuantity": quantity(120, "mm[Hg]")}
    counted = points(observation(component=[part | modified, part]))
    assert [key.code for key, _ in counted if key.code.endswith("8480-6")] == ["http://loinc.org|8480-6"]


@pytest.mark.parametrize("status", ["registered", "preliminary", "final", "amended", "corrected", "unknown"])
def test_every_other_status_counts(status: str) -> None:
    assert len(points(observation(status=status))) == 1


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"valueString": "72"}, id="text"),
        pytest.param({"valueQuantity": quantity(0.1, comparator="<")}, id="with comparator"),
        pytest.param({"valueQuantity": {"value": 72}}, id="without unit"),
        pytest.param({"valueQuantity": {"value": 72, "unit": "kg"}}, id="unit as text"),
        pytest.param({"valueQuantity": quantity(72, system="http://snomed.info/sct")}, id="unit of another system"),
        pytest.param({"valueQuantity": {"system": UCUM, "code": "kg"}}, id="without value"),
        pytest.param({"valueQuantity": quantity(Decimal("1e20"))}, id="too large"),
        pytest.param({"valueQuantity": quantity(10**300)}, id="much too large"),
        pytest.param({"valueQuantity": quantity(Decimal("1e-21"))}, id="too many decimals"),
        pytest.param({"valueQuantity": quantity(Decimal("1e-999999999"))}, id="absurdly many decimals"),
        pytest.param({"valueQuantity": quantity(Decimal("0e999999"))}, id="zero with an absurd exponent"),
        pytest.param({"dataAbsentReason": {"text": "unknown"}}, id="absent"),
    ],
)
def test_what_is_not_one_number_in_a_known_unit_does_not_count(value: dict[str, Any]) -> None:
    made = observation()
    del made["valueQuantity"]
    assert points(made | value) == []


def test_an_integer_counts_in_ucums_unity() -> None:
    made = observation(code=concept("9272-6"), valueInteger=9)
    del made["valueQuantity"]
    assert points(made) == [(Key("2026-03-01", "http://loinc.org|9272-6", "1"), Decimal(9))]


def test_an_exponent_becomes_digits() -> None:
    ((_, value),) = points(observation(valueQuantity=quantity(Decimal("1.5e3"))))
    assert plain(value) == "1500"


@pytest.mark.parametrize(
    ("when", "day"),
    [
        pytest.param({"effectiveDateTime": "2024-05-01T23:30:00-05:00"}, "2024-05-01", id="late, own offset"),
        pytest.param({"effectiveDateTime": "2024-05-01T00:30:00+14:00"}, "2024-05-01", id="early, own offset"),
        pytest.param({"effectiveDateTime": "2024-05-01"}, "2024-05-01", id="date alone"),
        pytest.param({"effectiveDateTime": "2024-05"}, None, id="month"),
        pytest.param({"effectiveDateTime": "2024"}, None, id="year"),
        pytest.param({"effectiveInstant": "2024-05-01T12:00:00.000Z"}, "2024-05-01", id="instant"),
        pytest.param({"effectivePeriod": {"start": "2024-05-01T23:00:00Z", "end": "2024-05-02"}}, "2024-05-01", id="p"),
        pytest.param({"effectivePeriod": {"end": "2024-05-02"}}, None, id="period without start"),
        pytest.param({"effectiveTiming": {"event": [None, "2024-05-03", "2024-05-01"]}}, "2024-05-01", id="timing"),
        pytest.param({"effectiveTiming": {"repeat": {"frequency": 1}}}, None, id="timing without event"),
        pytest.param({"issued": "2024-05-01T12:00:00Z"}, "2024-05-01", id="issued alone"),
        pytest.param({"effectiveDateTime": "2024-05", "issued": "2024-05-01T12:00:00Z"}, None, id="effective decides"),
        pytest.param({"_effectiveDateTime": {"id": "x"}, "issued": "2024-05-01T12:00:00Z"}, "2024-05-01", id="empty"),
        pytest.param({}, None, id="neither"),
    ],
)
def test_the_day(when: dict[str, Any], day: str | None) -> None:
    made = observation() | when
    if "effectiveDateTime" not in when:
        del made["effectiveDateTime"]
    assert day_of(made) == day
    assert len(points(made)) == (0 if day is None else 1)


def test_the_extremes_keep_the_most_digits_whatever_the_order() -> None:
    for made in (tally("72.5", "72.50"), tally("72.50", "72.5")):
        assert (plain(made.min), plain(made.max)) == ("72.50", "72.50")


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        (("72",), "72.00"),
        (("1", "2"), "1.50"),
        (("1", "1", "2"), "1.33"),
        (("0.01", "0.020", "0.02"), "0.01667"),
        (("0.1", "0.2"), "0.150"),
        (("-1", "-2", "-2"), "-1.67"),
        (("0.00", "0.00", "0.01", "0.01", "0.00", "0.00", "0.00", "0.00"), "0.0025"),
        (("99999999999999999999", "0.00000000000000000001"), "49999999999999999999.5000000000000000000050"),
    ],
)
def test_the_mean_is_rounded_half_even_to_two_digits_more_than_the_most_precise_value(
    values: tuple[str, ...], mean: str
) -> None:
    assert plain(tally(*values).mean) == mean


def test_the_sum_is_exact() -> None:
    assert tally("99999999999999999999", *["0.00000000000000000001"] * 3).sum == Decimal(
        "99999999999999999999.00000000000000000003"
    )


def test_generated_observations_come_to_what_the_statistics_module_says() -> None:
    chance = random.Random(7)
    rows = [
        (
            f"2024-05-{chance.randint(1, 9):02d}",
            chance.choice(["kg", "[lb_av]"]),
            Decimal(chance.randint(1, 99999)).scaleb(-chance.randint(0, 3)),
        )
        for _ in range(500)
    ]
    observations = [
        observation(effectiveDateTime=f"{day}T10:00:00Z", valueQuantity=quantity(value, unit))
        for day, unit, value in rows
    ]
    made = tallies((str(number), *point) for number, one in enumerate(observations) for point in points(one))
    expected = {
        Key(day, WEIGHT, unit): [value for _, _, value in group]
        for (day, unit), group in groupby(sorted(rows), key=lambda row: row[:2])
    }
    assert made.keys() == expected.keys()
    for key, values in expected.items():
        assert (made[key].count, made[key].min, made[key].max) == (len(values), min(values), max(values))
        assert made[key].mean == round(statistics.mean(values), made[key].decimals + 2)
