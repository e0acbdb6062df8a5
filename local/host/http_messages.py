"""An HTTP request as a function is told of it, and a function's return value as an HTTP answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, quote

from local.host.shapes import Message, TypedData

Headers = list[tuple[str, str]]
# Set by the server, or a matter of one connection: a function's own would contradict what is sent.
NOT_PASSED_ON = frozenset({"content-length", "transfer-encoding", "connection", "date", "server", "keep-alive"})
PATH_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@")
SAME_SITE = {1: "lax", 2: "strict", 3: "none"}


@dataclass(slots=True)  # not frozen: one is made for each call, and that takes thrice as long
class Answer:
    """A status, headers (names in lower case) and the whole body."""

    status: int
    headers: Headers
    body: bytes = b""


def empty(status: int) -> Answer:
    """An answer without a body, as the host's own mostly are."""
    return Answer(status, [])


def header_values(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names in lower case; repeats joined by ','. Raises UnicodeDecodeError for what is not UTF-8."""
    values: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii"), raw_value.decode()
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def query_values(query: str) -> dict[str, str]:
    """Repeats joined by ',', names compared without case, empty ones left out."""
    if not query:
        return {}
    spelt: dict[str, str] = {}
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        known = spelt.setdefault(name.lower(), name)
        values[known] = f"{values[known]},{value}" if known in values else value
    return {name: value for name, value in values.items() if value}


def decoded_path(raw: bytes) -> str:
    """The path that routes are matched against: percent-decoded, but for `%2F`; `.` and `..` are resolved.

    Raises UnicodeDecodeError for what is not UTF-8.
    """
    if b"%" in raw:
        raw = re.sub(
            rb"%([0-9A-Fa-f]{2})", lambda m: m[0] if m[1].upper() == b"2F" else bytes.fromhex(m[1].decode()), raw
        )
    path = raw.decode()
    if "/." in path:
        kept: list[str] = []
        for segment in path.split("/"):
            if segment == "..":
                kept = kept[:-1] or [""]
            elif segment != ".":
                kept.append(segment)
        path = "/".join(kept) + ("/" if path.endswith(("/.", "/..")) else "")
    return path


def url_path(raw: bytes) -> str:
    """The path as it stands in the request's url: percent-encoded only where that is needed."""
    if b"%" not in raw:
        return raw.decode("ascii", "replace")

    def piece(match: re.Match[bytes]) -> bytes:
        code = int(match[1], 16)
        return bytes((code,)) if code in PATH_CHARACTERS else match[0].upper()

    return re.sub(rb"%([0-9A-Fa-f]{2})", piece, raw).decode("ascii", "replace")


def answer_of(value: TypedData | None) -> Answer:
    """The answer that a function returned. Raises ValueError where Azure would answer 500."""
    if value is None:
        raise ValueError("the function returned nothing")
    if value.kind == "http":
        return _whole_answer(value.value)
    if value.kind == "string":
        return _text_answer(value.value)
    return Answer(200, [("content-type", "application/octet-stream")], bytes(value.value))


def _whole_answer(http: Message) -> Answer:
    headers = _passed_on(http.headers)
    headers += [("set-cookie", cookie_text(cookie)) for cookie in http.cookies or ()]
    return _checked(Answer(int(http.status_code), headers, http.body.value if http.body else b""))


def _passed_on(headers: Mapping[str, Any]) -> Headers:
    return [(lower, str(value)) for name, value in headers.items() if (lower := str(name).lower()) not in NOT_PASSED_ON]


def _checked(answer: Answer) -> Answer:
    for name, value in answer.headers:
        if not (name.isascii() and value.isascii()):  # Azure's server sends no other header either
            raise ValueError(f"the header {name} has a character that is not ASCII")
    if not 200 <= answer.status <= 599:
        raise ValueError(f"{answer.status} is no status of an answer")
    return answer


def _text_answer(text: str) -> Answer:
    """A returned text: JSON is read and written again, and one with a `body` member is a whole answer."""
    try:
        content = json.loads(text)
    except ValueError:
        return Answer(200, [("content-type", "text/plain; charset=utf-8")], text.encode())
    if isinstance(content, dict) and "body" in content:
        return _described_answer(content)
    return _json_answer(200, [], content)


def _described_answer(content: Mapping[str, Any]) -> Answer:
    headers = _passed_on(content.get("headers") or {})
    status = int(content.get("status") or content.get("statusCode") or 200)
    body = content["body"]
    if not isinstance(body, str):
        return _checked(_json_answer(status, headers, body))
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain; charset=utf-8"))
    return _checked(Answer(status, headers, body.encode()))


def _json_answer(status: int, headers: Headers, content: Any) -> Answer:
    if not any(name == "content-type" for name, _ in headers):
        headers = [*headers, ("content-type", "application/json; charset=utf-8")]
    return Answer(status, headers, json.dumps(content, indent=2, ensure_ascii=False).encode())


def cookie_text(cookie: Message) -> str:
    """A Set-Cookie value, built anew as the host does: value encoded, path '/' where none was given."""
    parts = [f"{cookie.name}={quote(cookie.value, safe='')}"]
    if cookie.expires:
        parts.append(f"expires={formatdate(cookie.expires.value.seconds, usegmt=True)}")
    if cookie.max_age:
        parts.append(f"max-age={cookie.max_age.value:.0f}")
    if cookie.domain and cookie.domain.value:
        parts.append(f"domain={cookie.domain.value}")
    parts.append(f"path={(cookie.path and cookie.path.value) or '/'}")
    if cookie.secure and cookie.secure.value:
        parts.append("secure")
    if cookie.same_site in SAME_SITE:
        parts.append(f"samesite={SAME_SITE[cookie.same_site]}")
    if cookie.http_only and cookie.http_only.value:
        parts.append("httponly")
    return "; ".join(parts)
