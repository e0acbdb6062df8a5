"""Whether a resource is valid R4: the one door for what is written."""

from __future__ import annotations

from typing import Any

from shared_code.errors import Invalid, Malformed
from shared_code.fhir.findings import Findings, kind_of
from shared_code.fhir.resource_types import concrete_types
from shared_code.fhir.structure import check_resource


def validate(resource: Any, *, conditional_references: bool = False) -> None:
    """Hold a resource against R4, with all that it contains; a Bundle with the resources of its entries.

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
