"""What a history has beside carebundle's: a patient to be reached, an appointment, a device, a vaccine, a letter."""

from __future__ import annotations

import base64
import random
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from local.samples.people import ORGANIZATION, PRACTITIONER, Person

Resource = dict[str, Any]
LATEST = date(2026, 1, 1)  # the day of the last visit that carebundle writes
HOME_READINGS = 28
OFFICE_OPENS = time(9, 30, tzinfo=UTC)


def contactable(patient: Resource, person: Person) -> Resource:
    """`patient` with the person's own name, addresses and language; the narrative of the former name goes."""
    kept = {name: value for name, value in patient.items() if name not in ("text", "name")}
    return {
        **kept,
        "id": person.id,
        "active": True,
        "name": [{"use": "official", "family": person.family, "given": [person.given]}],
        "telecom": [
            {"system": "email", "value": person.email, "use": "home", "rank": 1},
            {"system": "phone", "value": person.phone, "use": "mobile", "rank": 2},
        ],
        "communication": [
            {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": person.language}]}, "preferred": True}
        ],
        "generalPractitioner": [{"reference": f"Practitioner/{PRACTITIONER}"}],
        "managingOrganization": {"reference": f"Organization/{ORGANIZATION}"},
    }


def appointment_start(now: datetime) -> datetime:
    """A moment of tomorrow (UTC) within the 24 hours in which a reminder is due; at the office's opening if that is."""
    tomorrow = now.date() + timedelta(days=1)
    opening = datetime.combine(tomorrow, OFFICE_OPENS)
    if opening <= now + timedelta(hours=24):
        return opening
    within = now + timedelta(hours=23)
    half_hour = within.replace(minute=within.minute // 30 * 30, second=0, microsecond=0)
    return max(half_hour, datetime.combine(tomorrow, time(0, tzinfo=UTC)))


def appointment(person: Person, resource_id: str, now: datetime) -> Resource:
    """The appointment of tomorrow, which leads to a reminder."""
    start = appointment_start(now)
    return {
        "resourceType": "Appointment",
        "id": resource_id,
        "status": "booked",
        "serviceType": [{"text": "Follow-up visit"}],
        "description": "Follow-up visit",
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end": (start + timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "minutesDuration": 30,
        "participant": [
            {"actor": {"reference": f"Patient/{person.id}"}, "required": "required", "status": "accepted"},
            {"actor": {"reference": f"Practitioner/{PRACTITIONER}"}, "required": "required", "status": "accepted"},
        ],
    }


def device(person: Person, resource_id: str) -> Resource:
    """A wrist monitor of the person's own."""
    return {
        "resourceType": "Device",
        "id": resource_id,
        "status": "active",
        "manufacturer": "Example Devices",
        "serialNumber": f"EX-{person.seed:06d}",
        "deviceName": [{"name": "Example Wrist Monitor", "type": "user-friendly-name"}],
        "type": {"text": "Heart rate monitor"},
        "patient": {"reference": f"Patient/{person.id}"},
    }


def home_readings(person: Person, device_id: str, ids: list[str]) -> list[Resource]:
    """One heart rate a morning, up to the day before the last visit; `ids` one for each."""
    drawn = random.Random(person.seed)
    return [
        _heart_rate(person, device_id, resource_id, LATEST - timedelta(days=len(ids) - number), drawn)
        for number, resource_id in enumerate(ids)
    ]


def _heart_rate(person: Person, device_id: str, resource_id: str, day: date, drawn: random.Random) -> Resource:
    return {
        "resourceType": "Observation",
        "id": resource_id,
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "vital-signs",
                        "display": "Vital Signs",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]},
        "subject": {"reference": f"Patient/{person.id}"},
        "effectiveDateTime": f"{day.isoformat()}T07:{drawn.randrange(60):02d}:00Z",
        "device": {"reference": f"Device/{device_id}"},
        "valueQuantity": {
            "value": drawn.randrange(58, 84),
            "unit": "beats/minute",
            "system": "http://unitsofmeasure.org",
            "code": "/min",
        },
    }


def immunization(person: Person, resource_id: str) -> Resource:
    """The influenza vaccine of the autumn before."""
    return {
        "resourceType": "Immunization",
        "id": resource_id,
        "status": "completed",
        "vaccineCode": {
            "coding": [
                {
                    "system": "http://hl7.org/fhir/sid/cvx",
                    "code": "140",
                    "display": "Influenza, seasonal, injectable, preservative free",
                }
            ]
        },
        "patient": {"reference": f"Patient/{person.id}"},
        "occurrenceDateTime": "2025-10-14",
        "primarySource": True,
        "lotNumber": f"LOT-{person.seed:04d}",
        "performer": [{"actor": {"reference": f"Practitioner/{PRACTITIONER}"}}],
    }


def letter(person: Person, resource_id: str) -> Resource:
    """A short letter of the clinic, with its text in it."""
    text = (
        f"Lakeside Clinic\n\nDear {person.given} {person.family},\n\n"
        "thank you for your visit. Your results are in your record; we look forward to seeing you again.\n\n"
        "Dr. Ngozi Okafor\n"
    )
    return {
        "resourceType": "DocumentReference",
        "id": resource_id,
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": "51852-2", "display": "Letter"}]},
        "subject": {"reference": f"Patient/{person.id}"},
        "date": "2026-01-02T08:00:00Z",
        "author": [{"reference": f"Practitioner/{PRACTITIONER}"}],
        "custodian": {"reference": f"Organization/{ORGANIZATION}"},
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "language": "en",
                    "data": base64.b64encode(text.encode()).decode(),
                    "title": "Letter after the visit",
                    "creation": "2026-01-02T08:00:00Z",
                }
            }
        ],
    }
