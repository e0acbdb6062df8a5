"""Pages and versions as FHIR shows them: Bundles of a search or a history, entries, and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

import msgspec

from shared_code import errors
from shared_code.errors import Issue
from shared_code.fhir import Resource, outcome
from shared_code.records.histories import HistoryQuery
from shared_code.records.items import Stored
from shared_code.records.search import Page, Query

MAX_QUERY_CHARACTERS = 4096  # what the front end of Azure Functions takes


def address_of(base_url: str, version: Stored) -> str:
    """The absolute address of a resource."""
    return f"{base_url}/{version.type}/{version.id}"


def raw(version: Stored) -> msgspec.Raw:
    """The stored text as a member of a larger JSON value; it is sent as it is, not parsed."""
    return msgspec.Raw((version.text or "null").encode())


def searchset(base_url: str, page: Page, query: Query) -> Resource:
    """A page of a search; parameters that were ignored are named in an outcome entry and left out of the self link."""
    entries: list[Resource] = [
        {"fullUrl": address_of(base_url, version), "resource": raw(version), "search": {"mode": "match"}}
        for version in page.resources
    ]
    if query.unknown:
        kind = query.filter.type
        text = f"ignored, since {kind} has no such search parameter here: {', '.join(query.unknown)}"
        entries.append({"resource": outcome([Issue("not-supported", text)], "warning"), "search": {"mode": "outcome"}})
    return _bundle("searchset", page, f"{base_url}/{query.filter.type}", query, entries)


def history_bundle(base_url: str, page: Page, query: HistoryQuery, resource_type: str, resource_id: str) -> Resource:
    """A page of the history of one resource; parameters that were ignored are left out of the self link."""
    address = f"{base_url}/{resource_type}/{resource_id}/_history"
    return _bundle("history", page, address, query, [_history_entry(base_url, version) for version in page.resources])


def _history_entry(base_url: str, version: Stored) -> Resource:
    entry: Resource = {"fullUrl": address_of(base_url, version)}
    if version.text is not None:
        entry["resource"] = raw(version)
    address = version.type if version.method == "POST" else f"{version.type}/{version.id}"
    status = "204" if version.text is None else "201" if version.created else "200"
    response = {"status": status, "etag": version.etag, "lastModified": version.last_updated}
    return entry | {"request": {"method": version.method, "url": address}, "response": response}


def _bundle(kind: str, page: Page, address: str, query: Query | HistoryQuery, entries: Sequence[Resource]) -> Resource:
    asked = list(query.asked)
    here = [*asked, ("_cursor", query.cursor)] if query.cursor else asked
    links = [{"relation": "self", "url": _with_query(address, here)}]
    if page.next:
        following = _with_query(address, [*asked, ("_cursor", page.next)])
        if len(following) - len(address) > MAX_QUERY_CHARACTERS:
            raise errors.Malformed(
                f"the link to the next page would have more than {MAX_QUERY_CHARACTERS:,} characters of parameters:"
                " search for fewer values at a time, or for all on one page with a larger _count"
            )
        links.append({"relation": "next", "url": following})
    bundle: Resource = {"resourceType": "Bundle", "type": kind}
    if page.total is not None:
        bundle["total"] = page.total
    bundle["link"] = links
    if entries:
        bundle["entry"] = list(entries)
    return bundle


def _with_query(address: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{address}?{urlencode(pairs, quote_via=quote, safe=':/,')}" if pairs else address
