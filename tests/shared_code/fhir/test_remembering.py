"""Validation remembers what it found right; what is wrong stays wrong, whatever was seen before it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared_code.errors import Invalid
from shared_code.fhir import (
    Resource,
    dates,
    object_check,
    parse,
    search_values,
    tokens,
    validate,
    value_checks,
)

FINE = {"coding": [{"system": "http://loinc.org", "code": "29463-7"}], "text": "Weight"}
LOCAL = {"text": "Weight", "extension": [{"url": "http://x", "valueReference": {"reference": "#o"}}]}


def observation(**elements: Any) -> Resource:
    return {"resourceType": "Observation", "status": "final", "code": FINE, **elements}


def fault(resource: Resource) -> str | None:
    try:
        validate(resource)
    except Invalid as refusal:
        return refusal.issues[0].path
    return None


def test_a_concept_that_is_right_in_one_place_is_held_against_the_value_set_of_another() -> None:
    assert fault(observation(code=FINE)) is None
    allergy = {"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"}, "clinicalStatus": FINE}
    for _ in range(2):
        assert fault(allergy) == "AllergyIntolerance.clinicalStatus"


def test_a_reference_that_is_right_in_one_place_is_held_against_the_types_of_another() -> None:
    there = {"reference": "Patient/1"}
    for _ in range(2):
        assert fault(observation(subject=there)) is None
        assert fault(observation(subject=there, encounter=there)) == "Observation.encounter"


def test_a_reference_to_a_contained_resource_is_held_against_the_one_that_has_its_id() -> None:
    for kind, path in (("Patient", None), ("Practitioner", "Observation.subject"), ("Patient", None)):
        inner = {"resourceType": kind, "id": "o", "active": True}
        assert fault(observation(subject={"reference": "#o"}, contained=[inner])) == path


def test_a_conditional_reference_is_right_in_a_bundle_alone() -> None:
    weight = observation(subject={"reference": "Patient?identifier=x|1"})
    entry = {"resource": weight, "request": {"method": "POST", "url": "Observation"}}
    for _ in range(2):
        assert fault({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}) is None
        assert fault(weight) == "Observation.subject.reference"


def test_a_reference_within_a_concept_is_looked_for_in_each_resource() -> None:
    with_it = observation(code=LOCAL, contained=[{"resourceType": "Organization", "id": "o", "name": "O"}])
    for _ in range(2):
        assert fault(with_it) is None
        assert fault(observation(code=LOCAL)) == "Observation.code.extension[0].value.ofType(Reference).reference"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ({"value": 1}, {"value": "1"}),
        ({"value": Decimal("1.0")}, {"value": "1.0"}),
        ({"value": 1, "unit": "kg"}, {"value": 1, "unit": " \x01"}),
        ({"value": 1, "unit": "true"}, {"value": 1, "unit": True}),
    ],
)
def test_values_that_look_alike_are_told_apart(right: dict[str, Any], wrong: dict[str, Any]) -> None:
    for _ in range(2):
        assert fault(observation(valueQuantity=right)) is None
        assert str(fault(observation(valueQuantity=wrong))).startswith("Observation.value.ofType(Quantity)")


def test_a_list_is_remembered_for_its_own_element_alone() -> None:
    two = [{"low": {"value": 1}}, {"low": {"value": 2}}]
    assert fault(observation(referenceRange=two)) is None
    assert fault(observation(referenceRange=[])) == "Observation.referenceRange"
    for _ in range(2):
        assert fault(observation(interpretation=[FINE, None])) == "Observation.interpretation[1]"


def test_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(value_checks, "_known", set())
    monkeypatch.setattr(value_checks, "MAX_REMEMBERED", 10)
    monkeypatch.setattr(object_check, "MAX_SHAPES", 3)
    for number in range(30):
        unknown = {"extension": [{"url": "http://x", "valueCode": "unknown"}]}
        extra = {f"_{name}": unknown for name in ("status", "issued", "effectiveDateTime")[: number % 4]}
        assert fault(observation(valueQuantity={"value": number}, **extra)) is None
        assert len(value_checks._known) <= 10


def test_a_whole_number_in_another_form_is_none_whatever_was_seen_before() -> None:
    def request(number: str) -> Resource:
        resource: Resource = parse(
            '{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"},'
            '"medicationCodeableConcept":{"text":"x","extension":[{"url":"http://x","valueInteger":NUMBER}]},'
            '"dosageInstruction":[{"timing":{"repeat":{"count":NUMBER}}}]}'.replace("NUMBER", number)
        )
        return resource

    assert fault(request("2e0")) is not None
    assert fault(request("2")) is None
    assert fault(request("2e0")) is not None


def test_long_texts_are_not_remembered() -> None:
    before = tokens._short_forms.cache_info().currsize, dates._short_span.cache_info().currsize
    search_values({"resourceType": "Patient", "identifier": [{"system": "http://x", "value": "7" * 1000}]})
    assert dates.span(f"2026-03-01T08:00:00.{'1' * 1000}Z")[0] == "2026-03-01T08:00:00.111111Z"
    assert (tokens._short_forms.cache_info().currsize, dates._short_span.cache_info().currsize) == before
