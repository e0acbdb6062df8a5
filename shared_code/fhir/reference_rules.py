"""What a Reference must be like: its literal form, and the types that the element allows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from shared_code.fhir.findings import Findings, Place, Step, shortened
from shared_code.fhir.references import relative
from shared_code.fhir.resource_types import resource_types

type Check = Callable[[Any, Place | None, Step, Findings], None]

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^ \t\r\n]+")
_RESTFUL = re.compile(r"https?://\S+?/([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?[^ \t\r\n]+")
_LOCAL = re.compile(r"#[A-Za-z0-9\-.]{0,64}")


def reference_rule(structure: Check, targets: frozenset[str]) -> Check:
    """The check of a Reference element.

    structure   the structural check of the data type
    targets     the types that the element allows; empty: any
    """

    allowed = targets or resource_types()

    def check(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        before = findings.count
        structure(value, parent, step, findings)
        if findings.count > before:
            return
        here = (parent, step)
        literal = value.get("reference")
        said = value.get("type")
        kind = _target_type(literal, here, findings) if literal is not None else None
        if said is not None:
            said = said.removeprefix("http://hl7.org/fhir/StructureDefinition/")
            if kind and said != kind:
                findings.add("value", f"says {shortened(said)}, but the reference is to {kind}", here, "type")
            kind = kind or said
        if kind is not None and kind not in allowed and kind in resource_types():
            findings.add("value", f"may refer to {_either(targets)}, not to {kind}", here)

    return check


def _target_type(literal: str, here: Place, findings: Findings) -> str | None:
    """The type that a literal reference names; None where it names none, or is wrong and was added to the findings."""
    if literal.startswith("urn:"):
        return None  # the common form within a transaction
    if target := relative(literal):
        if target[0] in resource_types():
            return target[0]
        findings.add("value", f"refers to '{shortened(target[0])}', which is no resource type", here, "reference")
    elif _LOCAL.fullmatch(literal):
        findings.local.append((literal[1:], here))
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
