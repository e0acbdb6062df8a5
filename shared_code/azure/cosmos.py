"""Cosmos DB as the domains use it: its failures as ours, batches cut to its limits, many point reads at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from shared_code import errors

if TYPE_CHECKING:  # the SDK takes a fifth of a second to import: only the client's factory does
    from azure.cosmos.aio import ContainerProxy

Item = dict[str, Any]
_ENCODER = msgspec.json.Encoder()
Operation = tuple[str, tuple[Any, ...]] | tuple[str, tuple[Any, ...], dict[str, Any]]

MAX_BATCH_OPERATIONS = 100
MAX_BATCH_BYTES = 1_800_000  # Cosmos takes 2 MB; the rest is for what wraps the items
MAX_ITEM_BYTES = 1_900_000

FAILURES: dict[int, type[errors.PortalError]] = {
    404: errors.NotFound,
    409: errors.Conflict,
    412: errors.VersionConflict,
    413: errors.TooLarge,
    424: errors.Conflict,
    429: errors.Throttled,
    449: errors.Conflict,
}
UNREACHABLE = frozenset({408, 410, 500, 502, 503, 504})


@contextmanager
def cosmos_errors(what: str) -> Iterator[None]:
    """Turns what the SDK raises into one of ours; `what` names the item or the work, without clinical content."""
    from azure.core.exceptions import AzureError
    from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

    try:
        yield
    except (CosmosBatchOperationError, CosmosHttpResponseError) as fault:
        status = _status(fault)
        if status in FAILURES:
            raise FAILURES[status](f"{what}: the store answered {status}") from fault
        if status in UNREACHABLE:
            raise errors.Busy(f"{what}: the store answered {status}") from fault
        raise  # what only a mistake of ours leads to
    except AzureError as fault:
        raise errors.Busy(f"{what}: the store cannot be reached") from fault


def _status(fault: Any) -> int:
    """The status of a failure; that of a batch is in the one operation that the others failed with (424)."""
    statuses = [int(result.get("statusCode") or 424) for result in getattr(fault, "operation_responses", ())]
    own = next((status for status in statuses if status >= 400 and status != 424), 424) if statuses else 0
    return own or int(fault.status_code or 503)


async def read_or_none(container: ContainerProxy, item_id: str, partition_key: str) -> Item | None:
    """The item as stored, or None where there is none: one point read."""
    from azure.cosmos.exceptions import CosmosResourceNotFoundError

    with cosmos_errors(item_id):
        try:
            return await container.read_item(item_id, partition_key=partition_key)
        except CosmosResourceNotFoundError:
            return None


async def read_many(
    container: ContainerProxy, keys: Sequence[tuple[str, str]], key_field: str
) -> dict[tuple[str, str], Item]:
    """The stored ones of (item id, partition key), by that pair; one request for up to 1,000 of a range.

    key_field   the name of the partition key's field in the items
    The SDK matches its answers by item id alone, so ids that occur in several partitions are asked for in turns.
    """
    found: dict[tuple[str, str], Item] = {}
    rest = list(dict.fromkeys(keys))
    while rest:
        turn = {item_id: (item_id, partition_key) for item_id, partition_key in rest}
        with cosmos_errors("reading several items"):
            for item in await container.read_items(items=list(turn.values())):
                found[(item["id"], item[key_field])] = item
        rest = [key for key in rest if turn[key[0]] != key]
    return found


async def first_page(
    container: ContainerProxy, sql: str, parameters: list[dict[str, Any]], limit: int, what: str, **where: Any
) -> tuple[list[Item], bool]:
    """The first page that a query gives, of one consistent state, and whether it stopped short of the query's limit.

    A page has at most about 4 MB, however many items that is.
    """
    with cosmos_errors(what):
        pages: Any = container.query_items(sql, parameters=parameters, max_item_count=limit, **where).by_page()
        async for page in pages:
            items = [item async for item in page]
            if items:
                return items, len(items) < limit and pages.continuation_token is not None
    return [], False


def stored_bytes(item: Mapping[str, Any]) -> int:
    """About how long an item is on the wire, never less: the SDK writes what is not ASCII as escapes."""
    text = _ENCODER.encode(item)
    if not text.isascii():
        text = json.dumps(item, separators=(",", ":")).encode()
    return len(text) + (5 * text.count(b"\x7f") if b"\x7f" in text else 0) + 200


def cut[T](pieces: Iterable[tuple[T, int, int]]) -> Iterator[list[T]]:
    """Groups of neighbours within a batch's limits; a piece is (value, operations, bytes) and is never parted."""
    group: list[T] = []
    operations = size = 0
    for value, its_operations, its_size in pieces:
        if group and (operations + its_operations > MAX_BATCH_OPERATIONS or size + its_size > MAX_BATCH_BYTES):
            yield group
            group, operations, size = [], 0, 0
        group.append(value)
        operations, size = operations + its_operations, size + its_size
    if group:
        yield group


async def in_parallel[T](work: Sequence[Callable[[], Awaitable[T]]], width: int = 16) -> list[T]:
    """The results of `work` in its order, `width` at a time. The first failure is raised once all under way ended."""
    results: dict[int, T] = {}
    failures: list[BaseException] = []
    numbered = iter(list(enumerate(work)))

    async def lane() -> None:
        for place, one in numbered:
            if failures:
                return
            try:
                results[place] = await one()
            except Exception as fault:
                failures.append(fault)

    await asyncio.gather(*(lane() for _ in range(min(width, len(work)))))
    if failures:
        raise failures[0]
    return [results[place] for place in range(len(work))]
