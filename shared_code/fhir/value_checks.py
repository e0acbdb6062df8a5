"""The checks of lists, primitives, codes and coded concepts; and how one is spared for what was found right before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import msgspec

from shared_code.fhir.definitions import definition
from shared_code.fhir.findings import Findings, Place, Step, kind_of, shortened
from shared_code.fhir.narrative import xhtml_fault
from shared_code.fhir.primitives import MAX_STRING, PRIMITIVES, PROOFS

# Looks at `value`, which is the member `step` of what is at `parent`, and adds what is wrong to the findings.
type Check = Callable[[Any, Place | None, Step, Findings], None]

MAX_REMEMBERED, MAX_REMEMBERED_BYTES = 10_000, 400
encoded = msgspec.json.Encoder(decimal_format="number").encode


def list_check(check: Check, maximum: str, minimum: int) -> Check:
    """The check of an element that repeats, by the check of one; `maximum` may be '*'."""
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
                findings.empties.append((parent, str(step), index))
            else:
                check(item, here, index, findings)

    return check_list


def extension_check(check: Check, name: str) -> Check:
    """The check of what extends a primitive, the property `_x` or one in its list, by the check of an element."""

    def check_extension(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        check(value, parent, step, findings)
        if type(value) is dict and len(value) == 1 and "id" in value:
            if isinstance(step, int) and parent is not None:  # in a list, which is what the parent is
                findings.empties.append((parent[0], name, step))
            else:
                findings.empties.append((parent, name, None))

    return check_extension


def primitive_check(kind: str) -> Check:
    """The check of a primitive type, or of XHTML."""
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


def code_check(value_set: str) -> Check:
    """The check of a code that must be one of a value set."""
    codes = _codes(value_set)
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


def concept_check(check: Check, value_set: str) -> Check:
    """The check of a CodeableConcept, by `check`, of which one coding must be of a value set."""
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


# Checks with the JSON texts that they have found nothing in.
_known: set[tuple[Check, bytes]] = set()


def remembering(check: Check) -> Check:
    """The same check, but for values that are, to the byte, what it has found nothing in a short while ago.

    Concepts, quantities and the like come again and again; writing one as JSON costs a tenth of going through it. What
    holds an extension, or anything to be seen to later, is gone through each time.
    """

    def look(value: Any, parent: Place | None, step: Step, findings: Findings) -> None:
        key = check, encoded(value)
        if key in _known:
            return
        before = findings.state()
        check(value, parent, step, findings)
        is_plain = len(key[1]) <= MAX_REMEMBERED_BYTES and b'xtension"' not in key[1]
        if is_plain and findings.state() == before:
            if len(_known) >= MAX_REMEMBERED:
                _known.clear()
            _known.add(key)

    return look


@cache
def _codes(value_set: str) -> frozenset[str]:
    systems: dict[str, list[str]] = (definition(f"ValueSet/{value_set}") or {})["codes"]
    return frozenset(code for codes in systems.values() for code in codes)


def _listed(codes: Iterable[str]) -> str:
    names = sorted(codes)
    return ", ".join(names) if len(names) <= 20 else f"{', '.join(names[:20])} and {len(names) - 20} more"
