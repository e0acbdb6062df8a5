"""Small valid resources and callers for tests; what a test is about, it says itself."""

from __future__ import annotations

from typing import Any

from shared_code.fhir import Resource
from shared_code.identity import Caller, read_scopes


def system(scope: str = "system/*.cruds") -> Caller:
    """A system whose scopes reach everything, unless said otherwise."""
    return Caller("clinic", "system", None, read_scopes(scope.split()))


def person(patient_id: str, scope: str = "patient/*.cruds") -> Caller:
    """The person of a Patient."""
    return Caller(patient_id, "person", f"Patient/{patient_id}", read_scopes(scope.split()))


def practitioner(scope: str = "user/*.cruds") -> Caller:
    """A practitioner."""
    return Caller("dr", "practitioner", None, read_scopes(scope.split()))


def patient(**elements: Any) -> Resource:
    """A Patient."""
    return {"resourceType": "Patient", "name": [{"family": "Peeters", "given": ["An"]}]} | elements


def observation(patient_id: str = "anna", **elements: Any) -> Resource:
    """A body weight of a person."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": "2026-03-01T08:00:00+01:00",
        "valueQuantity": {"value": 72, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    } | elements


def appointment(*patient_ids: str, **elements: Any) -> Resource:
    """A booked Appointment of these persons."""
    return {
        "resourceType": "Appointment",
        "status": "booked",
        "start": "2026-12-01T09:00:00+01:00",
        "end": "2026-12-01T09:20:00+01:00",
        "participant": [
            {"actor": {"reference": f"Patient/{patient_id}"}, "status": "accepted"} for patient_id in patient_ids
        ],
    } | elements


def organization(**elements: Any) -> Resource:
    """An Organization, which is shared by all."""
    return {"resourceType": "Organization", "name": "Clinic"} | elements


def identifier(value: str, system: str = "http://example.org/ids") -> dict[str, str]:
    """An Identifier."""
    return {"system": system, "value": value}
