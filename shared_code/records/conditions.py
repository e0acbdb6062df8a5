"""Conditions that name a resource by a search: conditional references and conditional creates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from shared_code import errors
from shared_code.azure.cosmos import Item
from shared_code.fhir import SHARED_TYPES, Criterion, criterion, is_homed_type, resource_types, search_parameters
from shared_code.records.claims import condition_key, identifier_key, is_whole_token
from shared_code.records.locating import partition_key


@dataclass(frozen=True, slots=True)
class Condition:
    """A search that should match one resource.

    key      the id of the claim under which it is looked up or reserved
    indexed  whether that claim names the resources that match (an identifier of a Patient or a shared type); else they
             are searched for in the partition `pk`
    """

    type: str
    query: str
    criteria: tuple[Criterion, ...]
    key: str
    indexed: bool
    pk: str | None

    def matches(self, item: Item) -> bool:
        """Whether a current item is one of this condition's."""
        return item["type"] == self.type and not item["deleted"] and all(c.matches(item["s"]) for c in self.criteria)


def read_condition(resource_type: str, query: str, base_url: str = "") -> Condition:
    """The condition of "identifier=system|value&…" on a type.

    raises  Malformed: a bad or unknown parameter, or one that would have to be looked for among all people
    """
    if resource_type not in resource_types():
        raise errors.Malformed(f"{resource_type[:40]!r} is not a type of R4 that has an endpoint")
    if not query.strip():
        raise errors.Malformed(f"a condition on {resource_type} names nothing to look for")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError as fault:
        raise errors.Malformed(f"{resource_type}?{query[:80]} is not a search: {fault}") from fault
    unknown = [name for name, _ in pairs if name.split(":")[0] not in search_parameters(resource_type)]
    if unknown:
        raise errors.Malformed(f"{resource_type} has no search parameter {unknown[0][:40]!r} that a condition may use")
    criteria = tuple(criterion(resource_type, name, value, base_url) for name, value in pairs)
    if resource_type == "Patient" or resource_type in SHARED_TYPES:
        condition = identified(resource_type, criteria, query)
        if condition:
            return condition
        raise errors.Malformed(f"a condition on {resource_type} must name one identifier with its system")
    person = next((person for person in map(person_of, criteria) if person), None)
    if not person or not is_homed_type(resource_type):
        raise errors.Malformed(f"a condition on {resource_type} must name the patient in whose record it is")
    key = condition_key(resource_type, "&".join(sorted(query.split("&"))))
    return Condition(resource_type, query, criteria, key, False, partition_key(person))


def identified(resource_type: str, criteria: tuple[Criterion, ...], query: str = "") -> Condition | None:
    """The condition by an identifier that the criteria name with its system; None where they name none.

    Of several always the same one, in whatever order they are named: by it two creates exclude each other.
    """
    token = min((token for token in map(_identifier, criteria) if token), default=None)
    return (
        Condition(resource_type, query, criteria, identifier_key(resource_type, token), True, None) if token else None
    )


def _identifier(criterion: Criterion) -> str | None:
    exact = exact_values(criterion) if criterion.parameter.name == "identifier" else ()
    return exact[0] if len(exact) == 1 and is_whole_token(exact[0]) else None


def person_of(criterion: Criterion) -> str | None:
    """The one person, "Patient/<id>", whose resources a criterion asks for, if it asks for one person's."""
    exact = exact_values(criterion) if criterion.parameter.name in ("patient", "subject") else ()
    return exact[0] if len(exact) == 1 and exact[0].startswith("Patient/") else None


def exact_values(criterion: Criterion) -> Sequence[str]:
    """The stored texts that a criterion on a token or reference looks for; none where it asks for anything else."""
    if criterion.negated or criterion.missing is not None or criterion.parameter.kind not in ("token", "reference"):
        return ()
    return [str(alternative) for alternative in criterion.alternatives]
