"""Whether a resource is valid R4: the one door for what is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_code.errors import Invalid, Malformed
from shared_code.fhir.findings import Findings, Pointers, kind_of
from shared_code.fhir.resource_types import concrete_types
from shared_code.fhir.structure import check_resource


def validate(resource: Any, *, conditional_references: bool = False) -> Mapping[int, Pointers]:
    """Hold a resource against R4, with all that it contains; a Bundle with the resources of its entries.

    Gives what leads elsewhere in each resource that was seen, but those contained, by the `id()` of its object; what is
    in a Bundle leads elsewhere for its entries alone.

    conditional_references   whether 'Patient?identifier=…' may stand for a reference; within a Bundle that is a
                             transaction or batch it always may
    raises    Malformed: not an object. Invalid: one issue per fault with its FHIRPath, the first 100 of them
    """
    if not isinstance(resource, dict):
        raise Malformed(f"A resource is a JSON object, not {kind_of(resource)}.")
    requests = resource.get("resourceType") == "Bundle" and resource.get("type") in ("transaction", "batch")
    findings = Findings(conditional_references or requests)
    kind = resource.get("resourceType")
    check_resource(resource, None, kind if isinstance(kind, str) and kind in concrete_types() else "", findings)
    if findings.issues:
        raise Invalid(issues=findings.issues)
    return findings.pointers_of
