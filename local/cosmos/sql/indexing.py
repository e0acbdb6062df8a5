"""The indexing policy of a container where it can be seen: which paths are indexed, which ORDER BY is refused."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from local.cosmos.errors import bad_request
from local.cosmos.sql.candidates import path_of, root_alias
from local.cosmos.sql.coverage import Coverage
from local.cosmos.sql.syntax import Query

Path = tuple[str, ...]
_ALWAYS: tuple[Path, ...] = (("id",), ("_ts",))
_SYSTEM: set[Path] = {(), ("_etag",)}  # what policies name and no sent item has
EACH = "[]"  # stands for the elements of an array in a path
_HERE, _BELOW = "?", "*"


class IndexingPolicy:
    """One policy; of an included and an excluded path that both match, the more precise one decides.

    has_paths  whether it asks for any index beside the one of the ids
    """

    def __init__(self, policy: dict[str, Any]) -> None:
        self.text = msgspec.json.encode(policy, order="sorted")
        self._active = policy.get("indexingMode", "consistent") == "consistent"
        self._included = [_parts(entry["path"]) for entry in policy.get("includedPaths", [])]
        self._excluded = [_parts(entry["path"]) for entry in policy.get("excludedPaths", [])]
        self.has_paths = self._active and bool(self._included)
        self._coverage = Coverage(self.covers, {pattern[:-1] for pattern in self._included + self._excluded} - _SYSTEM)
        self._composite = [
            [(_parts(entry["path"]), entry.get("order", "ascending") == "ascending") for entry in index]
            for index in policy.get("compositeIndexes", [])
        ]

    def count(self, item: dict[str, Any], text: bytes) -> int:
        """How many properties of an item are indexed; `text` is its JSON, without system fields."""
        return self._coverage.count(item, text) if self.has_paths else 0

    def covers(self, path: Path) -> bool:
        """Whether values at this path are indexed; `[]` stands for the elements of an array."""
        if not self._active:
            return False
        if path in _ALWAYS:
            return True
        return _precision(self._included, path) > _precision(self._excluded, path)

    def reaches(self, path: Path) -> bool:
        """Whether there may be indexed values at this path or below it."""
        return self._active and any(
            pattern[: len(path)] == path or (pattern[-1] == _BELOW and path[: len(pattern) - 1] == pattern[:-1])
            for pattern in self._included
        )

    def require_order(self, query: Query) -> None:
        """Raises CosmosError 400 for an ORDER BY that the service cannot serve from an index."""
        if not query.order_by:
            return
        root = root_alias(query)
        wanted: list[tuple[Path, bool]] = []
        for sort in query.order_by:
            path = path_of(sort.expression, root)
            if not path:
                raise bad_request(
                    "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path."
                )
            wanted.append((path, sort.ascending))
        if len(wanted) == 1:
            if not self.covers(wanted[0][0]):
                raise bad_request(
                    "The index path corresponding to the specified order-by item is excluded:"
                    f" /{'/'.join(wanted[0][0])}"
                )
            return
        reverse = [(path, not ascending) for path, ascending in wanted]
        if wanted not in self._composite and reverse not in self._composite:
            raise bad_request(
                "The order by query does not have a corresponding composite index that it can be served from."
            )


def policy_of(properties: dict[str, Any]) -> IndexingPolicy:
    """The policy in the properties of a container."""
    return _read(msgspec.json.encode(properties.get("indexingPolicy", {}), order="sorted"))


@lru_cache(maxsize=256)
def _read(policy: bytes) -> IndexingPolicy:
    return IndexingPolicy(msgspec.json.decode(policy))


def _parts(path: str) -> Path:
    return tuple(part.strip('"') for part in path.strip("/").split("/"))


def _precision(patterns: list[Path], path: Path) -> int:
    """How precise the best match is: twice its parts, and one more where it ends exactly there; -1 for none."""
    best = -1
    for pattern in patterns:
        *named, last = pattern
        if last not in (_HERE, _BELOW):
            named, last = list(pattern), _HERE
        if last == _HERE and tuple(named) == path:
            best = max(best, 2 * len(named) + 1)
        elif last == _BELOW and path[: len(named)] == tuple(named):
            best = max(best, 2 * len(named))
    return best
