"""Entra tokens of an issuer, by the real client over HTTPS."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.cosmos import ContainerProxy, CosmosClient, DatabaseProxy, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from local.cosmos.signature import EMULATOR_KEY

SERVICE = "https://cosmos.azure.com"


@dataclass
class Issuer:
    """Publishes keys, and signs tokens with the first of them."""

    url: str
    keys: list[RSAKey]

    def token(self, **claims: Any) -> str:
        key = self.keys[0]
        payload = {"iss": self.url, "aud": SERVICE, "sub": "the app", "exp": int(time.time()) + 600, **claims}
        return jwt.encode({"alg": "RS256", "kid": key.kid}, payload, key)


@dataclass
class Credential:
    """What the identity library hands to the client."""

    token: str

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 600)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    published = Issuer("", [RSAKey.generate_key(2048, auto_kid=True)])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found: dict[str, Any] = {"jwks_uri": f"{published.url}/keys"}
            if self.path == "/keys":
                found = KeySet(published.keys).as_dict(private=False)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    published.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield published
    server.shutdown()
    server.server_close()


@pytest.fixture
def opened(issuer: Issuer, start_server: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens the container of a server with that issuer by a token."""
    server = start_server(tmp_path, ["--tls", "--token-issuer", issuer.url])
    verify = str(tmp_path / "certificate.pem")
    with CosmosClient(server.url, EMULATOR_KEY, connection_verify=verify) as owner:
        owner.create_database("db").create_container("c", PartitionKey("/pk"))

    def open_by(token: str) -> ContainerProxy:
        client = CosmosClient(server.url, Credential(token), connection_verify=verify)
        return client.get_database_client("db").get_container_client("c")

    return open_by


def test_a_token_opens_the_data(issuer: Issuer, opened: Any) -> None:
    container = opened(issuer.token())
    container.create_item({"id": "a", "pk": "p"})
    assert container.read()["id"] == "c"
    assert [item["id"] for item in container.query_items("SELECT * FROM c ORDER BY c.id", partition_key="p")] == ["a"]
    assert list(container.query_items("SELECT VALUE COUNT(1) FROM c", enable_cross_partition_query=True)) == [1]
    container.execute_item_batch([("delete", ("a",))], "p")


def test_a_token_does_not_manage_databases_and_containers(issuer: Issuer, opened: Any) -> None:
    container = opened(issuer.token())
    database = DatabaseProxy(container.client_connection, "db")
    for call in (
        lambda: database.create_container("d", PartitionKey("/pk")),
        lambda: database.delete_container("c"),
        lambda: list(database.list_containers()),
    ):
        with pytest.raises(CosmosHttpResponseError) as raised:
            call()
        assert (raised.value.status_code, raised.value.sub_status) == (403, 5300)


@pytest.mark.parametrize("audience", [f"{SERVICE}/", "https://127.0.0.1", ["api://other", SERVICE]])
def test_a_token_is_for_the_service_or_for_this_account(issuer: Issuer, opened: Any, audience: object) -> None:
    assert opened(issuer.token(aud=audience)).read()["id"] == "c"


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "https://elsewhere"}, id="issuer"),
        pytest.param({"aud": "api://health-portal"}, id="audience"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"exp": 1000}, id="expired"),
        pytest.param({"nbf": 2**33}, id="not yet"),
    ],
)
def test_a_token_that_does_not_hold_is_refused(issuer: Issuer, opened: Any, claims: dict[str, Any]) -> None:
    with pytest.raises(CosmosHttpResponseError) as raised:
        opened(issuer.token(**claims))
    assert raised.value.status_code == 401


def test_a_token_of_another_key_is_refused(issuer: Issuer, opened: Any) -> None:
    stranger = Issuer(issuer.url, [RSAKey.generate_key(2048, auto_kid=True)])
    with pytest.raises(CosmosHttpResponseError) as raised:
        opened(stranger.token())
    assert raised.value.status_code == 401
