"""The email service's REST protocol: `emails:send`, the status of an operation, errors in the service's shape."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.services.email import limits
from local.services.email.captured import ACCEPTED, Captured
from local.services.email.messages import UnacceptableError, read_message
from local.services.email.signatures import fault_of

API_VERSIONS = ("2023-03-31", "2024-07-01-preview", "2025-09-01")
RETRY_AFTER_SECONDS = 1
RUNNING_SECONDS = 1.0  # how long an operation is under way before it has ended


@dataclass(slots=True)
class Behaviour:
    """What the next requests meet, as a test has switched it; the service behaves well unless told otherwise.

    domain        whose sending limits hold: none, custom or managed
    hold_seconds  per request: accept it, then keep the answer back for so long
    failures      per request: answer (status, Retry-After in seconds) and accept nothing
    outcomes      per request: how its operation ends, Succeeded or Failed
    """

    domain: str = "none"
    hold_seconds: list[float] = field(default_factory=list)
    failures: list[tuple[int, int]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class EmailService:
    """The two operations of the service on what was captured."""

    captured: Captured
    behaviour: Behaviour
    key: str

    def routes(self) -> list[Route]:
        """The service's own paths."""
        return [
            Route("/emails:send", self.send, methods=["POST"]),
            Route("/emails/operations/{operation}", self.operation, methods=["GET"]),
        ]

    async def send(self, request: Request) -> Response:
        """Queue one message. It is kept before it is answered, whatever the answer is."""
        body = await request.body()
        if (refusal := self._refusal(request, body)) is not None:
            return refusal
        now = time.time()
        text = body.decode("utf-8", "replace")
        operation = request.headers.get("operation-id", str(uuid.uuid4())).lower()
        if not _is_uuid(operation):
            return _error(400, "InvalidOperationId", "Operation-Id must be a UUID")
        if self.behaviour.failures:
            status, retry_after = self.behaviour.failures.pop(0)
            self.captured.add(now, operation, status, text, reason="told to fail")
            return _error(status, _code(status), "Try again later.", retry_after)
        try:
            read_message(body)
        except UnacceptableError as error:
            self.captured.add(now, operation, 400, text, reason=str(error))
            return _error(400, "InvalidRequestBody", str(error))
        wait = limits.wait_seconds(
            limits.LIMITS[self.behaviour.domain], self.captured.accepted_since(now - limits.LONGEST_SECONDS), now
        )
        if wait > 0:
            self.captured.add(now, operation, 429, text, reason=f"above the limits of a {self.behaviour.domain} domain")
            return _error(429, _code(429), "The sending limit of this domain is reached.", wait)
        outcome = self.behaviour.outcomes.pop(0) if self.behaviour.outcomes else "Succeeded"
        self.captured.add(now, operation, ACCEPTED, text, outcome=outcome)
        if self.behaviour.hold_seconds:
            await asyncio.sleep(self.behaviour.hold_seconds.pop(0))
        version = request.query_params["api-version"]
        return JSONResponse(
            {"id": operation, "status": "Running"},
            ACCEPTED,
            {
                "Operation-Location": f"{_origin(request)}/emails/operations/{operation}?api-version={version}",
                "retry-after": str(RETRY_AFTER_SECONDS),
                **_request_ids(request),
            },
        )

    async def operation(self, request: Request) -> Response:
        """How far the sending of an operation has come."""
        if (refusal := self._refusal(request, b"")) is not None:
            return refusal
        operation = request.path_params["operation"].lower()
        accepted = self.captured.accepted(operation)
        if accepted is None:
            return _error(404, "OperationNotFound", "There is no operation with this id.")
        if time.time() < accepted.received + RUNNING_SECONDS:
            headers = {"retry-after": str(RETRY_AFTER_SECONDS), **_request_ids(request)}
            return JSONResponse({"id": operation, "status": "Running"}, headers=headers)
        answer: dict[str, object] = {"id": operation, "status": accepted.outcome}
        if accepted.outcome == "Failed":
            answer["error"] = {"code": "EmailDropped", "message": "Every attempt to deliver the message failed."}
        return JSONResponse(answer, headers=_request_ids(request))

    def _refusal(self, request: Request, body: bytes) -> Response | None:
        """The answer to a request that is not signed or names no version of the API."""
        target = request.scope["raw_path"].decode() + (f"?{request.url.query}" if request.url.query else "")
        fault = fault_of(request.method, target, request.headers, body, key=self.key, now=datetime.now(UTC))
        if fault is not None:
            return _error(401, "Denied", f"Denied by the resource provider: {fault}.")
        if request.query_params.get("api-version") not in API_VERSIONS:
            return _error(400, "InvalidApiVersion", f"api-version must be one of {', '.join(API_VERSIONS)}")
        return None


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers['host']}"


def _request_ids(request: Request) -> dict[str, str]:
    client_id = request.headers.get("x-ms-client-request-id")
    return {"x-ms-client-request-id": client_id} if client_id else {}


def _code(status: int) -> str:
    return "TooManyRequests" if status == 429 else "ServiceUnavailable" if status == 503 else "InternalServerError"


def _error(status: int, code: str, message: str, retry_after: int | None = None) -> Response:
    headers = {"x-ms-error-code": code}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)
