"""The access-key signature of Communication Services: HMAC-SHA256 over verb, path, date, host and the body's hash.

source: https://learn.microsoft.com/rest/api/communication/authentication#access-key-authentication
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

SIGNED_HEADERS = "x-ms-date;host;x-ms-content-sha256"
CLOCK_SKEW = timedelta(minutes=5)


def fault_of(
    method: str, path_and_query: str, headers: Mapping[str, str], body: bytes, *, key: str, now: datetime
) -> str | None:
    """What is wrong with the signature of a request, or None.

    path_and_query  as on the request line; the SDKs sign it with its percent escapes or without
    headers         names in lower case
    key             the access key, base64
    """
    content_hash = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if headers.get("x-ms-content-sha256") != content_hash:
        return "x-ms-content-sha256 is not the SHA-256 of the body"
    date = headers.get("x-ms-date", "")
    if (stale := _stale(date, now)) is not None:
        return stale
    scheme, _, parameters = headers.get("authorization", "").partition(" ")
    signed_headers, _, signature = parameters.partition("&Signature=")
    if scheme != "HMAC-SHA256" or signed_headers != f"SignedHeaders={SIGNED_HEADERS}":
        return f"Authorization must be HMAC-SHA256 SignedHeaders={SIGNED_HEADERS}&Signature=..."
    signed = f"{date};{headers.get('host', '')};{content_hash}"
    for target in (path_and_query, unquote(path_and_query)):
        if hmac.compare_digest(signature.encode(), _signature(f"{method}\n{target}\n{signed}", key).encode()):
            return None
    return "the signature does not match"


def _stale(date: str, now: datetime) -> str | None:
    try:
        sent = parsedate_to_datetime(date)
    except ValueError:
        return "x-ms-date is not an HTTP date"
    if sent.tzinfo is None:
        sent = sent.replace(tzinfo=UTC)
    return "x-ms-date is more than 5 minutes away" if abs(now - sent) > CLOCK_SKEW else None


def _signature(text: str, key: str) -> str:
    return base64.b64encode(hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()).decode()
