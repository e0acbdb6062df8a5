"""A request and an answer as they are on the wire, free of the web server that carries them."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote

from local.cosmos.errors import bad_request

JSON = "application/json"


@dataclass(slots=True)
class Request:
    """One request. `segments` are the parts of the raw path, each percent-decoded exactly once."""

    method: str
    segments: list[str]
    headers: dict[bytes, bytes]
    body: bytes = b""
    scheme: str = "http"
    wants_empty_page: bool = False  # a test wants to see that callers go on after a page without items

    def header(self, name: bytes) -> str | None:
        """The value of a header; `name` in lower case."""
        value = self.headers.get(name)
        return None if value is None else value.decode("utf-8", "replace")

    def flag(self, name: bytes) -> bool:
        """True if the header says so; clients write True and true."""
        return name in self.headers and self.headers[name].lower() == b"true"

    def number(self, name: bytes) -> int | None:
        """A header that is a whole number, or None where it is absent."""
        value = self.headers.get(name)
        if value is None:
            return None
        try:
            return int(value)
        except ValueError:
            raise bad_request(f"The value of the header {name.decode()} is not a whole number.") from None


@dataclass(slots=True)
class Answer:
    """What goes back: every answer also gets the headers that are common to all."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    charge: float = 0.0
    content_type: str = JSON


@lru_cache(maxsize=64)  # many requests of a second have the same
def moment(date: str) -> float | None:
    """An RFC 1123 date as seconds since 1970; None for anything else."""
    try:
        parsed = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    return None if parsed.tzinfo is None else parsed.timestamp()


def path_segments(raw_path: bytes) -> list[str]:
    """The parts of a path: split first, decoded afterwards, so that an encoded slash stays inside its part."""
    try:
        parts = [part for part in raw_path.decode("ascii").split("/") if part]
        return [unquote(part, errors="strict") for part in parts] if b"%" in raw_path else parts
    except UnicodeDecodeError:
        raise bad_request("The path of the request is not percent-encoded UTF-8.") from None
