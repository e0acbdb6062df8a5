"""What tests and curious people may ask of the email service beside its protocol: what was caught, and misbehaviour.

GET    /captured            every request with its parsed body, and the number of requests per operation
DELETE /captured            forget them
POST   /control/hold        {"seconds": 5, "times": 1}                 accept, then keep the answer back
POST   /control/fail        {"status": 429, "retryAfter": 5, "times": 1}  accept nothing
POST   /control/outcome     {"status": "Failed", "times": 1}           how the next accepted operations end
POST   /control/limits      {"domain": "none" | "custom" | "managed"}  the documented sending limits
DELETE /control             behave well again
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.services.email.api import Behaviour
from local.services.email.captured import ACCEPTED, Captured, SendRequest

Times = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Hold(msgspec.Struct, forbid_unknown_fields=True):
    """Keep answers back."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=600)]
    times: Times = 1


class Fail(msgspec.Struct, forbid_unknown_fields=True):
    """Answer with an error."""

    status: Literal[429, 500, 503]
    retryAfter: Annotated[int, msgspec.Meta(ge=0)] = 1  # noqa: N815 - the wire's name
    times: Times = 1


class Outcome(msgspec.Struct, forbid_unknown_fields=True):
    """End operations so."""

    status: Literal["Succeeded", "Failed"]
    times: Times = 1


class Limits(msgspec.Struct, forbid_unknown_fields=True):
    """Whose sending limits hold."""

    domain: Literal["none", "custom", "managed"]


SWITCHES: dict[str, type[Hold | Fail | Outcome | Limits]] = {
    "hold": Hold,
    "fail": Fail,
    "outcome": Outcome,
    "limits": Limits,
}


def routes(captured: Captured, behaviour: Behaviour) -> list[Route]:
    """The control routes over what the service has captured and how it behaves."""

    async def show(_: Request) -> Response:
        return JSONResponse(summary(captured))

    async def forget(_: Request) -> Response:
        captured.clear()
        return Response(status_code=204)

    async def switch(request: Request) -> Response:
        wanted = SWITCHES.get(request.path_params["switch"])
        if wanted is None:
            return JSONResponse({"error": f"the switches are {', '.join(SWITCHES)}"}, 404)
        try:
            _apply(behaviour, msgspec.json.decode(await request.body(), type=wanted))
        except msgspec.DecodeError as error:
            return JSONResponse({"error": str(error)}, 400)
        return Response(status_code=204)

    async def behave(_: Request) -> Response:
        well = Behaviour()
        for name in Behaviour.__slots__:
            setattr(behaviour, name, getattr(well, name))
        return Response(status_code=204)

    return [
        Route("/captured", show, methods=["GET"]),
        Route("/captured", forget, methods=["DELETE"]),
        Route("/control/{switch}", switch, methods=["POST"]),
        Route("/control", behave, methods=["DELETE"]),
    ]


def _apply(behaviour: Behaviour, switch: Hold | Fail | Outcome | Limits) -> None:
    match switch:
        case Hold(seconds, times):
            behaviour.hold_seconds += [seconds] * times
        case Fail(status, retry_after, times):
            behaviour.failures += [(status, retry_after)] * times
        case Outcome(status, times):
            behaviour.outcomes += [status] * times
        case Limits(domain):
            behaviour.domain = domain


def summary(captured: Captured) -> dict[str, object]:
    """Every request, and how often each operation was asked for and accepted."""
    requests = list(captured.requests())
    operations: dict[str, dict[str, int]] = {}
    for one in requests:
        counts = operations.setdefault(one.operation, {"requests": 0, "accepted": 0})
        counts["requests"] += 1
        counts["accepted"] += one.status == ACCEPTED
    return {"requests": [_shown(one) for one in requests], "operations": operations}


def _shown(request: SendRequest) -> dict[str, object]:
    try:
        message = json.loads(request.body)
    except ValueError:
        message = request.body  # refused as not JSON
    return {
        "number": request.number,
        "received": request.received,
        "operation": request.operation,
        "status": request.status,
        "reason": request.reason,
        "outcome": request.outcome,
        "message": message,
    }
