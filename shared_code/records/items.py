"""The items of the `records` container: what is stored of a resource, and what each kind of item means.

    {id: "Observation:<id>", pk, kind, type, person, version, lastUpdated, deleted, method, s, resource}

kind      current   what reads and searches answer from; a deleted resource's has `deleted: true`, no `resource`, no `s`
          past      a version that was: id "Observation:<id>:<version>", `of` its current item's id, no `s`
          link      in the partition of a further patient of a resource: `home` is the pk that has it
          staged    a create of a transaction that is not yet promoted; `becomes` says which kind it will be
          next      the staged next version of an item that would be too large with both: id "<item id>:next:<tx>"
          marker    that a load with a name was made, in the same transaction as what it loaded
person    "Patient/<id>", or null where nobody's
tx, next  on an item that a transaction is about to change: its id, and the fields of the version it will have
links     the further patients of a version: those of the current one have a link to it
movedFrom the pks where the resource was at home before, and has past versions
movedTo   on what a change of home leaves where it was: the pk where the resource went on
resource  the JSON text as accepted, with `id` and `meta` set by the store

Source: docs/records.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from shared_code import errors
from shared_code.azure.cosmos import MAX_ITEM_BYTES, Item, stored_bytes
from shared_code.fhir import Resource, dump, search_values
from shared_code.records.locating import item_id, partition_key, past_item_id

MAX_RESOURCE_BYTES = 1_500_000
_SURELY_SMALL = 200_000  # characters: no item of so few passes a limit, whatever they are
MARK_FIELDS = ("tx", "next")
_SYSTEM_FIELDS = ("_rid", "_self", "_etag", "_attachments", "_ts", "_lsn")
# What a version's item has; an item is made of these and of its header (id, pk, kind).
VERSION_FIELDS = (
    "type",
    "person",
    "version",
    "lastUpdated",
    "deleted",
    "method",
    "s",
    "resource",
    "home",
    "links",
    "movedTo",
    "movedFrom",
)


@dataclass(frozen=True, slots=True)
class Change:
    """One item that becomes another: made where `base` is None, else replaced while it is still `base`.

    keeps_past   whether `base` was a version of its own that stays readable
    """

    item: Item
    base: Item | None = None

    @property
    def keeps_past(self) -> bool:
        return self.base is not None and self.base["kind"] == "current"


@dataclass(frozen=True, slots=True)
class Stored:
    """A version of a resource as the store has it; `text` is its JSON, None for a deletion."""

    type: str
    id: str
    version: int
    last_updated: str
    text: str | None
    method: str = "PUT"
    created: bool = False
    person: str | None = None

    @property
    def etag(self) -> str:
        return f'W/"{self.version}"'


@lru_cache(64)
def fhir_instant(now: datetime) -> str:
    """`now` in UTC to the millisecond, of fixed width, so that texts sort as times do."""
    return f"{now.astimezone(UTC).isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"


def with_meta(resource: Resource, resource_id: str, version: int, last_updated: str) -> Resource:
    """The resource with the id and meta that the store gives it; what else its meta says stays."""
    meta = {**resource.get("meta", {}), "versionId": str(version), "lastUpdated": last_updated}
    given = {"resourceType": resource["resourceType"], "id": resource_id, "meta": meta}
    return given | resource | given  # the first says the order, the last what holds


def version_item(
    resource: Resource, resource_id: str, pk: str, person: str | None, version: int, now: datetime, method: str
) -> Item:
    """The current item of a version of `resource`. Raises TooLarge above what one item holds."""
    last_updated = fhir_instant(now)
    text = dump(with_meta(resource, resource_id, version, last_updated))
    item = {
        "id": item_id(resource["resourceType"], resource_id),
        "pk": pk,
        "kind": "current",
        "type": resource["resourceType"],
        "person": person,
        "version": version,
        "lastUpdated": last_updated,
        "deleted": False,
        "method": method,
        "s": search_values(resource),
        "resource": text,
    }
    if len(text) > _SURELY_SMALL and (len(text.encode()) > MAX_RESOURCE_BYTES or stored_bytes(item) > MAX_ITEM_BYTES):
        raise errors.TooLarge(
            f"the {resource['resourceType']} has more than the {MAX_RESOURCE_BYTES:,} bytes that one resource may have",
            resource["resourceType"],
        )
    return item


def tombstone(base: Item, now: datetime, moved_to: str | None = None) -> Item:
    """The current item of a deletion, which is a version of its own."""
    item = {
        "id": base["id"],
        "pk": base["pk"],
        "kind": "current",
        "type": base["type"],
        "person": base["person"],
        "version": base["version"] + 1,
        "lastUpdated": fhir_instant(now),
        "deleted": True,
        "method": "DELETE",
    }
    if "movedFrom" in base:
        item["movedFrom"] = base["movedFrom"]
    return item | ({"movedTo": moved_to} if moved_to else {})


def link_item(home: Item, pk: str, person: str) -> Item:
    """What stands in the partition of a further patient of the resource of `home`, with the same search values."""
    fields = ("id", "type", "version", "lastUpdated", "deleted")
    link = {name: home[name] for name in fields} | {"pk": pk, "kind": "link", "person": person, "home": home["pk"]}
    if pk in home.get("movedFrom", ()):
        link["movedTo"] = home["pk"]
    return link | ({} if home["deleted"] else {"s": home["s"]})


def marker_item(marker: str) -> Item:
    """What says that the writes with this marker were made."""
    return {
        "id": f"marker:{marker}",
        "pk": partition_key(f"marker/{marker}"),
        "kind": "marker",
        "type": "marker",
        "deleted": False,
    }


def past_item(base: Item) -> Item:
    """`base` as the past version that it becomes."""
    kept = {name: base[name] for name in VERSION_FIELDS if name in base and name != "s"}
    return {"id": past_item_id(base["id"], base["version"]), "pk": base["pk"], "kind": "past", "of": base["id"], **kept}


def without_mark(item: Item) -> Item:
    """The item as it is while the transaction that marked it does not count."""
    return {name: value for name, value in item.items() if name not in MARK_FIELDS and name not in _SYSTEM_FIELDS}


def promoted(item: Item, next_fields: Mapping[str, Any] | None = None) -> Item:
    """The item as it is once the transaction that marked it counts.

    next_fields   the fields of the next version where an item of its own holds them
    """
    if item["kind"] == "staged":
        rest = {name: value for name, value in without_mark(item).items() if name != "becomes"}
        return {**rest, "kind": item["becomes"]}
    fields = next_fields if next_fields is not None else item["next"]
    return {"id": item["id"], "pk": item["pk"], **fields}


def fields_of(item: Item) -> dict[str, Any]:
    """What `next` holds of an item: its kind and its version's fields."""
    return {"kind": item["kind"], **{name: item[name] for name in VERSION_FIELDS if name in item}}


def stored(item: Item, created: bool = False) -> Stored:
    """The version that an item holds."""
    _, resource_id = str(item.get("of", item["id"])).split(":", 1)
    return Stored(
        type=item["type"],
        id=resource_id,
        version=item["version"],
        last_updated=item["lastUpdated"],
        text=item.get("resource"),
        method=item.get("method", "PUT"),
        created=created,
        person=item.get("person"),
    )


def marks(items: Iterable[Item]) -> set[str]:
    """The transactions that marked any of the items."""
    return {item["tx"] for item in items if "tx" in item}
