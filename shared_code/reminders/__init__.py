"""Reminders of appointments: planned from the change feed of the records, sent from the outbox when due."""

from collections import Counter

from shared_code.azure.change_feed import follow
from shared_code.azure.clients import container
from shared_code.azure.settings import settings
from shared_code.notifications import Sweep, email_channel, outbox
from shared_code.records import record_store
from shared_code.reminders.letters import Letters
from shared_code.reminders.planner import Planner

__all__ = ["Letters", "Planner", "plan_reminders", "send_due"]

CONSUMER = "reminders"


async def plan_reminders() -> int:
    """Plan for what changed since the last run; gives the number of changed resources looked at."""
    planner = Planner(container("outbox"), outbox(), settings().reminder_lead_hours)
    followed = await follow(container("records"), container("leases"), CONSUMER, planner.handle)
    return followed.items


async def send_due() -> Counter[str]:
    """Send what is due; gives how many notifications ended up in which state."""
    letters = Letters(record_store(), settings().reminder_lead_hours)
    return await Sweep(outbox(), email_channel(), letters.compose).run()
