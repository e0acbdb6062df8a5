"""The search values of a resource, as they are stored beside it: what each served search parameter can find it by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from shared_code.fhir.dates import first_event, period_span, span, timing_span
from shared_code.fhir.definitions import definition
from shared_code.fhir.property_paths import Finder, finder, first_property
from shared_code.fhir.references import relative, unversioned
from shared_code.fhir.resource_types import Resource, resource_types
from shared_code.fhir.tokens import token_values

SERVED = frozenset({"patient", "subject", "code", "status", "date", "identifier"})

type Kind = Literal["token", "reference", "date"]


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One search parameter of one type.

    targets   the types that a reference may point to
    implied   the code systems of an element that is a bare code: what its required value set takes codes from
    """

    name: str
    kind: Kind
    targets: tuple[str, ...] = ()
    implied: frozenset[str] = frozenset()


class _Source(NamedTuple):
    """Where a parameter's values are: on a path that begins with `property`; and what is stored of a value there."""

    property: str
    find: Finder
    convert: Callable[[Any], Iterable[Any]]


@cache
def search_parameters(resource_type: str) -> Mapping[str, SearchParameter]:
    """The served parameters of a type, by name."""
    return MappingProxyType(
        {
            name: SearchParameter(name, row["kind"], _targets(row), _implied(resource_type, row))
            for name, row in _served(resource_type).items()
        }
    )


def search_values(resource: Resource) -> dict[str, list[Any]]:
    """The values by parameter name, without duplicates; a parameter that finds nothing is left out.

    token      'system|code', 'code' and 'system|', see tokens.py
    reference  'Type/id' without version, absolute urls as they are; references to contained resources are left out
    date       {"lo": …, "hi": …}, UTC text of fixed width, `hi` being the first instant after it; `first` is where the
               first event of a Timing begins, if its limits begin before
    """
    values: dict[str, list[Any]] = {}
    for name, sources in _sources(resource["resourceType"]):
        found: list[Any] = []
        for source in sources:
            if source.property in resource:
                for value in source.find(resource):
                    found += source.convert(value)
        if found:
            values[name] = found if len(found) == 1 else _distinct(found)
    return values


def _distinct(found: list[Any]) -> list[Any]:
    if isinstance(found[0], str):
        return list(dict.fromkeys(found))
    return [value for index, value in enumerate(found) if value not in found[:index]]


def _targets(row: dict[str, Any]) -> tuple[str, ...]:
    if row["kind"] != "reference":
        return ()
    return tuple(row["targets"] if "targets" in row else sorted(resource_types()))


def _implied(resource_type: str, row: dict[str, Any]) -> frozenset[str]:
    elements = (definition(resource_type) or {})["elements"][resource_type]
    sets = [
        elements[path].get("codes") for path, data_type, *_ in row["paths"] if data_type == "code" and path in elements
    ]
    return frozenset(system for name in sets if name for system in (definition(f"ValueSet/{name}") or {})["codes"])


def _served(resource_type: str) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = (definition(resource_type) or {}).get("search", {})
    return {name: row for name, row in rows.items() if name in SERVED}


@cache
def _sources(resource_type: str) -> tuple[tuple[str, tuple[_Source, ...]], ...]:
    return tuple(
        (name, tuple(_source(path, row["kind"], *kind) for path, *kind in row["paths"]))
        for name, row in _served(resource_type).items()
    )


def _source(path: str, kind: Kind, data_type: str, only: str | None = None) -> _Source:
    return _Source(first_property(path), finder(path), _converter(kind, data_type, only))


def _converter(kind: Kind, data_type: str, only: str | None) -> Callable[[Any], Iterable[Any]]:
    if kind == "token":
        return lambda value: token_values(value, data_type)
    if kind == "reference":
        return lambda value: _reference_values(value, data_type, only)
    return lambda value: _date_values(value, data_type)


def _reference_values(value: Any, data_type: str, only: str | None) -> list[str]:
    literal = value.get("reference") if data_type == "Reference" else value
    if not literal or literal[0] == "#":
        return []
    if only is not None:
        target = relative(literal)
        said = target[0] if target else value.get("type") or (f"/{only}/" in literal and only)
        if said != only:
            return []
    return [unversioned(literal)]


def _date_values(value: Any, data_type: str) -> list[dict[str, str]]:
    if data_type == "Timing":
        limits, first = timing_span(value), first_event(value)
        if limits is None:
            return []
        found = {"lo": limits[0], "hi": limits[1]}
        return [found | {"first": first} if first and first != limits[0] else found]
    lo, hi = period_span(value) if data_type == "Period" else span(value)
    return [{"lo": lo, "hi": hi}]
