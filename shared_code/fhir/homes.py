"""The home table at work: whose record a resource belongs to, and who else is named in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from shared_code.fhir.definitions import definition
from shared_code.fhir.property_paths import Finder, finder
from shared_code.fhir.references import relative
from shared_code.fhir.resource_types import Resource, is_homed_type


def home_of(resource: Resource) -> str | None:
    """'Patient/<id>' where the resource is at home; None: it is nobody's and has a key of its own.

    The elements of the home table are tried in order, patient, subject, beneficiary and for before others; the first
    relative reference to a Patient decides. References of the form `urn:uuid:` are to be resolved before.
    """
    if resource.get("resourceType") == "Patient":
        own_id = resource.get("id")
        return f"Patient/{own_id}" if isinstance(own_id, str) else None
    return next(_patients(resource), None)


def other_patients(resource: Resource) -> list[str]:
    """The patients named in the home table's elements beside the home, in order, each once: 'Patient/<id>'."""
    return list(dict.fromkeys(_patients(resource)))[1:]


def _patients(resource: Resource) -> Iterator[str]:
    for find in _finders(str(resource.get("resourceType"))):
        for reference in find(resource):
            literal = reference.get("reference") if isinstance(reference, dict) else None
            target = relative(literal) if isinstance(literal, str) else None
            if target is not None and target[0] == "Patient":
                yield f"Patient/{target[1]}"


@cache
def _finders(resource_type: str) -> tuple[Finder, ...]:
    if not is_homed_type(resource_type):
        return ()
    found = definition(resource_type) or {}
    return tuple(finder(path) for path in found["home"])
