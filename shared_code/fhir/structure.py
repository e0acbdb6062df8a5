"""The structural rules of each type, compiled from the definitions on first use into one check that looks at all once.

Unknown elements, JSON types, cardinality, primitives, codes of required bindings, choices, references; then invariants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from threading import Lock
from typing import Any

from shared_code.fhir.contained import check_contained
from shared_code.fhir.definitions import definition
from shared_code.fhir.findings import Findings, Place, Step, kind_of, shortened
from shared_code.fhir.invariants import rules_of
from shared_code.fhir.narrative import xhtml_fault
from shared_code.fhir.primitives import MAX_STRING, PRIMITIVES, PROOFS
from shared_code.fhir.reference_rules import reference_rule
from shared_code.fhir.resource_types import concrete_types

# Looks at `value`, which is the member `step` of what is at `parent`, and adds what is wrong to the findings.
type Check = Callable[[Any, Place | None, Step, Findings], None]
type Elements = dict[str, dict[str, Any]]

# Only complete checks are in here: another thread may look while one compiles.
_checks: dict[str, Check] = {}
_compiling = Lock()

# In a choice these profiles go by the name of their type: doseQuantity is a SimpleQuantity.
_PROFILED = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}


class _Members:
    """What an object may have, by JSON property; filled in when its check exists, since types contain themselves."""

    def __init__(self) -> None:
        self.checks: dict[str, Check] = {}
        self.required: list[tuple[str, frozenset[str]]] = []
        self.choices: dict[str, str] = {}  # property name of a choice → its element: valueString → value

    def check_presence(self, value: dict[str, Any], here: Place, findings: Findings) -> None:
        """What is required is there, and of each choice only one type is."""
        for element, names in self.required:
            if element not in value and names.isdisjoint(value):
                findings.add("required", "is required", here, element)
        given = self.choices.keys() & value.keys() if self.choices else ()
        if len(given) > 1:
            chosen: dict[str, str] = {}
            for name in sorted(given, key=list(value).index):
                choice = self.choices[name]
                if name[0] == "_" and name[1:] in value:
                    continue
                if choice in chosen:
                    both = f"{chosen[choice]} and {name}"
                    findings.add("structure", f"may be given in one type only, not as {both}", here, choice)
                chosen[choice] = name


def check_resource(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
    """Check a resource with all that is in it; one of a Bundle or Parameters has its own contained resources."""
    kind = _resource_type(value, parent, step, findings)
    if kind is None:
        return
    outer, findings.local = findings.local, []
    _check_of(kind)(value, parent, step, findings)
    check_contained(value, (parent, step), findings)
    findings.local = outer


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


def _no_check(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
    """For `resourceType`, which chose the check that now meets it."""


def _settle_nulls(value: dict[str, Any], here: Place, findings: Findings) -> None:
    """A null in a list of primitives only fills a position for which there is something in the partner list."""
    later = []
    for null in findings.nulls:
        parent, name, index = null
        if parent is not here:
            later.append(null)
            continue
        extends = name[0] == "_"
        partner = value.get(name[1:] if extends else f"_{name}")
        # of two nulls the one in the list of values is named
        if not isinstance(partner, list) or index >= len(partner) or (partner[index] is None and not extends):
            findings.add("structure", "must not be null, since nothing else is given for it", here, name, index)
    findings.nulls = later


class _Compiler:
    """Makes the checks of a type and of all types in it; some contain themselves, so each is entered before it is made.

    checks   the checks so far, by type ('Observation', 'HumanName') or backbone element ('Observation.component')
    """

    def __init__(self, checks: dict[str, Check]) -> None:
        self.checks = checks

    def check_of(self, path: str) -> Check:
        """The check of a type or backbone element."""
        if path not in self.checks:
            members = _Members()
            self.checks[path] = _object_check(members, path)
            elements: Elements = (definition(path.partition(".")[0]) or {})["elements"][path]
            for name, element in elements.items():
                self._add(members, name, element)
            if path in concrete_types():
                members.checks["resourceType"] = _no_check
        return self.checks[path]

    def _add(self, members: _Members, name: str, element: dict[str, Any]) -> None:
        is_choice = name.endswith("[x]")
        base = name.removesuffix("[x]")
        types: list[str] = element["type"] if is_choice else [element["type"]]
        required: set[str] = set()
        for kind in types:
            suffix = _PROFILED.get(kind, kind)
            given = base + suffix[0].upper() + suffix[1:] if is_choice else base
            names = {given, f"_{given}"} if kind in PRIMITIVES else {given}
            required |= names
            if is_choice:
                members.choices |= dict.fromkeys(names, base)
            step = f"{base}.ofType({suffix})" if is_choice else None
            check = _check_contained_resource if base == "contained" else self._value_check(kind, element)
            members.checks[given] = _member(check, element, step)
            if kind in PRIMITIVES:
                members.checks[f"_{given}"] = _member(self.check_of("Element"), element, step)
        if element.get("min"):
            members.required.append((base, frozenset(required)))

    def _value_check(self, kind: str, element: dict[str, Any]) -> Check:
        if kind == "code" and "codes" in element:
            return _code_check(_codes(element["codes"]))
        if kind in PRIMITIVES or kind == "xhtml":
            return _primitive_check(kind)
        if kind == "Resource":
            return check_resource
        check = self.check_of(kind.removeprefix("#"))
        if kind == "Reference":
            return reference_rule(check, frozenset(element.get("targets", ())))
        if kind == "CodeableConcept" and "codes" in element:
            return _concept_check(check, element["codes"])
        return check


def _object_check(members: _Members, path: str) -> Check:
    checks = members.checks
    rules = rules_of(path)
    extends_primitive = path == "Element"  # of which the value is elsewhere

    def check(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        here = (parent, step)
        if type(value) is not dict:
            findings.add("structure", f"must be an object, not {kind_of(value)}", here)
            return
        if len(value) < 2 and (not value or ("id" in value and not extends_primitive)):
            findings.add("structure", "must not be empty; leave it out instead (ele-1)", here)
            return
        before = findings.count
        for name, child in value.items():
            member = checks.get(name)
            if member is not None:
                member(child, here, name, findings)
            else:
                findings.add("structure", "is not an element that R4 has here", here, name)
        if members.required or members.choices:
            members.check_presence(value, here, findings)
        if findings.nulls:
            _settle_nulls(value, here, findings)
        if rules and findings.count == before:  # a rule may then trust the structure of what it reads
            for broken in (broken for rule in rules for broken in rule(value)):
                findings.add("invariant", broken[0], here, *broken[1:])

    return check


def _member(check: Check, element: dict[str, Any], step: str | None) -> Check:
    """The check of one property: of its list where the element repeats; `step` replaces the name of a choice."""
    if "max" in element:
        return _list_check(check, element["max"], element.get("min", 0))
    if step is not None:
        return lambda value, parent, _, findings: check(value, parent, step, findings)
    return check


def _list_check(check: Check, maximum: str, minimum: int) -> Check:
    limit = None if maximum == "*" else int(maximum)

    def check_list(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        here = (parent, step)
        if type(value) is not list:
            findings.add("structure", f"must be a list, not {kind_of(value)}", here)
            return
        if not value:
            findings.add("structure", "must not be an empty list; leave it out instead", here)
        if len(value) < minimum or (limit is not None and len(value) > limit):
            findings.add("structure", f"must have {minimum} to {maximum} entries", here)
        for index, item in enumerate(value):
            if item is None:
                findings.nulls.append((parent, str(step), index))
            else:
                check(item, here, index, findings)

    return check_list


def _primitive_check(kind: str) -> Check:
    fault_of = PRIMITIVES.get(kind, xhtml_fault)
    proof = PROOFS.get(kind)

    def check(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        if fault := fault_of(value):
            findings.add("value", fault, (parent, step))

    if proof is None:
        return check

    def prove_or_check(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        if not (type(value) is str and value and proof(value) and len(value) <= MAX_STRING):
            check(value, parent, step, findings)

    return prove_or_check


def _code_check(codes: frozenset[str]) -> Check:
    fault_of = PRIMITIVES["code"]

    def check(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        if type(value) is str and value in codes:
            return
        if fault := fault_of(value):
            findings.add("value", fault, (parent, step))
        else:
            findings.add(
                "code-invalid", f"has the code '{shortened(value)}', which is none of {_listed(codes)}", (parent, step)
            )

    return check


def _concept_check(check: Check, value_set: str) -> Check:
    systems: dict[str, list[str]] = (definition(f"ValueSet/{value_set}") or {})["codes"]
    allowed = {(system, code) for system, codes in systems.items() for code in codes}

    def check_concept(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        before = findings.count
        check(value, parent, step, findings)
        if findings.count > before:
            return
        if not any((coding.get("system"), coding.get("code")) in allowed for coding in value.get("coding", ())):
            codes = f"{_listed({code for _, code in allowed})} of {' or '.join(systems)}"
            findings.add("code-invalid", f"needs one of the codes {codes}", (parent, step))

    return check_concept


@cache
def _codes(value_set: str) -> frozenset[str]:
    systems: dict[str, list[str]] = (definition(f"ValueSet/{value_set}") or {})["codes"]
    return frozenset(code for codes in systems.values() for code in codes)


def _listed(codes: Iterable[str]) -> str:
    names = sorted(codes)
    return ", ".join(names) if len(names) <= 20 else f"{', '.join(names[:20])} and {len(names) - 20} more"
