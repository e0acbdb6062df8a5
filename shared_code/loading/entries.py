"""The entries of a transaction or batch bundle: what each asks for, and the faults that refuse the bundle. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared_code import errors
from shared_code.errors import Issue
from shared_code.fhir import Resource, named_by, resource_types

METHODS = ("DELETE", "POST", "PUT", "GET")  # also the order in which a transaction works
_LATER = ("PATCH", "HEAD")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a bundle.

    index      its place in the bundle, from 0; faults name it as Bundle.entry[index]
    raw        the entry as it was sent
    query      what follows the question mark of the address of a GET
    """

    index: int
    raw: dict[str, Any]
    method: str
    type: str
    id: str | None
    full_url: str | None
    resource: Resource | None
    query: str = ""
    if_match: str | None = None
    if_none_exist: str | None = None
    if_none_match: str | None = None

    @property
    def path(self) -> str:
        return f"Bundle.entry[{self.index}]"


def read_entries(bundle: Resource) -> list[Entry | errors.Malformed]:
    """The entries of a bundle in order, each read or with what is wrong with what it asks.

    raises   Malformed: it is no transaction or batch, or its entries are no list
    """
    if bundle.get("resourceType") != "Bundle":
        raise errors.Malformed("the body must be a Bundle of type transaction or batch", "resourceType")
    if bundle.get("type") not in ("transaction", "batch"):
        raise errors.Malformed(
            f"a Bundle of type {str(bundle.get('type'))[:40]} cannot be carried out; send a transaction or a batch",
            "Bundle.type",
        )
    raw_entries = bundle.get("entry", [])
    if not isinstance(raw_entries, list):
        raise errors.Malformed("the entries of a Bundle are a list of objects", "Bundle.entry")
    return [_read(index, raw) for index, raw in enumerate(raw_entries)]


def require_read(entries: list[Entry | errors.Malformed]) -> list[Entry]:
    """The entries, all of which can be read. Raises Malformed that names each one that cannot."""
    faults = [issue for entry in entries if isinstance(entry, errors.Malformed) for issue in entry.issues]
    if faults:
        raise errors.Malformed(issues=faults)
    return [entry for entry in entries if isinstance(entry, Entry)]


def _read(index: int, raw: Any) -> Entry | errors.Malformed:
    try:
        if not isinstance(raw, dict):
            raise errors.Malformed("an entry of a Bundle is an object", f"Bundle.entry[{index}]")
        return _entry(index, raw)
    except errors.Malformed as fault:
        return fault


def _entry(index: int, raw: dict[str, Any]) -> Entry:
    path = f"Bundle.entry[{index}]"
    request = raw.get("request")
    if not isinstance(request, dict):
        raise errors.Malformed("an entry of a transaction or batch needs a request", f"{path}.request")
    method, url = request.get("method"), request.get("url")
    if method not in METHODS:
        known = "is not offered in a bundle here" if method in _LATER else f"is not one of {', '.join(METHODS)}"
        raise errors.Malformed(f"the method {str(method)[:20]} {known}", f"{path}.request.method")
    if not isinstance(url, str) or not url:
        raise errors.Malformed("an entry needs the address of its request", f"{path}.request.url")
    address, _, query = url.strip("/").partition("?")
    kind, _, own = address.partition("/")
    if kind not in resource_types():
        raise errors.Malformed(
            f"{kind[:40]!r} is not a resource type of R4 that has an endpoint", f"{path}.request.url"
        )
    resource = raw.get("resource")
    _require_form(method, own, query, resource, path)
    if method in ("POST", "PUT") and isinstance(resource, dict):
        if resource.get("resourceType") != kind:
            raise errors.Malformed(
                f"the request is for a {kind}, and the resource is a {str(resource.get('resourceType'))[:40]}",
                f"{path}.resource",
            )
        if method == "PUT" and resource.get("id") != own:
            raise errors.Malformed(
                f"the id in the resource must be the one in the address, {own}", f"{path}.resource.id"
            )
    full_url = _text(raw.get("fullUrl"))
    named = named_by(full_url) if full_url and method == "PUT" else None
    if named and named != (kind, own):
        raise errors.Malformed(f"the fullUrl must name the resource of the address, {kind}/{own}", f"{path}.fullUrl")
    return Entry(
        index=index,
        raw=raw,
        method=method,
        type=kind,
        id=own or None,
        full_url=full_url,
        resource=resource if method in ("POST", "PUT") else None,
        query=query,
        if_match=_text(request.get("ifMatch")),
        if_none_exist=_text(request.get("ifNoneExist")) if method == "POST" else None,
        if_none_match=_text(request.get("ifNoneMatch")) if method == "PUT" else None,
    )


def _text(value: object) -> str | None:
    """A member that is a string where it is one; what else it is, validation names."""
    return value if isinstance(value, str) else None


def _require_form(method: str, own: str, query: str, resource: object, path: str) -> None:
    where = f"{path}.request.url"
    if method == "POST" and (own or query):
        raise errors.Malformed("the address of a create is a type alone", where)
    if method in ("PUT", "DELETE") and (query or not own or "/" in own):
        raise errors.Malformed(f"the address of a {method} is Type/id; conditional ones are not offered here", where)
    if method == "GET" and "/" in own:
        raise errors.Malformed("the address of a GET is Type/id or a search; versions are read on their own", where)
    if method in ("POST", "PUT") and not isinstance(resource, dict):
        raise errors.Malformed(f"a {method} needs a resource", f"{path}.resource")


def require_distinct(entries: list[Entry]) -> None:
    """Raises Malformed where two entries of a transaction name the same resource or the same fullUrl."""
    faults = list(_doubles(entries))
    if faults:
        raise errors.Malformed(issues=faults)


def _doubles(entries: list[Entry]) -> Iterator[Issue]:
    seen: dict[str, Entry] = {}
    for entry in entries:
        names = [entry.full_url] if entry.full_url and entry.method in ("POST", "PUT") else []
        if entry.method in ("PUT", "DELETE"):
            names.append(f"{entry.type}/{entry.id}")
        for name in names:
            if name in seen and seen[name] is not entry:
                yield Issue("duplicate", f"the same resource as in {seen[name].path}: {name[:120]}", entry.path)
            seen[name] = entry
