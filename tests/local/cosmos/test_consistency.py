"""The consistency level of the account: what clients hear of it, what reads cost, and which levels are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos.signature import EMULATOR_KEY
from local.stack.app_settings import Addresses
from local.stack.children import plans
from local.stack.folder import Ports, StackFolder

ROOT = Path(__file__).resolve().parents[3]


def charges(server: Any, level: str | None = None) -> dict[str, float]:
    """What reading one small item costs in each way, by a client that asks for a level."""
    found: dict[str, float] = {}

    def told(name: str) -> Any:
        return lambda headers, _: found.__setitem__(name, float(headers["x-ms-request-charge"]))

    with CosmosClient(server.url, EMULATOR_KEY, consistency_level=level) as client:
        container = client.create_database_if_not_exists("db").create_container_if_not_exists("c", PartitionKey("/pk"))
        container.upsert_item({"id": "a", "pk": "p"}, response_hook=told("write"))
        container.read_item("a", "p", response_hook=told("read"))
        list(container.query_items("SELECT * FROM c", partition_key="p", response_hook=told("query")))
        feed = container.query_items_change_feed(partition_key="p", start_time="Beginning", response_hook=told("feed"))
        assert [item["id"] for item in feed]
        batch = container.execute_item_batch([("read", ("a",)), ("upsert", ({"id": "b", "pk": "p"},))], "p")
        found["batch read"], found["batch write"] = (result["requestCharge"] for result in batch)
    return found


@pytest.mark.parametrize("level", ["Strong", "BoundedStaleness"])
def test_reads_cost_twice_at_the_strongest_levels_and_writes_do_not(
    start_server: Any, tmp_path: Path, level: str
) -> None:
    usual = charges(start_server(tmp_path / "usual"))
    server = start_server(tmp_path / "strong", ["--consistency", level])
    strong = charges(server)
    assert usual["read"] == 1
    for name in ("read", "query", "feed", "batch read"):
        assert strong[name] == pytest.approx(2 * usual[name], abs=0.011)
    for name in ("write", "batch write"):
        assert strong[name] == usual[name]
    assert charges(server, "Eventual")["read"] == 1


def test_a_client_hears_the_level_of_the_account(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path, ["--consistency", "Strong"])
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        assert client.get_database_account().ConsistencyPolicy == {"defaultConsistencyLevel": "Strong"}


@pytest.mark.parametrize("level", ["Strong", "BoundedStaleness"])
async def test_a_level_that_is_stronger_than_the_account_s_is_refused(
    cosmos_server: Any, container: Any, level: str
) -> None:
    await container.create_item({"id": "a", "pk": "p"})
    async with AsyncClient(cosmos_server.url, EMULATOR_KEY, consistency_level=level) as client:
        same = client.get_database_client("tests").get_container_client(container.id)
        with pytest.raises(CosmosHttpResponseError, match="not stronger than the service") as raised:
            await same.read_item("a", "p")
        assert raised.value.status_code == 400
        with pytest.raises(CosmosHttpResponseError, match="not stronger than the service"):
            _ = [item async for item in same.query_items("SELECT * FROM c", partition_key="p")]


def test_the_stack_has_the_level_of_the_deployed_account(tmp_path: Path) -> None:
    bicep = (ROOT / "infra" / "modules" / "cosmos.bicep").read_text()
    deployed = re.search(r"defaultConsistencyLevel: '(\w+)'", bicep)
    folder = StackFolder(tmp_path)
    command = plans(folder, Addresses(1, Ports(*range(2, 8)), "issuer", "key"))["cosmos"].command
    assert deployed is not None
    assert command[command.index("--consistency") + 1] == deployed[1]
