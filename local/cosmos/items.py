"""Requests about one item: create, upsert, read, replace, patch, delete."""

from __future__ import annotations

from local.cosmos import operations
from local.cosmos.account import Account
from local.cosmos.conditions import condition_of
from local.cosmos.documents import read_document
from local.cosmos.errors import bad_request
from local.cosmos.operations import Result
from local.cosmos.partition_keys import PartitionKey
from local.cosmos.patch import read_patch
from local.cosmos.storage.catalog import Container
from local.cosmos.storage.items import read_item, writing
from local.cosmos.wire import Answer, Request

_PRE_TRIGGER, _POST_TRIGGER = b"x-ms-documentdb-pre-trigger-include", b"x-ms-documentdb-post-trigger-include"


def create_or_upsert(account: Account, request: Request) -> Answer:
    """POST of an item on a container."""
    container = account.container(request)
    key = _key(container, request)
    document = read_document(request.body)
    if_match = _write_condition(request)
    with writing(account.file, container) as writes:
        if request.flag(b"x-ms-documentdb-is-upsert"):
            result = operations.upsert(writes, key, document, if_match)
        else:
            result = operations.create(writes, key, document)
    return _written(account, container, key, request, result)


def read(account: Account, request: Request) -> Answer:
    """GET of an item: the stored text as it is."""
    container = account.container(request)
    key = _key(container, request)
    factor = account.consistency.read_factor(request)
    current = read_item(account.file.connection, container, key.epk, request.segments[5])
    result = operations.read(current, request.header(b"if-none-match"))
    result.charge *= factor
    return _answer(account, container, key, result, with_body=result.status == 200)


def replace(account: Account, request: Request) -> Answer:
    """PUT of an item."""
    container = account.container(request)
    key = _key(container, request)
    document = read_document(request.body)
    if_match = _write_condition(request)
    with writing(account.file, container) as writes:
        result = operations.replace(writes, key, request.segments[5], document, if_match)
    return _written(account, container, key, request, result)


def patch(account: Account, request: Request) -> Answer:
    """PATCH of an item."""
    container = account.container(request)
    key = _key(container, request)
    changes = read_patch(request.body)
    if_match = _write_condition(request)
    with writing(account.file, container) as writes:
        result = operations.patch(writes, key, request.segments[5], changes, if_match, condition_of(changes))
    return _written(account, container, key, request, result)


def delete(account: Account, request: Request) -> Answer:
    """DELETE of an item."""
    container = account.container(request)
    key = _key(container, request)
    if_match = _write_condition(request)
    with writing(account.file, container) as writes:
        result = operations.delete(writes, key, request.segments[5], if_match)
    return _answer(account, container, key, result, with_body=False)


def delete_partition(account: Account, request: Request) -> Answer:
    """POST of the operation that deletes all items of one partition key."""
    container = account.container(request)
    key = _key(container, request)
    with writing(account.file, container) as writes:
        writes.delete_partition(key.epk)
    return _answer(account, container, key, Result(204, None, 1.0), with_body=False)


def _key(container: Container, request: Request) -> PartitionKey:
    return container.key.of_header(request.header(b"x-ms-documentdb-partitionkey"))


def _write_condition(request: Request) -> str | None:
    headers = request.headers
    if b"if-none-match" in headers:
        raise bad_request("If-None-Match is for reads only: the service does not look at it on a write.")
    if _PRE_TRIGGER in headers or _POST_TRIGGER in headers:
        raise bad_request("This server has no triggers, so none can be included in a write.")
    return request.header(b"if-match")


def _written(account: Account, container: Container, key: PartitionKey, request: Request, result: Result) -> Answer:
    minimal = (request.header(b"prefer") or "").lower() == "return=minimal"
    return _answer(account, container, key, result, with_body=not minimal)


def _answer(account: Account, container: Container, key: PartitionKey, result: Result, *, with_body: bool) -> Answer:
    headers = account.item_headers(container, account.ranges.id_of(key.epk))
    if result.item is not None:
        headers["etag"] = result.item.etag
    body = result.item.body if result.item is not None and with_body else b""
    return Answer(result.status, body, headers, result.charge)
