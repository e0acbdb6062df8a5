"""What a query parameter asks for, and what it matches."""

from __future__ import annotations

from typing import Any

import pytest

from shared_code.errors import Malformed
from shared_code.fhir import DateRange, criterion, search_values

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}, {"system": "urn:a|b", "code": "x,y"}]},
    "subject": {"reference": "Patient/p1"},
    "effectivePeriod": {"start": "2024-05-17", "end": "2024-05-20"},
}


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("code", "29463-7", True),
        ("code", "http://loinc.org|29463-7", True),
        ("code", "http://loinc.org|", True),
        ("code", "|29463-7", False),
        ("code", "http://snomed.info/sct|29463-7", False),
        ("code", "other,29463-7", True),
        ("code", "other", False),
        ("code", "urn:a\\|b|x\\,y", True),
        ("code:not", "29463-7", False),
        ("code:not", "other", True),
        ("code:missing", "false", True),
        ("code:missing", "true", False),
        ("identifier:missing", "true", True),
        ("identifier:not", "urn:x|1", True),
        ("status", "|final", True),
        ("status", "http://hl7.org/fhir/observation-status|final", True),
        ("status", "http://hl7.org/fhir/observation-status|amended", False),
        ("status", "http://hl7.org/fhir/event-status|final", False),
        ("status", "final", True),
        ("subject", "p1", True),
        ("subject", "Patient/p1", True),
        ("subject", "Patient/p1/_history/4", True),
        ("subject:Patient", "p1", True),
        ("subject:Patient", "Patient/p1", True),
        ("subject:Group", "p1", False),
        ("subject:Group", "Patient/p1", False),
        ("subject:Patient", "Group/p1,Patient/p1", True),
        ("patient:Patient", "Device/p1", False),
        ("patient", "p2,p1", True),
        ("patient", "https://other.example/fhir/Patient/p1", False),
        ("date", "2024-05", True),
        ("date", "eq2024-05-17", False),
        ("date", "2023,2024", True),
        ("date", "ne2024-05-17", True),
        ("date", "ne2024-05", False),
        ("date", "gt2024-05-19", True),
        ("date", "gt2024-05-20", False),
        ("date", "ge2024-05-20", False),
        ("date", "ge2024-05-17", True),
        ("date", "ge2024", True),
        ("date", "lt2024-05-18", True),
        ("date", "lt2024-05-17", False),
        ("date", "le2024-05-20", True),
        ("date", "le2024-05", True),
        ("date", "le2024-05-16", False),
        ("date", "sa2024-05-16", True),
        ("date", "sa2024-05-17", False),
        ("date", "eb2024-05-21", True),
        ("date", "eb2024-05-20", False),
        ("date", "ap2024-05-18", True),
        ("date", "ap2024-05-21", False),
        ("date", "lt2024-05-17T00:00:01+02:00", False),
        ("date", "gt2024-05-20T23:59:59 02:00", True),
    ],
)
def test_matches(name: str, value: str, fits: bool) -> None:
    assert criterion("Observation", name, value).matches(search_values(OBSERVATION)) is fits


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("code:in", "http://x", ":in"),
        ("date:exact", "2024", ":exact"),
        ("subject:Nonsense", "1", ":Nonsense"),
        ("code:missing", "maybe", "true or false"),
        ("code", "", "no value"),
        ("code", "|", "not a token"),
        ("code", "a|b|c", "not a token"),
        ("date", "2021-02-30", "not a date"),
        ("date", "yesterday", "is no prefix"),
        ("date", "xx2024", "is no prefix"),
        ("date", "2024-05-17T25:00:00Z", "not a date"),
        ("subject", "Nonsense/1", "no resource type"),
        ("subject", "a b", "neither an id"),
        ("colour", "blue", "no search parameter"),
    ],
)
def test_a_bad_value_or_modifier_is_named(name: str, value: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        criterion("Observation", name, value)


def test_alternatives_are_what_to_look_for_among_stored_values() -> None:
    assert criterion("Observation", "code", "a,b|c").alternatives == ("a", "b|c")
    assert criterion("Encounter", "subject", "7").alternatives == ("Group/7", "Patient/7")
    assert criterion("Observation", "date", "ge2024-05-17T10:00").alternatives == (
        DateRange("ge", "2024-05-17T10:00:00.000000Z", "2024-05-17T10:01:00.000000Z"),
    )


@pytest.mark.parametrize(
    ("value", "fits"),
    [("2024-02", False), ("ap2024-02", True), ("ne2024", False), ("2024", True), ("gt2024-03-01", False)],
)
def test_the_date_of_a_timing_is_its_outer_limits(value: str, fits: bool) -> None:
    stored = search_values(
        {"resourceType": "Observation", "effectiveTiming": {"event": ["2024-01-01", "2024-02-15", "2024-03-01"]}}
    )
    assert criterion("Observation", "date", value).matches(stored) is fits
