"""Bundles by HTTP, files of bundles by queue, the state of a file's load, and the sweep of unfinished transactions."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext

import azure.functions as func

from functions.fhir_http import (
    ALL_METHODS,
    Answer,
    body_of,
    caller_of,
    fhir_http,
    json_answer,
    query_of,
    require_method,
)
from functions.negotiation import preference
from shared_code import errors
from shared_code.fhir import dump, parse
from shared_code.identity import require_scope
from shared_code.loading import File, bundle_loader, file_loader, response_bundle
from shared_code.records import record_store

blueprint = func.Blueprint()

BUNDLES, EVENTS = "bundles", "bundle-events"
MAX_BUNDLE_BODY_BYTES = 50 * 1024 * 1024
MAX_DELIVERIES = 5  # as host.json says: after that a message is poison
_LARGE_BODY_BYTES = 256 * 1024  # above, parsing leaves the event loop
_VERY_LARGE_BODY_BYTES = 8 * 1024 * 1024  # above, one at a time is in memory, where it needs ten times as much
_very_large = asyncio.Semaphore(1)


@blueprint.route(route="fhir", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def system(req: func.HttpRequest) -> Answer:
    """FHIR transaction and batch."""
    if req.method in ("GET", "HEAD"):
        raise errors.NotImplementedHere("a search over all types is not offered here; search one type")
    require_method(req, ("POST",))
    caller = await caller_of(req)
    try:
        body = body_of(req, MAX_BUNDLE_BODY_BYTES)
    except errors.TooLarge as error:
        raise errors.TooLarge(f"{error}; put a larger bundle as a file into the blob container {BUNDLES!r}") from error
    with_resources = preference(req.headers.get("prefer"), "return") == "representation"
    async with _very_large if len(body) > _VERY_LARGE_BODY_BYTES else nullcontext():
        bundle = await asyncio.to_thread(parse, body) if len(body) > _LARGE_BODY_BYTES else parse(body)
        if not isinstance(bundle, dict):
            raise errors.Malformed("the body must be a Bundle of type transaction or batch")
        results = await bundle_loader().carry_out(caller, bundle)
        return Answer(200, dump(response_bundle(bundle["type"], results, with_resources=with_resources)))


@blueprint.route(route="load", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def load_state(req: func.HttpRequest) -> Answer:
    """How the load of a file of the container `bundles` goes: `?file=NAME`."""
    require_method(req, ("GET", "HEAD"))
    caller = await caller_of(req)
    if caller.kind != "system":
        raise errors.Forbidden("only a system's token may see loads")
    require_scope(caller, "read", "*")  # a file may hold anything, and so may what is said of its lines
    name = dict(query_of(req)).get("file")
    if not name:
        raise errors.Malformed("say which file: ?file=NAME, as in the container 'bundles'")
    return json_answer(await file_loader().state(BUNDLES, name))


@blueprint.queue_trigger(arg_name="msg", queue_name=EVENTS, connection="DataStorage")
async def load_file(msg: func.QueueMessage) -> None:
    """Load the file that a BlobCreated event tells of."""
    event = json.loads(msg.get_body())
    await file_loader().load(file_of(event), str(msg.id), last_try=(msg.dequeue_count or 1) >= MAX_DELIVERIES)


@blueprint.timer_trigger(arg_name="timer", schedule="%TRANSACTIONS_SCHEDULE%")
async def sweep_transactions(timer: func.TimerRequest) -> None:
    """Promote or abort the transactions whose request died."""
    await record_store().transactions.sweep()


def file_of(event: dict[str, object]) -> File:
    """The file that an Event Grid event names. Raises Malformed for any other message, which ends as poison."""
    data = event.get("data")
    if event.get("eventType") != "Microsoft.Storage.BlobCreated" or not isinstance(data, dict):
        raise errors.Malformed("the message is no Microsoft.Storage.BlobCreated event")
    container, _, name = str(event.get("subject", "")).partition("/containers/")[2].partition("/blobs/")
    if not container or not name:
        raise errors.Malformed("the event's subject names no blob")
    return File(container, name, str(data.get("eTag", "")))
