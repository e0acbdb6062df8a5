"""The rules about contained resources: what one may be, that it is used, and that references to one lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared_code.fhir.findings import Findings, Place
from shared_code.fhir.reference_rules import check_local
from shared_code.fhir.resource_types import Resource


def check_contained(resource: Resource, at: Place, findings: Findings) -> None:
    """Check the `contained` of a resource, and the references to it that the check of the resource has come across."""
    contained = resource.get("contained")
    inner = [item for item in contained if isinstance(item, dict)] if isinstance(contained, list) else []
    types = {own: item.get("resourceType") for item in inner if isinstance(own := item.get("id"), str)}
    types[""] = resource["resourceType"]  # '#' alone means the resource that contains
    for reference, place, targets in findings.local:
        name = reference["reference"][1:]
        kind = types.get(name)
        if name not in types:
            findings.add("invariant", f"refers to '#{name}', which is not contained here (ref-1)", place, "reference")
        elif isinstance(kind, str):
            check_local(reference, kind, targets, place, findings)
    if not inner:
        return
    mentioned = set(_fragments(resource))
    taken: set[str] = set()
    for index, item in enumerate(inner):
        own = item.get("id")
        if isinstance(own, str) and own in taken:
            findings.add("invariant", "is the id of another contained resource too", at, "contained", index, "id")
        elif isinstance(own, str):
            taken.add(own)
        for text in _faults(item, mentioned):
            findings.add("invariant", text, at, "contained", index)


def _faults(item: Resource, mentioned: set[str]) -> Iterator[str]:
    if "contained" in item:
        yield "may not contain other resources, being contained itself (dom-2)"
    meta = item.get("meta")
    if isinstance(meta, dict):
        if "versionId" in meta or "lastUpdated" in meta:
            yield "may not have a version or a time of update, being contained (dom-4)"
        if "security" in meta:
            yield "may not have security labels of its own, being contained (dom-5)"
    if f"#{item.get('id')}" not in mentioned and "#" not in _fragments(item):
        yield "must be referred to from the resource that contains it, or refer to that with '#' (dom-3)"


def _fragments(value: Any) -> Iterator[str]:
    """All strings that begin with '#': references, canonicals and urls within the resource."""
    open_values = [value]
    while open_values:
        item = open_values.pop()
        if isinstance(item, dict):
            open_values += item.values()
        elif isinstance(item, list):
            open_values += item
        elif isinstance(item, str) and item.startswith("#"):
            yield item
