"""FHIR interactions on resources: create, read, vread, update, delete, history, search, and metadata."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qsl

import azure.functions as func

from functions.fhir_http import (
    ALL_METHODS,
    Answer,
    Interaction,
    caller_of,
    fhir_http,
    http_date,
    is_one_of,
    query_of,
    require_content_type,
    require_method,
    resource_of,
)
from functions.negotiation import preference
from shared_code import errors
from shared_code.azure.settings import settings
from shared_code.fhir import Resource, dump, outcome
from shared_code.identity import Caller
from shared_code.records import (
    Stored,
    address_of,
    history_bundle,
    read_history_query,
    read_query,
    record_store,
    require_type,
    searchset,
)

blueprint = func.Blueprint()

# Constraints only keep routes apart, which the host tries by name: metadata is no type, what begins with $ or _ no id.
TYPE = "{type:regex(^(?!metadata$|_|\\$))}"
ID = "{id:regex(^(?!_|\\$))}"
OPERATION = "{operation:regex(^(_|\\$))}"
TYPE_OPERATION = "{operation:regex(^(_(?!search$)|\\$))}"
INSTANCE_OPERATION = "{operation:regex(^(?!_history$))}"

FORM = "application/x-www-form-urlencoded"
MAX_FORM_BYTES = 64 * 1024
VERSION, STATED = "0.1.0", "2026-11-23"  # of this software, and when what it offers last changed


# The functions: one per route, since the host answers a wrong method by itself with an empty 404


@blueprint.route(route=f"fhir/{TYPE}", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def resource_type(req: func.HttpRequest) -> Answer:
    """Create and search on a type."""
    require_method(req, ("GET", "HEAD", "POST"))
    return await (create(req) if req.method == "POST" else search(req))


@blueprint.route(route=f"fhir/{TYPE}/_search", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def resource_search(req: func.HttpRequest) -> Answer:
    """Search by POST: parameters in a form, beside those of the query."""
    require_method(req, ("POST",))
    caller = await caller_of(req)
    require_content_type(req, (FORM,), FORM)
    body = req.get_body()
    if len(body) > MAX_FORM_BYTES:
        raise errors.TooLarge(f"the form has more than the {MAX_FORM_BYTES:,} bytes that a search may have")
    form = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return await _found(req, caller, [*query_of(req), *form])


@blueprint.route(route=f"fhir/{TYPE}/{ID}", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def resource_instance(req: func.HttpRequest) -> Answer:
    """Read, update and delete of one resource."""
    interactions: dict[str, Interaction] = {"GET": read, "HEAD": read, "PUT": update, "DELETE": delete}
    if req.method == "PATCH":
        raise errors.NotImplementedHere("patch is not offered here; read, change and update with If-Match")
    require_method(req, tuple(interactions))
    return await interactions[req.method](req)


@blueprint.route(route=f"fhir/{TYPE}/{ID}/_history", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def resource_history(req: func.HttpRequest) -> Answer:
    """The versions of one resource, newest first."""
    require_method(req, ("GET", "HEAD"))
    caller = await caller_of(req)
    kind, own = _named(req)
    query = read_history_query(query_of(req), strict=_is_strict(req))
    page = await record_store().history(caller, kind, own, query)
    return Answer(200, dump(history_bundle(settings().fhir_base_url, page, query, kind, own)))


@blueprint.route(route=f"fhir/{TYPE}/{ID}/_history/{{vid}}", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def resource_version(req: func.HttpRequest) -> Answer:
    """One version of one resource."""
    require_method(req, ("GET", "HEAD"))
    kind, own = _named(req)
    return _resource(await record_store().vread(await caller_of(req), kind, own, req.route_params["vid"]), 200)


@blueprint.route(route="fhir/metadata", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@partial(fhir_http, is_open=True)
async def metadata(req: func.HttpRequest) -> Answer:
    """The CapabilityStatement; the one answer under fhir/ that needs no token."""
    from shared_code.fhir.capability import capability_statement  # definitions of every type: not at every start

    require_method(req, ("GET", "HEAD"))
    return Answer(200, dump(capability_statement(settings().fhir_base_url, VERSION, STATED)))


# What FHIR has there and this server has not: an outcome says so, where the host would answer with nothing.


@blueprint.route(route=f"fhir/{OPERATION}", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def system_operation(req: func.HttpRequest) -> Answer:
    """An operation, a search or a history over everything."""
    return await not_offered(req)


@blueprint.route(route=f"fhir/{TYPE}/{TYPE_OPERATION}", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def type_operation(req: func.HttpRequest) -> Answer:
    """An operation on a type, or its history."""
    return await not_offered(req)


@blueprint.route(
    route=f"fhir/{TYPE}/{ID}/{INSTANCE_OPERATION}", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS
)
@fhir_http
async def instance_operation(req: func.HttpRequest) -> Answer:
    """An operation on a resource, or a search in its compartment."""
    return await not_offered(req)


async def not_offered(req: func.HttpRequest) -> Answer:
    """Raises NotImplementedHere, for those who may know."""
    await caller_of(req)
    raise errors.NotImplementedHere(
        f"{req.route_params['operation'][:60]!r} is not offered here; metadata says what is"
    )


# The interactions


async def create(req: func.HttpRequest) -> Answer:
    """FHIR create; with If-None-Exist only where nothing matches."""
    caller = await caller_of(req)
    resource = _of_type(resource_of(req), req.route_params["type"])
    version = await record_store().create(caller, resource, req.headers.get("if-none-exist"))
    return _written(req, version, 201 if version.created else 200)


async def read(req: func.HttpRequest) -> Answer:
    """FHIR read; 304 where If-None-Match names the current version."""
    version = await record_store().read(await caller_of(req), *_named(req))
    if is_one_of(version.etag, req.headers.get("if-none-match") or ""):
        return Answer(304, None, {"ETag": version.etag})
    return _resource(version, 200)


async def update(req: func.HttpRequest) -> Answer:
    """FHIR update, guarded by If-Match."""
    caller = await caller_of(req)
    kind, own = _named(req)
    resource = _of_type(resource_of(req), kind)
    if resource.get("id") != own:
        raise errors.Malformed(f"the id in the resource must be the one in the address, {own}", f"{kind}.id")
    version = await record_store().update(
        caller,
        resource,
        req.headers.get("if-match"),
        guarded=settings().require_if_match,
        if_none_match=req.headers.get("if-none-match"),
    )
    return _written(req, version, 201 if version.created else 200)


async def delete(req: func.HttpRequest) -> Answer:
    """FHIR delete, guarded by If-Match."""
    caller, (kind, own), guarded = await caller_of(req), _named(req), settings().require_if_match
    version = await record_store().delete(caller, kind, own, req.headers.get("if-match"), guarded=guarded)
    return Answer(204, None, {"ETag": version.etag} if version else {})


async def search(req: func.HttpRequest) -> Answer:
    """FHIR search on a type."""
    return await _found(req, await caller_of(req), query_of(req))


async def _found(req: func.HttpRequest, caller: Caller, parameters: Sequence[tuple[str, str]]) -> Answer:
    """A page of a search; what was ignored is said in an outcome entry."""
    kind = require_type(req.route_params["type"])
    query = read_query(kind, parameters, settings().fhir_base_url, strict=_is_strict(req))
    page = await record_store().search(caller, query)
    return Answer(200, dump(searchset(settings().fhir_base_url, page, query)))


def _is_strict(req: func.HttpRequest) -> bool:
    return preference(req.headers.get("prefer"), "handling") == "strict"


# Answers


def _named(req: func.HttpRequest) -> tuple[str, str]:
    return require_type(req.route_params["type"]), req.route_params["id"]


def _of_type(resource: Resource, kind: str) -> Resource:
    require_type(kind)
    if resource.get("resourceType") != kind:
        raise errors.Malformed(
            f"the body is a {str(resource.get('resourceType'))[:40]}, and the address asks for a {kind}", "resourceType"
        )
    return resource


def _resource(version: Stored, status: int) -> Answer:
    headers = {"ETag": version.etag, "Last-Modified": http_date(version.last_updated)}
    return Answer(status, version.text, headers)


def _written(req: func.HttpRequest, version: Stored, status: int) -> Answer:
    """The answer to a write, as `Prefer: return=…` asks."""
    headers = {"ETag": version.etag, "Last-Modified": http_date(version.last_updated)}
    if status == 201:
        headers["Location"] = f"{address_of(settings().fhir_base_url, version)}/_history/{version.version}"
    wanted = preference(req.headers.get("prefer"), "return")
    if wanted == "minimal":
        return Answer(status, None, headers)
    if wanted == "operationoutcome":
        text = f"{version.type}/{version.id} is at version {version.version}"
        return Answer(status, dump(outcome([errors.Issue("informational", text)], "information")), headers)
    return Answer(status, version.text, headers)
