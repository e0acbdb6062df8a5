"""Whether this app lives, and whether what it stands on answers."""

from __future__ import annotations

from functools import partial

import azure.functions as func

from functions.fhir_http import ALL_METHODS, Answer, fhir_http, json_answer, require_method
from shared_code import errors
from shared_code.azure.readiness import unreachable

blueprint = func.Blueprint()


@blueprint.route(route="health", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@partial(fhir_http, is_open=True)
async def health(req: func.HttpRequest) -> Answer:
    """200 as long as the worker answers at all."""
    require_method(req, ("GET", "HEAD"))
    return json_answer({"status": "alive"})


@blueprint.route(route="health/ready", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@partial(fhir_http, is_open=True)
async def health_ready(req: func.HttpRequest) -> Answer:
    """200 when records and files can be reached, else 503 that names what cannot."""
    require_method(req, ("GET", "HEAD"))
    missing = await unreachable()
    if missing:
        raise errors.Busy(f"not ready: {', '.join(missing)} cannot be reached", 5)
    return json_answer({"status": "ready"})
