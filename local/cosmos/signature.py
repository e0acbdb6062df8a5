"""The signature of a request under the account key, and the resource it must have been made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from urllib.parse import unquote_to_bytes

from local.cosmos.errors import CosmosError
from local.cosmos.wire import Request, moment

EMULATOR_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
_CLOCK_SKEW_SECONDS = 15 * 60


class AccountKey:
    """Checks that a request was signed with the key of the account."""

    def __init__(self, key: str) -> None:
        try:
            secret = base64.b64decode(key, validate=True)
        except binascii.Error:
            raise ValueError("the account key is not base64") from None
        if not secret:
            raise ValueError("the account key is empty")
        self._blank = hmac.new(secret, digestmod=hashlib.sha256)

    def check(self, request: Request) -> None:
        """Raises CosmosError 401 unless the signature is right and its date is of this quarter of an hour."""
        sent = request.headers.get(b"authorization")
        if sent is None:
            raise _unauthorized(
                "Required Header authorization is missing. Ensure a valid Authorization token is passed."
            )
        date = request.headers.get(b"x-ms-date", b"").decode("ascii", "replace")
        kind, link = signed_resource(request.segments)
        signing = self._blank.copy()
        signing.update(f"{request.method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n".encode())
        signature = base64.b64encode(signing.digest())
        if not hmac.compare_digest(_as_usually_sent(signature), sent) and not _says(sent, signature):
            raise _unauthorized(
                "The input authorization token can't serve the request. Please check that the expected payload is built"
                f" as per the protocol, and check the key being used. Server used the following payload to sign:"
                f" '{request.method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n'"
            )
        signed_at = moment(date)
        if signed_at is None:
            raise _unauthorized("The x-ms-date header is missing or is not an RFC 1123 date.")
        if abs(time.time() - signed_at) > _CLOCK_SKEW_SECONDS:
            raise CosmosError(403, "The date of the request is more than 15 minutes away from the server's clock.")


def _as_usually_sent(signature: bytes) -> bytes:
    """The whole header as the clients encode it, to be compared without taking apart what was sent."""
    encoded = signature.replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")
    return b"type%3Dmaster%26ver%3D1.0%26sig%3D" + encoded


def _says(sent: bytes, signature: bytes) -> bool:
    """Whether a header that is encoded in another way says the same."""
    fields = dict(part.partition(b"=")[::2] for part in unquote_to_bytes(sent).split(b"&"))
    if fields.get(b"type") != b"master" or fields.get(b"ver") != b"1.0":
        raise _unauthorized("The authorization token is not of type master, version 1.0.")
    return hmac.compare_digest(signature, fields.get(b"sig", b""))


def signed_resource(segments: list[str]) -> tuple[str, str]:
    """Type and link that a request for this path is signed with.

    A feed is signed as its last part under its parent's link, one thing as itself; an offer by its id in lower case.
    """
    if not segments:
        return "", ""
    if segments[0] == "offers":
        return "offers", "/".join(segments[1:]).lower()
    if len(segments) > 4 and segments[4] == "operations":
        return "colls", "/".join(segments[:4])
    if len(segments) % 2:
        return segments[-1], "/".join(segments[:-1])
    return segments[-2], "/".join(segments)


def _unauthorized(message: str) -> CosmosError:
    return CosmosError(401, message)
