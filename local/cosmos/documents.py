"""What an item must be to be stored, and the text that is stored for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from local.cosmos.doubles import FloatReader, as_doubles, has_long_number, may_have_long_number
from local.cosmos.errors import CosmosError, bad_request
from local.cosmos.storage.catalog import Container

MAX_ITEM_BYTES = 2 * 1024 * 1024
MAX_ID_BYTES = 1023
MAX_RESOURCE_ID_CHARACTERS = 255
MAX_NESTING = 128
MAX_TTL_SECONDS = 2**31 - 1
SYSTEM_FIELDS = frozenset(("_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"))
_SURELY_SHORT = MAX_ID_BYTES // 4  # characters of at most four bytes each
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_floats = FloatReader()  # of the event loop alone, like everything that writes
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_floats)


@dataclass(slots=True)
class Document:
    """An item as it was sent: its fields, and its JSON up to the last brace, without system fields."""

    fields: dict[str, Any]
    head: bytes

    @property
    def id(self) -> str:
        """Checked when the document was read."""
        return self.fields["id"]  # type: ignore[no-any-return]

    @property
    def ttl(self) -> int | None:
        """The item's own time to live in seconds; -1 is never."""
        return self.fields.get("ttl")


def read_document(body: bytes) -> Document:
    """Parse and check the JSON of an item; raises CosmosError 400 or 413."""
    if len(body) > MAX_ITEM_BYTES:
        raise too_large()
    _floats.is_exact = True
    fields = read_object(body, _decoder)
    check_nesting(body, fields)
    if not _floats.is_exact or (may_have_long_number(body) and has_long_number(fields)):
        return document_of(fields)
    if SYSTEM_FIELDS.isdisjoint(fields):
        return checked(Document(fields, body.strip()[:-1]))
    raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    for name in SYSTEM_FIELDS & raw.keys():
        del raw[name], fields[name]
    return checked(Document(fields, msgspec.json.encode(raw)[:-1]))


def document_of(fields: dict[str, Any]) -> Document:
    """The document with these fields: those that a patch has made, or whose text does not keep its numbers."""
    try:
        own = {name: as_doubles(value) for name, value in fields.items() if name not in SYSTEM_FIELDS}
    except OverflowError:
        raise bad_request("The item has a number that no double can hold.") from None
    body = msgspec.json.encode(own)
    if len(body) > MAX_ITEM_BYTES:
        raise too_large()
    check_nesting(body, own)
    return checked(Document(own, body[:-1]))


def stored_text(container: Container, document: Document, number: int, etag: str, ts: int) -> bytes:
    """The JSON that is kept, and sent as it is on every read: the item's fields, then the system's."""
    rid = container.item_rid(number)
    system = (
        f',"_rid":"{rid}","_self":"{container.docs_link}{rid}/","_etag":"\\"{etag[1:-1]}\\""'
        f',"_attachments":"attachments/","_ts":{ts}}}'
    )
    return document.head + system.encode()


def read_object(body: bytes, decoder: msgspec.json.Decoder[Any] = _ANY) -> dict[str, Any]:
    """A JSON object; raises CosmosError 400 for anything else, and for numbers that no double can hold."""
    try:
        value = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise bad_request(
            f"The request payload is invalid. Ensure to provide a valid request payload. {error}"
        ) from None
    if not isinstance(value, dict):
        raise bad_request("The request payload is invalid: a JSON object is expected.")
    return value


def check_id(value: object) -> None:
    """Raises CosmosError 400 unless it can name an item."""
    if value is None:
        raise bad_request("The input content is invalid because the required properties - 'id; ' - are missing")
    if not isinstance(value, str) or not value:
        raise bad_request("The input content is invalid because the property 'id' is not a string of 1 to 1023 bytes.")
    if len(value) > _SURELY_SHORT and len(value.encode()) > MAX_ID_BYTES:
        raise bad_request(f"The id has more than {MAX_ID_BYTES} bytes.")
    if "/" in value or "\\" in value or "?" in value or "#" in value:
        raise bad_request("The id contains one of the characters / \\ ? # that an id may not have.")


def check_resource_id(value: object) -> None:
    """Raises CosmosError 400 unless it can name a container or a database."""
    check_id(value)
    if isinstance(value, str) and len(value) > MAX_RESOURCE_ID_CHARACTERS:
        raise bad_request(f"The id of a database or a container has at most {MAX_RESOURCE_ID_CHARACTERS} characters.")


def check_nesting(body: bytes, value: object) -> None:
    """Raises CosmosError 400 for more than 128 levels of objects and arrays."""
    if body.count(b"{") + body.count(b"[") <= MAX_NESTING:
        return
    level: list[object] = [value]
    for _ in range(MAX_NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise bad_request(f"The item is nested deeper than {MAX_NESTING} levels.")


def checked(document: Document) -> Document:
    """Raises CosmosError 400 if the id or the time to live is none."""
    check_id(document.fields.get("id"))
    if "ttl" in document.fields:
        ttl = document.fields["ttl"]
        if type(ttl) is not int or ttl == 0 or ttl < -1 or ttl > MAX_TTL_SECONDS:
            raise bad_request(
                "The input ttl is invalid. Ensure to provide a nonzero positive integer less than or equal to"
                " '2147483647', or -1 which means never expire."
            )
    return document


def too_large() -> CosmosError:
    """413: more than an item or a batch may have."""
    return CosmosError(413, "Request size is too large: an item and a batch have at most 2 MB.")
