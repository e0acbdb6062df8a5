"""Finds values in a resource along property paths such as 'component.code' or 'telecom[system=phone]'."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

type Finder = Callable[[dict[str, Any]], list[Any]]

_STEP = re.compile(r"(\w+)(?:\[(?:(0)|(\w+)=([\w-]+))\])?")


def finder(path: str) -> Finder:
    """A function that lists what a resource has at `path`, repeating elements one by one, absent ones not at all."""
    first, *rest = [_step(step) for step in path.split(".")]
    if not rest:
        return first

    def find(resource: dict[str, Any]) -> list[Any]:
        found = first(resource)
        for step in rest:
            found = [child for parent in found if isinstance(parent, dict) for child in step(parent)]
        return found

    return find


def first_property(path: str) -> str:
    """The property with which a path begins: where a resource has none of that name, the path finds nothing."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _step(text: str) -> Finder:
    match = _STEP.fullmatch(text)
    if match is None:
        raise ValueError(f"not a property path: {text}")
    name, first, key, wanted = match.groups()

    def children(parent: dict[str, Any]) -> list[Any]:
        child = parent.get(name)
        if child is None:
            return []
        return [item for item in child if item is not None] if isinstance(child, list) else [child]

    if first:
        return lambda parent: children(parent)[:1]
    if key:
        return lambda parent: [
            child for child in children(parent) if isinstance(child, dict) and child.get(key) == wanted
        ]
    return children
