"""Which databases and containers exist, with their properties; kept in the file, cached in memory."""

from __future__ import annotations

import sqlite3
import struct
import time
import uuid
from binascii import b2a_base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from local.cosmos.errors import CosmosError, bad_request, owner_not_found
from local.cosmos.partition_keys import KeyDefinition, key_paths
from local.cosmos.sql.indexing import IndexingPolicy, policy_of
from local.cosmos.storage import unique_keys, versions
from local.cosmos.storage.counters import counters
from local.cosmos.storage.database import Database
from local.cosmos.storage.unique_keys import UniqueKey, unique_keys_of
from local.cosmos.storage.versions import retention_minutes

_SCHEMA = """
CREATE TABLE IF NOT EXISTS account (identity TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS databases (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    properties TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS containers (number INTEGER PRIMARY KEY AUTOINCREMENT, database INTEGER NOT NULL,
    id TEXT NOT NULL, properties TEXT NOT NULL, throughput TEXT, lsn INTEGER NOT NULL, last_item INTEGER NOT NULL,
    UNIQUE (database, id));
"""
_ITEMS_SCHEMA = """
CREATE TABLE IF NOT EXISTS {table} (number INTEGER PRIMARY KEY, epk TEXT NOT NULL, id TEXT NOT NULL,
    lsn INTEGER NOT NULL, ts INTEGER NOT NULL, ttl INTEGER, expires INTEGER, etag TEXT NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS {table}_key ON {table} (epk, id);
CREATE INDEX IF NOT EXISTS {table}_id ON {table} (id, epk);
CREATE INDEX IF NOT EXISTS {table}_lsn ON {table} (lsn);
CREATE INDEX IF NOT EXISTS {table}_expires ON {table} (expires) WHERE expires IS NOT NULL;
"""
_INSERT = "INSERT INTO {table} (number, epk, id, lsn, ts, ttl, expires, etag, body) VALUES "
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERTED_AT_ONCE = 10


@dataclass(slots=True)
class Container:
    """One container. `lsn` and `last_item` are the counters as last committed; both only grow."""

    number: int
    database: DatabaseEntry
    id: str
    properties: dict[str, Any]
    throughput: dict[str, Any] | None
    key: KeyDefinition = field(init=False)
    table: str = field(init=False)
    rid: str = field(init=False)
    default_ttl: int | None = field(init=False)
    unique_keys: tuple[UniqueKey, ...] = field(init=False)
    keeps_versions_minutes: int | None = field(init=False)
    insert_one: str = field(init=False)
    insert_several: str = field(init=False)
    docs_link: str = field(init=False)
    alt_content_path: str = field(init=False)
    lsn: int = 0
    last_item: int = 0
    removed: int = 0  # items that were deleted since the start, roughly
    index_missed: bool = False  # a query could not use the index, which has fallen behind
    _rid_bytes: bytes = field(init=False)
    _policy: IndexingPolicy | None = field(init=False)

    def __post_init__(self) -> None:
        self.table = f"items_{self.number}"
        self.insert_one = _INSERT.format(table=self.table) + _ROW
        self.insert_several = _INSERT.format(table=self.table) + ", ".join([_ROW] * INSERTED_AT_ONCE)
        self._rid_bytes = struct.pack(">II", self.database.number, self.number | 0x80000000)
        self.rid = _text(self._rid_bytes)
        self.docs_link = f"{self.self_link}docs/"
        self.alt_content_path = f"dbs/{self.database.id}/colls/{self.id}"
        self.adopt(self.properties)

    def adopt(self, properties: dict[str, Any]) -> None:
        """Take over properties that were created or replaced."""
        self.properties = properties
        self.key = _key_of(properties)
        self.default_ttl = properties.get("defaultTtl")
        self.unique_keys = unique_keys_of(properties)
        self.keeps_versions_minutes = retention_minutes(properties)
        self._policy = None

    @property
    def policy(self) -> IndexingPolicy:
        """The indexing policy, made of the properties when it is first asked for."""
        if self._policy is None:
            self._policy = policy_of(self.properties)
        return self._policy

    def item_rid(self, number: int) -> str:
        """The `_rid` of the item with this number."""
        return _text(self._rid_bytes + number.to_bytes(8))

    @property
    def self_link(self) -> str:
        """The link by resource ids."""
        return f"{self.database.self_link}colls/{self.rid}/"


@dataclass(slots=True)
class DatabaseEntry:
    """One database and its containers by id."""

    number: int
    id: str
    properties: dict[str, Any]
    containers: dict[str, Container] = field(default_factory=dict)

    @property
    def rid(self) -> str:
        """The `_rid` of the database: the first part of those of its containers."""
        return _text(struct.pack(">I", self.number))

    @property
    def self_link(self) -> str:
        """The link by resource ids."""
        return f"dbs/{self.rid}/"


class Catalog:
    """All databases and containers of the account; `identity` tells this file from one made anew in its place."""

    def __init__(self, file: Database) -> None:
        self._file = file
        self.databases: dict[str, DatabaseEntry] = {}
        file.connection.executescript(_SCHEMA)
        self.identity = _identity(file.connection)
        by_number: dict[int, DatabaseEntry] = {}
        for number, name, properties in file.connection.execute("SELECT number, id, properties FROM databases"):
            by_number[number] = self.databases[name] = DatabaseEntry(number, name, msgspec.json.decode(properties))
        for number, owner, name, properties, throughput in file.connection.execute(
            "SELECT number, database, id, properties, throughput FROM containers"
        ).fetchall():
            container = by_number[owner].containers[name] = Container(
                number,
                by_number[owner],
                name,
                msgspec.json.decode(properties),
                msgspec.json.decode(throughput) if throughput else None,
            )
            _make_table(file.connection, container)
            found = counters(file.connection, number)
            assert found is not None  # it was just read
            container.lsn, container.last_item = found

    def database(self, name: str) -> DatabaseEntry:
        """Raises CosmosError 404 where there is none."""
        try:
            return self.databases[name]
        except KeyError:
            raise CosmosError(404, "Resource Not Found.") from None

    def container(self, database: str, name: str) -> Container:
        """Raises CosmosError 404 / 1003 where there is none: the owner of what was asked for is missing."""
        try:
            return self.databases[database].containers[name]
        except KeyError:
            raise owner_not_found() from None

    def __contains__(self, container: Container) -> bool:
        """Whether the container is still there."""
        return any(one is container for one in self.all_containers())

    def all_containers(self) -> Iterator[Container]:
        """Every container of every database."""
        for database in self.databases.values():
            yield from database.containers.values()

    def create_database(self, name: str) -> DatabaseEntry:
        """Raises CosmosError 409 where it exists."""
        if name in self.databases:
            raise _exists()
        with self._file.transaction() as connection:
            number = _inserted(connection, "INSERT INTO databases (id, properties) VALUES (?, '{}')", (name,))
            entry = DatabaseEntry(number, name, {})
            entry.properties = {
                "id": name,
                "_rid": entry.rid,
                "_self": entry.self_link,
                **_stamp(number),
                "_colls": "colls/",
                "_users": "users/",
            }
            connection.execute(
                "UPDATE databases SET properties = ? WHERE number = ?", (_json(entry.properties), number)
            )
        self.databases[name] = entry
        return entry

    def drop_database(self, name: str) -> None:
        """With all its containers and items."""
        entry = self.database(name)
        with self._file.transaction() as connection:
            for container in entry.containers.values():
                _drop_tables(connection, container)
            connection.execute("DELETE FROM containers WHERE database = ?", (entry.number,))
            connection.execute("DELETE FROM databases WHERE number = ?", (entry.number,))
        del self.databases[name]

    def create_container(
        self, database: DatabaseEntry, properties: dict[str, Any], throughput: dict[str, Any] | None
    ) -> Container:
        """`properties` are complete and checked. Raises CosmosError 409 where it exists."""
        name = properties["id"]
        if name in database.containers:
            raise _exists()
        with self._file.transaction() as connection:
            number = _inserted(
                connection,
                "INSERT INTO containers (database, id, properties, throughput, lsn, last_item)"
                " VALUES (?, ?, '{}', ?, 0, 0)",
                (database.number, name, _json(throughput) if throughput else None),
            )
            container = Container(number, database, name, properties, throughput)
            container.adopt(_complete(container, properties))
            connection.execute(
                "UPDATE containers SET properties = ? WHERE number = ?", (_json(container.properties), number)
            )
            _make_table(connection, container)
        database.containers[name] = container
        return container

    def replace_container(self, container: Container, properties: dict[str, Any]) -> None:
        """A new default time to live also changes when the items that are there expire.

        `properties` are complete and checked. Raises CosmosError 400 where a key would change.
        """
        if _key_of(properties) != container.key:
            raise bad_request("Document collection partition key cannot be changed.")
        if unique_keys_of(properties) != container.unique_keys:
            raise bad_request("The unique keys of a container cannot be changed.")
        completed = _complete(container, properties)
        default = properties.get("defaultTtl")
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE containers SET properties = ? WHERE number = ?", (_json(completed), container.number)
            )
            if retention_minutes(properties) is not None:
                for statement in versions.SCHEMA.split(";")[:-1]:
                    connection.execute(statement.format(table=container.table))
            if default != container.default_ttl:
                connection.execute(
                    f"UPDATE {container.table} SET expires = CASE WHEN ? IS NULL OR coalesce(ttl, ?) = -1 THEN NULL"
                    " ELSE ts + coalesce(ttl, ?) END",
                    (default, default, default),
                )
        container.adopt(completed)

    def replace_throughput(self, container: Container, throughput: dict[str, Any]) -> None:
        """Keep the provisioned throughput of a container."""
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE containers SET throughput = ? WHERE number = ?", (_json(throughput), container.number)
            )
        container.throughput = throughput

    def drop_container(self, container: Container) -> None:
        """With all its items."""
        with self._file.transaction() as connection:
            _drop_tables(connection, container)
            connection.execute("DELETE FROM containers WHERE number = ?", (container.number,))
        del container.database.containers[container.id]


def _identity(connection: sqlite3.Connection) -> str:
    row = connection.execute("SELECT identity FROM account").fetchone()
    if row is not None:
        return str(row[0])
    connection.execute("INSERT INTO account VALUES (?)", (identity := uuid.uuid4().hex,))
    return identity


def _key_of(properties: dict[str, Any]) -> KeyDefinition:
    key = properties["partitionKey"]
    return KeyDefinition(key_paths(key["paths"]), key["kind"])


def _make_table(connection: sqlite3.Connection, container: Container) -> None:
    """The table and its indexes, as far as they are not there."""
    statements = _ITEMS_SCHEMA.split(";")[:-1]
    if container.unique_keys:
        statements += [*unique_keys.SCHEMA.split(";")[:-1], unique_keys.TRIGGER]
    if container.keeps_versions_minutes is not None:
        statements += versions.SCHEMA.split(";")[:-1]
    for statement in statements:
        connection.execute(statement.format(table=container.table))


def _drop_tables(connection: sqlite3.Connection, container: Container) -> None:
    for name in ("", "_unique", "_versions"):
        connection.execute(f"DROP TABLE IF EXISTS {container.table}{name}")


def _complete(container: Container, properties: dict[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in properties.items() if not name.startswith("_")}
    return {
        **own,
        "_rid": container.rid,
        "_self": container.self_link,
        **_stamp(container.number),
        "_docs": "docs/",
        "_sprocs": "sprocs/",
        "_triggers": "triggers/",
        "_udfs": "udfs/",
        "_conflicts": "conflicts/",
    }


def _stamp(number: int) -> dict[str, Any]:
    now = time.time_ns()
    return {"_etag": f'"{number:08x}-0000-0000-0000-{now & 0xFFFFFFFFFFFF:012x}"', "_ts": now // 1_000_000_000}


def _inserted(connection: sqlite3.Connection, statement: str, values: tuple[Any, ...]) -> int:
    number = connection.execute(statement, values).lastrowid
    assert number is not None  # an INSERT that did not raise has made a row
    return number


def _exists() -> CosmosError:
    return CosmosError(409, "Resource with specified id or name already exists.")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _text(rid: bytes) -> str:
    return b2a_base64(rid, newline=False).decode().replace("/", "-")
