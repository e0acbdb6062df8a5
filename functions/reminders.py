"""Reminders: one timer plans what changed appointments call for, another sends what is due."""

from __future__ import annotations

import azure.functions as func

from shared_code.events import log_event
from shared_code.reminders import plan_reminders, send_due

blueprint = func.Blueprint()


@blueprint.function_name("reminders_plan")
@blueprint.timer_trigger(arg_name="timer", schedule="%REMINDERS_SCHEDULE%")
async def reminders_plan(timer: func.TimerRequest) -> None:
    """Follow the changes of the records; a run that fires twice or was missed plans the same."""
    if count := await plan_reminders():
        log_event("reminders_plan", "success", resources=count)


@blueprint.function_name("outbox_send")
@blueprint.timer_trigger(arg_name="timer", schedule="%OUTBOX_SCHEDULE%")
async def outbox_send(timer: func.TimerRequest) -> None:
    """Send what is due; a run that fires twice sends nothing twice, one that was missed is made up for."""
    if outcomes := await send_due():
        log_event("outbox_send", "success", notifications=dict(sorted(outcomes.items())))
