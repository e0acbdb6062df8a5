"""The page for the browser, and its script as it runs there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
from azure.cosmos import CosmosClient, PartitionKey

from local.cosmos.signature import EMULATOR_KEY

SCRIPT = """
import { Account } from "%(module)s";
const account = new Account("%(url)s", "%(key)s");
const databases = (await account.databases()).map((one) => one.id);
const containers = (await account.containers("explored")).map((one) => one.id);
const all = await account.query("explored", "c d", "SELECT VALUE c.id FROM c", "");
const one = await account.query("explored", "c d", "SELECT VALUE c.id FROM c", '"p"');
const found = {};
for (const key of ["José", "☃", "🙂", "p"]) {
  const answer = await account.query("explored", "c d", "SELECT VALUE c.id FROM c", JSON.stringify(key));
  found[key] = answer.value.Documents;
}
const refusal = (query, key) => account.query("explored", "c d", query, key).then(() => "", (error) => error.message);
const refused = await refusal("SELECT", "");
const together = await refusal("SELECT * FROM c ORDER BY c.id", "");
const bare = await refusal("SELECT * FROM c", "José");
const documents = { all: all.value.Documents, one: one.value.Documents };
console.log(JSON.stringify({ databases, containers, ...documents, found, refused, together, bare }));
"""


def test_a_browser_gets_the_page_and_a_client_the_account(cosmos_server: Any) -> None:
    page = httpx.get(f"{cosmos_server.url}/", headers={"accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    assert "/_local/explorer.js" in page.text
    assert httpx.get(f"{cosmos_server.url}/_local/explorer.js").headers["content-type"].startswith("text/javascript")
    assert httpx.get(f"{cosmos_server.url}/", headers={"accept": "application/json"}).status_code == 401
    assert httpx.get(f"{cosmos_server.url}/dbs", headers={"accept": "text/html"}).status_code == 401


def test_the_script_of_the_page_signs_as_a_client_does(cosmos_server: Any, tmp_path: Path) -> None:
    with CosmosClient(cosmos_server.url, EMULATOR_KEY) as client:
        container = client.create_database("explored").create_container("c d", PartitionKey("/pk"))
        container.create_item({"id": "a", "pk": "p"})
        container.create_item({"id": "b", "pk": "q"})
        for key in ("José", "☃", "🙂"):
            container.create_item({"id": f"of {key}", "pk": key})
    script = tmp_path / "explorer.mjs"
    script.write_text(httpx.get(f"{cosmos_server.url}/_local/explorer.js").text)
    main = tmp_path / "main.mjs"
    main.write_text(SCRIPT % {"module": script.as_uri(), "url": cosmos_server.url, "key": EMULATOR_KEY})
    ended = subprocess.run(["node", str(main)], capture_output=True, text=True, timeout=20, check=True)
    found = json.loads(ended.stdout)
    assert "explored" in found["databases"]
    assert found["containers"] == ["c d"]
    assert sorted(found["all"]) == ["a", "b", "of José", "of ☃", "of 🙂"]
    assert found["one"] == ["a"]
    assert "Syntax error" in found["refused"]
    assert found["found"] == {"José": ["of José"], "☃": ["of ☃"], "🙂": ["of 🙂"], "p": ["a"]}
    assert "give a partition key" in found["together"]
    assert "not JSON" in found["bare"]
