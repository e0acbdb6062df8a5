"""References between the entries of a bundle, and conditional ones: read once, and pointed to what they name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from shared_code.errors import Issue
from shared_code.fhir import Place, own_reference, rendered, restful, unversioned
from shared_code.loading.entries import Entry

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_IN_TEXT = re.compile(r"""((?:href|src)\s*=\s*["'])([^"']+)""")


class Lost(Enum):
    """Why a reference does not lead to one resource: the code of its fault, and what is said of it."""

    NOTHING = "not-found", "the reference {} leads to nothing"
    SEVERAL_ENTRIES = "multiple-matches", "several entries are called {}"
    SEVERAL_MATCHES = "multiple-matches", "several resources match {}"


@dataclass(slots=True)
class Link:
    """One reference of an entry as it was sent; `holder["reference"]` is where it stands.

    condition   (type, query) of a conditional reference, "Practitioner?identifier=…"
    own         what it is on this server, "Type/id" with or without a version, where it is sent as that or as its url
    is_inside   whether it leads to an entry of the bundle
    """

    entry: Entry
    holder: dict[str, Any]
    place: Place
    sent: str
    condition: tuple[str, str] | None = None
    own: str | None = None
    is_inside: bool = False

    @property
    def literal(self) -> str | None:
        """ "Type/id" of a reference to a resource of this server, without a version."""
        return unversioned(self.own) if self.own else None

    def fault(self, lost: Lost) -> Issue:
        """What is wrong with the reference, and where."""
        code, text = lost.value
        return Issue(code, text.format(repr(self.sent[:120])), self.path)

    @property
    def path(self) -> str:
        """Where it stands in the bundle; only worked out when something is wrong with it."""
        within = (rendered(self.place) or "").partition(".resource.")[2]
        return f"{self.entry.path}.resource.{within}.reference"


def link_of(entry: Entry, holder: dict[str, Any], place: Place, base_url: str) -> Link:
    """A reference of an entry, by the object that holds it and its place in the bundle."""
    sent: str = holder["reference"]
    if sent.startswith("urn:"):
        return Link(entry, holder, place, sent)
    if match := _CONDITIONAL.fullmatch(sent):
        return Link(entry, holder, place, sent, condition=(match[1], match[2]))
    return Link(entry, holder, place, sent, own=own_reference(sent, base_url))


def names_of(entry: Entry, base_url: str) -> Iterator[str]:
    """What other entries may call the resource of this one: its fullUrl, and the relative form of that."""
    if not entry.full_url:
        return
    yield entry.full_url
    parts = restful(entry.full_url)
    if parts and (entry.method == "POST" or parts[0] == f"{base_url}/"):
        yield f"{parts[1]}/{parts[2]}"


def name_of(link: Link) -> str:
    """The name under which a link's target is known if it is an entry: a relative one begins at its own entry's root.

    Source: https://hl7.org/fhir/R4/bundle.html#references
    """
    if link.own == link.sent and link.entry.full_url:
        parts = restful(link.entry.full_url)
        if parts:
            return f"{parts[0]}{link.sent}"
    return link.sent


def rewrite(link: Link, targets: Mapping[str, str]) -> bool:
    """Point a link to where `targets` says that its name, a fullUrl or "Type/id", leads. False: it says nothing."""
    name = name_of(link)
    target = targets.get(name)
    if target is None and "#" in name:
        name, _, fragment = name.partition("#")
        target = targets.get(name)
        target = f"{target}#{fragment}" if target else None
    if target is None:
        return False
    link.holder["reference"] = target
    link.is_inside = True
    return True


def rewrite_urls(urls: Iterable[tuple[dict[str, Any], str, str]], targets: Mapping[str, str]) -> None:
    """Point urls and links in narratives that are exactly an entry's fullUrl to its resource, in place.

    urls     each object, the name of its property that has the url or the narrative, and the text as it was sent
    Source: https://hl7.org/fhir/R4/http.html#trules
    """
    for holder, key, sent in urls:
        if key == "div":
            holder[key] = _IN_TEXT.sub(lambda match: match[1] + targets.get(match[2], match[2]), sent)
        else:
            holder[key] = targets.get(sent, sent)
