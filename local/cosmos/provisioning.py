"""Makes the database and the containers that a file describes, where they do not exist yet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from local.cosmos.resources import checked_container
from local.cosmos.storage.catalog import Catalog


def provision(catalog: Catalog, file: Path, database_name: str) -> None:
    """`file` has `{"containers": [{"name", "partitionKey", "defaultTtl"?, "indexingPolicy"?}]}`.

    A container that exists takes over what differs, but for its partition key, which cannot change.
    """
    database = catalog.databases.get(database_name) or catalog.create_database(database_name)
    for described in msgspec.json.decode(file.read_bytes())["containers"]:
        wanted = _properties(described)
        container = database.containers.get(wanted["id"])
        if container is None:
            catalog.create_container(database, wanted, None)
            continue
        wanted["partitionKey"] = container.properties["partitionKey"]
        current = {name: value for name, value in container.properties.items() if not name.startswith("_")}
        if current != wanted:
            catalog.replace_container(container, wanted)


def _properties(described: dict[str, Any]) -> dict[str, Any]:
    properties = {name: value for name, value in described.items() if name != "name"}
    return checked_container({"id": described["name"], **properties})
