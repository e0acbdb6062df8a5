"""Whose record a resource is at home in, and who else is named."""

from __future__ import annotations

from typing import Any

import pytest

from shared_code.fhir import SHARED_TYPES, home_of, is_homed_type, other_patients, resource_types


def reference(target: str) -> dict[str, str]:
    return {"reference": target}


@pytest.mark.parametrize(
    ("resource", "home"),
    [
        pytest.param({"resourceType": "Patient", "id": "p1"}, "Patient/p1", id="a Patient is its own home"),
        pytest.param({"resourceType": "Patient"}, None, id="a Patient without id"),
        pytest.param({"resourceType": "Observation", "subject": reference("Patient/p1")}, "Patient/p1", id="subject"),
        pytest.param(
            {"resourceType": "Observation", "subject": reference("Patient/p1/_history/3")}, "Patient/p1", id="versioned"
        ),
        pytest.param(
            {"resourceType": "Observation", "performer": [reference("Patient/p2")], "subject": reference("Patient/p1")},
            "Patient/p1",
            id="the subject before the performer",
        ),
        pytest.param(
            {
                "resourceType": "AllergyIntolerance",
                "recorder": reference("Patient/p2"),
                "patient": reference("Patient/p1"),
            },
            "Patient/p1",
            id="the patient before the recorder",
        ),
        pytest.param({"resourceType": "Device", "patient": reference("Patient/p1")}, "Patient/p1", id="Device.patient"),
        pytest.param({"resourceType": "Task", "for": reference("Patient/p1")}, "Patient/p1", id="Task.for"),
        pytest.param(
            {"resourceType": "Coverage", "payor": [reference("Patient/p2")], "beneficiary": reference("Patient/p1")},
            "Patient/p1",
            id="the beneficiary before the payor",
        ),
        pytest.param(
            {
                "resourceType": "Appointment",
                "participant": [{"actor": reference("Practitioner/d")}, {"actor": reference("Patient/p1")}],
            },
            "Patient/p1",
            id="the participant who is a patient",
        ),
        pytest.param(
            {"resourceType": "Observation", "subject": reference("Group/g")}, None, id="a subject of another type"
        ),
        pytest.param({"resourceType": "Observation"}, None, id="no subject"),
        pytest.param({"resourceType": "Observation", "subject": reference("urn:uuid:1")}, None, id="not resolved yet"),
        pytest.param({"resourceType": "Observation", "subject": {"display": "An"}}, None, id="no literal reference"),
        pytest.param({"resourceType": "Observation", "subject": reference("#p")}, None, id="contained"),
        pytest.param(
            {"resourceType": "Group", "member": [{"entity": reference("Patient/p1")}]}, None, id="a Group is nobody's"
        ),
        pytest.param(
            {"resourceType": "Person", "link": [{"target": reference("Patient/p1")}]}, None, id="a Person is nobody's"
        ),
        pytest.param({"resourceType": "Organization", "name": "x"}, None, id="a shared type"),
        pytest.param({"resourceType": "Nonsense"}, None, id="no type of R4"),
    ],
)
def test_home_of(resource: dict[str, Any], home: str | None) -> None:
    assert home_of(resource) == home


def test_an_appointment_of_two_names_the_other_patient() -> None:
    actors = ("Patient/p1", "Practitioner/d", "Patient/p2", "Patient/p1")
    resource = {"resourceType": "Appointment", "participant": [{"actor": reference(actor)} for actor in actors]}
    assert other_patients(resource) == ["Patient/p2"]


def test_a_patient_names_no_others() -> None:
    link = {"other": reference("Patient/p2"), "type": "seealso"}
    assert other_patients({"resourceType": "Patient", "id": "p1", "link": [link]}) == []


def test_types_are_shared_or_homed_or_neither_but_never_both() -> None:
    assert resource_types() >= SHARED_TYPES
    homed = {name for name in resource_types() if is_homed_type(name)}
    assert not homed & SHARED_TYPES
    assert {"Observation", "Device", "Task", "Appointment", "DocumentReference"} <= homed
    assert not {"Patient", "Group", "Person", "Bundle", "Organization"} & homed


def test_all_concrete_types_of_r4_but_parameters_have_an_endpoint() -> None:
    assert len(resource_types()) == 145
    assert not {"Resource", "DomainResource", "Parameters"} & resource_types()
