"""The invariants of R4 that structure cannot say, per type: collected here, written down in the modules it imports."""

from __future__ import annotations

from shared_code.fhir.bundle_rules import BUNDLE_RULES
from shared_code.fhir.datatype_rules import DATATYPE_RULES
from shared_code.fhir.resource_rules import RESOURCE_RULES
from shared_code.fhir.rule_forms import Rule

_ALL: dict[str, tuple[Rule, ...]] = DATATYPE_RULES | RESOURCE_RULES | BUNDLE_RULES


def rules_of(path: str) -> tuple[Rule, ...]:
    """The rules of a type or backbone element; they trust that its structure was found right."""
    return _ALL.get(path, ())
