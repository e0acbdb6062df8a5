"""What people are told, once each: the outbox, the sweep that sends what is due, and how a person is reached."""

from functools import cache

from shared_code.azure.clients import container, email_client
from shared_code.azure.settings import settings
from shared_code.notifications.addresses import may_be_written_to, preferred_email, preferred_language
from shared_code.notifications.email import EmailChannel, Message
from shared_code.notifications.outbox import Notification, Outbox
from shared_code.notifications.sending import Compose, Sweep, Unsent
from shared_code.notifications.slots import instant_text, slot_of

__all__ = [
    "Compose",
    "EmailChannel",
    "Message",
    "Notification",
    "Outbox",
    "Sweep",
    "Unsent",
    "email_channel",
    "instant_text",
    "may_be_written_to",
    "outbox",
    "preferred_email",
    "preferred_language",
    "slot_of",
]


@cache
def outbox() -> Outbox:
    """The deployed outbox; tests make their own."""
    return Outbox(container("outbox"), container("leases"))


@cache
def email_channel() -> EmailChannel:
    """The deployed channel; tests make their own."""
    return EmailChannel(email_client(), settings().email_sender)
