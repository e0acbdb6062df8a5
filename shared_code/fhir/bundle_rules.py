"""The invariants of Bundle: which of its parts go with which type of bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from shared_code.fhir.references import restful
from shared_code.fhir.resource_types import resource_types
from shared_code.fhir.rule_forms import Broken, Rule, any_of

_WITH_REQUEST = frozenset({"batch", "transaction", "history"})
_WITH_RESPONSE = frozenset({"batch-response", "transaction-response", "history"})
_FIRST = {"document": ("Composition", "bdl-11"), "message": ("MessageHeader", "bdl-12")}
# In requests it is the address that says which resource is meant; of collections and messages there are examples of HL7
# whose fullUrls are those of other ids.
_WITH_OTHER_IDS = frozenset({"batch", "transaction", "collection", "message"})
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.")


def named_by(full_url: str) -> tuple[str, str] | None:
    """Type and id of the resource that a fullUrl such as "https://…/Patient/p1" names; None for any other form."""
    parts = restful(full_url)
    return parts[1:] if parts and parts[1] in resource_types() else None


def _bundle(value: dict[str, Any]) -> Iterator[Broken]:
    kind = value.get("type", "")
    entries: list[dict[str, Any]] = value.get("entry", [])
    if "total" in value and kind not in ("searchset", "history"):
        yield "may only be given for a search or a history (bdl-1)", "total"
    for index, entry in enumerate(entries):
        yield from ((text, "entry", index, part) for text, part in _entry(kind, entry))
    if kind != "history":
        yield from _repeated_urls(entries)
    if kind == "document":
        identifier = value.get("identifier", {})
        if "system" not in identifier or "value" not in identifier:
            yield "needs system and value in a document (bdl-9)", "identifier"
        if "timestamp" not in value:
            yield "is required in a document (bdl-10)", "timestamp"
    if kind in _FIRST:
        first, key = _FIRST[kind]
        if not entries or entries[0].get("resource", {}).get("resourceType") != first:
            yield f"must begin with a {first} in a {kind} ({key})", "entry"


def _entry(kind: str, entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "search" in entry and kind != "searchset":
        yield "may only be given for a search (bdl-2)", "search"
    own = entry.get("resource", {}).get("id")
    if own is not None and kind not in _WITH_OTHER_IDS:
        named = named_by(entry.get("fullUrl", ""))
        if named and named[1] != own:
            yield "names another id than that of the resource", "fullUrl"
    if ("request" in entry) != (kind in _WITH_REQUEST):
        yield f"{_verb(kind in _WITH_REQUEST)} in an entry of a {kind} (bdl-3)", "request"
    if ("response" in entry) != (kind in _WITH_RESPONSE):
        yield f"{_verb(kind in _WITH_RESPONSE)} in an entry of a {kind} (bdl-4)", "response"


def _verb(required: bool) -> str:
    return "is required" if required else "may not be given"


def _repeated_urls(entries: list[dict[str, Any]]) -> Iterator[Broken]:
    seen: set[tuple[str, str | None]] = set()
    for index, entry in enumerate(entries):
        if "fullUrl" in entry:
            version = entry.get("resource", {}).get("meta", {}).get("versionId")
            if (entry["fullUrl"], version) in seen:
                yield "names the same resource and version as an entry before (bdl-7)", "entry", index, "fullUrl"
            seen.add((entry["fullUrl"], version))


def _full_url(entry: dict[str, Any]) -> Iterator[Broken]:
    full_url = entry.get("fullUrl")
    if full_url is None:
        return
    if "/_history/" in full_url:
        yield "may not name a version (bdl-8)", "fullUrl"
    if not _ABSOLUTE.match(full_url):
        yield "must be an absolute url", "fullUrl"
    named = named_by(full_url) if "resource" in entry else None
    if named and named[0] != entry["resource"]["resourceType"]:
        yield f"names a {named[0]}, and the resource is a {entry['resource']['resourceType']}", "fullUrl"


BUNDLE_RULES: dict[str, tuple[Rule, ...]] = {
    "Bundle": (_bundle,),
    "Bundle.entry": (any_of("bdl-5", "resource", "request", "response"), _full_url),
}
