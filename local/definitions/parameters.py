"""What SearchParameters say: where their values are, as property paths of JSON, and which types they point to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from local.definitions.elements import PROFILED, Elements

# Per kind of parameter the data types that have such values; a choice may hold others (Procedure.performedString).
KINDS = {
    "token": {
        "CodeableConcept", "Coding", "Identifier", "ContactPoint", "boolean", "exists",
        "code", "id", "string", "uri", "url", "canonical", "oid", "uuid",
    },
    "reference": {"Reference", "canonical", "uri"},
    "date": {"date", "dateTime", "instant", "Period", "Timing"},
}  # fmt: skip
OFFICIAL = "http://hl7.org/fhir/SearchParameter/"

_CAST = re.compile(r"\((?P<path>[\w.]+) as (?P<type>\w+)\)")
_CAST_CALL = re.compile(r"(?P<path>[\w.]+)\.as\((?P<type>\w+)\)")
_RESOLVED = re.compile(r"(?P<path>[\w.]+)\.where\(resolve\(\) is (?P<type>\w+)\)")
_FILTERED = re.compile(r"(?P<head>[\w.]+)\.where\((?P<key>\w+)='(?P<value>[\w-]+)'\)(?P<tail>[\w.]*)")
_FIRST = re.compile(r"(?P<head>[\w.]+)\[0\](?P<tail>[\w.]*)")
_EXISTS = re.compile(r"(?P<path>[\w.]+)\.exists\(\) and (?P=path) != false")
_SUBTYPES = {
    "uri": {"uri", "url", "canonical", "oid", "uuid"},
    "date": {"date", "dateTime", "instant"},  # Goal says `start as date`; a cast to dateTime takes a date as well
    "dateTime": {"date", "dateTime", "instant"},
}


class Parameters:
    """Extracts per resource type the parameters of the kinds in KINDS."""

    def __init__(self, definitions: list[dict[str, Any]], tables: dict[str, Elements]) -> None:
        self._definitions = [
            row
            for row in definitions
            if row.get("type") in KINDS and row["url"].startswith(OFFICIAL) and "expression" in row
        ]
        self._tables = tables
        self._resources = {name for name, table in tables.items() if "contained" in table[name]} - {"DomainResource"}

    def of(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """`{name: {kind, paths: [[path, type, only?]], targets?}}` in the order of names.

        path   property names of JSON joined by dots, 'telecom[system=phone]' and 'entry[0].resource' being the filters
        type   the data type found there; 'exists' for the one parameter that asks whether there is anything
        only   the type that a reference must point to
        targets   the types that a reference may point to; left out where that is every type
        """
        found = {}
        for row in sorted(self._definitions, key=lambda row: str(row["code"])):
            if resource_type not in row["base"]:
                continue
            resolved = [path for part in self._parts(row["expression"], resource_type) for path in self._paths(part)]
            paths = [path for path in resolved if path[1] in KINDS[row["type"]]]
            if paths:
                parameter: dict[str, Any] = {"kind": row["type"], "paths": paths}
                targets = self._targets(resource_type, row, paths) if row["type"] == "reference" else set()
                if targets and not targets >= self._resources:
                    parameter["targets"] = sorted(targets)
                found[row["code"]] = parameter
        return found

    def _parts(self, expression: str, resource_type: str) -> Iterator[str]:
        for part in expression.split(" | "):
            if part.lstrip("(").split(".")[0] == resource_type:
                yield part

    def _paths(self, part: str) -> Iterator[list[str]]:
        if match := _EXISTS.fullmatch(part):
            for path, _ in self._resolved(match["path"]):
                yield [path, "exists"]
        elif match := _RESOLVED.fullmatch(part):
            for path, kind in self._resolved(match["path"]):
                if kind == "Reference":
                    yield [path, kind, match["type"]]
        elif match := _CAST.fullmatch(part) or _CAST_CALL.fullmatch(part):
            for path, kind in self._resolved(match["path"]):
                if kind in _SUBTYPES.get(match["type"], {match["type"]}):
                    yield [path, kind]
        elif match := _FILTERED.fullmatch(part):
            yield from self._marked(match["head"], match["tail"], f"[{match['key']}={match['value']}]")
        elif match := _FIRST.fullmatch(part):
            yield from self._marked(match["head"], match["tail"], "[0]")
        elif re.fullmatch(r"[\w.]+", part):
            yield from ([path, kind] for path, kind in self._resolved(part))
        else:
            raise ValueError(f"a search expression of a new shape: {part}")

    def _marked(self, head: str, tail: str, mark: str) -> Iterator[list[str]]:
        depth = head.count(".")
        for path, kind in self._resolved(head + tail):
            steps = path.split(".")
            steps[depth - 1] += mark
            yield [".".join(steps), kind]

    def _resolved(self, path: str) -> list[tuple[str, str]]:
        """The JSON property paths of a FHIRPath of plain steps, with their data types: choices become several."""
        root, *steps = path.split(".")
        found = [("", f"#{root}")]
        for step in steps:
            found = [
                (f"{prefix}.{name}".lstrip("."), kind)
                for prefix, parent in found
                for name, kind in self._children(parent, step)
            ]
        return found

    def _children(self, parent: str, step: str) -> Iterator[tuple[str, str]]:
        children = self._elements_at(parent)
        if step in children:
            yield step, children[step]["type"]
        for kind in children.get(f"{step}[x]", {}).get("type", []):
            suffix = PROFILED.get(kind, kind)
            yield step + suffix[0].upper() + suffix[1:], kind

    def _elements_at(self, kind: str) -> dict[str, Any]:
        path = kind.removeprefix("#")
        return self._tables.get(path.split(".")[0], {}).get(path, {})

    def _targets(self, resource_type: str, row: dict[str, Any], paths: list[list[str]]) -> set[str]:
        """What the expression asks for, else what the elements allow, which is often less than a parameter lists."""
        only = {path[2] for path in paths if len(path) > 2}
        return only or set(self._allowed(resource_type, paths)) or set(row.get("target", []))

    def _allowed(self, resource_type: str, paths: list[list[str]]) -> Iterator[str]:
        for path, *_ in paths:
            kind = f"#{resource_type}"
            element: dict[str, Any] = {}
            for step in path.split("."):
                element = self._child(self._elements_at(kind), step.split("[")[0])
                kind = element["type"] if isinstance(element["type"], str) else ""
            yield from element.get("targets", [])

    def _child(self, children: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
        if name in children:
            return children[name]
        return next(child for key, child in children.items() if key.endswith("[x]") and name.startswith(key[:-3]))
