"""Partition keys: how they travel, how they are read from an item, and the hash that places them in a range."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

import mmh3
import msgspec

from local.cosmos.errors import PARTITION_KEY_MISMATCH, bad_request

_HASH_BITS = (1 << 126) - 1
MAX_KEY_BYTES = 2048
HASH, MULTI_HASH = "Hash", "MultiHash"


class Missing(Enum):
    """The path of the key is not in the item: another value than null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
Component = str | int | float | bool | None | Missing


@dataclass(frozen=True, slots=True)
class PartitionKey:
    """The values of one key, and the effective partition key that orders it among all others.

    The hash has 126 bits; the server takes it for the key itself.
    """

    components: tuple[Component, ...]
    epk: str


@dataclass(frozen=True, slots=True)
class KeyDefinition:
    """The paths of a container's partition key."""

    paths: tuple[tuple[str, ...], ...]
    kind: str

    def key(self, components: Sequence[Component]) -> PartitionKey:
        """The whole key, or the prefix of a hierarchical one, that has these values."""
        return PartitionKey(tuple(components), effective_partition_key(components, self.kind))

    def of_item(self, item: dict[str, Any]) -> PartitionKey:
        """The key that an item has in its own fields."""
        return self.key([_component(item, path) for path in self.paths])

    def of_header(self, text: str | None) -> PartitionKey:
        """The complete key that a request names; raises CosmosError 400 if it names none, or part of one."""
        if text is None:
            raise bad_request("PartitionKey value must be supplied for this operation.")
        key = self.prefix_of_header(text)
        if len(key.components) != len(self.paths):
            raise incomplete_key()
        return key

    def prefix_of_header(self, text: str) -> PartitionKey:
        """The key or the prefix of one that a request names."""
        key = _read_header(text, self.kind)
        if len(key.components) > len(self.paths):
            raise incomplete_key()
        return key

    def require(self, item: dict[str, Any], key: PartitionKey) -> None:
        """Raises CosmosError 400 / 1001 if the item belongs to another key than the request says."""
        # The same values need no hash; other ones may still be the same key, as 1 and 1.0 are.
        if not self._is_text(item, key) and self.of_item(item).epk != key.epk:
            raise bad_request(
                "PartitionKey extracted from document doesn't match the one specified in the header.",
                PARTITION_KEY_MISMATCH,
            )

    def _is_text(self, item: dict[str, Any], key: PartitionKey) -> bool:
        """Whether the one part of the key is a text, the same in both: the usual case, told without a hash."""
        if len(self.paths) != 1 or len(self.paths[0]) != 1:
            return False
        value = item.get(self.paths[0][0])
        return type(value) is str and (value,) == key.components


def effective_partition_key(components: Sequence[Component], kind: str) -> str:
    """Version 2 of the service's hash, as upper-case hexadecimal text; of each component for a hierarchical key."""
    encoded = [_encoded(component) for component in components]
    if kind == MULTI_HASH:
        return "".join(_hash(part) for part in encoded)
    return _hash(b"".join(encoded))


def incomplete_key() -> Exception:
    """400: the key of the request does not have one value for each path."""
    return bad_request(
        "Partition key provided either doesn't correspond to definition in the collection"
        " or doesn't match partition key field values specified in the document."
    )


def key_paths(paths: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """`/address/zip` as ("address", "zip"); a part may be quoted."""
    return tuple(tuple(part.strip('"') for part in path.strip("/").split("/")) for path in paths)


def _component(item: dict[str, Any], path: tuple[str, ...]) -> Component:
    value: Any = item
    for part in path:
        if type(value) is not dict or part not in value:
            return MISSING
        value = value[part]
    if type(value) in (dict, list):
        raise bad_request(
            f"The partition key /{'/'.join(path)} of an item must be a string, a number, a boolean or null."
        )
    if type(value) is str and len(value.encode()) > MAX_KEY_BYTES:
        raise bad_request(f"A partition key value has at most {MAX_KEY_BYTES} bytes.")
    return value  # type: ignore[no-any-return]  # what is neither object nor array is a component


@lru_cache(maxsize=4096)
def _read_header(text: str, kind: str) -> PartitionKey:
    try:
        sent = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        sent = None
    if not isinstance(sent, list):
        raise bad_request(f"Partition key {text[:100]} is invalid.")
    components: list[Component] = []
    for value in sent:
        if value == {}:
            components.append(MISSING)
        elif isinstance(value, dict | list):
            raise bad_request(f"Partition key {text[:100]} is invalid.")
        elif isinstance(value, str) and len(value.encode()) > MAX_KEY_BYTES:
            raise bad_request(f"A partition key value has at most {MAX_KEY_BYTES} bytes.")
        else:
            components.append(value)
    try:
        epk = effective_partition_key(components, kind)
    except OverflowError:
        raise bad_request("The partition key has a number that no double can hold.") from None
    return PartitionKey(tuple(components), epk)


def _encoded(component: Component) -> bytes:
    if type(component) is str:
        return b"\x08" + component.encode() + b"\xff"
    if component is MISSING:
        return b"\x00"
    if component is None:
        return b"\x01"
    if component is False:
        return b"\x02"
    if component is True:
        return b"\x03"
    return b"\x05" + struct.pack("<d", float(component))


def _hash(data: bytes) -> str:
    # The bytes of the digest from the last to the first, without the two highest bits.
    return f"{int.from_bytes(mmh3.mmh3_x64_128_digest(data), 'little') & _HASH_BITS:032X}"
