"""What the HTTP functions share: the caller, the body, the query, and every error as an OperationOutcome."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, wraps
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func

from functions.negotiation import FHIR_JSON, JSON_TYPES, accepts_json, fault_of_parameters, is_json_format, media_type
from shared_code import errors
from shared_code.azure.clients import fetch_json
from shared_code.azure.settings import settings
from shared_code.events import Outcome, log_event
from shared_code.fhir import Resource, answer, dump, parse
from shared_code.identity import Caller, TokenChecker
from shared_code.records import is_fhir_id

MAX_RESOURCE_BODY_BYTES = 4_000_000  # a resource of 1.5 MB may be sent with white space and escapes
ALL_METHODS = None  # a function that lists none gets them all; what nobody lists, the host answers with an empty 404


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP function answers; `body` is JSON text, or None for an empty answer."""

    status: int
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = FHIR_JSON


# What may be raised before anybody has looked at the token.
_BEFORE_TOKEN = (errors.MethodNotAllowed, errors.NotAcceptable, errors.NotImplementedHere)
_LOGGED = frozenset({"type", "id", "vid"})  # of what is in an address, if it has their form: else it may be a name
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
# What a page may read of an answer beside its body; which pages get one is decided in front of the functions.
_FOR_BROWSERS = "Allow, ETag, Last-Modified, Location, Retry-After"
_COME_AGAIN = frozenset({429, 503})
Interaction = Callable[[func.HttpRequest], Awaitable[Answer]]
Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


def fhir_http(interaction: Interaction, *, is_open: bool = False) -> Function:
    """An HTTP function around `interaction`: what it raises is answered as an OperationOutcome, and one line is logged.

    Who has no token learns of nothing else that is wrong, unless `is_open` says that the route needs none.
    Only the names are taken over from the interaction: the worker reads the parameter `req` and the return annotation.
    """

    @wraps(interaction, assigned=("__module__", "__name__", "__doc__"), updated=())
    async def function(req: func.HttpRequest) -> func.HttpResponse:
        began = time.perf_counter()
        try:
            require_json_accepted(req)
            result = await interaction(req)
        except errors.PortalError as error:
            before_token = isinstance(error, _BEFORE_TOKEN) and not is_open
            result = failure(await _token_first(req, error) if before_token else error)
        except Exception:
            log_event(interaction.__name__, "failure", with_traceback=True)
            result = failure(errors.of_the_server())
        log_event(
            interaction.__name__,
            _outcome(result.status),
            method=req.method if req.method in _METHODS else "other",
            status=result.status,
            ms=round((time.perf_counter() - began) * 1000, 1),
            **{name: value for name, value in req.route_params.items() if name in _LOGGED and is_fhir_id(value)},
        )
        body = b"" if result.body is None else result.body.encode()  # to HEAD the host sends its length alone
        headers = {"Cache-Control": "no-store", **result.headers}
        if "origin" in req.headers:
            headers["Access-Control-Expose-Headers"] = _FOR_BROWSERS
        mimetype = f"{result.media_type}; charset=utf-8" if result.body is not None else None
        return func.HttpResponse(body, status_code=result.status, headers=headers, mimetype=mimetype)

    # wraps() leaves a way back to the undecorated function, which the worker would index instead of this one.
    del function.__wrapped__
    return function


def _outcome(status: int) -> Outcome:
    if status in _COME_AGAIN:
        return "delayed"
    return "success" if status < 400 else "refused" if status < 500 else "failure"


async def _token_first(req: func.HttpRequest, error: errors.PortalError) -> errors.PortalError:
    try:
        await caller_of(req)
    except errors.PortalError as refusal:
        return refusal
    return error


def failure(error: errors.PortalError) -> Answer:
    """The answer to what went wrong."""
    status, outcome = answer(error)
    headers: dict[str, str] = {}
    if isinstance(error, errors.Unauthorized):
        headers["WWW-Authenticate"] = 'Bearer realm="health-portal"'
    if isinstance(error, errors.MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allowed)
    if isinstance(error, errors.Busy):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.Throttled):
        headers["Retry-After"] = "1"
    return Answer(status, dump(outcome), headers)


@cache
def _token_checker() -> TokenChecker:
    s = settings()

    async def fetch_keys() -> dict[str, Any]:
        configuration = await fetch_json(f"{s.token_issuer.rstrip('/')}/.well-known/openid-configuration")
        return await fetch_json(str(configuration.get("jwks_uri", "")))

    return TokenChecker(s.token_issuer, s.token_audience, s.fhir_base_url, fetch_keys, time.time)


async def caller_of(req: func.HttpRequest) -> Caller:
    """The bearer of the request's token. Raises Unauthorized."""
    return await _token_checker().caller(req.headers.get("authorization"))


def resource_of(req: func.HttpRequest, max_bytes: int = MAX_RESOURCE_BODY_BYTES) -> Resource:
    """The JSON object in the body. Raises UnsupportedMediaType, TooLarge, Malformed."""
    body = body_of(req, max_bytes)
    resource = parse(body)
    if not isinstance(resource, dict):
        raise errors.Malformed("the body must be a FHIR resource, a JSON object with resourceType")
    return resource


def body_of(req: func.HttpRequest, max_bytes: int) -> bytes:
    """The JSON bytes of the body. Raises UnsupportedMediaType, TooLarge, Malformed where there is none."""
    require_content_type(req, JSON_TYPES, f"{FHIR_JSON} or application/json")
    body = req.get_body()
    if not body:
        raise errors.Malformed("the request has no body")
    if len(body) > max_bytes:
        raise errors.TooLarge(f"the body has {len(body):,} bytes, more than the {max_bytes:,} that this route takes")
    return body


def require_content_type(req: func.HttpRequest, accepted: Collection[str], said: str) -> None:
    """Raises UnsupportedMediaType where the body is in none of the accepted types, which `said` names, or not UTF-8."""
    name, parameters = media_type(req.headers.get("content-type") or "")
    if name not in accepted:
        raise errors.UnsupportedMediaType(f"the content type must be {said}, not {name[:60] or 'absent'}")
    fault = fault_of_parameters(parameters, req.get_body())
    if fault:
        raise errors.UnsupportedMediaType(fault)


def query_of(req: func.HttpRequest) -> list[tuple[str, str]]:
    """The query parameters in order, repeats apart: the host joins those in `req.params`."""
    return parse_qsl(urlsplit(req.url).query, keep_blank_values=True) if "?" in req.url else []


def require_json_accepted(req: func.HttpRequest) -> None:
    """Raises NotAcceptable where the caller accepts no JSON."""
    wanted = [value for name, value in query_of(req) if name == "_format"]
    if wanted:
        if not is_json_format(wanted[-1]):
            raise errors.NotAcceptable(f"answers are JSON of FHIR 4.0 here, not {wanted[-1][:40]}")
        return
    header = req.headers.get("accept") or "*/*"
    if header not in ("*/*", FHIR_JSON) and not accepts_json(header):
        raise errors.NotAcceptable(f"answers are {FHIR_JSON} of FHIR 4.0 here, not {header[:60]}")


def require_method(req: func.HttpRequest, allowed: Sequence[str]) -> None:
    """Raises MethodNotAllowed where the route has no interaction for the request's method."""
    if req.method not in allowed:
        raise errors.MethodNotAllowed(f"{req.method} is not one of this route's methods", tuple(allowed))


def is_one_of(etag: str, header: str) -> bool:
    """Whether If-None-Match names the ETag, compared weakly, or any with a star."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def json_answer(value: Any, status: int = 200) -> Answer:
    """An answer that is plain JSON, no FHIR resource."""
    return Answer(status, dump(value), media_type="application/json")


def http_date(instant: str) -> str:
    """A FHIR instant in UTC as the date of an HTTP header."""
    day = date.fromisoformat(instant[:10])
    return f"{_DAYS[day.weekday()]}, {day.day:02d} {_MONTHS[day.month - 1]} {day.year:04d} {instant[11:19]} GMT"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
