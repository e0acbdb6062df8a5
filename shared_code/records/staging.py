"""The marks of a transaction on items: what is written to stage, to promote and to abort, in batches of a partition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared_code.azure.cosmos import Item, Operation, cut, stored_bytes
from shared_code.records.items import Change, fields_of, past_item, promoted, without_mark

MAX_MARKED_BYTES = 1_750_000  # an item with its next version beside it; above, the next version gets an item of its own
_PATCH_BYTES = 400


def direct_operations(change: Change) -> list[Operation]:
    """The writes that make a change at once."""
    if change.base is None:
        return [("create", (change.item,))]
    replace: Operation = (
        "replace",
        (change.item["id"], change.item),
        {"if_match_etag": change.base["_etag"]},
    )
    return [replace, ("create", (past_item(change.base),))] if change.keeps_past else [replace]


def stage_operations(change: Change, tx: str) -> list[Operation]:
    """The writes that mark an item with what it will be, and leave what it is."""
    if change.base is None:
        staged = {**change.item, "kind": "staged", "becomes": change.item["kind"], "tx": tx}
        return [("create", (staged,))]
    fields = fields_of(change.item)
    marked = {**without_mark(change.base), "tx": tx, "next": fields}
    condition = {"if_match_etag": change.base["_etag"]}
    if stored_bytes(marked) <= MAX_MARKED_BYTES:
        return [("replace", (marked["id"], marked), condition)]
    apart = {
        "id": next_item_id(marked["id"]),
        "pk": marked["pk"],
        "kind": "next",
        "of": marked["id"],
        "tx": tx,
        "fields": fields,
    }
    marked = {name: value for name, value in marked.items() if name != "next"}
    return [("replace", (marked["id"], marked), condition), ("upsert", (apart,))]


def promote_operations(item: Item, next_fields: Mapping[str, Any] | None) -> list[Operation]:
    """The writes that make a marked item what its transaction says; `item` is as stored, with its _etag.

    next_fields   what its item of its own holds, where the next version is apart
    """
    condition = {"if_match_etag": item["_etag"]}
    if item["kind"] == "staged":
        return [("patch", (item["id"], promote_patch(item["becomes"])), condition)]
    new = promoted(item, next_fields)
    operations: list[Operation] = [("replace", (item["id"], new), condition)]
    if item["kind"] == "current":
        operations.append(("create", (past_item(item),)))
    if next_fields is not None:
        operations.append(("delete", (next_item_id(item["id"]),)))
    return operations


def promote_patch(becomes: str) -> list[dict[str, Any]]:
    """The patch that turns a staged create into what it becomes."""
    return [
        {"op": "set", "path": "/kind", "value": becomes},
        {"op": "remove", "path": "/becomes"},
        {"op": "remove", "path": "/tx"},
    ]


def abort_operations(item: Item, apart: bool) -> list[Operation]:
    """The writes that take the mark of an aborted transaction off an item; a staged create goes altogether."""
    condition = {"if_match_etag": item["_etag"]}
    if item["kind"] == "staged":
        return [("delete", (item["id"],), condition)]
    operations: list[Operation] = [("replace", (item["id"], without_mark(item)), condition)]
    if apart:
        operations.append(("delete", (next_item_id(item["id"]),)))
    return operations


def next_item_id(item_id: str) -> str:
    """The id of the item that holds the next version where it stands apart."""
    return f"{item_id}:next"


def batches[T](things: Sequence[T], operations_of: Callable[[T], list[Operation]]) -> Iterator[list[Operation]]:
    """The operations for `things` in batches that Cosmos takes; those of one thing stay in one batch."""
    pieces = [(operations, len(operations), operations_bytes(operations)) for operations in map(operations_of, things)]
    for group in cut(pieces):
        yield [operation for operations in group for operation in operations]


def operations_bytes(operations: Sequence[Operation]) -> int:
    """About how long operations are on the wire, never less."""
    size = 0
    for kind, arguments, *_ in operations:
        body = arguments[-1]
        size += stored_bytes(body) if kind in ("create", "replace", "upsert") else _PATCH_BYTES
    return size
