"""What StructureDefinitions say about elements, in the compact form that the app reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

PREFIX = "http://hl7.org/fhir/StructureDefinition/"
FHIR_TYPE = PREFIX + "structuredefinition-fhir-type"

Element = dict[str, Any]
Elements = dict[str, dict[str, Element]]  # per path of a type or backbone element: its children by name

# Not enumerable, so not checked: media types and UCUM are grammars, the LOINC answer list has no published expansion.
OPEN_VALUE_SETS = {
    "http://hl7.org/fhir/ValueSet/mimetypes",
    "http://hl7.org/fhir/ValueSet/ucum-units",
    "http://loinc.org/vs/LL379-9",
}


# Profiles of Quantity that elements name instead of it; in a choice the property is still called after the type.
PROFILED = {"SimpleQuantity": "Quantity", "MoneyQuantity": "Quantity"}


def elements_of(definition: dict[str, Any]) -> Elements:
    """The children of a type and of each backbone element in it, keyed by path ('Observation.component')."""
    root = definition["id"]
    rows = definition["snapshot"]["element"][1:]
    paths = {row["id"].replace(definition["type"], root, 1): row for row in rows if ":" not in row["id"]}
    parents = {path.rpartition(".")[0] for path in paths}
    table: Elements = {root: {}}
    for path, row in paths.items():
        parent, _, name = path.rpartition(".")
        if row["max"] != "0":
            table.setdefault(parent, {})[name] = _element(definition, path, row, nested=path in parents)
    return table


def _element(definition: dict[str, Any], path: str, row: dict[str, Any], nested: bool) -> Element:
    element: Element = {}
    if row["min"]:
        element["min"] = row["min"]
    if row["max"] != "1":
        element["max"] = row["max"]
    if "contentReference" in row:
        return element | {"type": row["contentReference"]}
    if nested:
        return element | {"type": f"#{path}"}
    types = list(dict.fromkeys(_type_name(definition, path, kind) for kind in row["type"]))
    element["type"] = types if path.endswith("[x]") else types[0]
    targets = [
        target.removeprefix(PREFIX)
        for kind in row["type"]
        if kind["code"] == "Reference"
        for target in kind.get("targetProfile", [])
    ]
    if targets and "Resource" not in targets:
        element["targets"] = sorted(set(targets))
    binding = row.get("binding", {})
    value_set = binding.get("valueSet", "").partition("|")[0]
    if binding.get("strength") == "required" and value_set not in OPEN_VALUE_SETS:
        element["codes"] = value_set.rpartition("/")[2]
    return element


def _type_name(definition: dict[str, Any], path: str, kind: dict[str, Any]) -> str:
    if path == f"{definition['id']}.id" and definition["kind"] == "resource":
        return "id"  # the definitions say string here, but text and regex of Resource.id are those of `id`
    for extension in kind.get("extension", []):
        if extension["url"] == FHIR_TYPE:
            return str(extension["valueUrl"])
    profiles: list[str] = [profile.removeprefix(PREFIX) for profile in kind.get("profile", [])]
    if len(profiles) == 1 and profiles[0] in PROFILED:
        return profiles[0]
    return str(kind["code"])


def value_sets_in(tables: list[Elements]) -> set[str]:
    """The names of all value sets that some element is bound to."""
    return {
        element["codes"]
        for table in tables
        for children in table.values()
        for element in children.values()
        if "codes" in element
    }


def codes_of(value_set: dict[str, Any]) -> dict[str, list[str]]:
    """The codes of an expanded value set by system."""
    codes: dict[str, set[str]] = {}
    for concept in _concepts(value_set["expansion"]["contains"]):
        if not concept.get("abstract"):
            codes.setdefault(concept["system"], set()).add(concept["code"])
    return {system: sorted(codes[system]) for system in sorted(codes)}


def _concepts(contains: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for concept in contains:
        yield concept
        yield from _concepts(concept.get("contains", []))
