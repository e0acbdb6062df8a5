"""Makes the database and the containers that a file describes, where they do not exist yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from local.cosmos.container_properties import checked_container
from local.cosmos.documents import check_resource_id
from local.cosmos.errors import CosmosError
from local.cosmos.storage.catalog import Catalog, DatabaseEntry


class _Described(msgspec.Struct):
    containers: list[dict[str, Any]]


def provision(catalog: Catalog, file: Path, database_name: str) -> None:
    """`file` has `{"containers": [{"name", "partitionKey", "defaultTtl"?, "indexingPolicy"?}]}`.

    A container that exists takes over what differs. Raises ValueError for what is no such file, and where a container
    cannot be made or changed so: its keys stay what they are. Raises CosmosError 400 for the name of the database.
    """
    try:
        described = msgspec.json.decode(file.read_bytes(), type=_Described)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} does not describe containers: {error}") from None
    check_resource_id(database_name)
    database = catalog.databases.get(database_name) or catalog.create_database(database_name)
    for number, properties in enumerate(described.containers, 1):
        try:
            _make(catalog, database, properties)
        except CosmosError as error:
            name = properties.get("name", "which has no name")
            raise ValueError(f"container {number} of {file}, {name}: {error}") from None


def _make(catalog: Catalog, database: DatabaseEntry, described: dict[str, Any]) -> None:
    properties = {name: value for name, value in described.items() if name != "name"}
    wanted = checked_container({"id": described.get("name"), **properties})
    container = database.containers.get(wanted["id"])
    if container is None:
        catalog.create_container(database, wanted, None)
        return
    current = {name: value for name, value in container.properties.items() if not name.startswith("_")}
    if current != wanted:
        catalog.replace_container(container, wanted)
