"""What can be done to one item, by itself or within a batch: conditions, conflicts, results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local.cosmos import charge
from local.cosmos.documents import Document, document_of, read_object
from local.cosmos.errors import bad_request, item_not_found, precondition_failed
from local.cosmos.partition_keys import PartitionKey
from local.cosmos.patch import Patch, patched
from local.cosmos.storage.items import StoredItem, Writes

Filter = Callable[[StoredItem], bool]


@dataclass(slots=True)
class Result:
    """What an operation did; `item` is the item as it is now, None once it is deleted."""

    status: int
    item: StoredItem | None
    charge: float


def create(writes: Writes, key: PartitionKey, document: Document) -> Result:
    """Raises CosmosError 409 if there is an item of that id under that key."""
    writes.container.key.require(document.fields, key)
    item = writes.create(key.epk, document)
    return Result(201, item, charge.create(len(item.body), _indexed(writes, document)))


def upsert(writes: Writes, key: PartitionKey, document: Document, if_match: str | None) -> Result:
    """Create or replace; the condition is about an item that exists."""
    writes.container.key.require(document.fields, key)
    current = writes.read(key.epk, document.id)
    if current is None:
        item = writes.create(key.epk, document)
        return Result(201, item, charge.create(len(item.body), _indexed(writes, document)))
    require_match(current, if_match)
    item = writes.update(current, document)
    return Result(200, item, charge.replace(len(item.body), _indexed(writes, document)))


def replace(writes: Writes, key: PartitionKey, item_id: str, document: Document, if_match: str | None) -> Result:
    """Raises CosmosError 404 or 412, or 400 for a document of another id."""
    writes.container.key.require(document.fields, key)
    if document.id != item_id:
        raise bad_request("The id of an item cannot be changed: that of the document is not that of the request.")
    current = _existing(writes, key, item_id)
    require_match(current, if_match)
    item = writes.update(current, document)
    return Result(200, item, charge.replace(len(item.body), _indexed(writes, document)))


def patch(
    writes: Writes, key: PartitionKey, item_id: str, changes: Patch, if_match: str | None, holds: Filter | None
) -> Result:
    """Raises CosmosError 404; 412, also where `holds` says no; 400 for a change that cannot be made."""
    current = _existing(writes, key, item_id)
    require_match(current, if_match)
    if holds is not None and not holds(current):
        raise precondition_failed()
    document = document_of(patched(read_object(current.body), changes, writes.container.key.paths))
    item = writes.update(current, document)
    return Result(200, item, charge.replace(len(item.body), _indexed(writes, document)))


def delete(writes: Writes, key: PartitionKey, item_id: str, if_match: str | None) -> Result:
    """Raises CosmosError 404 or 412."""
    current = _existing(writes, key, item_id)
    require_match(current, if_match)
    writes.delete(current)
    sent = current.body[: current.body.rindex(b',"_rid":"')]
    indexed = writes.container.policy.count(read_object(current.body), sent)
    return Result(204, None, charge.delete(len(current.body), indexed))


def read(current: StoredItem | None, if_none_match: str | None) -> Result:
    """Raises CosmosError 404; 304 without content for an ETag that is still right."""
    if current is None:
        raise item_not_found()
    if if_none_match is not None and if_none_match in ("*", current.etag):
        return Result(304, current, charge.POINT_READ)
    return Result(200, current, charge.point_read(len(current.body)))


def require_match(current: StoredItem, if_match: str | None) -> None:
    """Raises CosmosError 412 if the caller knows another version."""
    if if_match is not None and if_match not in ("*", current.etag):
        raise precondition_failed()


def _existing(writes: Writes, key: PartitionKey, item_id: str) -> StoredItem:
    current = writes.read(key.epk, item_id)
    if current is None:
        raise item_not_found()
    return current


def _indexed(writes: Writes, document: Document) -> int:
    return writes.container.policy.count(document.fields, document.head)
