"""What this server says about itself: the CapabilityStatement, made from what is served and nothing else."""

from __future__ import annotations

from shared_code.fhir.resource_types import SHARED_TYPES, Resource, is_homed_type, resource_types
from shared_code.fhir.search_values import search_parameters

INTERACTIONS = ("read", "vread", "update", "create", "delete", "history-instance", "search-type")

_EVERYWHERE = (
    {"name": "_id", "type": "token", "definition": "http://hl7.org/fhir/SearchParameter/Resource-id"},
    {"name": "_lastUpdated", "type": "date", "definition": "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated"},
)


def capability_statement(base_url: str, version: str, date: str) -> Resource:
    """The statement for `GET metadata`.

    base_url   of the FHIR endpoint, without a slash at the end
    version    of this software
    date       when the capabilities last changed, a FHIR dateTime
    """
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Health portal", "version": version},
        "implementation": {"description": "FHIR R4 endpoint of the health portal", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["json", "application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "documentation": _SEARCHES,
                "security": {
                    "cors": True,
                    "service": [{"coding": [_OAUTH], "text": "OAuth 2.0 bearer token"}],
                    "description": "Every request but this one and the health checks needs a bearer token, a JWT of a "
                    "configured issuer with SMART scopes, in the Authorization header.",
                },
                "resource": [_resource(name) for name in sorted(resource_types())],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


_SEARCHES = (
    "A person's search without patient means that person's own record. A search of a shared type (Organization, "
    "Practitioner, Location, Medication, definitions …) by a person or practitioner names _id or "
    "identifier=system|value. A system's search that names no patient goes through all records, page by page in the "
    "order of ids; its cost grows with the store. Unknown parameters are ignored and named in an outcome entry, or "
    "refused under Prefer: handling=strict. Searches can also be sent by POST to [type]/_search."
)
_OAUTH = {"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "OAuth"}


def may_have_condition(resource_type: str) -> bool:
    """Whether a condition can name a resource of the type: by an identifier, or within the record of one patient."""
    parameters = search_parameters(resource_type)
    if resource_type == "Patient" or resource_type in SHARED_TYPES:
        return "identifier" in parameters
    names_patient = any(name in parameters and "Patient" in parameters[name].targets for name in ("patient", "subject"))
    return is_homed_type(resource_type) and names_patient


def _resource(resource_type: str) -> Resource:
    served = ({"name": row.name, "type": row.kind} for row in search_parameters(resource_type).values())
    return {
        "type": resource_type,
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": may_have_condition(resource_type),
        "conditionalRead": "not-match",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "searchParam": [*_EVERYWHERE, *served],
    }
