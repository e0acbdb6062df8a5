"""Communication Services' email as the outbox uses it: one request to send, one to ask, and what each answer means.

A notification's id is the Operation-Id of its email. So whoever comes after a sender that died can ask whether the
service has that email already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.notifications.retries import SEND_SECONDS

if TYPE_CHECKING:
    from azure.communication.email.aio import EmailClient
    from azure.core.exceptions import HttpResponseError

API_VERSION = "2025-09-01"  # of the one request that the SDK has no method for
ENDED = frozenset({"Succeeded", "Failed", "Canceled"})
_THROTTLED = 429
_TRY_LATER = frozenset(
    {401, 403, 408, 409, 425}
)  # a role or key that is not there yet, or the same operation under way
_SURELY_REFUSED = frozenset({401, 403, _THROTTLED})


@dataclass(frozen=True, slots=True)
class Message:
    """An email to one person."""

    to: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What the service says of an email that it has accepted: Running, Succeeded, Failed …, and why it failed."""

    status: str
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The service will never take this message."""

    reason: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """Not now.

    in_doubt    the service may have accepted it all the same
    throttled   the service takes nothing at all for now
    """

    reason: str
    retry_after_seconds: float | None = None
    in_doubt: bool = True
    throttled: bool = False


class EmailChannel:
    """Sends and asks; neither retries nor waits for an operation's end, which is the outbox's to do.

    client   made without retries: its own would sleep for as long as Retry-After says
    """

    def __init__(self, client: EmailClient, sender: str) -> None:
        self._client, self._sender = client, sender

    async def send(self, message: Message, operation_id: str) -> Operation | Refused | PutOff:
        """Hand the message over under this id."""
        from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError

        try:
            async with asyncio.timeout(SEND_SECONDS):
                poller = await self._client.begin_send(
                    self._body(message), operation_id=operation_id, polling=False, retry_total=0
                )
                answer = await poller.result()
        except HttpResponseError as fault:
            return _meaning(fault)
        except ServiceRequestError:
            return PutOff("unreachable", in_doubt=False)  # it never left
        except (AzureError, TimeoutError):
            return PutOff("no answer")
        return Operation(str((answer or {}).get("status") or "Running"))

    async def operation(self, operation_id: str) -> Operation | None:
        """What became of an email; None: the service knows of none. Raises Busy where it does not say."""
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        request = HttpRequest("GET", f"/emails/operations/{operation_id}?api-version={API_VERSION}")
        try:
            async with asyncio.timeout(SEND_SECONDS):
                response = await self._client.send_request(request, retry_total=0)
        except (AzureError, TimeoutError) as fault:
            raise errors.Busy("the email service does not answer", 60) from fault
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            wait = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
            raise errors.Busy(f"the email service answered {response.status_code}", int(wait or 60))
        answer = response.json()
        return Operation(str(answer.get("status")), str((answer.get("error") or {}).get("code") or "") or None)

    def _body(self, message: Message) -> dict[str, Any]:
        return {
            "senderAddress": self._sender,
            "recipients": {"to": [{"address": message.to}]},
            "content": {"subject": message.subject, "plainText": message.text, "html": message.html},
            "userEngagementTrackingDisabled": True,  # whether a patient opened it is nobody's business
        }


def _meaning(fault: HttpResponseError) -> Refused | PutOff:
    status = int(fault.status_code or 0)
    headers: Mapping[str, str] = getattr(fault.response, "headers", {})
    if status in _TRY_LATER or status == _THROTTLED or status >= 500 or status == 0:
        return PutOff(
            f"answered {status}",
            retry_after_seconds(headers.get("Retry-After"), datetime.now(UTC)),
            in_doubt=status not in _SURELY_REFUSED,
            throttled=status == _THROTTLED,
        )
    return Refused(f"answered {status} {headers.get('x-ms-error-code', '')}".strip())


def retry_after_seconds(text: str | None, now: datetime) -> float | None:
    """The wait that a Retry-After header asks for: a number of seconds or a date; None where it says neither."""
    if not text:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
