"""What a Reference must be like: its literal form, and the types that the element allows."""

from __future__ import annotations

import re
from typing import Any

from shared_code.fhir.findings import Findings, Place, Step, shortened
from shared_code.fhir.references import relative
from shared_code.fhir.resource_types import resource_types
from shared_code.fhir.value_checks import MAX_REMEMBERED, MAX_REMEMBERED_BYTES, Check, encoded

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^ \t\r\n]+")
_RESTFUL = re.compile(r"https?://\S+?/([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?[^ \t\r\n]+")
_LOCAL = re.compile(r"#[A-Za-z0-9\-.]{0,64}")


def reference_rule(structure: Check, targets: frozenset[str]) -> Check:
    """The check of a Reference element.

    structure   the structural check of the data type
    targets     the types that the element allows; empty: any
    """

    def check(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        here = (parent, step)
        text = encoded(value)
        kind = _known.get(text, _UNKNOWN)
        if kind is _UNKNOWN:
            before = findings.state()
            kind = _checked(structure, value, here, findings)
            if findings.state() == before and len(text) <= MAX_REMEMBERED_BYTES and b"?" not in text:
                _remember(text, kind)
            if findings.count > before[0]:
                return
        literal = value.get("reference")
        if literal is not None and literal[0] == "#":
            findings.local.append((value, here, targets))
            return
        if literal is not None:
            findings.pointers.references.append((value, here))
        if kind:
            _require_allowed(kind, targets, here, findings)

    return check


def check_local(reference: dict[str, Any], kind: str, targets: frozenset[str], here: Place, findings: Findings) -> None:
    """Check a reference to a contained resource, once it is known to be of the type `kind`."""
    _said(reference, kind, here, findings)
    _require_allowed(kind, targets, here, findings)


def _require_allowed(kind: str, targets: frozenset[str], here: Place, findings: Findings) -> None:
    if targets and kind not in targets and kind in resource_types():
        findings.add("value", f"may refer to {_either(targets)}, not to {kind}", here)


# What references were about, by their JSON text, those of which nothing else has to be known: a record names the same
# few persons and places again and again.
_known: dict[bytes, str] = {}
_UNKNOWN = "unknown"


def _remember(text: bytes, kind: str) -> None:
    if len(_known) >= MAX_REMEMBERED:
        _known.clear()
    _known[text] = kind


def _checked(structure: Check, value: Any, here: Place, findings: Findings) -> str:
    """The type that a Reference names, empty where it names none, once its structure is found right."""
    before = findings.count
    structure(value, *here, findings)
    if findings.count > before:
        return ""
    literal = value.get("reference")
    kind = _target_type(literal, here, findings) if literal is not None else None
    said = _said(value, kind, here, findings) if "type" in value else ""
    return kind or said


def _said(reference: dict[str, Any], kind: str | None, here: Place, findings: Findings) -> str:
    """The type that a Reference says itself, which must be the one that it leads to, where that is known."""
    said: str = reference.get("type", "").removeprefix("http://hl7.org/fhir/StructureDefinition/")
    if said and kind and said != kind:
        findings.add("value", f"says {shortened(said)}, but the reference is to {kind}", here, "type")
    return said


def _target_type(literal: str, here: Place, findings: Findings) -> str | None:
    """The type that a literal reference names; None where it names none, or is wrong and was added to the findings."""
    if literal.startswith("urn:"):
        return None  # the common form within a transaction
    if target := relative(literal):
        if target[0] in resource_types():
            return target[0]
        findings.add("value", f"refers to '{shortened(target[0])}', which is no resource type", here, "reference")
    elif _LOCAL.fullmatch(literal):
        return None  # known when the whole resource was seen
    elif match := _CONDITIONAL.fullmatch(literal):
        if findings.conditional_references and match[1] in resource_types():
            return match[1]
        findings.add("value", "is a conditional reference, which only a transaction may hold", here, "reference")
    elif match := _RESTFUL.fullmatch(literal):
        return match[1] if match[1] in resource_types() else None
    elif not _ABSOLUTE.fullmatch(literal):
        findings.add("value", "must be Type/id, #id of a contained resource, or an absolute url", here, "reference")
    return None


def _either(targets: frozenset[str]) -> str:
    names = sorted(targets)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
