"""The invariants of R4: one resource that keeps each and one that breaks it, and the rules of bundles."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared_code.errors import Invalid
from shared_code.fhir import Resource, validate

PATIENT = {"reference": "Patient/1"}
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def faults(resource: Resource) -> list[tuple[str | None, str]]:
    with pytest.raises(Invalid) as refusal:
        validate(resource)
    return [(issue.path, issue.text) for issue in refusal.value.issues]


def observation(**elements: Any) -> Resource:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **elements}


def appointment(**elements: Any) -> Resource:
    return {
        "resourceType": "Appointment",
        "status": "booked",
        "participant": [{"actor": PATIENT, "status": "accepted"}],
        **elements,
    }


def concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{TERMINOLOGY}/{system}", "code": code}]}


def condition(**elements: Any) -> Resource:
    return {"resourceType": "Condition", "subject": PATIENT, **elements}


def allergy(**elements: Any) -> Resource:
    return {"resourceType": "AllergyIntolerance", "patient": PATIENT, **elements}


def question(**elements: Any) -> Resource:
    return {"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": "1", "type": "string", **elements}]}


def timing(**repeat: Any) -> Resource:
    return observation(effectiveTiming={"repeat": repeat})


def quantity(**elements: Any) -> Resource:
    return observation(valueQuantity=elements)


CODED = {"coding": [{"system": "http://loinc.org", "code": "1"}]}
ERROR = "entered-in-error"


@pytest.mark.parametrize(
    ("key", "kept", "broken", "path"),
    [
        (
            "ext-1",
            observation(extension=[{"url": "u", "valueCode": "a"}]),
            observation(extension=[{"url": "u"}]),
            "Observation.extension[0]",
        ),
        (
            "ext-1",
            observation(extension=[{"url": "u", "extension": [{"url": "v", "valueCode": "a"}]}]),
            observation(extension=[{"url": "u", "valueCode": "a", "extension": [{"url": "v", "valueCode": "a"}]}]),
            "Observation.extension[0]",
        ),
        (
            "per-1",
            observation(effectivePeriod={"start": "2024-05-17T10:00:00Z", "end": "2024-05-17"}),
            observation(effectivePeriod={"start": "2024-05-18", "end": "2024-05-17"}),
            "Observation.effective.ofType(Period)",
        ),
        (
            "per-1",
            observation(effectivePeriod={"start": "2024-05-17T12:00:00+02:00", "end": "2024-05-17T10:30:00Z"}),
            observation(effectivePeriod={"start": "2024-05-17T10:00:00Z", "end": "2024-05-17T11:30:00+02:00"}),
            "Observation.effective.ofType(Period)",
        ),
        (
            "rng-2",
            observation(valueRange={"low": {"value": Decimal("1.5")}, "high": {"value": 2}}),
            observation(valueRange={"low": {"value": 3}, "high": {"value": 2}}),
            "Observation.value.ofType(Range)",
        ),
        (
            "rat-1",
            observation(valueRatio={"numerator": {"value": 1}, "denominator": {"value": 2}}),
            observation(valueRatio={"numerator": {"value": 1}}),
            "Observation.value.ofType(Ratio)",
        ),
        (
            "qty-3",
            quantity(value=1, system="http://unitsofmeasure.org", code="kg"),
            quantity(value=1, code="kg"),
            "Observation.value.ofType(Quantity)",
        ),
        (
            "age-1",
            condition(onsetAge={"value": 52, "system": "http://unitsofmeasure.org", "code": "a"}),
            condition(onsetAge={"value": 0, "system": "http://unitsofmeasure.org", "code": "a"}),
            "Condition.onset.ofType(Age).value",
        ),
        (
            "age-1",
            condition(onsetAge={"value": 52, "system": "http://unitsofmeasure.org", "code": "a"}),
            condition(onsetAge={"value": 52, "unit": "years"}),
            "Condition.onset.ofType(Age)",
        ),
        (
            "att-1",
            {"resourceType": "Patient", "photo": [{"contentType": "image/png", "data": "aaaa"}]},
            {"resourceType": "Patient", "photo": [{"data": "aaaa"}]},
            "Patient.photo[0]",
        ),
        (
            "cpt-2",
            {"resourceType": "Patient", "telecom": [{"system": "phone", "value": "1"}]},
            {"resourceType": "Patient", "telecom": [{"value": "1"}]},
            "Patient.telecom[0]",
        ),
        (
            "tim-1",
            timing(duration=1, durationUnit="h"),
            timing(duration=1),
            "Observation.effective.ofType(Timing).repeat",
        ),
        ("tim-2", timing(period=1, periodUnit="d"), timing(period=1), "Observation.effective.ofType(Timing).repeat"),
        (
            "tim-5",
            timing(period=1, periodUnit="d"),
            timing(period=-1, periodUnit="d"),
            "Observation.effective.ofType(Timing).repeat.period",
        ),
        (
            "tim-9",
            timing(when=["ACM"], offset=30),
            timing(when=["CM"], offset=30),
            "Observation.effective.ofType(Timing).repeat.offset",
        ),
        (
            "tim-10",
            timing(timeOfDay=["08:00:00"]),
            timing(timeOfDay=["08:00:00"], when=["ACM"]),
            "Observation.effective.ofType(Timing).repeat",
        ),
        (
            "obs-3",
            observation(referenceRange=[{"text": "normal"}]),
            observation(referenceRange=[{"age": {"low": {"value": 1}}}]),
            "Observation.referenceRange[0]",
        ),
        (
            "obs-6",
            observation(dataAbsentReason={"text": "asked"}),
            observation(dataAbsentReason={"text": "asked"}, valueString="x"),
            "Observation",
        ),
        (
            "obs-7",
            observation(code=CODED, component=[{"code": CODED, "valueString": "x"}]),
            observation(code=CODED, component=[{"code": CODED}], valueString="x"),
            "Observation.component[0].code",
        ),
        (
            "pat-1",
            {"resourceType": "Patient", "contact": [{"name": {"text": "An"}}]},
            {"resourceType": "Patient", "contact": [{"gender": "female"}]},
            "Patient.contact[0]",
        ),
        (
            "ait-1",
            allergy(clinicalStatus=concept("allergyintolerance-clinical", "active")),
            allergy(),
            "AllergyIntolerance.clinicalStatus",
        ),
        (
            "ait-2",
            allergy(verificationStatus=concept("allergyintolerance-verification", ERROR)),
            allergy(
                verificationStatus=concept("allergyintolerance-verification", ERROR),
                clinicalStatus=concept("allergyintolerance-clinical", "active"),
            ),
            "AllergyIntolerance.clinicalStatus",
        ),
        (
            "con-4",
            condition(abatementString="gone", clinicalStatus=concept("condition-clinical", "resolved")),
            condition(abatementString="gone", clinicalStatus=concept("condition-clinical", "active")),
            "Condition.clinicalStatus",
        ),
        (
            "con-5",
            condition(verificationStatus=concept("condition-ver-status", ERROR)),
            condition(
                verificationStatus=concept("condition-ver-status", ERROR),
                clinicalStatus=concept("condition-clinical", "active"),
            ),
            "Condition.clinicalStatus",
        ),
        (
            "con-2",
            condition(evidence=[{"code": [{"text": "x"}]}]),
            condition(evidence=[{"extension": [{"url": "u", "valueCode": "a"}]}]),
            "Condition.evidence[0]",
        ),
        (
            "app-1",
            appointment(status="proposed"),
            appointment(status="proposed", participant=[{"status": "accepted"}]),
            "Appointment.participant[0]",
        ),
        (
            "app-2",
            appointment(start="2024-05-17T10:00:00Z", end="2024-05-17T11:00:00Z"),
            appointment(status="proposed", start="2024-05-17T10:00:00Z"),
            "Appointment",
        ),
        ("app-3", appointment(status="waitlist"), appointment(), "Appointment"),
        (
            "app-4",
            appointment(status="cancelled", cancelationReason={"text": "ill"}),
            appointment(status="proposed", cancelationReason={"text": "ill"}),
            "Appointment.cancelationReason",
        ),
        (
            "org-1",
            {"resourceType": "Organization", "name": "X"},
            {"resourceType": "Organization", "active": True},
            "Organization",
        ),
        (
            "org-2",
            {"resourceType": "Organization", "name": "X", "address": [{"use": "work", "city": "Y"}]},
            {"resourceType": "Organization", "name": "X", "address": [{"use": "home", "city": "Y"}]},
            "Organization.address[0].use",
        ),
        (
            "grp-1",
            {"resourceType": "Group", "type": "person", "actual": True, "member": [{"entity": PATIENT}]},
            {"resourceType": "Group", "type": "person", "actual": False, "member": [{"entity": PATIENT}]},
            "Group",
        ),
        (
            "lst-1",
            {"resourceType": "List", "status": "current", "mode": "working", "entry": [{"item": PATIENT}]},
            {
                "resourceType": "List",
                "status": "current",
                "mode": "working",
                "entry": [{"item": PATIENT}],
                "emptyReason": {"text": "x"},
            },
            "List",
        ),
        (
            "inv-1",
            {
                "resourceType": "Task",
                "status": "draft",
                "intent": "order",
                "authoredOn": "2024-05-17",
                "lastModified": "2024-05-17T10:00:00Z",
            },
            {
                "resourceType": "Task",
                "status": "draft",
                "intent": "order",
                "authoredOn": "2024-05-17",
                "lastModified": "2024-05-16",
            },
            "Task.lastModified",
        ),
        (
            "inv-1",
            {"resourceType": "Parameters", "parameter": [{"name": "a", "part": [{"name": "b", "valueCode": "c"}]}]},
            {"resourceType": "Parameters", "parameter": [{"name": "a"}]},
            "Parameters.parameter[0]",
        ),
        ("que-1", question(), question(type="group"), "Questionnaire.item[0].item"),
        (
            "que-2",
            question(),
            question(item=[{"linkId": "1", "type": "string"}]),
            "Questionnaire.item[0].item[0].linkId",
        ),
        (
            "que-8",
            question(initial=[{"valueString": "x"}]),
            question(type="display", initial=[{"valueString": "x"}]),
            "Questionnaire.item[0].initial",
        ),
        (
            "cmp-1",
            {
                "resourceType": "QuestionnaireResponse",
                "status": "completed",
            },
            {
                "resourceType": "Composition",
                "status": "final",
                "type": {"text": "x"},
                "date": "2024",
                "author": [PATIENT],
                "title": "x",
                "section": [{"title": "empty"}],
            },
            "Composition.section[0]",
        ),
    ],
)
def test_an_invariant_is_kept_or_named(key: str, kept: Resource, broken: Resource, path: str) -> None:
    validate(kept)
    found = faults(broken)
    assert [place for place, _ in found] == [path]
    assert f"({key})" in found[0][1]


def test_a_rule_is_silent_where_the_structure_below_it_is_wrong() -> None:
    found = faults(observation(effectivePeriod={"start": "yesterday", "end": "2024"}))
    assert [place for place, _ in found] == ["Observation.effective.ofType(Period).start"]


def bundle(kind: str, *entries: dict[str, Any], **elements: Any) -> Resource:
    return {"resourceType": "Bundle", "type": kind, **({"entry": list(entries)} if entries else {}), **elements}


POST = {"method": "POST", "url": "Patient"}
ANN = {"resourceType": "Patient", "id": "ann"}


@pytest.mark.parametrize(
    ("key", "resource", "path"),
    [
        ("bdl-1", bundle("collection", total=1), "Bundle.total"),
        ("bdl-2", bundle("collection", {"resource": ANN, "search": {"mode": "match"}}), "Bundle.entry[0].search"),
        ("bdl-3", bundle("transaction", {"resource": ANN}), "Bundle.entry[0].request"),
        ("bdl-3", bundle("collection", {"resource": ANN, "request": POST}), "Bundle.entry[0].request"),
        ("bdl-4", bundle("batch-response", {"resource": ANN}), "Bundle.entry[0].response"),
        ("bdl-4", bundle("batch", {"request": POST, "response": {"status": "200"}}), "Bundle.entry[0].response"),
        ("bdl-5", bundle("collection", {"fullUrl": "urn:uuid:1"}), "Bundle.entry[0]"),
        (
            "bdl-7",
            bundle("collection", {"fullUrl": "urn:x:1", "resource": ANN}, {"fullUrl": "urn:x:1", "resource": ANN}),
            "Bundle.entry[1].fullUrl",
        ),
        (
            "bdl-8",
            bundle("collection", {"fullUrl": "http://x/Patient/1/_history/1", "resource": ANN}),
            "Bundle.entry[0].fullUrl",
        ),
        ("bdl-12", bundle("message", {"resource": ANN}), "Bundle.entry"),
    ],
)
def test_a_bundle_rule_is_named(key: str, resource: Resource, path: str) -> None:
    found = faults(resource)
    assert [place for place, _ in found] == [path]
    assert f"({key})" in found[0][1]


AT_OTHER = "http://h/fhir/Patient/other"


@pytest.mark.parametrize(
    ("resource", "says"),
    [
        (bundle("searchset", {"fullUrl": AT_OTHER, "resource": ANN}), "another id"),
        (
            bundle("history", {"fullUrl": AT_OTHER, "resource": ANN, "request": POST, "response": {"status": "200"}}),
            "another id",
        ),
        (bundle("collection", {"fullUrl": "http://h/fhir/Group/ann", "resource": ANN}), "names a Group"),
        (bundle("transaction", {"fullUrl": "http://h/Group/ann", "resource": ANN, "request": POST}), "names a Group"),
        (bundle("batch", {"fullUrl": "Patient/ann", "resource": ANN, "request": POST}), "absolute url"),
        (bundle("collection", {"fullUrl": "/Patient/ann", "resource": ANN}), "absolute url"),
    ],
)
def test_a_full_url_that_disagrees_with_its_resource_is_named(resource: Resource, says: str) -> None:
    ((path, text),) = faults(resource)
    assert path == "Bundle.entry[0].fullUrl"
    assert says in text


@pytest.mark.parametrize(
    "resource",
    [
        bundle("searchset", {"fullUrl": "https://h/fhir/Patient/ann", "resource": ANN}),
        bundle("searchset", {"fullUrl": "http://h/Patient/other", "resource": {"resourceType": "Patient"}}),
        bundle("searchset", {"fullUrl": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "resource": ANN}),
        bundle("searchset", {"fullUrl": "http://h/things/Stuff/other", "resource": ANN}),
        bundle("collection", {"fullUrl": AT_OTHER, "resource": ANN}),
        bundle("transaction", {"fullUrl": AT_OTHER, "resource": ANN, "request": POST}),
    ],
)
def test_a_full_url_may_name_the_resource_or_something_of_no_type(resource: Resource) -> None:
    validate(resource)


def test_a_document_needs_identifier_timestamp_and_a_composition() -> None:
    assert [place for place, _ in faults(bundle("document", {"resource": ANN}))] == [
        "Bundle.identifier",
        "Bundle.timestamp",
        "Bundle.entry",
    ]


def test_the_resources_of_a_bundle_are_validated_with_their_place() -> None:
    wrong = {"resource": {"resourceType": "Patient", "gender": "x"}, "request": POST}
    assert [place for place, _ in faults(bundle("transaction", {"resource": ANN, "request": POST}, wrong))] == [
        "Bundle.entry[1].resource.gender"
    ]
