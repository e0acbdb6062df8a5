"""What a request to send must look like: the service's own schema (2025-09-01) and the limits that it documents."""

from __future__ import annotations

from typing import Annotated

import msgspec

MOST_RECIPIENTS = 50
MOST_BYTES = 10 * 1024 * 1024
ADDRESS = r"^[^@\s<>]+@[^@\s<>]+$"

Address = Annotated[str, msgspec.Meta(pattern=ADDRESS)]


class EmailAddress(msgspec.Struct, forbid_unknown_fields=True):
    """One mailbox."""

    address: Address
    displayName: str | None = None  # noqa: N815 - the wire's name


class Content(msgspec.Struct, forbid_unknown_fields=True):
    """The subject and one body at least."""

    subject: Annotated[str, msgspec.Meta(min_length=1)]
    plainText: str | None = None  # noqa: N815
    html: str | None = None


class Recipients(msgspec.Struct, forbid_unknown_fields=True):
    """Who gets it; one in all at least."""

    to: list[EmailAddress] = []
    cc: list[EmailAddress] = []
    bcc: list[EmailAddress] = []

    def everyone(self) -> list[str]:
        """All addresses, in the order of the request."""
        return [one.address for one in (*self.to, *self.cc, *self.bcc)]


class Attachment(msgspec.Struct, forbid_unknown_fields=True):
    """A file; msgspec checks that `contentInBase64` is base64."""

    name: str
    contentType: str  # noqa: N815
    contentInBase64: bytes  # noqa: N815
    contentId: str | None = None  # noqa: N815


class EmailMessage(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `emails:send`."""

    senderAddress: Address  # noqa: N815
    content: Content
    recipients: Recipients
    headers: dict[str, str] = {}
    attachments: list[Attachment] = []
    replyTo: list[EmailAddress] = []  # noqa: N815
    userEngagementTrackingDisabled: bool = False  # noqa: N815


class UnacceptableError(Exception):
    """The message is not one that the service takes; the text says why."""


def read_message(body: bytes) -> EmailMessage:
    """The message in `body`; raises UnacceptableError."""
    if len(body) > MOST_BYTES:
        raise UnacceptableError("the request is larger than 10 MB")
    try:
        message = msgspec.json.decode(body, type=EmailMessage)
    except msgspec.DecodeError as error:
        raise UnacceptableError(str(error)) from None
    if not (message.content.plainText or message.content.html):
        raise UnacceptableError("content needs plainText or html")
    recipients = len(message.recipients.everyone())
    if not 1 <= recipients <= MOST_RECIPIENTS:
        raise UnacceptableError(f"recipients must be 1 to {MOST_RECIPIENTS} in all, not {recipients}")
    return message
