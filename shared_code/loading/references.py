"""References between the entries of a bundle, and conditional ones: found once, and pointed to what they name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared_code.errors import Issue
from shared_code.fhir import Resource, references
from shared_code.loading.entries import Entry

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_LITERAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?")
_RESTFUL_URL = re.compile(r"(https?://\S+/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})")
# Elements of type uri, url or uuid that may point to an entry, where the value is exactly its fullUrl.
_LINK_KEYS = frozenset({"url", "uri", "valueUri", "valueUrl", "valueUuid", "valueOid", "content"})
_IN_TEXT = re.compile(r"""((?:href|src)\s*=\s*["'])([^"']+)""")


@dataclass(slots=True)
class Link:
    """One reference of an entry as it was sent; `holder["reference"]` is where it stands."""

    entry: Entry
    path: str
    holder: dict[str, Any]
    sent: str

    @property
    def condition(self) -> tuple[str, str] | None:
        """(type, query) of a conditional reference, "Practitioner?identifier=…"."""
        match = _CONDITIONAL.fullmatch(self.sent)
        return (match[1], match[2]) if match else None

    @property
    def literal(self) -> str | None:
        """ "Type/id" of a relative reference, without a version."""
        match = _LITERAL.fullmatch(self.sent)
        return f"{match[1]}/{match[2]}" if match else None


def links_of(entry: Entry) -> list[Link]:
    """The references of an entry's resource, but for those to its own contained resources."""
    if entry.resource is None:
        return []
    prefix = f"{entry.path}.resource"
    found = []
    for path, holder in references(entry.resource):
        sent = holder["reference"]
        if not sent.startswith("#"):
            found.append(Link(entry, f"{prefix}.{path.partition('.')[2]}.reference", holder, sent))
    return found


def names_of(entry: Entry, base_url: str) -> Iterator[str]:
    """What other entries may call the resource of this one: its fullUrl, and the relative form of that."""
    if not entry.full_url:
        return
    yield entry.full_url
    match = _RESTFUL_URL.fullmatch(entry.full_url)
    if match and (entry.method == "POST" or match[1] == f"{base_url}/"):
        yield match[2]


def rewrite(link: Link, targets: Mapping[str, str]) -> bool:
    """Point a link to where `targets` says that its name, a fullUrl or "Type/id", leads. False: it says nothing."""
    target = targets.get(link.sent)
    if target is None:
        name, hash_sign, fragment = link.sent.partition("#")
        target = targets.get(name)
        target = f"{target}{hash_sign}{fragment}" if target else None
    if target is None and link.entry.full_url:
        match = _RESTFUL_URL.fullmatch(link.entry.full_url)
        target = targets.get(f"{match[1]}{link.sent}") if match else None
    if target is None:
        return False
    link.holder["reference"] = target
    return True


def dangling(link: Link) -> Issue:
    """The fault of a reference that leads to nothing."""
    return Issue("not-found", f"the reference {link.sent[:120]!r} leads to nothing", link.path)


def rewrite_urls(resource: Resource, targets: Mapping[str, str]) -> None:
    """Point urls and links in narratives that are exactly an entry's fullUrl to its resource, in place.

    Source: https://hl7.org/fhir/R4/http.html#trules
    """
    open_nodes: list[Any] = [resource]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, list):
            open_nodes += [child for child in node if type(child) is dict or type(child) is list]
            continue
        for key, child in node.items():
            if type(child) is dict or type(child) is list:
                open_nodes.append(child)
            elif key in _LINK_KEYS and isinstance(child, str) and child in targets:
                node[key] = targets[child]
            elif key == "div" and isinstance(child, str) and ("href" in child or "src" in child):
                node[key] = _IN_TEXT.sub(lambda match: match[1] + targets.get(match[2], match[2]), child)
