"""Who the sample people are, and those who care for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PRACTITIONER, ORGANIZATION, ROLE = "sample-dr-okafor", "sample-lakeside-clinic", "sample-dr-okafor-lakeside"


@dataclass(frozen=True, slots=True)
class Person:
    """A sample person.

    profile   which of carebundle's pictures of health
    seed      decides every value that carebundle draws
    language  BCP 47; what reminders are written in
    """

    id: str
    given: str
    family: str
    sex: str
    profile: str
    seed: int
    language: str
    phone: str

    @property
    def email(self) -> str:
        """At a domain that can have no mailbox (RFC 2606)."""
        return f"{self.given.lower()}@example.org"


PEOPLE = (
    Person("sample-amina", "Amina", "Testerfield", "F", "type2_diabetes", 11, "en", "+1-202-555-0143"),
    Person("sample-bruno", "Bruno", "Probst", "M", "hypertension", 23, "de", "+49-30-5550-0143"),
    Person("sample-claire", "Claire", "Exemple", "F", "ckd_stage3", 37, "fr", "+33-1-5550-0143"),
)


def put(resource: dict[str, Any]) -> dict[str, Any]:
    """A transaction's entry that stores `resource` under its own id."""
    url = f"{resource['resourceType']}/{resource['id']}"
    return {
        "fullUrl": f"https://portal.example/fhir/{url}",
        "resource": resource,
        "request": {"method": "PUT", "url": url},
    }


def transaction(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """All or nothing of `resources`."""
    return {"resourceType": "Bundle", "type": "transaction", "entry": [put(resource) for resource in resources]}


CARE_GIVERS = transaction(
    [
        {
            "resourceType": "Organization",
            "id": ORGANIZATION,
            "active": True,
            "type": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/organization-type",
                            "code": "prov",
                            "display": "Healthcare Provider",
                        }
                    ]
                }
            ],
            "name": "Lakeside Clinic (sample)",
            "telecom": [{"system": "email", "value": "frontdesk@example.org", "use": "work"}],
        },
        {
            "resourceType": "Practitioner",
            "id": PRACTITIONER,
            "active": True,
            "name": [{"use": "official", "family": "Okafor", "given": ["Ngozi"], "prefix": ["Dr."]}],
            "telecom": [{"system": "email", "value": "okafor@example.org", "use": "work"}],
        },
        {
            "resourceType": "PractitionerRole",
            "id": ROLE,
            "active": True,
            "practitioner": {"reference": f"Practitioner/{PRACTITIONER}"},
            "organization": {"reference": f"Organization/{ORGANIZATION}"},
            "specialty": [
                {
                    "coding": [
                        {
                            "system": "http://snomed.info/sct",
                            "code": "419192003",
                            "display": "Internal medicine",
                        }
                    ]
                }
            ],
        },
    ]
)
