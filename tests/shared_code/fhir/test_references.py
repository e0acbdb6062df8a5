"""Finding references, wherever they are."""

from __future__ import annotations

from shared_code.fhir import references


def test_references_are_found_everywhere_with_their_paths() -> None:
    subject, target, author = (
        {"reference": "Patient/1"},
        {"reference": "#o"},
        {"reference": "Practitioner/1", "display": "Dr"},
    )
    resource = {
        "resourceType": "Observation",
        "contained": [{"resourceType": "Organization", "id": "o", "partOf": author}],
        "extension": [{"url": "http://x", "valueReference": target}],
        "subject": subject,
        "performer": [{"identifier": {"value": "7"}}, author],
    }
    found = list(references(resource))
    assert found == [
        ("Observation.contained[0].partOf", author),
        ("Observation.extension[0].valueReference", target),
        ("Observation.subject", subject),
        ("Observation.performer[1]", author),
    ]
    found[2][1]["reference"] = "Patient/2"
    assert resource["subject"] == {"reference": "Patient/2"}


def test_an_element_that_is_only_called_reference_is_none() -> None:
    resource = {
        "resourceType": "Immunization",
        "education": [{"reference": "http://leaflet.example"}],
        "extension": [{"url": "http://x", "valueExpression": {"language": "text/cql", "reference": "http://library"}}],
    }
    assert list(references(resource)) == []
    assert list(references({"resourceType": "DetectedIssue", "status": "final", "reference": "http://source"})) == []
