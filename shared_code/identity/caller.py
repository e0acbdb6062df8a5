"""Who calls: a person, a practitioner or a system, and which interactions the token's scopes allow."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

CallerKind = Literal["person", "practitioner", "system"]
Interaction = Literal["create", "read", "update", "delete", "search"]

# SMART v2: patient/Observation.rs, user/*.cruds, system/*.rs; the words of v1 stand for several letters each.
_SCOPE = re.compile(r"(patient|user|system)/([A-Z][A-Za-z]*|\*)\.(c?r?u?d?s?|read|write|\*)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_LETTER: dict[Interaction, str] = {"create": "c", "read": "r", "update": "u", "delete": "d", "search": "s"}
_CONTEXT: dict[CallerKind, str] = {"person": "patient", "practitioner": "user", "system": "system"}


@dataclass(frozen=True, slots=True)
class Grant:
    """One scope, read: in which context which letters of "cruds" are allowed on which type ('*' for all)."""

    context: str
    type: str
    letters: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The bearer of a token that holds.

    subject  the token's `sub`
    person   "Patient/<id>" of a person's token, else None
    grants   the token's scopes that speak of FHIR resources
    """

    subject: str
    kind: CallerKind
    person: str | None
    grants: tuple[Grant, ...]

    def allows(self, interaction: Interaction, resource_type: str) -> bool:
        """Whether a scope of the caller's own context names this interaction on this type."""
        letter, context = _LETTER[interaction], _CONTEXT[self.kind]
        return any(
            grant.context == context and letter in grant.letters and grant.type in ("*", resource_type)
            for grant in self.grants
        )


def read_scopes(scopes: Iterable[str]) -> tuple[Grant, ...]:
    """The grants among `scopes`; what is not of SMART's form ("openid") grants nothing here."""
    matches = (_SCOPE.fullmatch(scope) for scope in scopes)
    return tuple(Grant(m[1], m[2], _V1.get(m[3], m[3])) for m in matches if m)
