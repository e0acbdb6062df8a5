"""The terms of an item: each indexed path with the value there, in a form that SQLite orders as the service does."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from local.cosmos.documents import SYSTEM_FIELDS
from local.cosmos.sql.indexing import EACH, IndexingPolicy, Path

Key = float | str | bytes
Term = tuple[int, Key]

NULL, FALSE, TRUE, STRUCTURE = b"\x00", b"\x01", b"\x02", b"\x03"
FIRST_TEXT, AFTER_TEXT = "", b""  # SQLite has numbers before text before blobs, and no term is an empty blob
_MOST_CHARACTERS = 64
_EXACT_IN_DOUBLES = 2**53
_PLACE_DIGITS = 15
_OWN_INDEXES = SYSTEM_FIELDS | {"id"}  # the fields that are no terms: columns, or nobody's to ask for


def key_of(value: Any) -> Key:
    """What stands for a value in the index. Two that are equal have one key; few others share it, and those are
    compared in full afterwards."""
    kind = type(value)
    if kind is str:
        return value[:_MOST_CHARACTERS]  # type: ignore[no-any-return]
    if kind is bool:
        return TRUE if value else FALSE
    if value is None:
        return NULL
    if kind is int and -_EXACT_IN_DOUBLES <= value <= _EXACT_IN_DOUBLES:
        return value  # type: ignore[no-any-return]
    if kind in (int, float):
        return float(value)
    return STRUCTURE


def place_of(epk: str) -> int:
    """An effective partition key, or a bound of an interval, as a number in the same order; a few may share one."""
    return int(epk[:_PLACE_DIGITS].ljust(_PLACE_DIGITS, "0"), 16)


def path_number(path: Path) -> int:
    """What stands for a path in the index."""
    return int.from_bytes(hashlib.blake2b("\0".join(path).encode(), digest_size=6).digest())


def is_indexed(policy: IndexingPolicy, path: Path) -> bool:
    """Whether there are terms for what is at a path."""
    return bool(path) and path[0] not in _OWN_INDEXES and policy.covers(path)


class _Node:
    """One path, with those below it as far as items have had them."""

    __slots__ = ("below", "number", "path")

    def __init__(self, path: Path, policy: IndexingPolicy) -> None:
        self.path = path
        self.number = path_number(path) if is_indexed(policy, path) else None
        self.below: dict[str, _Node | None] = {}


_MOST_PATHS: Final = 20_000  # remembered of one container: items may have maps for fields


class Terms:
    """Finds the terms of items under one indexing policy."""

    def __init__(self, policy: IndexingPolicy) -> None:
        self._policy = policy
        self._remembered = 0
        self._root = _Node((), policy)

    def of(self, item: dict[str, Any]) -> set[Term]:
        """All terms of an item."""
        if self._remembered > _MOST_PATHS:
            self._root, self._remembered = _Node((), self._policy), 0
        found: set[Term] = set()
        pending: list[tuple[_Node, Any]] = [(self._root, item)]
        while pending:
            node, value = pending.pop()
            if node.number is not None:
                found.add((node.number, key_of(value)))
            if type(value) is dict:
                for name, inner in value.items():
                    below = self._below(node, name)
                    if below is not None:
                        pending.append((below, inner))
            elif type(value) is list:
                below = self._below(node, EACH)
                if below is not None:
                    pending.extend((below, inner) for inner in value)
        return found

    def _below(self, node: _Node, name: str) -> _Node | None:
        """None where nothing is indexed, there or further down."""
        try:
            return node.below[name]
        except KeyError:
            self._remembered += 1
            path = (*node.path, name)
            below = node.below[name] = _Node(path, self._policy) if self._policy.reaches(path) else None
            return below
