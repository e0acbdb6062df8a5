"""The check of an object: its members one by one, what it must have, its invariants; and what it points with."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any, NamedTuple

from shared_code.fhir.findings import Findings, Place, Step, kind_of
from shared_code.fhir.invariants import rules_of
from shared_code.fhir.rule_forms import Rule, is_of_names
from shared_code.fhir.value_checks import Check

MAX_SHAPES = 5000  # of all types: real data has few, and nobody may fill the memory with orders of names
_shapes_kept = count()
_ONLY_AN_ID = "must have a value or an extension; an id alone is nothing (ele-1)"


class _Shape(NamedTuple):
    """What is left to check of objects with the same members, since their names by themselves are right."""

    checks: tuple[tuple[str, str, Check], ...]  # property, the step to it in a path, the check of its value
    urls: tuple[str, ...]


class ObjectCheck:
    """What an object may have, by JSON property; filled in once it exists, since types contain themselves."""

    def __init__(self, path: str) -> None:
        self.checks: dict[str, Check] = {}
        self.steps: dict[str, str] = {}  # of a choice: valueString → value.ofType(string)
        self.others: set[str] = set()  # properties that somebody else has checked
        self.required: list[tuple[str, frozenset[str]]] = []
        self.choices: dict[str, str] = {}  # property name of a choice → its element: valueString → value
        self.urls: set[str] = set()  # the properties that may lead to another resource by its url
        self._rules = rules_of(path)
        self._rules_of_names = tuple(rule for rule in self._rules if is_of_names(rule))
        self._rules_of_values = tuple(rule for rule in self._rules if not is_of_names(rule))
        self._extends_primitive = path == "Element"  # of which the value is elsewhere
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def look(self, value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        """Check an object with all that is in it, and note what it points with."""
        here = (parent, step)
        if type(value) is not dict:
            findings.add("structure", f"must be an object, not {kind_of(value)}", here)
            return
        names = tuple(value)
        shape = self._shapes.get(names) or self._shape(names)
        if shape is None:
            self._check_names_too(value, here, findings)
            return
        before = findings.count
        for name, of_member, check in shape.checks:
            check(value[name], here, of_member, findings)
        for name in shape.urls:
            findings.pointers.urls.append((value, name, value[name]))
        if findings.empties:
            _settle_empties(value, here, self.steps, findings)
        if self._rules_of_values and findings.count == before:  # a rule may then trust the structure of what it reads
            _hold_against(self._rules_of_values, value, here, findings)

    def _shape(self, names: tuple[str, ...]) -> _Shape | None:
        """What is left to check where an object has these members; None where they are by themselves wrong."""
        example: dict[str, Any] = dict.fromkeys(names)
        trial = Findings()
        self._check_presence(example, (None, ""), trial)
        _hold_against(self._rules_of_names, example, (None, ""), trial)
        if trial.count or self._is_empty(example) or not self.checks.keys() | self.others >= example.keys():
            return None
        checks = tuple((name, self.steps.get(name, name), self.checks[name]) for name in names if name in self.checks)
        shape = _Shape(checks, tuple(name for name in names if name in self.urls))
        if next(_shapes_kept) < MAX_SHAPES:
            self._shapes[names] = shape
        return shape

    def _check_names_too(self, value: dict[str, Any], here: Place, findings: Findings) -> None:
        if self._is_empty(value):
            findings.add("structure", "must not be empty; leave it out instead (ele-1)", here)
            return
        before = findings.count
        for name, child in value.items():
            check = self.checks.get(name)
            if check is not None:
                check(child, here, self.steps.get(name, name), findings)
            elif name not in self.others:
                findings.add("structure", "is not an element that R4 has here", here, name)
        self._check_presence(value, here, findings)
        if findings.empties:
            _settle_empties(value, here, self.steps, findings)
        if findings.count == before:
            _hold_against(self._rules, value, here, findings)

    def _is_empty(self, value: dict[str, Any]) -> bool:
        return not value or (len(value) == 1 and "id" in value and not self._extends_primitive)

    def _check_presence(self, value: dict[str, Any], here: Place, findings: Findings) -> None:
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


def _hold_against(rules: Iterable[Rule], value: dict[str, Any], here: Place, findings: Findings) -> None:
    for broken in (broken for rule in rules for broken in rule(value)):
        findings.add("invariant", broken[0], here, *broken[1:])


def _settle_empties(value: dict[str, Any], here: Place, steps: dict[str, str], findings: Findings) -> None:
    """What is nothing by itself may stand where its partner has something: a value, or an extension of one."""
    later = []
    for empty in findings.empties:
        parent, name, index = empty
        if parent is not here:
            later.append(empty)
            continue
        partner_name = name[1:] if name[0] == "_" else f"_{name}"
        if index is None:
            if partner_name not in value:
                findings.add("structure", _ONLY_AN_ID, here, steps.get(name, name))
            continue
        is_null = value[name][index] is None
        partner = value.get(partner_name)
        partners = partner if isinstance(partner, list) else []
        # of two that are empty one is named: the null in the list of values, or what has the id
        if index >= len(partners) or (partners[index] is None and not (is_null and name[0] == "_")):
            text = "must not be null, since nothing else is given for it" if is_null else _ONLY_AN_ID
            findings.add("structure", text, here, name, index)
    findings.empties = later
