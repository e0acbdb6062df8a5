"""Requests about the account, databases, containers, their ranges and their throughput."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from local.cosmos import charge
from local.cosmos.account import Account
from local.cosmos.container_properties import checked_container
from local.cosmos.documents import check_resource_id, read_object
from local.cosmos.errors import CosmosError, bad_request
from local.cosmos.storage.catalog import Container
from local.cosmos.wire import Answer, Request

_REGION = "Local"
_LEAST_UNITS, _UNIT_STEP, _AUTOSCALE_STEP = 400, 100, 1000
_ONE_BY = re.compile(
    r"^\s*select\s+\*\s+from\s+(\w+)(?:\s+(\w+))?(?:\s+where\s+(\w+)\.(id|resource)\s*=\s*(\S+))?\s*$", re.I
)


class _Parameter(msgspec.Struct):
    name: str
    value: Any = None


class _Query(msgspec.Struct):
    query: str
    parameters: list[_Parameter] | None = None


def read_account(account: Account, request: Request) -> Answer:
    """The account under the name that the caller uses for it, since the client goes on with the endpoint it is told."""
    host = request.header(b"host") or "localhost"
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
            "userConsistencyPolicy": {"defaultConsistencyLevel": account.consistency.level},
            "systemReplicationPolicy": {"minReplicaSetSize": 1, "maxReplicasetSize": 4},
            "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
        },
    )


def create_database(account: Account, request: Request) -> Answer:
    """POST /dbs."""
    name = read_object(request.body).get("id")
    check_resource_id(name)
    assert isinstance(name, str)  # check_resource_id refuses everything else
    if _throughput(request) is not None:
        raise bad_request("This server has no throughput of databases, only of containers.")
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
    """PUT /dbs/{db}/colls/{coll}: everything but its keys may change."""
    container = _container(account, request)
    properties = checked_container(read_object(request.body))
    if properties["id"] != container.id:
        raise bad_request("The id of a container cannot be changed.")
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
    if request.header(b"if-none-match") == etag:
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
    settings = content.get("offerAutopilotSettings")
    if settings is None:
        _check_throughput(content["offerThroughput"])
    else:
        content["offerThroughput"] = _highest(settings)
    account.catalog.replace_throughput(container, content)
    return _resource(200, _offer(container) or {})


def _container(account: Account, request: Request) -> Container:
    database = account.catalog.database(request.segments[1])
    container = database.containers.get(request.segments[3])
    if container is None:
        raise CosmosError(404, "Resource Not Found.", 1003)
    return container


def _throughput(request: Request) -> dict[str, Any] | None:
    throughput = request.number(b"x-ms-offer-throughput")
    if throughput is not None:
        _check_throughput(throughput)
        return {"offerThroughput": throughput}
    autopilot = request.header(b"x-ms-cosmos-offer-autopilot-settings")
    if autopilot is None:
        return None
    settings = read_object(autopilot.encode())
    return {"offerThroughput": _highest(settings), "offerAutopilotSettings": settings}


def _check_throughput(value: object) -> None:
    if type(value) is not int or value < _LEAST_UNITS or value % _UNIT_STEP:
        raise bad_request(
            f"The throughput is {_LEAST_UNITS} request units per second or more, in steps of {_UNIT_STEP}."
        )


def _highest(settings: object) -> int:
    """The throughput up to which a container scales by itself."""
    value = settings.get("maxThroughput") if isinstance(settings, dict) else None
    if type(value) is not int or value < _AUTOSCALE_STEP or value % _AUTOSCALE_STEP:
        raise bad_request(
            f"The maxThroughput is {_AUTOSCALE_STEP} request units per second or more, in steps of {_AUTOSCALE_STEP}."
        )
    return value


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
    try:
        body = msgspec.json.decode(request.body, type=_Query)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"The query is not a JSON object with query and parameters: {error}") from None
    match = _ONE_BY.match(body.query)
    if match is None:
        raise bad_request("Databases, containers and offers are queried by SELECT * FROM root r [WHERE r.id = …] only.")
    field, text = match[4], match[5]
    if field is None:
        return found
    parameters = {one.name: one.value for one in body.parameters or ()}
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
