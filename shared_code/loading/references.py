"""References between the entries of a bundle, and conditional ones: found once, and pointed to what they name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared_code.errors import Issue
from shared_code.fhir import is_reference, references
from shared_code.loading.entries import Entry

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_LITERAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?")
_RESTFUL_URL = re.compile(r"(https?://\S+/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})")
# Elements of type uri, url or uuid that may point to an entry, where the value is exactly its fullUrl.
_LINK_KEYS = frozenset({"url", "uri", "valueUri", "valueUrl", "valueUuid", "valueOid", "content", "reference"})
_IN_TEXT = re.compile(r"""((?:href|src)\s*=\s*["'])([^"']+)""")


@dataclass(slots=True)
class Link:
    """One reference of an entry as it was sent; `holder["reference"]` is where it stands.

    condition   (type, query) of a conditional reference, "Practitioner?identifier=…"
    literal     "Type/id" of a relative reference, without a version
    """

    entry: Entry
    holder: dict[str, Any]
    sent: str
    condition: tuple[str, str] | None = None
    literal: str | None = None

    @property
    def path(self) -> str:
        """Where it stands in the bundle; looked for only when something is wrong with it."""
        for path, holder in references(self.entry.resource or {}):
            if holder is self.holder:
                return f"{self.entry.path}.resource.{path.partition('.')[2]}.reference"
        return f"{self.entry.path}.resource"


@dataclass(frozen=True, slots=True)
class Pointers:
    """What in an entry may point to another: its references; holder, key and text, as sent, of urls and narratives."""

    links: list[Link]
    urls: list[tuple[dict[str, Any], str, str]]


def pointers_of(entry: Entry) -> Pointers:
    """What an entry's resource points with, found in one walk, but for references to its own contained resources."""
    found = Pointers([], [])
    nodes: list[Any] = [entry.resource] if entry.resource is not None else []
    while nodes:
        node = nodes.pop()
        if type(node) is list:
            nodes += [child for child in reversed(node) if type(child) is dict or type(child) is list]
            continue
        for key, child in reversed(node.items()):  # what is put last is taken first: the order of the text
            kind = type(child)
            if kind is dict or kind is list:
                nodes.append(child)
            elif kind is str:
                if key == "reference" and is_reference(node):
                    if not child.startswith("#"):
                        found.links.append(_link(entry, node, child))
                elif key in _LINK_KEYS or (key == "div" and _IN_TEXT.search(child)):
                    found.urls.append((node, key, child))
    return found


def _link(entry: Entry, holder: dict[str, Any], sent: str) -> Link:
    if sent.startswith("urn:"):
        return Link(entry, holder, sent)
    if match := _CONDITIONAL.fullmatch(sent):
        return Link(entry, holder, sent, condition=(match[1], match[2]))
    match = _LITERAL.fullmatch(sent)
    return Link(entry, holder, sent, literal=f"{match[1]}/{match[2]}" if match else None)


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


def rewrite_urls(pointers: Pointers, targets: Mapping[str, str]) -> None:
    """Point urls and links in narratives that are exactly an entry's fullUrl to its resource, in place.

    Source: https://hl7.org/fhir/R4/http.html#trules
    """
    for holder, key, sent in pointers.urls:
        if key == "div":
            holder[key] = _IN_TEXT.sub(lambda match: match[1] + targets.get(match[2], match[2]), sent)
        else:
            holder[key] = targets.get(sent, sent)
