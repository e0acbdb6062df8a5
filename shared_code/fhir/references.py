"""Literal references: the forms they take, and where in a resource they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shared_code.fhir.findings import Place, rendered
from shared_code.fhir.resource_types import Resource

_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_VERSION = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")

# Backbone elements with a `reference` that is a plain uri, not part of a Reference: Immunization.education
_NO_REFERENCE_IN = "education"
_CONTAINERS = frozenset({dict, list})
_REFERENCE_KEYS = frozenset({"id", "extension", "reference", "type", "identifier", "display"})


def relative(text: str) -> tuple[str, str] | None:
    """Type and id of a relative literal reference ('Patient/p1', 'Patient/p1/_history/2'); None for any other form."""
    match = _RELATIVE.fullmatch(text)
    return (match[1], match[2]) if match else None


def unversioned(text: str) -> str:
    """The reference to the resource whatever its version: 'Patient/p1/_history/2' → 'Patient/p1'."""
    return _VERSION.sub("", text) if "/_history/" in text else text


def references(resource: Resource) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every Reference object with a `reference`, with its path; also those in extensions and contained resources.

    In the order of the text. The objects are the resource's own: what changes one, changes the resource.
    """
    kind = resource.get("resourceType")
    open_nodes: list[tuple[Place, str, Any]] = [((None, kind if isinstance(kind, str) else ""), "", resource)]
    while open_nodes:
        place, name, node = open_nodes.pop()
        if type(node) is dict:
            if isinstance(node.get("reference"), str) and name != _NO_REFERENCE_IN and is_reference(node):
                yield rendered(place) or "", node
            below = [((place, key), key, child) for key, child in node.items() if type(child) in _CONTAINERS]
        else:
            below = [((place, index), name, child) for index, child in enumerate(node) if type(child) in _CONTAINERS]
        below.reverse()
        open_nodes += below


def is_reference(node: dict[str, Any]) -> bool:
    """Whether an object with a `reference` is a Reference: `Immunization.education` has one that is a plain uri."""
    return all(key in _REFERENCE_KEYS or key[0] == "_" for key in node)
