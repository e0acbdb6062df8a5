"""The transactional batch: up to 100 operations on one partition key, all of them or none."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from local.cosmos import operations
from local.cosmos.account import Account
from local.cosmos.conditions import condition_of
from local.cosmos.documents import MAX_ITEM_BYTES, Document, read_document, too_large
from local.cosmos.errors import CosmosError, bad_request
from local.cosmos.operations import Result
from local.cosmos.partition_keys import PartitionKey
from local.cosmos.patch import read_patch
from local.cosmos.storage.items import AlreadyExistsError, Writes, writing
from local.cosmos.wire import Answer, Request

MAX_OPERATIONS = 100
_FAILED_DEPENDENCY = b'{"statusCode":424,"requestCharge":0}'


class Operation(msgspec.Struct, rename="camel"):
    """One operation as it is sent."""

    operation_type: str
    id: str | None = None
    resource_body: msgspec.Raw = msgspec.Raw()
    if_match: str | None = None
    if_none_match: str | None = None


def execute(account: Account, request: Request) -> Answer:
    """200 with a result for each operation; 207 where one failed, which keeps its status while all others say 424."""
    container = account.container(request)
    key = container.key.of_header(request.header(b"x-ms-documentdb-partitionkey"))
    factor = account.consistency.read_factor(request)
    sent = _read(request.body)
    minimal = (request.header(b"prefer") or "").lower() == "return=minimal"
    results: list[Result] = []
    try:
        with writing(account.file, container) as writes:
            for operation in sent:
                results.append(_run(writes, key, operation))
    except CosmosError as error:
        parts = [_FAILED_DEPENDENCY] * len(sent)
        parts[_place(error, results)] = _refused(error)
        status, charged = 207, 1.0
    else:
        if factor != 1:
            _charge_reads(sent, results, factor)
        parts = [
            _done(result, with_body=not minimal or operation.operation_type == "Read")
            for result, operation in zip(results, sent, strict=True)
        ]
        status, charged = 200, sum(result.charge for result in results)
    headers = account.item_headers(container, account.ranges.id_of(key.epk))
    return Answer(status, b"[" + b",".join(parts) + b"]", headers, charged)


def _charge_reads(sent: list[Operation], results: list[Result], factor: float) -> None:
    for operation, result in zip(sent, results, strict=True):
        if operation.operation_type == "Read":
            result.charge *= factor


def _read(body: bytes) -> list[Operation]:
    if len(body) > MAX_ITEM_BYTES:
        raise too_large()
    try:
        sent = msgspec.json.decode(body, type=list[Operation])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"The batch request is invalid: {error}") from None
    if not sent:
        raise bad_request("Batch request has no operations.")
    if len(sent) > MAX_OPERATIONS:
        raise bad_request("Batch request has more operations than what is supported.")
    return sent


def _run(writes: Writes, key: PartitionKey, operation: Operation) -> Result:
    run = _OPERATIONS.get(operation.operation_type)
    if run is None:
        raise bad_request(f"The operation type {operation.operation_type[:40]!r} is not supported in a batch.")
    return run(writes, key, operation)


def _place(error: CosmosError, results: list[Result]) -> int:
    """Which operation has failed, after those that gave `results`; that a creation has is told only later."""
    if not isinstance(error, AlreadyExistsError):
        return len(results)
    return [result.item.number if result.item else None for result in results].index(error.number)


def _create(writes: Writes, key: PartitionKey, operation: Operation) -> Result:
    return operations.create(writes, key, _document(operation))


def _upsert(writes: Writes, key: PartitionKey, operation: Operation) -> Result:
    return operations.upsert(writes, key, _document(operation), operation.if_match)


def _replace(writes: Writes, key: PartitionKey, operation: Operation) -> Result:
    return operations.replace(writes, key, _id(operation), _document(operation), operation.if_match)


def _delete(writes: Writes, key: PartitionKey, operation: Operation) -> Result:
    return operations.delete(writes, key, _id(operation), operation.if_match)


def _read_one(writes: Writes, key: PartitionKey, operation: Operation) -> Result:
    return operations.read(writes.read(key.epk, _id(operation)), operation.if_none_match)


def _patch(writes: Writes, key: PartitionKey, operation: Operation) -> Result:
    changes = read_patch(_body(operation))
    holds = condition_of(changes)
    return operations.patch(writes, key, _id(operation), changes, operation.if_match, holds)


_OPERATIONS: dict[str, Callable[[Writes, PartitionKey, Operation], Result]] = {
    "Create": _create,
    "Upsert": _upsert,
    "Replace": _replace,
    "Delete": _delete,
    "Read": _read_one,
    "Patch": _patch,
}


def _id(operation: Operation) -> str:
    if operation.id is None:
        raise bad_request(f"The batch operation {operation.operation_type} needs an id.")
    return operation.id


def _body(operation: Operation) -> bytes:
    if not operation.resource_body:
        raise bad_request(f"The batch operation {operation.operation_type} needs a resourceBody.")
    return bytes(operation.resource_body)


def _document(operation: Operation) -> Document:
    if operation.if_none_match is not None:
        raise bad_request("ifNoneMatch is for reads only: the service does not look at it on a write.")
    return read_document(_body(operation))


def _done(result: Result, *, with_body: bool) -> bytes:
    item = result.item
    if item is None:
        return b'{"statusCode":%d,"requestCharge":%.2f}' % (result.status, result.charge)
    etag = item.etag[1:-1].encode()
    if result.status == 304 or not with_body:
        return b'{"statusCode":%d,"requestCharge":%.2f,"eTag":"\\"%b\\""}' % (result.status, result.charge, etag)
    return b'{"statusCode":%d,"requestCharge":%.2f,"eTag":"\\"%b\\"","resourceBody":%b}' % (
        *(result.status, result.charge, etag, item.body),
    )


def _refused(error: CosmosError) -> bytes:
    return msgspec.json.encode(
        {
            "statusCode": error.status,
            "subStatusCode": error.substatus,
            "requestCharge": 1.0,
            "message": error.message,
        }
    )
