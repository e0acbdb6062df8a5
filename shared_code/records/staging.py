"""The marks of a transaction on items: what is written to stage, to promote and to abort, in batches of a partition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shared_code.azure.cosmos import MAX_BATCH_BYTES, Item, Operation, cut, stored_bytes
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


def stage_steps(change: Change, tx: str) -> list[list[Operation]]:
    """The writes, batch by batch, that mark an item with what it will be, and leave what it is."""
    if change.base is None:
        staged = {**change.item, "kind": "staged", "becomes": change.item["kind"], "tx": tx}
        return [[("create", (staged,))]]
    fields = fields_of(change.item)
    marked = {**without_mark(change.base), "tx": tx, "next": fields}
    condition = {"if_match_etag": change.base["_etag"]}
    if stored_bytes(marked) <= MAX_MARKED_BYTES:
        return [[("replace", (marked["id"], marked), condition)]]
    apart = {
        "id": next_item_id(marked["id"], tx),
        "pk": marked["pk"],
        "kind": "next",
        "of": marked["id"],
        "tx": tx,
        "fields": fields,
    }
    del marked["next"]
    return [[("create", (apart,))], [("replace", (marked["id"], marked), condition)]]


def promote_steps(item: Item, apart: Item | None) -> list[list[Operation]]:
    """The writes, batch by batch, that make a marked item what its transaction says; `item` has its _etag.

    apart   the item that holds the next version, where it stands apart
    """
    condition = {"if_match_etag": item["_etag"]}
    if item["kind"] == "staged":
        return [[("patch", (item["id"], promote_patch(item["becomes"])), condition)]]
    operations: list[Operation] = [
        ("replace", (item["id"], promoted(item, apart["fields"] if apart else None)), condition)
    ]
    if apart is not None:
        operations.append(("delete", (apart["id"],)))
    if item["kind"] != "current":
        return [operations]
    past = past_item(item)
    whole = [*operations, ("create", (past,))]
    if operations_bytes(whole) <= MAX_BATCH_BYTES:
        return [whole]
    return [[("upsert", (past,))], operations]  # it may have been written by one who died between the two


def promote_patch(becomes: str) -> list[dict[str, Any]]:
    """The patch that turns a staged create into what it becomes."""
    return [
        {"op": "set", "path": "/kind", "value": becomes},
        {"op": "remove", "path": "/becomes"},
        {"op": "remove", "path": "/tx"},
    ]


def abort_steps(item: Item) -> list[list[Operation]]:
    """The writes that take the mark of an aborted transaction off an item; what only that would have made goes."""
    condition = {"if_match_etag": item["_etag"]}
    if item["kind"] in ("staged", "next"):
        return [[("delete", (item["id"],), condition)]]
    return [[("replace", (item["id"], without_mark(item)), condition)]]


def next_item_id(item_id: str, tx: str) -> str:
    """The id of the item that holds the next version where it stands apart."""
    return f"{item_id}:next:{tx}"


def batches[T](things: Iterable[T], steps_of: Callable[[T], list[list[Operation]]]) -> Iterator[list[Operation]]:
    """The operations for `things` in batches that Cosmos takes; a step is in one batch, and after those before it."""
    steps = (step for thing in things for step in steps_of(thing))
    for group in cut((step, len(step), operations_bytes(step)) for step in steps):
        yield [operation for operations in group for operation in operations]


def operations_bytes(operations: Sequence[Operation]) -> int:
    """About how long operations are on the wire, never less."""
    size = 0
    for kind, arguments, *_ in operations:
        body = arguments[-1]
        size += stored_bytes(body) if kind in ("create", "replace", "upsert") else _PATCH_BYTES
    return size
