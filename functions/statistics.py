"""Statistics of a person's Observations: counted by a timer, answered over HTTP."""

from __future__ import annotations

import azure.functions as func

from functions.fhir_http import ALL_METHODS, Answer, caller_of, fhir_http, json_answer, query_of, require_method
from shared_code.events import log_event
from shared_code.statistics import daily_statistics

blueprint = func.Blueprint()


@blueprint.function_name("statistics_follow")
@blueprint.timer_trigger(arg_name="timer", schedule="%STATISTICS_SCHEDULE%")
async def statistics_follow(timer: func.TimerRequest) -> None:
    """Count the Observations that changed since the last time."""
    followed = await daily_statistics().follow()
    if followed is not None and (followed.items or followed.as_of is None):
        log_event("statistics_follow", "success", items=followed.items, all_followed=followed.as_of is not None)


@blueprint.function_name("statistics")
@blueprint.route(route="statistics", methods=ALL_METHODS, auth_level=func.AuthLevel.ANONYMOUS)
@fhir_http
async def statistics(req: func.HttpRequest) -> Answer:
    """A code's statistics of a person by day: ?code=system|code&patient=&from=&to="""
    require_method(req, ("GET", "HEAD"))
    return json_answer(await daily_statistics().answer(await caller_of(req), query_of(req)))
