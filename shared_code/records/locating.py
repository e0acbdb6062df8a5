"""Where a resource lives: partition keys, ids that carry them, item ids, and the slots of the `keys` container."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

_PK = "[a-z2-7]{20}"
_SERVER_ID = re.compile(rf"({_PK})-[0-9a-hjkmnp-tv-z]{{26}}")
_FHIR_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]


@lru_cache(4096)
def partition_key(anchor: str) -> str:
    """The `pk` of what is at home with `anchor`: "Patient/<id>" for a person's partition, "<Type>/<id>" for the rest.

    20 base32 characters, 100 bits of a SHA-256: too many for two people to meet in one partition by chance, and the
    item's `person` is compared in full all the same.
    """
    return base64.b32encode(hashlib.sha256(anchor.encode()).digest())[:20].decode().lower()


def random_partition_key(random: bytes) -> str:
    """The `pk` of a resource that is at home with nobody and gets its id from us; `random` has 13 bytes or more."""
    return base64.b32encode(random)[:20].decode().lower()


def ordered_id(now_ms: int, random: bytes) -> str:
    """26 characters that sort by time: 48 bits of milliseconds since 1970, then 80 random bits (10 bytes)."""
    number = (now_ms << 80) | int.from_bytes(random[:10])
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def server_id(pk: str, now_ms: int, random: bytes) -> str:
    """An id for a resource at home in the partition `pk`: a read by this id is one point read for any caller."""
    return f"{pk}-{ordered_id(now_ms, random)}"


def partition_of_id(resource_id: str) -> str | None:
    """The `pk` that a server-assigned id carries, or None for an id of a client's making."""
    match = _SERVER_ID.fullmatch(resource_id)
    return match.group(1) if match else None


def is_fhir_id(text: str) -> bool:
    """Whether `text` is a FHIR id: 1 to 64 letters, digits, hyphens and dots."""
    return _FHIR_ID.fullmatch(text) is not None


def item_id(resource_type: str, resource_id: str) -> str:
    """The Cosmos item id of the current version; a FHIR id holds no colon, so the parts stay apart."""
    return f"{resource_type}:{resource_id}"


def past_item_id(current_item_id: str, version: int) -> str:
    """The Cosmos item id of a past version."""
    return f"{current_item_id}:{version}"


def slot_of(key_id: str) -> str:
    """The partition, one of 256, of an item of the `keys` container."""
    return hashlib.sha256(key_id.encode()).hexdigest()[:2]
