"""The server as a web server: signatures, paths, limits, protocol headers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from azure.cosmos import CosmosClient, PartitionKey
from azure.cosmos.exceptions import CosmosHttpResponseError

from local.cosmos.signature import EMULATOR_KEY, signed_resource

DOCS = "/dbs/raw/colls/c/docs"


def signed(verb: str, path: str, headers: dict[str, str] | None = None, *, age_seconds: float = 0) -> dict[str, str]:
    """The headers of a request as the client signs it."""
    date = formatdate(time.time() - age_seconds, usegmt=True)
    kind, link = signed_resource([part for part in path.strip("/").split("/") if part])
    payload = f"{verb.lower()}\n{kind}\n{link}\n{date.lower()}\n\n".encode()
    signature = base64.b64encode(hmac.new(base64.b64decode(EMULATOR_KEY), payload, hashlib.sha256).digest()).decode()
    return {
        "authorization": quote(f"type=master&ver=1.0&sig={signature}", safe=""),
        "x-ms-date": date,
        "x-ms-version": "2020-07-15",
        **(headers or {}),
    }


@pytest.fixture(scope="module")
def http(cosmos_server: Any) -> Iterator[httpx.Client]:
    with CosmosClient(cosmos_server.url, EMULATOR_KEY) as client:
        client.create_database_if_not_exists("raw").create_container_if_not_exists("c", PartitionKey("/pk"))
    with httpx.Client(base_url=cosmos_server.url) as opened:
        yield opened


def post(http: httpx.Client, body: object, **headers: str) -> httpx.Response:
    sent = {
        "x-ms-documentdb-partitionkey": '["p"]',
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.post(f"{DOCS}/", content=content, headers=signed("post", DOCS, sent))


def test_a_request_without_signature_or_with_a_wrong_one_is_unauthorized(http: httpx.Client) -> None:
    assert http.get("/").status_code == 401
    headers = signed("get", "/dbs")
    assert http.get("/dbs", headers=headers).status_code == 200
    assert http.post("/dbs", headers=headers).status_code == 401
    assert http.get("/dbs/raw", headers=headers).status_code == 401
    assert (
        http.get("/dbs", headers={**headers, "authorization": headers["authorization"][:-6] + "AAA%3D"}).status_code
        == 401
    )


def test_a_date_of_long_ago_is_refused(http: httpx.Client) -> None:
    assert http.get("/dbs", headers=signed("get", "/dbs", age_seconds=600)).status_code == 200
    assert http.get("/dbs", headers=signed("get", "/dbs", age_seconds=1200)).status_code == 403


@pytest.mark.parametrize("date", ["", "today", "Mon, 01 Jan 2024 10:00:00 -0000", "Mon, 01 Jan 2024 10:00:00"])
def test_a_date_that_is_none_is_unauthorized(http: httpx.Client, date: str) -> None:
    payload = f"get\ndbs\n\n{date.lower()}\n\n".encode()
    signature = base64.b64encode(hmac.new(base64.b64decode(EMULATOR_KEY), payload, hashlib.sha256).digest()).decode()
    headers = {"authorization": quote(f"type=master&ver=1.0&sig={signature}", safe=""), "x-ms-date": date}
    answer = http.get("/dbs", headers=headers)
    assert answer.status_code == 401
    assert "x-ms-date" in answer.json()["message"]


@pytest.mark.parametrize("date", ["yesterday", "Mon, 01 Jan 2024 10:00:00 -0000", "Mon, 01 Jan 2024 10:00:00"])
def test_a_change_feed_from_a_date_that_is_none_is_refused(http: httpx.Client, date: str) -> None:
    sent = {"a-im": "Incremental Feed", "x-ms-documentdb-partitionkey": '["p"]', "if-modified-since": date}
    answer = http.get(f"{DOCS}/", headers=signed("get", DOCS, sent))
    assert answer.status_code == 400
    assert "If-Modified-Since" in answer.json()["message"]


def test_the_account_names_the_endpoint_by_which_it_was_called(http: httpx.Client) -> None:
    answer = http.get("/", headers=signed("get", "/", {"host": "cosmos.example:1234"})).json()
    assert answer["writableLocations"][0]["databaseAccountEndpoint"] == "http://cosmos.example:1234/"
    assert answer["userConsistencyPolicy"] == {"defaultConsistencyLevel": "Session"}


def test_an_item_of_another_key_than_the_header_says_is_refused(http: httpx.Client) -> None:
    answer = post(http, {"id": "a", "pk": "q"})
    assert (answer.status_code, answer.headers["x-ms-substatus"]) == (400, "1001")
    assert answer.json()["message"].startswith("PartitionKey extracted from document doesn't match")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"nonsense",
        b'{"id":"a","pk":"p","n":NaN}',
        b'{"id":"a","pk":"p","n":1e400}',
        b'{"id":"\xff"}',
        b'{"id":"a","pk":"p","n":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b"[" * 200_000,
    ],
    ids=["empty", "cut off", "array", "no JSON", "NaN", "1e400", "no UTF-8", "deep", "endless"],
)
def test_a_body_that_is_no_item_is_refused(http: httpx.Client, body: bytes) -> None:
    answer = post(http, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "BadRequest"


def test_a_request_that_is_too_large_is_told_how_large_it_may_be(http: httpx.Client) -> None:
    for size, limit in ((5_000_000, "4 MB"), (3_000_000, "2 MB")):
        answer = post(http, b'{"id":"a","pk":"p","text":"%b"}' % (b"x" * size))
        assert answer.status_code == 413
        assert limit in answer.json()["message"]


def test_a_query_text_has_at_most_512_kb(http: httpx.Client) -> None:
    for size, status in ((500 * 1024, 200), (513 * 1024, 400)):
        text = f"SELECT * FROM c WHERE c.text = '{'x' * size}'"
        answer = post(http, {"query": text}, content_type="application/query+json")
        assert answer.status_code == status
    assert "512 KB" in answer.json()["message"]


@pytest.mark.parametrize("key", [None, "[", "{}", '"p"', '["p","q"]', "[[1]]", "[]", f"[{'1' * 400}]"])
def test_a_partition_key_header_that_names_no_key_is_refused(http: httpx.Client, key: str | None) -> None:
    headers = signed("post", DOCS, {} if key is None else {"x-ms-documentdb-partitionkey": key})
    assert http.post(f"{DOCS}/", content=b'{"id":"a","pk":"p"}', headers=headers).status_code == 400


def test_query_answers_have_no_etag_since_the_client_takes_it_for_a_token(http: httpx.Client) -> None:
    answer = post(http, {"query": "SELECT * FROM c"}, content_type="application/query+json")
    assert answer.status_code == 200
    assert "etag" not in answer.headers
    assert answer.json()["_count"] == len(answer.json()["Documents"])


def test_the_ranges_are_read_until_not_modified(http: httpx.Client) -> None:
    path = "/dbs/raw/colls/c/pkranges"
    first = http.get(path, headers=signed("get", path))
    assert [one["id"] for one in first.json()["PartitionKeyRanges"]] == ["0", "1"]
    again = http.get(path, headers=signed("get", path, {"If-None-Match": first.headers["etag"]}))
    assert (again.status_code, again.content) == (304, b"")


def test_a_range_that_is_not_there_is_gone(http: httpx.Client) -> None:
    headers = signed("get", DOCS, {"a-im": "Incremental Feed", "x-ms-documentdb-partitionkeyrangeid": "7"})
    answer = http.get(f"{DOCS}/", headers=headers)
    assert (answer.status_code, answer.headers["x-ms-substatus"]) == (410, "1002")


def test_what_the_server_does_not_have_says_so(http: httpx.Client) -> None:
    path = "/dbs/raw/colls/c/sprocs"
    answer = http.post(path, headers=signed("post", path), content=b"{}")
    assert answer.status_code == 400
    assert "sprocs" in answer.json()["message"]
    assert http.get("/elsewhere", headers=signed("get", "/elsewhere")).status_code == 404


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"72.5", b"72.5"),
        (b"72.50", b"72.5"),
        (b"2.0", b"2"),
        (b"1E3", b"1000"),
        (b"-0.0", b"0"),
        (b"9007199254740991", b"9007199254740991"),
        (b"9007199254740993", b"9007199254740992"),
        (b"0.12345678901234567890", b"0.12345678901234568"),
        (b'[{"deep":[3.0]}]', b'[{"deep":[3]}]'),
        (b'"9007199254740993 72.50"', b'"9007199254740993 72.50"'),
    ],
)
def test_numbers_are_kept_as_doubles(http: httpx.Client, sent: bytes, kept: bytes) -> None:
    body = b'{"id":"digits","pk":"p","n":%b,"_etag":"old","_ts":1}' % sent
    post(http, body, x_ms_documentdb_is_upsert="True")
    path = f"{DOCS}/digits"
    answer = http.get(path, headers=signed("get", path, {"x-ms-documentdb-partitionkey": '["p"]'}))
    assert b'"n":%b,"_rid"' % kept in answer.content
    assert answer.json()["_etag"] == answer.headers["etag"] != "old"


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"1" + 400 * b"0"])
def test_a_number_that_no_double_can_hold_is_refused(http: httpx.Client, number: bytes) -> None:
    assert post(http, b'{"id":"huge","pk":"p","n":%b}' % number).status_code == 400


def test_two_keys_of_the_client_are_told_apart(cosmos_server: Any) -> None:
    other = base64.b64encode(b"another key of sixty-four bytes or less").decode()
    with pytest.raises(CosmosHttpResponseError) as raised:
        CosmosClient(cosmos_server.url, other)
    assert raised.value.status_code == 401
