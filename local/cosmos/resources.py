"""Requests about the account, databases, containers, their ranges and their throughput."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from local.cosmos import charge
from local.cosmos.account import Account
from local.cosmos.documents import check_id, read_object
from local.cosmos.errors import CosmosError, bad_request
from local.cosmos.partition_keys import HASH, MULTI_HASH
from local.cosmos.storage.catalog import Container
from local.cosmos.storage.unique_keys import unique_keys_of
from local.cosmos.wire import Answer, Request

_REGION = "Local"
_DEFAULT_INDEXING: dict[str, Any] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}
_ONE_BY = re.compile(
    r"^\s*select\s+\*\s+from\s+(\w+)(?:\s+(\w+))?(?:\s+where\s+(\w+)\.(id|resource)\s*=\s*(\S+))?\s*$", re.I
)
_MAX_HIERARCHY = 3


def read_account(account: Account, request: Request) -> Answer:
    """The account under the name that the caller uses for it, since the client goes on with the endpoint it is told."""
    host = request.header("host") or "localhost"
    location = {"name": _REGION, "databaseAccountEndpoint": f"{request.scheme}://{host}/"}
    return _json(
        200,
        {
            "_self": "",
            "id": host.partition(":")[0],
            "_rid": host,
            "media": "//media/",
            "addresses": "//addresses/",
            "_dbs": "//dbs/",
            "writableLocations": [location],
            "readableLocations": [location],
            "enableMultipleWriteLocations": False,
            "userReplicationPolicy": {"asyncReplication": False, "minReplicaSetSize": 1, "maxReplicasetSize": 4},
            "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "systemReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 4},
            "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
        },
    )


def create_database(account: Account, request: Request) -> Answer:
    """POST /dbs."""
    name = read_object(request.body).get("id")
    check_id(name)
    assert isinstance(name, str)  # check_id refuses everything else
    return _resource(201, account.catalog.create_database(name).properties)


def read_database(account: Account, request: Request) -> Answer:
    """GET /dbs/{db}."""
    return _resource(200, account.catalog.database(request.segments[1]).properties)


def delete_database(account: Account, request: Request) -> Answer:
    """DELETE /dbs/{db}."""
    account.catalog.drop_database(request.segments[1])
    return Answer(204, charge=charge.MANAGEMENT)


def list_databases(account: Account, request: Request) -> Answer:
    """GET /dbs, or the query for some of them."""
    found = [entry.properties for entry in account.catalog.databases.values()]
    return _feed("", "Databases", _selected(request, found))


def create_container(account: Account, request: Request) -> Answer:
    """POST /dbs/{db}/colls."""
    database = account.catalog.database(request.segments[1])
    properties = checked_container(read_object(request.body))
    container = account.catalog.create_container(database, properties, _throughput(request))
    return _resource(201, container.properties)


def read_container(account: Account, request: Request) -> Answer:
    """GET /dbs/{db}/colls/{coll}."""
    return _resource(200, _container(account, request).properties)


def replace_container(account: Account, request: Request) -> Answer:
    """PUT /dbs/{db}/colls/{coll}: everything but the key may change."""
    container = _container(account, request)
    properties = checked_container(read_object(request.body))
    if properties["id"] != container.id:
        raise bad_request("The id of a container cannot be changed.")
    if properties["partitionKey"]["paths"] != container.properties["partitionKey"]["paths"]:
        raise bad_request("Document collection partition key cannot be changed.")
    if unique_keys_of(properties) != container.unique_keys:
        raise bad_request("The unique keys of a container cannot be changed.")
    account.catalog.replace_container(container, properties)
    return _resource(200, container.properties)


def delete_container(account: Account, request: Request) -> Answer:
    """DELETE /dbs/{db}/colls/{coll}."""
    account.catalog.drop_container(_container(account, request))
    return Answer(204, charge=charge.MANAGEMENT)


def list_containers(account: Account, request: Request) -> Answer:
    """GET /dbs/{db}/colls, or the query for some of them."""
    database = account.catalog.database(request.segments[1])
    found = [container.properties for container in database.containers.values()]
    return _feed(database.rid, "DocumentCollections", _selected(request, found))


def read_ranges(account: Account, request: Request) -> Answer:
    """GET …/pkranges: a feed that a client reads until it gets a 304."""
    container = account.catalog.container(request.segments[1], request.segments[3])
    etag = f'"{len(account.ranges.intervals)}"'
    if request.header("if-none-match") == etag:
        return Answer(304, headers={"etag": etag}, charge=charge.MANAGEMENT)
    described = [
        {**one, "_rid": container.rid, "_self": f"{container.self_link}pkranges/{one['id']}/", "_etag": etag, "_ts": 0}
        for one in account.ranges.described()
    ]
    answer = _feed(container.rid, "PartitionKeyRanges", described)
    answer.headers["etag"] = etag
    return answer


def query_offers(account: Account, request: Request) -> Answer:
    """POST /offers with the query for the offer of one resource, or GET /offers."""
    found = [offer for container in account.catalog.all_containers() if (offer := _offer(container))]
    return _feed("", "Offers", _selected(request, found))


def read_offer(account: Account, request: Request) -> Answer:
    """GET /offers/{id}."""
    offer = _offer(_offered(account, request))
    return _resource(200, offer or {})


def replace_offer(account: Account, request: Request) -> Answer:
    """PUT /offers/{id}: another throughput."""
    container = _offered(account, request)
    content = read_object(request.body).get("content")
    if not isinstance(content, dict) or not ("offerThroughput" in content or "offerAutopilotSettings" in content):
        raise bad_request("The offer has no throughput.")
    account.catalog.replace_throughput(container, content)
    return _resource(200, _offer(container) or {})


def checked_container(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties with what is left out filled in; raises CosmosError 400 for what the service would refuse."""
    check_id(properties.get("id"))
    key: dict[str, Any] = properties.get("partitionKey") or {}
    paths = key.get("paths")
    if (
        not isinstance(paths, list)
        or not paths
        or not all(isinstance(p, str) and re.match(r"^/[^/]", p) for p in paths)
    ):
        raise bad_request("The partition key of a container needs at least one path, which begins with a slash.")
    kind = key.get("kind", HASH)
    if kind not in (HASH, MULTI_HASH):
        raise bad_request(f"The partition key kind {kind!r} is not supported.")
    if len(paths) > (_MAX_HIERARCHY if kind == MULTI_HASH else 1):
        raise bad_request("Too many partition key paths: one, or up to three of the kind MultiHash.")
    if key.get("version", 2) != 2:
        raise bad_request("Only version 2 of the partition key is supported.")
    ttl = properties.get("defaultTtl")
    if "defaultTtl" in properties and (type(ttl) is not int or ttl == 0 or ttl < -1):
        raise bad_request("The defaultTtl is -1 or a positive number of seconds.")
    completed = {
        "conflictResolutionPolicy": {
            "mode": "LastWriterWins",
            "conflictResolutionPath": "/_ts",
            "conflictResolutionProcedure": "",
        },
        "geospatialConfig": {"type": "Geography"},
        **properties,
        "partitionKey": {**key, "kind": kind, "version": 2},
        "indexingPolicy": checked_indexing(properties.get("indexingPolicy") or {}),
    }
    unique_keys_of(properties)
    return completed


def checked_indexing(policy: dict[str, Any]) -> dict[str, Any]:
    """The indexing policy with its defaults; raises CosmosError 400 where the root path is in no list or in both."""
    if str(policy.get("indexingMode", "consistent")).lower() == "none":
        return {"indexingMode": "none", "automatic": False, "includedPaths": [], "excludedPaths": []}
    completed = {**_DEFAULT_INDEXING, **policy}
    if "includedPaths" in policy and "excludedPaths" not in policy:
        completed["excludedPaths"] = []
    roots = [
        name
        for name in ("includedPaths", "excludedPaths")
        if any(isinstance(entry, dict) and entry.get("path") == "/*" for entry in completed[name])
    ]
    if "excludedPaths" in policy and "includedPaths" not in policy and "excludedPaths" in roots:
        completed["includedPaths"], roots = [], ["excludedPaths"]
    if not roots:
        raise bad_request(
            'The special mandatory indexing path "/" is not provided in any of the path type sets.'
            " Please provide this path in one of the sets."
        )
    if len(roots) == 2:
        raise bad_request("The indexing path '\\/*' is in both included and excluded paths.")
    return completed


def _container(account: Account, request: Request) -> Container:
    database = account.catalog.database(request.segments[1])
    container = database.containers.get(request.segments[3])
    if container is None:
        raise CosmosError(404, "Resource Not Found.", 1003)
    return container


def _throughput(request: Request) -> dict[str, Any] | None:
    throughput = request.number("x-ms-offer-throughput")
    if throughput is not None:
        return {"offerThroughput": throughput}
    autopilot = request.header("x-ms-cosmos-offer-autopilot-settings")
    if autopilot is None:
        return None
    settings = read_object(autopilot.encode())
    return {"offerThroughput": settings.get("maxThroughput"), "offerAutopilotSettings": settings}


def _offer(container: Container) -> dict[str, Any] | None:
    if container.throughput is None:
        return None
    name = f"of{container.number:02d}"
    return {
        "id": name,
        "_rid": name,
        "_self": f"offers/{name}/",
        "_etag": container.properties["_etag"],
        "_ts": container.properties["_ts"],
        "resource": container.self_link,
        "offerResourceId": container.rid,
        "offerType": "Invalid",
        "offerVersion": "V2",
        "content": container.throughput,
    }


def _offered(account: Account, request: Request) -> Container:
    for container in account.catalog.all_containers():
        offer = _offer(container)
        if offer is not None and offer["id"] == request.segments[1]:
            return container
    raise CosmosError(404, "Resource Not Found.")


def _selected(request: Request, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a query over databases, containers or offers asks for: all of them, or one by id or resource."""
    if request.method == "GET":
        return found
    body = read_object(request.body)
    match = _ONE_BY.match(str(body.get("query", "")))
    if match is None:
        raise bad_request("Databases, containers and offers are queried by SELECT * FROM root r [WHERE r.id = …] only.")
    field, text = match[4], match[5]
    if field is None:
        return found
    parameters = {one["name"]: one["value"] for one in body.get("parameters") or []}
    wanted = parameters.get(text, text.strip("'\""))
    return [one for one in found if one.get(field) == wanted]


def _resource(status: int, properties: dict[str, Any]) -> Answer:
    answer = _json(status, properties)
    if "_etag" in properties:
        answer.headers["etag"] = properties["_etag"]
    return answer


def _feed(rid: str, name: str, resources: list[dict[str, Any]]) -> Answer:
    return _json(200, {"_rid": rid, name: resources, "_count": len(resources)})


def _json(status: int, value: object) -> Answer:
    return Answer(status, msgspec.json.encode(value), charge=charge.MANAGEMENT)
