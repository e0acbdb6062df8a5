"""The invariants of Bundle: which of its parts go with which type of bundle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared_code.fhir.rule_forms import Broken, Rule, any_of

_WITH_REQUEST = frozenset({"batch", "transaction", "history"})
_WITH_RESPONSE = frozenset({"batch-response", "transaction-response", "history"})
_FIRST = {"document": ("Composition", "bdl-11"), "message": ("MessageHeader", "bdl-12")}


def _bundle(value: dict[str, Any]) -> Iterator[Broken]:
    kind = value.get("type", "")
    entries: list[dict[str, Any]] = value.get("entry", [])
    if "total" in value and kind not in ("searchset", "history"):
        yield "only a search or a history has a total (bdl-1)", "total"
    for index, entry in enumerate(entries):
        yield from ((text, "entry", index, part) for text, part in _entry(kind, entry))
    if kind != "history":
        yield from _repeated_urls(entries)
    if kind == "document":
        identifier = value.get("identifier", {})
        if "system" not in identifier or "value" not in identifier:
            yield "a document needs an identifier with system and value (bdl-9)", "identifier"
        if "timestamp" not in value:
            yield "a document needs 'timestamp' (bdl-10)", "timestamp"
    if kind in _FIRST:
        first, key = _FIRST[kind]
        if not entries or entries[0].get("resource", {}).get("resourceType") != first:
            yield f"the first entry of a {kind} is a {first} ({key})", "entry"


def _entry(kind: str, entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "search" in entry and kind != "searchset":
        yield "only entries of a search have 'search' (bdl-2)", "search"
    if ("request" in entry) != (kind in _WITH_REQUEST):
        yield (
            f"an entry of a {kind} {'needs' if kind in _WITH_REQUEST else 'may not have'} 'request' (bdl-3)",
            "request",
        )
    if ("response" in entry) != (kind in _WITH_RESPONSE):
        needed = kind in _WITH_RESPONSE
        yield f"an entry of a {kind} {'needs' if needed else 'may not have'} 'response' (bdl-4)", "response"


def _repeated_urls(entries: list[dict[str, Any]]) -> Iterator[Broken]:
    seen: set[tuple[str, str | None]] = set()
    for index, entry in enumerate(entries):
        if "fullUrl" in entry:
            version = entry.get("resource", {}).get("meta", {}).get("versionId")
            if (entry["fullUrl"], version) in seen:
                yield "the same fullUrl and version appear before in this bundle (bdl-7)", "entry", index, "fullUrl"
            seen.add((entry["fullUrl"], version))


def _full_url(entry: dict[str, Any]) -> Iterator[Broken]:
    if "/_history/" in entry.get("fullUrl", ""):
        yield "a fullUrl names no version (bdl-8)", "fullUrl"


BUNDLE_RULES: dict[str, tuple[Rule, ...]] = {
    "Bundle": (_bundle,),
    "Bundle.entry": (any_of("bdl-5", "resource", "request", "response"), _full_url),
}
