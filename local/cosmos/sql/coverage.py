"""How many properties of an item an indexing policy covers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

Path = tuple[str, ...]
_ELSE = "\0"  # the name of no property
_ELEMENTS = "[]"
_ABSENT: Final = object()
_encode = msgspec.json.Encoder().encode


class Coverage:
    """What is covered at one path and below it. Every write asks, so most is counted in the JSON text.

    covers  whether values at a path are indexed
    named   the paths that patterns name, without their last part; below each path all other names are treated alike
    """

    def __init__(self, covers: Callable[[Path], bool], named: Iterable[Path], path: Path = ()) -> None:
        named = [one for one in named if one[: len(path)] == path]
        self._here = bool(path) and covers(path)
        self._elements = bool(path) and covers((*path, _ELEMENTS))
        self._elsewhere = covers((*path, _ELSE))
        names = sorted({one[len(path)] for one in named if len(one) > len(path)})
        below = [(name, Coverage(covers, named, (*path, name))) for name in names]
        self._leaves = frozenset(name for name, one in below if one._is_leaf() and not self._elsewhere)
        self._below = [(name, one) for name, one in below if name not in self._leaves]

    def _is_leaf(self) -> bool:
        return self._here and not self._elsewhere and not self._leaves and not self._below

    def count(self, value: Any, text: bytes | None = None) -> int:
        """The covered properties within an object or array; `text` is its JSON, where it is at hand."""
        found = _names(_encode(value) if text is None else text) if self._elsewhere else 0
        if not self._below and not self._leaves:
            return found
        if type(value) is list:
            return found + sum(
                self._apart(inner, one) for name, one in self._below if name == _ELEMENTS for inner in value
            )
        found += len(value.keys() & self._leaves)
        for name, one in self._below:
            inner = value.get(name, _ABSENT)
            if inner is not _ABSENT:
                found += one._here or (one._elements and type(inner) is list)
                found += self._apart(inner, one) - self._elsewhere
        return found

    def _apart(self, inner: Any, one: Coverage) -> int:
        """What is covered within `inner`, less what has been counted there already."""
        if type(inner) not in (dict, list):
            return 0
        return one.count(inner) - (_names(_encode(inner)) if self._elsewhere else 0)


def _names(text: bytes) -> int:
    """How many properties there are in JSON: a name ends so, and within a text the quotes are escaped."""
    found = text.count(b'":')
    return found - text.count(b'\\":') if b"\\" in text else found
