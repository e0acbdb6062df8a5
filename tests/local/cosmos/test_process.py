"""The server as a process: its options, its start and its end, and what is kept from one life to the next."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncClient
from azure.cosmos.exceptions import CosmosResourceNotFoundError

from local.cosmos.signature import EMULATOR_KEY
from tests.local.cosmos.conftest import run_to_end

ROOT = Path(__file__).resolve().parents[3]


async def test_what_was_acknowledged_survives_kills_under_load(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    async with AsyncClient(server.url, EMULATOR_KEY) as client:
        database = await client.create_database("db")
        made = await database.create_container("c", PartitionKey("/pk"))
        rid = (await made.read())["_rid"]
    acknowledged: set[str] = set()
    newest = 0
    for life in range(3):
        acknowledged |= await load_until_killed(server, life)
        server.restart()
        async with AsyncClient(server.url, EMULATOR_KEY) as client:
            container = client.get_database_client("db").get_container_client("c")
            assert (await container.read())["_rid"] == rid
            kept = [item["id"] async for item in container.query_items("SELECT c.id FROM c", partition_key="p")]
            batches = {name.rpartition("-")[0] for name in kept}
            assert acknowledged <= batches
            assert len(kept) == 10 * len(batches)
            found = [item["id"] async for item in container.query_items("SELECT c.id FROM c WHERE c.kind = 'x'")]
            assert sorted(found) == sorted(kept)
            before = [item["_lsn"] async for item in container.query_items_change_feed(start_time="Beginning")]
            assert max(before) > newest
            await container.create_item({"id": f"after {life}", "pk": "q"})
            after = [item["_lsn"] async for item in container.query_items_change_feed(start_time="Beginning")]
            newest = after[-1]
            assert newest > max(before)


async def load_until_killed(server: Any, life: int) -> set[str]:
    """The batches that were acknowledged to one of several writers before the server was killed among their writes."""
    acknowledged: set[str] = set()
    enough = asyncio.Event()
    async with AsyncClient(server.url, EMULATOR_KEY, retry_total=0) as client:
        container = client.get_database_client("db").get_container_client("c")

        async def load(worker: int) -> None:
            for number in range(10_000):
                name = f"{life}-{worker}-{number}"
                await container.execute_item_batch(
                    [("create", ({"id": f"{name}-{part}", "pk": "p", "kind": "x"},)) for part in range(10)], "p"
                )
                acknowledged.add(name)
                if len(acknowledged) >= 60:
                    enough.set()

        loads = [asyncio.create_task(load(worker)) for worker in range(8)]
        await asyncio.wait_for(enough.wait(), 20)
        server.kill()
        for ended in await asyncio.gather(*loads, return_exceptions=True):
            assert isinstance(ended, Exception)
    return acknowledged


def test_the_log_goes_on_after_the_latest_item_was_deleted_and_the_server_restarted(
    start_server: Any, tmp_path: Path
) -> None:
    server = start_server(tmp_path)
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        first = container.create_item({"id": "a", "pk": "p"})
        container.delete_item("a", "p")
    assert server.stop() == 0
    server.restart()
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.get_database_client("db").get_container_client("c")
        with pytest.raises(CosmosResourceNotFoundError):
            container.read_item("a", "p")
        second = container.create_item({"id": "a", "pk": "p"})
        assert second["_rid"] != first["_rid"]
        assert [item["_lsn"] for item in container.query_items_change_feed(start_time="Beginning")] == [3]


def test_numbers_go_on_after_a_batch_that_removes_what_it_made_and_a_death(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        kept = container.create_item({"id": "kept", "pk": "p"})
        results = container.execute_item_batch([("create", ({"id": "a", "pk": "p"},)), ("delete", ("a",))], "p")
    server.kill()
    server.restart()
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.get_database_client("db").get_container_client("c")
        new = container.create_item({"id": "a", "pk": "p"})
        assert new["_rid"] not in {kept["_rid"], results[0]["resourceBody"]["_rid"]}
        feed = container.query_items_change_feed(start_time="Beginning")
        assert [(item["id"], item["_lsn"]) for item in feed] == [("kept", 1), ("a", 3)]


def test_tokens_go_on_when_every_range_has_been_split(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path, ["--ranges", "2"])
    keys = [f"person-{n}" for n in range(30)]
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        for key in keys:
            container.create_item({"id": "a", "pk": key})
        feed = container.query_items_change_feed(start_time="Beginning")
        assert sorted(item["pk"] for item in feed) == sorted(keys)
        token = container.client_connection.last_response_headers["etag"]
    server.stop()
    server = start_server(tmp_path, ["--ranges", "4"])
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.get_database_client("db").get_container_client("c")
        assert len(list(container.read_feed_ranges())) == 4
        for key in keys:
            container.create_item({"id": "b", "pk": key})
        feed = container.query_items_change_feed(continuation=token)
        assert sorted((item["id"], item["pk"]) for item in feed) == sorted(("b", key) for key in keys)


def test_containers_of_a_file_are_made_once_and_brought_up_to_date(start_server: Any, tmp_path: Path) -> None:
    described = {"name": "records", "partitionKey": {"paths": ["/pk"], "kind": "Hash", "version": 2}}
    file = tmp_path / "containers.json"
    file.write_text(json.dumps({"containers": [described]}))
    server = start_server(tmp_path / "data", ["--containers", str(file), "--database", "portal"])
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        container = client.get_database_client("portal").get_container_client("records")
        container.create_item({"id": "a", "pk": "p"})
        rid = container.read()["_rid"]
    server.stop()
    other = {"name": "jobs", "partitionKey": {"paths": ["/id"], "kind": "Hash", "version": 2}, "defaultTtl": -1}
    file.write_text(json.dumps({"containers": [{**described, "defaultTtl": -1}, other]}))
    server.restart()
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        database = client.get_database_client("portal")
        properties = database.get_container_client("records").read()
        assert (properties["_rid"], properties["defaultTtl"]) == (rid, -1)
        assert database.get_container_client("records").read_item("a", "p")["id"] == "a"
        assert database.get_container_client("jobs").read()["defaultTtl"] == -1


def test_the_product_s_own_containers_can_be_made(start_server: Any, tmp_path: Path) -> None:
    file = ROOT / "infra" / "containers.json"
    server = start_server(tmp_path, ["--containers", str(file)])
    with CosmosClient(server.url, EMULATOR_KEY) as client:
        names = {one["id"] for one in client.get_database_client("portal").list_containers()}
    assert names == {one["name"] for one in json.loads(file.read_text())["containers"]}


def test_a_port_in_use_is_a_sentence_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_to_end("--port", port, "--data", tmp_path)
    assert ended.returncode == 1
    assert f"The port {port} cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "options",
    [["--ru", "0"], ["--ru", "-5"], ["--port", "99999"], ["--port", "-1"], ["--wait", "-1"], ["--ranges", "6"]],
    ids=" ".join,
)
def test_options_that_mean_nothing_are_refused_before_anything_starts(tmp_path: Path, options: list[str]) -> None:
    ended = run_to_end("--data", tmp_path / "data", *options)
    assert ended.returncode == 2
    assert f"argument {options[0]}" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_second_server_on_the_same_data_is_refused(start_server: Any, tmp_path: Path) -> None:
    start_server(tmp_path)
    ended = run_to_end("--port", 0, "--data", tmp_path, "--wait", 0)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "another server uses" in ended.stderr


def test_a_server_waits_for_one_that_is_about_to_leave_the_data(start_server: Any, tmp_path: Path) -> None:
    leaving = start_server(tmp_path)
    leaving.process.send_signal(signal.SIGTERM)
    following = start_server(tmp_path)
    assert leaving.process.wait(10) == 0
    with CosmosClient(following.url, EMULATOR_KEY) as client:
        client.create_database("db")


def test_https_is_served_with_a_certificate_that_is_kept(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path, ["--tls"])
    assert server.url.startswith("https://127.0.0.1:")
    with CosmosClient(server.url, EMULATOR_KEY, connection_verify=str(tmp_path / "certificate.pem")) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        assert container.create_item({"id": "a", "pk": "p"})["id"] == "a"
        account = client.get_database_account()
        assert account.WritableLocations[0]["databaseAccountEndpoint"] == f"{server.url}/"
    kept = (tmp_path / "certificate.pem").read_bytes()
    server.stop()
    server.restart()
    assert (tmp_path / "certificate.pem").read_bytes() == kept


def test_the_server_ends_when_standard_input_closes(start_server: Any, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    server.process.stdin.close()
    assert server.process.wait(10) == 0
