"""What validation tells of what leads elsewhere, wherever it is."""

from __future__ import annotations

from typing import Any

from shared_code.fhir import Pointers, rendered, validate
from tests.builders import observation


def pointers(resource: dict[str, Any]) -> Pointers:
    return validate(resource)[id(resource)]


def places(resource: dict[str, Any]) -> list[tuple[str | None, dict[str, Any]]]:
    return [(rendered(place), holder) for holder, place in pointers(resource).references]


def test_references_are_found_everywhere_with_their_places() -> None:
    subject, author = {"reference": "Patient/1"}, {"reference": "Practitioner/1", "display": "Dr"}
    clinic = {"reference": "Organization/1"}
    resource = observation() | {
        "contained": [{"resourceType": "Organization", "id": "o", "name": "O", "partOf": clinic}],
        "code": {"text": "weight", "extension": [{"url": "http://x", "valueReference": author}]},
        "subject": subject,
        "performer": [{"reference": "#o"}, {"identifier": {"value": "7"}}, author],
    }
    for _ in range(2):  # what was seen before is told of no less
        found = dict(places(resource))
        assert found == {
            "Observation.contained[0].partOf": clinic,
            "Observation.code.extension[0].value.ofType(Reference)": author,
            "Observation.subject": subject,
            "Observation.performer[2]": author,
        }
    found["Observation.subject"]["reference"] = "Patient/2"
    assert resource["subject"] == {"reference": "Patient/2"}
    assert [place for place, _ in places(resource)] == list(found), "in the order of the text"


def test_an_element_that_is_only_called_reference_is_a_url() -> None:
    education = {"reference": "http://leaflet.example"}
    resource = {
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"text": "flu"},
        "patient": {"reference": "Patient/1"},
        "occurrenceString": "in spring",
        "education": [education],
    }
    assert [place for place, _ in places(resource)] == ["Immunization.patient"]
    assert pointers(resource).urls == [(education, "reference", "http://leaflet.example")]


def test_narratives_and_attachments_are_told_of() -> None:
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><a href="urn:uuid:1">x</a></div>'}
    photo = {"url": "urn:uuid:2"}
    resource = {"resourceType": "Patient", "text": text, "photo": [photo]}
    assert pointers(resource).urls == [(text, "div", text["div"]), (photo, "url", "urn:uuid:2")]


def test_the_resources_of_a_bundle_are_told_apart() -> None:
    weights = [observation() | {"subject": {"reference": f"urn:uuid:{number}"}} for number in range(2)]
    entries = [{"resource": weight, "request": {"method": "POST", "url": "Observation"}} for weight in weights]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    told = validate(bundle)
    for weight in weights:
        assert [holder for holder, _ in told[id(weight)].references] == [weight["subject"]]
    assert told[id(bundle)].references == []
