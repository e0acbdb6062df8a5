"""A person's records as clinics send them: resources of one and a half to two kilobytes, whole histories as bundles."""

from __future__ import annotations

import uuid
from typing import Any

Resource = dict[str, Any]

PRACTITIONER = "http://hl7.org/fhir/sid/us-npi|9999900001"
ORGANIZATION = "https://portal.example/organizations|bench-clinic"
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
# Of every ten entries after the Patient: a visit, what was measured in it, and what followed.
VISIT = ("Encounter", *["Observation"] * 6, "DiagnosticReport", "Procedure", "MedicationRequest")


def care_givers() -> Resource:
    """A transaction that makes those whom histories refer to by identifier."""
    system, _, value = PRACTITIONER.partition("|")
    practitioner = {
        "resourceType": "Practitioner",
        "identifier": [{"system": system, "value": value}],
        "name": [{"family": "Okafor", "given": ["Ngozi"], "prefix": ["Dr."]}],
    }
    system, _, value = ORGANIZATION.partition("|")
    organization = {
        "resourceType": "Organization",
        "identifier": [{"system": system, "value": value}],
        "name": "Lakeside Clinic",
    }
    entries = [(f"urn:uuid:{uuid.uuid4()}", resource) for resource in (practitioner, organization)]
    return _transaction(entries)


def history(number: int, entries: int) -> Resource:
    """A transaction of one new person and all of their history, as an export from elsewhere has it."""
    patient = f"urn:uuid:{uuid.uuid4()}"
    made = [(patient, _patient(number))]
    encounter = patient
    for place in range(entries - 1):
        url = f"urn:uuid:{uuid.uuid4()}"
        resource_type = VISIT[place % len(VISIT)]
        if resource_type == "Encounter":
            encounter = url
        made.append((url, _MAKERS[resource_type](patient, encounter, place)))
    return _transaction(made)


def _transaction(entries: list[tuple[str, Resource]]) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for url, one in entries
        ],
    }


def observation(patient: str, encounter: str | None, number: int) -> Resource:
    """A blood pressure with what a clinic's system says beside the two numbers."""
    resource = {
        "resourceType": "Observation",
        "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/bp"]},
        "identifier": [{"system": "https://portal.example/observations", "value": str(uuid.uuid4())}],
        "status": "final",
        "category": [_concept(CATEGORY, "vital-signs", "Vital signs")],
        "code": _concept(LOINC, "85354-9", "Blood pressure panel with all children optional"),
        "subject": {"reference": patient, "display": "Ms. Amina Testerfield"},
        "effectiveDateTime": f"{_day(number)}T{number % 24:02d}:30:00+01:00",
        "issued": f"{_day(number)}T23:42:11.120+01:00",
        "performer": [{"display": "Dr. Ngozi Okafor"}],
        "interpretation": [
            _concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "N", "Normal")
        ],
        "bodySite": _concept(SNOMED, "368209003", "Right upper arm structure"),
        "method": _concept(SNOMED, "37931006", "Auscultation"),
        "component": [
            _pressure("8480-6", "Systolic blood pressure", 118 + number % 17, 90, 140),
            _pressure("8462-4", "Diastolic blood pressure", 72 + number % 11, 60, 90),
        ],
    }
    return resource | ({"encounter": {"reference": encounter}} if encounter else {})


def _pressure(code: str, display: str, value: int, low: int, high: int) -> Resource:
    return {
        "code": _concept(LOINC, code, display),
        "valueQuantity": _mmhg(value),
        "referenceRange": [{"low": _mmhg(low), "high": _mmhg(high), "text": f"{low} to {high} mmHg"}],
    }


def _mmhg(value: int) -> Resource:
    return {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}], "text": display}


def _day(number: int) -> str:
    return f"{2015 + number % 10}-{1 + number % 12:02d}-{1 + number % 28:02d}"


def _patient(number: int) -> Resource:
    return {
        "resourceType": "Patient",
        "identifier": [
            {"system": "https://portal.example/people", "value": str(uuid.uuid4())},
            {"system": "http://hl7.org/fhir/sid/us-ssn", "value": f"999-{number % 100:02d}-{uuid.uuid4().hex[:8]}"},
        ],
        "name": [{"use": "official", "family": f"Testerfield{number}", "given": ["Amina", "Ruth"], "prefix": ["Ms."]}],
        "telecom": [{"system": "phone", "value": "+1-202-555-0143", "use": "home"}],
        "gender": "female",
        "birthDate": "1961-04-12",
        "address": [{"line": ["12 Example Street"], "city": "Springfield", "state": "MA", "postalCode": "01101"}],
        "maritalStatus": _concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "M", "Married"),
        "communication": [{"language": _concept("urn:ietf:bcp:47", "en-US", "English (United States)")}],
    }


def _encounter(patient: str, _: str, number: int) -> Resource:
    practitioner = {"reference": f"Practitioner?identifier={PRACTITIONER}", "display": "Dr. Ngozi Okafor"}
    participation = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
    period = {"start": f"{_day(number)}T08:00:00+01:00", "end": f"{_day(number)}T08:30:00+01:00"}
    return {
        "resourceType": "Encounter",
        "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-encounter"]},
        "identifier": [{"use": "official", "system": "https://portal.example/visits", "value": str(uuid.uuid4())}],
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "type": [_concept(SNOMED, "185349003", "Encounter for check up (procedure)")],
        "subject": {"reference": patient, "display": "Ms. Amina Testerfield"},
        "participant": [
            {
                "type": [_concept(participation, "PPRF", "primary performer")],
                "period": period,
                "individual": practitioner,
            }
        ],
        "period": period,
        "reasonCode": [_concept(SNOMED, "59621000", "Essential hypertension (disorder)")],
        "location": [{"location": {"display": "Lakeside Clinic, first floor, room 12"}}],
        "serviceProvider": {"reference": f"Organization?identifier={ORGANIZATION}", "display": "Lakeside Clinic"},
    }


def _diagnostic_report(patient: str, encounter: str, number: int) -> Resource:
    text = "IyMgQXNzZXNzbWVudAoKQmxvb2QgcHJlc3N1cmUgd2l0aGluIHRoZSBhZ3JlZWQgcmFuZ2UuIENvbnRpbnVlIGFzIGJlZm9yZS4K"
    return {
        "resourceType": "DiagnosticReport",
        "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-diagnosticreport-note"]},
        "status": "final",
        "category": [
            _concept(LOINC, "34117-2", "History and physical note"),
            _concept(LOINC, "51847-2", "Evaluation + Plan note"),
        ],
        "code": _concept(LOINC, "34117-2", "History and physical note"),
        "subject": {"reference": patient, "display": "Ms. Amina Testerfield"},
        "encounter": {"reference": encounter},
        "effectiveDateTime": f"{_day(number)}T08:30:00+01:00",
        "issued": f"{_day(number)}T08:30:00.120+01:00",
        "performer": [
            {"reference": f"Practitioner?identifier={PRACTITIONER}", "display": "Dr. Ngozi Okafor"},
        ],
        "presentedForm": [{"contentType": "text/plain; charset=utf-8", "data": text * 4}],
    }


def _procedure(patient: str, encounter: str, number: int) -> Resource:
    return {
        "resourceType": "Procedure",
        "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-procedure"]},
        "identifier": [{"system": "https://portal.example/procedures", "value": str(uuid.uuid4())}],
        "status": "completed",
        "category": _concept(SNOMED, "103693007", "Diagnostic procedure"),
        "code": _concept(SNOMED, "710824005", "Assessment of health and social care needs (procedure)"),
        "subject": {"reference": patient, "display": "Ms. Amina Testerfield"},
        "encounter": {"reference": encounter},
        "performedPeriod": {
            "start": f"{_day(number)}T08:05:00+01:00",
            "end": f"{_day(number)}T08:25:00+01:00",
        },
        "performer": [
            {
                "function": _concept(SNOMED, "59058001", "General physician"),
                "actor": {"reference": f"Practitioner?identifier={PRACTITIONER}"},
            }
        ],
        "location": {"display": "Lakeside Clinic, first floor, room 12"},
        "reasonCode": [_concept(SNOMED, "59621000", "Essential hypertension (disorder)")],
        "bodySite": [_concept(SNOMED, "368209003", "Right upper arm structure")],
        "note": [{"text": "Tolerated well; no complaint afterwards. To be repeated within a year or when needed."}],
    }


def _medication_request(patient: str, encounter: str, number: int) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-medicationrequest"]},
        "status": "active",
        "intent": "order",
        "category": [
            _concept("http://terminology.hl7.org/CodeSystem/medicationrequest-category", "community", "Community")
        ],
        "medicationCodeableConcept": _concept(
            "http://www.nlm.nih.gov/research/umls/rxnorm", "314076", "lisinopril 10 MG Oral Tablet"
        ),
        "subject": {"reference": patient, "display": "Ms. Amina Testerfield"},
        "encounter": {"reference": encounter},
        "authoredOn": f"{_day(number)}T08:30:00+01:00",
        "requester": {"reference": f"Practitioner?identifier={PRACTITIONER}", "display": "Dr. Ngozi Okafor"},
        "reasonCode": [_concept(SNOMED, "59621000", "Essential hypertension (disorder)")],
        "dosageInstruction": [
            {
                "sequence": 1,
                "text": "One tablet every morning, with water, before breakfast",
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "asNeededBoolean": False,
                "route": _concept(SNOMED, "26643006", "Oral route"),
                "doseAndRate": [{"doseQuantity": {"value": 1.0, "unit": "tablet", "system": UCUM, "code": "1"}}],
            }
        ],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 3,
            "quantity": {"value": 90, "unit": "tablet", "system": UCUM, "code": "1"},
        },
    }


_MAKERS = {
    "Encounter": _encounter,
    "Observation": observation,
    "DiagnosticReport": _diagnostic_report,
    "Procedure": _procedure,
    "MedicationRequest": _medication_request,
}
