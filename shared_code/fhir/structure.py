"""The structural rules of each type, compiled from the definitions on first use into one check that looks at all once.

Unknown elements, JSON types, cardinality, primitives, codes of required bindings, choices, references; then invariants.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from shared_code.fhir.contained import check_contained
from shared_code.fhir.definitions import definition
from shared_code.fhir.findings import Findings, Place, Pointers, Step, kind_of
from shared_code.fhir.object_check import ObjectCheck
from shared_code.fhir.primitives import ELEMENT_ID, PRIMITIVES
from shared_code.fhir.reference_rules import reference_rule
from shared_code.fhir.resource_types import concrete_types
from shared_code.fhir.value_checks import (
    Check,
    code_check,
    concept_check,
    extension_check,
    list_check,
    primitive_check,
    remembering,
)

type Elements = dict[str, dict[str, Any]]

# Only complete checks are in here: another thread may look while one compiles.
_checks: dict[str, Check] = {}
_compiling = Lock()

# In a choice these profiles go by the name of their type: doseQuantity is a SimpleQuantity.
_PROFILED = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}
# Of what values are often the same, to the byte. None has whole numbers: 2 is one and 2e0 is not, and is written as 2.
_REPEATED = frozenset(
    {
        "CodeableConcept",
        "Coding",
        "Meta",
        "Observation.referenceRange",
        "Quantity",
        "SimpleQuantity",
    }
)
# Properties with a url that may be that of another resource, and the text of a narrative.
_LEADING = frozenset({"url", "uri", "valueUri", "valueUrl", "valueUuid", "valueOid", "content", "reference", "div"})
_URLS = frozenset({"uri", "url", "uuid", "oid", "xhtml"})


def check_resource(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
    """Check a resource with all that is in it; one of a Bundle or Parameters has its own contained resources."""
    kind = _resource_type(value, parent, step, findings)
    if kind is None:
        return
    outer, findings.pointers = findings.pointers, Pointers()
    outer_local, findings.local = findings.local, []
    _check_of(kind)(value, parent, step, findings)
    check_contained(value, (parent, step), findings)
    findings.local = outer_local
    if kind == "Bundle":
        findings.pointers = Pointers()  # references within it are among its own entries, and nobody else's
    findings.pointers_of[id(value)] = findings.pointers
    outer.add(findings.pointers)
    findings.pointers = outer


def _check_contained_resource(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
    kind = _resource_type(value, parent, step, findings)
    if kind is not None:
        _check_of(kind)(value, parent, step, findings)


def _resource_type(value: Any, parent: Place | None, step: Step, findings: Findings) -> str | None:
    """The type that a resource says it is of; None where it is none of R4's."""
    here = (parent, step)
    if type(value) is not dict:
        findings.add("structure", f"must be a resource, not {kind_of(value)}", here)
        return None
    kind = value.get("resourceType")
    if kind is None:
        findings.add("required", "is required", here, "resourceType")
    elif not isinstance(kind, str) or kind not in concrete_types():
        findings.add("structure", "names no resource type of R4", here, "resourceType")
    else:
        return kind
    return None


def _check_of(resource_type: str) -> Check:
    found = _checks.get(resource_type)
    if found is None:
        with _compiling:
            compiler = _Compiler(dict(_checks))
            found = compiler.check_of(resource_type)
            _checks.update(compiler.checks)
    return found


def _of_all(check: Check, element: dict[str, Any], *, is_repeated: bool = False) -> Check:
    """The check of an element, by that of one value: of its list where it may have several."""
    if "max" not in element:
        return check
    of_list = list_check(check, element["max"], element.get("min", 0))
    return remembering(of_list) if is_repeated else of_list


def _type_of(name: str, element: dict[str, Any]) -> str:
    """The type of an element that is no choice; a string called `id` is the one that every element may have."""
    kind: str = element["type"]
    return ELEMENT_ID if name == "id" and kind == "string" else kind


class _Compiler:
    """Makes the checks of a type and of all types in it; some contain themselves, so each is entered before it is made.

    checks   the checks so far, by type ('Observation', 'HumanName') or backbone element ('Observation.component')
    """

    def __init__(self, checks: dict[str, Check]) -> None:
        self.checks = checks

    def check_of(self, path: str) -> Check:
        """The check of a type or backbone element."""
        if path not in self.checks:
            check = ObjectCheck(path)
            self.checks[path] = remembering(check.look) if path in _REPEATED else check.look
            elements: Elements = (definition(path.partition(".")[0]) or {})["elements"][path]
            for name, element in elements.items():
                self._add(check, name, element)
            if path in concrete_types():
                check.others.add("resourceType")  # which chose the check that now meets it
        return self.checks[path]

    def _add(self, check: ObjectCheck, name: str, element: dict[str, Any]) -> None:
        is_choice = name.endswith("[x]")
        base = name.removesuffix("[x]")
        types: list[str] = element["type"] if is_choice else [_type_of(name, element)]
        required: set[str] = set()
        for kind in types:
            suffix = _PROFILED.get(kind, kind)
            given = base + suffix[0].upper() + suffix[1:] if is_choice else base
            names = {given, f"_{given}"} if kind in PRIMITIVES else {given}
            required |= names
            if is_choice:
                check.choices |= dict.fromkeys(names, base)
                check.steps |= dict.fromkeys(names, f"{base}.ofType({suffix})")
            of_value = _check_contained_resource if base == "contained" else self._value_check(kind, element)
            check.checks[given] = _of_all(of_value, element, is_repeated=kind.removeprefix("#") in _REPEATED)
            if kind in PRIMITIVES:
                check.checks[f"_{given}"] = _of_all(extension_check(self.check_of("Element"), f"_{given}"), element)
            if kind in _URLS and given in _LEADING and "max" not in element:
                check.urls.add(given)
        if element.get("min"):
            check.required.append((base, frozenset(required)))

    def _value_check(self, kind: str, element: dict[str, Any]) -> Check:
        if kind == "code" and "codes" in element:
            return code_check(element["codes"])
        if kind in PRIMITIVES or kind == "xhtml":
            return primitive_check(kind)
        if kind == "Resource":
            return check_resource
        check = self.check_of(kind.removeprefix("#"))
        if kind == "Reference":
            return reference_rule(check, frozenset(element.get("targets", ())))
        if kind == "CodeableConcept" and "codes" in element:
            return concept_check(check, element["codes"])
        return check
