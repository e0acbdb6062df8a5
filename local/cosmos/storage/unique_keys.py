"""Unique keys: what no two items of one partition key may have in common."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from local.cosmos.errors import CosmosError, bad_request

UniqueKey = tuple[tuple[str, ...], ...]

MAX_KEYS, MAX_PATHS = 10, 16
# Claims go with their item, however that goes.
SCHEMA = """
CREATE TABLE IF NOT EXISTS {table}_unique (epk TEXT NOT NULL, key INTEGER NOT NULL, value TEXT NOT NULL,
    number INTEGER NOT NULL, PRIMARY KEY (epk, key, value)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS {table}_unique_number ON {table}_unique (number);
"""
TRIGGER = """
CREATE TRIGGER IF NOT EXISTS {table}_unique_gone AFTER DELETE ON {table}
BEGIN DELETE FROM {table}_unique WHERE number = old.number; END
"""


def unique_keys_of(properties: dict[str, Any]) -> tuple[UniqueKey, ...]:
    """The unique keys in the properties of a container; raises CosmosError 400 where they are none."""
    keys: list[UniqueKey] = []
    for key in (properties.get("uniqueKeyPolicy") or {}).get("uniqueKeys", []):
        paths = key.get("paths") if isinstance(key, dict) else None
        if not isinstance(paths, list) or not 1 <= len(paths) <= MAX_PATHS:
            raise bad_request(f"A unique key has 1 to {MAX_PATHS} paths.")
        if not all(isinstance(path, str) and path.startswith("/") and "*" not in path for path in paths):
            raise bad_request("The path of a unique key begins with a slash and names a field.")
        keys.append(tuple(tuple(part.strip('"') for part in path.strip("/").split("/")) for path in paths))
    if len(keys) > MAX_KEYS:
        raise bad_request(f"A container has at most {MAX_KEYS} unique keys.")
    return tuple(keys)


def claim(
    connection: sqlite3.Connection, table: str, keys: tuple[UniqueKey, ...], epk: str, number: int, item: dict[str, Any]
) -> None:
    """Take the values of an item that is written; raises CosmosError 409 where another item has them."""
    connection.execute(f"DELETE FROM {table}_unique WHERE number = ?", (number,))
    for place, key in enumerate(keys):
        # What is missing counts as null: one item may miss it, a second one may not.
        values = [_value(item, path) for path in key]
        try:
            connection.execute(
                f"INSERT INTO {table}_unique (epk, key, value, number) VALUES (?, ?, ?, ?)",
                (epk, place, msgspec.json.encode(values, order="deterministic").decode(), number),
            )
        except sqlite3.IntegrityError:
            raise CosmosError(409, "Unique index constraint violation.") from None


def _value(item: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = item
    for part in path:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value
