"""What a write makes of what is stored: the next version, its past, its links, its move to another home. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared_code import errors
from shared_code.azure.cosmos import Item
from shared_code.fhir import Resource, dump, other_patients, parse
from shared_code.records.items import Change, Stored, link_item, stored, tombstone, version_item, with_meta
from shared_code.records.locating import item_id, partition_key

_ETAG = re.compile(r'W/"([^"]+)"|"([^"]+)"|([A-Za-z0-9\-.]+)')
_ONE = "\0"  # stands for an ETag where only what is around them matters; no header holds it


@dataclass(frozen=True, slots=True)
class Place:
    """A partition, and the person who is at home there (None: nobody)."""

    pk: str
    person: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """One interaction that changes a resource; its id is known, also that of a create.

    resource   what to store; None for a delete
    place      where the resource will be at home; None for a delete
    if_match   the If-Match header as sent
    guarded    whether a change of what exists has to say of which version, by if_match
    only_new   whether it is to be made only where there is none yet (If-None-Match: *)
    """

    interaction: Literal["create", "update", "delete"]
    type: str
    id: str
    resource: Resource | None = None
    place: Place | None = None
    if_match: str | None = None
    guarded: bool = False
    only_new: bool = False

    @property
    def item_id(self) -> str:
        return item_id(self.type, self.id)


def require_version(current: Item | None, if_match: str | None, *, guarded: bool = False) -> None:
    """Raises VersionConflict where `if_match` ('W/"3"', or several with commas) does not name the stored version.

    guarded   also where there is a stored one and `if_match` names none
    """
    if if_match is None:
        if guarded and current is not None and not current["deleted"]:
            raise errors.VersionConflict('this needs If-Match here: read the resource first and send its ETag, W/"…"')
        return
    if if_match.strip() == "*":
        if current is None or current["deleted"]:
            raise errors.VersionConflict("If-Match says that there is such a resource, but there is none")
        return
    wanted = _versions_named(if_match)
    if current is None or str(current["version"]) not in wanted:
        named = " or ".join(wanted)[:80]
        found = f"the stored version is {current['version']}" if current else "there is no such resource"
        raise errors.VersionConflict(f"If-Match says version {named}, but {found}")


def _versions_named(if_match: str) -> list[str]:
    """The versions whose ETags are in an If-Match header. Raises Malformed."""
    named = [next(filter(None, match.groups())) for match in _ETAG.finditer(if_match)]
    places = _ETAG.sub(_ONE, if_match).split(",")
    if not named or any(place.strip() not in (_ONE, "") for place in places):
        raise errors.Malformed(f'If-Match must be the ETag of a version, such as W/"3", not {if_match[:40]!r}')
    return named


def decide(
    write: Write, current: Item | None, elsewhere: Mapping[str, Item], now: datetime
) -> tuple[list[Change], Stored | None]:
    """The changes that a write makes, and the version it leads to (None: a delete of nothing).

    current    the item of the resource where it is at home now, a tombstone among them; None if it never was
    elsewhere  items of the same id in other partitions, by pk: links, and tombstones of former homes
    raises     VersionConflict, Conflict (a create of what exists), Gone (it went to somebody else), TooLarge
    """
    require_version(current, write.if_match, guarded=write.guarded)
    if current is not None:  # clocks differ: a version is never older than the one before it
        now = max(now, datetime.fromisoformat(current["lastUpdated"]))
    if write.resource is None or write.place is None:
        return _deletion(current, elsewhere, now)
    exists = current is not None and not current["deleted"]
    if exists and write.only_new:
        raise errors.VersionConflict(f"If-None-Match says that there is no {write.type}/{write.id}, but there is one")
    if current is not None and exists and write.interaction == "create":
        raise errors.Conflict(f"{write.type}/{write.id} exists already")
    if current is not None and "movedTo" in current:  # what a person still has of it
        raise errors.Gone(f"{write.type}/{write.id} was deleted, and its id cannot be used again")
    moves = current is not None and current["pk"] != write.place.pk
    if current is not None and exists and not moves and same_content(current, write.resource):
        return [], stored(current)
    version = current["version"] + 1 if current else 1
    method = "POST" if write.interaction == "create" else "PUT"
    item = version_item(write.resource, write.id, write.place.pk, write.place.person, version, now, method)
    links = {partition_key(person): person for person in other_patients(write.resource)}
    links.pop(write.place.pk, None)
    if links:
        item["links"] = list(links.values())
    changes = []
    if current is not None and moves:
        former = [*current.get("movedFrom", []), current["pk"]]
        item["movedFrom"] = [pk for pk in dict.fromkeys(former) if pk != write.place.pk]
        changes.append(Change(item, elsewhere.get(write.place.pk)))
        if current["pk"] not in links:
            changes.append(Change(tombstone(current, now, moved_to=write.place.pk), current))
    else:
        if current is not None and "movedFrom" in current:
            item["movedFrom"] = current["movedFrom"]
        changes.append(Change(item, current))
    for pk, person in links.items():
        there = current if current is not None and pk == current["pk"] else elsewhere.get(pk)
        changes.append(Change(link_item(item, pk, person), there))
    changes += _ended_links(current, set(links) | {write.place.pk}, elsewhere, item, now)
    return changes, stored(item, created=not exists)


def _deletion(current: Item | None, elsewhere: Mapping[str, Item], now: datetime) -> tuple[list[Change], Stored | None]:
    if current is None:
        return [], None
    if current["deleted"]:
        return [], stored(current)
    item = tombstone(current, now)
    if "links" in current:
        item["links"] = current["links"]  # they see that it was deleted
    return [Change(item, current), *_ended_links(current, set(), elsewhere, item, now)], stored(item)


def _ended_links(
    current: Item | None, kept: set[str], elsewhere: Mapping[str, Item], item: Item, now: datetime
) -> list[Change]:
    """What becomes of the links to `current` that `item` has no more; a former home keeps what it had as a deletion."""
    changes = []
    for person in current.get("links", []) if current else []:
        pk = partition_key(person)
        if pk not in kept and pk in elsewhere:
            was_home = pk in item.get("movedFrom", ())
            link = {**item, "deleted": True}
            end = tombstone(elsewhere[pk], now, moved_to=item["pk"]) if was_home else link_item(link, pk, person)
            changes.append(Change(end, elsewhere[pk]))
    return changes


def touched_elsewhere(write: Write, current: Item | None) -> set[str]:
    """The partitions besides the current home whose items of the same id `decide` has to know."""
    persons = set(current.get("links", [])) if current else set()
    if write.resource is not None:
        persons |= set(other_patients(write.resource))
    pks = {partition_key(person) for person in persons}
    if write.place is not None and (current is None or current["pk"] != write.place.pk):
        pks.add(write.place.pk)
    return pks - ({current["pk"]} if current else set())


def same_content(current: Item, edited: Resource) -> bool:
    """Whether `edited` says what is stored: the same elements and digits, whatever their order."""
    text: str = current["resource"]
    candidate = dump(with_meta(edited, current["id"].split(":", 1)[1], current["version"], current["lastUpdated"]))
    if candidate == text:
        return True
    return len(candidate) == len(text) and _ordered(parse(candidate)) == _ordered(parse(text))


def _ordered(value: object) -> object:
    """The value with objects as sorted pairs and numbers as their text, so that 72.5 and 72.50 differ."""
    if isinstance(value, dict):
        return {key: _ordered(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_ordered(member) for member in value]
    return value if isinstance(value, str | bool) or value is None else f"number {value}"
