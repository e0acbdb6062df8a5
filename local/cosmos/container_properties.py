"""What the properties of a container must be, and what is filled in where they say nothing."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from local.cosmos.documents import MAX_TTL_SECONDS, check_resource_id
from local.cosmos.errors import bad_request
from local.cosmos.partition_keys import HASH, MULTI_HASH
from local.cosmos.storage.unique_keys import unique_keys_of

_DEFAULT_INDEXING: dict[str, Any] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}
_MAX_HIERARCHY = 3
_LABEL = r'(?:\w+|"[^"]+")'  # other names than of letters, digits and underscores have quotes
_KEY_PATH = re.compile(r'(?:/(?:[^/"*?\[\]]+|"[^"]+"))+')
_INDEX_PATH = re.compile(rf"(?:/(?:{_LABEL}|\[\]))*/[?*]")
_COMPOSITE_PATH = re.compile(rf"(?:/{_LABEL})+")
_NOT_HERE = ("vectorEmbeddingPolicy", "fullTextPolicy", "computedProperties")
_NO_INDEXES_HERE = ("vectorIndexes", "fullTextIndexes")


class _Key(msgspec.Struct):
    paths: list[str]
    kind: str = HASH
    version: int = 2


class _Path(msgspec.Struct):
    path: str


class _CompositePath(msgspec.Struct):
    path: str
    order: str = "ascending"


class _Indexing(msgspec.Struct, rename="camel"):
    indexing_mode: str = "consistent"
    automatic: bool = True
    included_paths: list[_Path] | None = None
    excluded_paths: list[_Path] | None = None
    composite_indexes: list[list[_CompositePath]] | None = None
    spatial_indexes: list[_Path] | None = None


class _UniqueKey(msgspec.Struct):
    paths: list[str]


class _UniqueKeys(msgspec.Struct, rename="camel"):
    unique_keys: list[_UniqueKey] = []


class _ChangeFeed(msgspec.Struct, rename="camel"):
    retention_duration: int = 0  # minutes


class _Properties(msgspec.Struct, rename="camel"):
    partition_key: _Key
    default_ttl: int | msgspec.UnsetType = msgspec.UNSET
    indexing_policy: _Indexing | None = None
    unique_key_policy: _UniqueKeys | None = None
    change_feed_policy: _ChangeFeed | None = None
    conflict_resolution_policy: dict[str, Any] | None = None


def checked_container(properties: dict[str, Any]) -> dict[str, Any]:
    """The properties with what is left out filled in; raises CosmosError 400 for what the service would refuse."""
    check_resource_id(properties.get("id"))
    for name in _NOT_HERE:
        if properties.get(name):
            raise bad_request(f"This server has no {name} of containers.")
    if not properties.get("partitionKey"):
        raise bad_request("The partition key of a container is missing.")
    try:
        sent = msgspec.convert(properties, _Properties)
    except msgspec.ValidationError as error:
        raise bad_request(f"The properties of the container are invalid: {error}") from None
    _check_key(sent.partition_key)
    if sent.default_ttl is not msgspec.UNSET and not (
        sent.default_ttl == -1 or 1 <= sent.default_ttl <= MAX_TTL_SECONDS
    ):
        raise bad_request(f"The defaultTtl is -1 or a number of seconds from 1 to {MAX_TTL_SECONDS}.")
    if sent.change_feed_policy is not None and sent.change_feed_policy.retention_duration < 0:
        raise bad_request("The retentionDuration of a change feed policy is a number of minutes, or 0.")
    unique_keys_of(properties)
    key = sent.partition_key
    return {
        "conflictResolutionPolicy": {
            "mode": "LastWriterWins",
            "conflictResolutionPath": "/_ts",
            "conflictResolutionProcedure": "",
        },
        "geospatialConfig": {"type": "Geography"},
        **properties,
        "partitionKey": {**properties["partitionKey"], "kind": key.kind, "version": 2},
        "indexingPolicy": _completed(properties.get("indexingPolicy") or {}, sent.indexing_policy or _Indexing()),
    }


def _check_key(key: _Key) -> None:
    if not key.paths or not all(map(_KEY_PATH.fullmatch, key.paths)):
        raise bad_request(
            "The partition key of a container needs at least one path, which begins with a slash and names a field."
        )
    if key.kind not in (HASH, MULTI_HASH):
        raise bad_request(f"The partition key kind {key.kind!r} is not supported.")
    if len(key.paths) > (_MAX_HIERARCHY if key.kind == MULTI_HASH else 1):
        raise bad_request("Too many partition key paths: one, or up to three of the kind MultiHash.")
    if len(set(key.paths)) < len(key.paths):
        raise bad_request("The paths of a partition key are different from each other.")
    if key.version != 2:
        raise bad_request("Only version 2 of the partition key is supported.")


def _completed(policy: dict[str, Any], sent: _Indexing) -> dict[str, Any]:
    """The indexing policy with its defaults; raises CosmosError 400 where the root path is in no list or in both."""
    mode = sent.indexing_mode.lower()
    if mode not in ("consistent", "none"):
        raise bad_request(f"The indexingMode {sent.indexing_mode!r} is neither consistent nor none.")
    for name in _NO_INDEXES_HERE:
        if policy.get(name):
            raise bad_request(f"This server has no {name}.")
    if mode == "none":
        return {"indexingMode": "none", "automatic": False, "includedPaths": [], "excludedPaths": []}
    for entry in [*(sent.included_paths or ()), *(sent.excluded_paths or ())]:
        if not _INDEX_PATH.fullmatch(entry.path):
            raise bad_request(
                f"The indexing path {entry.path!r} could not be accepted: it begins with a slash and ends with /? or"
                " /*, and labels of other than letters, digits and underscores have quotes around them."
            )
    completed = {**_DEFAULT_INDEXING, **policy, "indexingMode": mode}
    if sent.composite_indexes:
        completed["compositeIndexes"] = [_composite(index) for index in sent.composite_indexes]
    if sent.included_paths is not None and sent.excluded_paths is None:
        completed["excludedPaths"] = []
    roots = [
        name
        for name in ("includedPaths", "excludedPaths")
        if any(entry["path"] == "/*" for entry in completed[name] or ())
    ]
    if sent.excluded_paths is not None and sent.included_paths is None and "excludedPaths" in roots:
        completed["includedPaths"], roots = [], ["excludedPaths"]
    if not roots:
        raise bad_request(
            'The special mandatory indexing path "/" is not provided in any of the path type sets.'
            " Please provide this path in one of the sets."
        )
    if len(roots) == 2:
        raise bad_request("The indexing path '\\/*' is in both included and excluded paths.")
    return completed


def _composite(index: list[_CompositePath]) -> list[dict[str, str]]:
    if len(index) < 2:
        raise bad_request("A composite index has at least two paths.")
    for entry in index:
        if not _COMPOSITE_PATH.fullmatch(entry.path):
            raise bad_request(
                f"The path {entry.path!r} of a composite index could not be accepted: it begins with a slash, and has"
                " neither /? nor /* at its end."
            )
        if entry.order.lower() not in ("ascending", "descending"):
            raise bad_request(f"The order {entry.order!r} of a composite index is neither ascending nor descending.")
    return [{"path": entry.path, "order": entry.order.lower()} for entry in index]
