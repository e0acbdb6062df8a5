"""Partial updates: the operations of a patch, applied to the fields of one item, all of them or none."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import msgspec

from local.cosmos.documents import SYSTEM_FIELDS
from local.cosmos.errors import bad_request

MAX_OPERATIONS = 10
_END = "-"


class Change(msgspec.Struct, frozen=True):
    """One operation; `path` and `source` are JSON pointers."""

    op: str
    path: str
    value: Any = msgspec.UNSET
    source: str | None = msgspec.field(default=None, name="from")


@dataclass(frozen=True, slots=True)
class Patch:
    """The changes in order, and the text of the condition (`from c where …`) that the item must meet."""

    changes: list[Change]
    condition: str | None


class _Wire(msgspec.Struct):
    operations: list[Change]
    condition: str | None = None


def read_patch(body: bytes) -> Patch:
    """Raises CosmosError 400 for what is no patch."""
    try:
        sent = msgspec.json.decode(body, type=_Wire)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"The patch request is invalid: {error}") from None
    if not sent.operations:
        raise bad_request("The patch request has no operations.")
    if len(sent.operations) > MAX_OPERATIONS:
        raise bad_request(f"The number of patch operations can't exceed {MAX_OPERATIONS}.")
    return Patch(sent.operations, sent.condition)


def patched(item: dict[str, Any], patch: Patch, key_paths: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    """The fields after all changes; `item` itself may be changed. Raises CosmosError 400 if one cannot be made."""
    for change in patch.changes:
        path = _pointer(change.path)
        _require_changeable(path, key_paths)
        match change.op.lower():
            case "add":
                _add(item, path, _value(change))
            case "set":
                _set(item, path, _value(change))
            case "replace":
                _replace(item, path, _value(change))
            case "remove":
                _remove(item, path)
            case "incr" | "increment":
                _increment(item, path, _value(change))
            case "move":
                source = _pointer(change.source or "")
                _require_changeable(source, key_paths)
                if path[: len(source)] == source and path != source:
                    raise bad_request("The 'path' of a move cannot lie within its 'from'.")
                _add(item, path, _remove(item, source))
            case other:
                raise bad_request(f"The patch operation {other[:40]!r} is not supported.")
    return item


def _pointer(text: str) -> list[str]:
    if not text.startswith("/") or len(text) < 2:
        raise bad_request(f"The patch path {text[:100]!r} is invalid: it begins with a slash and names a field.")
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _require_changeable(path: list[str], key_paths: tuple[tuple[str, ...], ...]) -> None:
    if path[0] == "id" or path[0] in SYSTEM_FIELDS:
        raise bad_request(f"The field {path[0]} cannot be patched.")
    for key_path in key_paths:
        shorter = min(len(path), len(key_path))
        if tuple(path[:shorter]) == key_path[:shorter]:
            raise bad_request("The partition key of an item cannot be patched.")


def _value(change: Change) -> Any:
    if change.value is msgspec.UNSET:
        raise bad_request(f"The patch operation {change.op[:40]} needs a value.")
    return copy.deepcopy(change.value)


def _parent(item: dict[str, Any], path: list[str]) -> Any:
    """The object or array that holds the last part of `path`."""
    at: Any = item
    for part in path[:-1]:
        if isinstance(at, dict) and part in at:
            at = at[part]
        elif isinstance(at, list):
            at = at[_index(at, part, len(at))]
        else:
            raise _missing(path)
    if not isinstance(at, dict | list):
        raise _missing(path)
    return at


def _index(array: list[Any], part: str, limit: int) -> int:
    if not part.isascii() or not part.isdecimal() or (part != "0" and part[0] == "0") or int(part) >= limit:
        raise bad_request(f"The index {part[:40]!r} is outside of the array, which has {len(array)} elements.")
    return int(part)


def _add(item: dict[str, Any], path: list[str], value: Any) -> None:
    parent, last = _parent(item, path), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif last == _END:
        parent.append(value)
    else:
        parent.insert(_index(parent, last, len(parent) + 1), value)


def _set(item: dict[str, Any], path: list[str], value: Any) -> None:
    parent, last = _parent(item, path), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif last == _END or last == str(len(parent)):
        parent.append(value)
    else:
        parent[_index(parent, last, len(parent))] = value


def _replace(item: dict[str, Any], path: list[str], value: Any) -> None:
    parent, last = _parent(item, path), path[-1]
    if isinstance(parent, list):
        parent[_index(parent, last, len(parent))] = value
    elif last in parent:
        parent[last] = value
    else:
        raise _missing(path)


def _remove(item: dict[str, Any], path: list[str]) -> Any:
    parent, last = _parent(item, path), path[-1]
    if isinstance(parent, list):
        return parent.pop(_index(parent, last, len(parent)))
    if last not in parent:
        raise _missing(path)
    return parent.pop(last)


def _increment(item: dict[str, Any], path: list[str], value: Any) -> None:
    if not _is_number(value):
        raise bad_request("The value of an increment must be a number.")
    parent, last = _parent(item, path), path[-1]
    if isinstance(parent, list):
        last_index = _index(parent, last, len(parent))
        if not _is_number(parent[last_index]):
            raise bad_request(f"/{'/'.join(path)} is not a number, so it cannot be incremented.")
        parent[last_index] = _sum(parent[last_index], value)
        return
    if not _is_number(parent.get(last, 0)):
        raise bad_request(f"/{'/'.join(path)} is not a number, so it cannot be incremented.")
    parent[last] = _sum(parent.get(last, 0), value)


def _sum(number: float, value: float) -> float:
    total = number + value
    if math.isinf(total):
        raise bad_request("The increment goes beyond the largest number that there is, 1.8e308.")
    return total


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _missing(path: list[str]) -> Exception:
    return bad_request(f"The patch path /{'/'.join(path)} does not exist in the item.")
