"""What a resource can be found by."""

from __future__ import annotations

from typing import Any

import pytest

from shared_code.fhir import resource_types, search_parameters, search_values
from shared_code.fhir.dates import EARLIEST, LATEST


def test_a_coding_is_found_by_system_and_code_by_code_and_by_system() -> None:
    concept = {"coding": [{"system": "http://loinc.org", "code": "29463-7"}, {"code": "weight"}, {"system": "urn:x"}]}
    values = search_values({"resourceType": "Observation", "code": concept})
    assert values == {
        "code": ["http://loinc.org|29463-7", "29463-7", "http://loinc.org|", "|weight", "weight", "urn:x|"]
    }


def test_bars_and_backslashes_are_escaped_and_repeated_values_stored_once() -> None:
    identifiers = [{"system": "urn:a|b", "value": "c\\d"}, {"system": "urn:a|b", "value": "e"}]
    values = search_values({"resourceType": "Patient", "id": "p", "identifier": identifiers})
    assert values == {
        "identifier": ["urn:a\\|b|c\\\\d", "c\\\\d", "urn:a\\|b|", "urn:a\\|b|e", "e"],
    }


def test_a_code_without_system_and_references_of_all_forms() -> None:
    values = search_values(
        {
            "resourceType": "Observation",
            "status": "final",
            "subject": {"reference": "Patient/p1/_history/2"},
        }
    )
    assert values == {"status": ["|final", "final"], "subject": ["Patient/p1"], "patient": ["Patient/p1"]}


@pytest.mark.parametrize(
    ("subject", "stored"),
    [
        ({"reference": "Group/g"}, {"subject": ["Group/g"]}),
        ({"reference": "#p"}, {}),
        ({"display": "An"}, {}),
        (
            {"reference": "https://other.example/fhir/Patient/7"},
            {"subject": ["https://other.example/fhir/Patient/7"], "patient": ["https://other.example/fhir/Patient/7"]},
        ),
        ({"reference": "https://other.example/fhir/Group/7"}, {"subject": ["https://other.example/fhir/Group/7"]}),
    ],
)
def test_a_patient_parameter_only_takes_references_to_patients(subject: Any, stored: Any) -> None:
    assert search_values({"resourceType": "Observation", "subject": subject}) == stored


@pytest.mark.parametrize(
    ("effective", "spans"),
    [
        ({"effectiveDateTime": "2024"}, [("2024-01-01T00:00:00.000000Z", "2025-01-01T00:00:00.000000Z")]),
        ({"effectiveDateTime": "2024-12"}, [("2024-12-01T00:00:00.000000Z", "2025-01-01T00:00:00.000000Z")]),
        ({"effectiveDateTime": "2024-02-29"}, [("2024-02-29T00:00:00.000000Z", "2024-03-01T00:00:00.000000Z")]),
        (
            {"effectiveDateTime": "2024-05-17T10:30:00+02:00"},
            [("2024-05-17T08:30:00.000000Z", "2024-05-17T08:30:01.000000Z")],
        ),
        (
            {"effectiveInstant": "2024-05-17T10:30:00.5Z"},
            [("2024-05-17T10:30:00.500000Z", "2024-05-17T10:30:00.600000Z")],
        ),
        (
            {"effectivePeriod": {"start": "2024-05-17", "end": "2024-05-18"}},
            [("2024-05-17T00:00:00.000000Z", "2024-05-19T00:00:00.000000Z")],
        ),
        ({"effectivePeriod": {"start": "2024"}}, [("2024-01-01T00:00:00.000000Z", LATEST)]),
        ({"effectivePeriod": {"end": "2024"}}, [(EARLIEST, "2025-01-01T00:00:00.000000Z")]),
        (
            {"effectiveTiming": {"event": ["2024-02-01", "2024-01-01", "2024-01-15T10:00:00Z"]}},
            [("2024-01-01T00:00:00.000000Z", "2024-02-02T00:00:00.000000Z")],
        ),
        (
            {"effectiveTiming": {"event": ["2024-12-31", "2024"]}},
            [("2024-01-01T00:00:00.000000Z", "2025-01-01T00:00:00.000000Z")],
        ),
        (
            {"effectiveTiming": {"event": [None, "2024-01-01"], "_event": [{"id": "a"}, None]}},
            [("2024-01-01T00:00:00.000000Z", "2024-01-02T00:00:00.000000Z")],
        ),
        (
            {
                "effectiveTiming": {
                    "event": ["2024-03"],
                    "repeat": {"boundsPeriod": {"start": "2024-05", "end": "2024-06"}},
                }
            },
            [("2024-03-01T00:00:00.000000Z", "2024-07-01T00:00:00.000000Z")],
        ),
        (
            {"effectiveTiming": {"event": ["2024-03"], "repeat": {"boundsPeriod": {"start": "2024-05"}}}},
            [("2024-03-01T00:00:00.000000Z", LATEST)],
        ),
        (
            {"effectiveTiming": {"repeat": {"boundsPeriod": {"end": "2024"}}}},
            [(EARLIEST, "2025-01-01T00:00:00.000000Z")],
        ),
        (
            {"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2024", "end": "2024"}}}},
            [("2024-01-01T00:00:00.000000Z", "2025-01-01T00:00:00.000000Z")],
        ),
        ({"effectiveTiming": {"repeat": {"count": 3}}}, []),
        ({"effectiveDateTime": "9999-12-31"}, [("9999-12-31T00:00:00.000000Z", LATEST)]),
        ({"effectiveDateTime": "0001-01-01T00:00:00+14:00"}, [(EARLIEST, EARLIEST)]),
        (
            {"effectiveDateTime": "2016-12-31T23:59:60Z"},
            [("2017-01-01T00:00:00.000000Z", "2017-01-01T00:00:01.000000Z")],
        ),
    ],
    ids=lambda value: str(next(iter(value.values()))) if isinstance(value, dict) else "",
)
def test_a_date_is_the_span_that_its_precision_leaves_open(effective: Any, spans: list[tuple[str, str]]) -> None:
    values = search_values({"resourceType": "Observation", **effective})
    assert [(span["lo"], span["hi"]) for span in values.get("date", [])] == spans


@pytest.mark.parametrize(
    ("timing", "first"),
    [
        ({"event": ["2024-03-02", "2024-03-01"]}, None),
        ({"event": ["2024-03-02"], "repeat": {"boundsPeriod": {"start": "2024-01"}}}, "2024-03-02T00:00:00.000000Z"),
        ({"repeat": {"boundsPeriod": {"start": "2024-01"}}}, None),
    ],
)
def test_the_first_event_of_a_timing_is_told_where_its_limits_begin_before(timing: Any, first: str | None) -> None:
    (value,) = search_values({"resourceType": "Observation", "effectiveTiming": timing})["date"]
    assert value.get("first") == first


def test_only_dates_of_a_choice_are_dates() -> None:
    assert search_values({"resourceType": "Immunization", "occurrenceString": "January 2012"}) == {}


def test_an_appointment_is_found_by_its_patients_and_its_start() -> None:
    values = search_values(
        {
            "resourceType": "Appointment",
            "status": "booked",
            "start": "2024-05-17T10:00:00Z",
            "participant": [{"actor": {"reference": "Practitioner/d"}}, {"actor": {"reference": "Patient/p1"}}],
        }
    )
    assert values["patient"] == ["Patient/p1"]
    assert values["date"] == [{"lo": "2024-05-17T10:00:00.000000Z", "hi": "2024-05-17T10:00:01.000000Z"}]


def test_the_served_parameters_of_every_type_have_a_kind_and_references_have_targets() -> None:
    for name in resource_types():
        for parameter in search_parameters(name).values():
            assert parameter.kind in ("token", "reference", "date")
            assert bool(parameter.targets) is (parameter.kind == "reference")
    assert search_parameters("Observation")["patient"].targets == ("Patient",)
    assert set(search_parameters("Observation")) == {"patient", "subject", "code", "status", "date", "identifier"}
