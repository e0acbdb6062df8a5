"""Literal references: the forms they take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from shared_code.fhir.findings import Place

_RELATIVE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")
_RESTFUL = re.compile(r"(https?://\S+/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")
_VERSION = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")


def relative(text: str) -> tuple[str, str] | None:
    """Type and id of a relative literal reference ('Patient/p1', 'Patient/p1/_history/2'); None for any other form."""
    match = _RELATIVE.fullmatch(text)
    return (match[1], match[2]) if match else None


def restful(url: str) -> tuple[str, str, str] | None:
    """Root, type and id of a RESTful url: 'https://…/fhir/', 'Patient' and 'p1'; None for any other form."""
    match = _RESTFUL.fullmatch(url)
    return (match[1], match[2], match[3]) if match else None


def unversioned(text: str) -> str:
    """The reference to the resource whatever its version: 'Patient/p1/_history/2' → 'Patient/p1'."""
    return _VERSION.sub("", text) if "/_history/" in text else text


def own_reference(text: str, base_url: str) -> str | None:
    """ "Type/id" of a reference that is relative, or the url of a resource of this server; None for any other."""
    own = text.removeprefix(f"{base_url}/") if base_url else text
    return own if relative(own) else None


def make_relative(references: Iterable[tuple[dict[str, Any], Place]], base_url: str) -> None:
    """Shorten references, as validation tells of them, that are urls of this server to "Type/id", in place."""
    for holder, _ in references:
        sent = holder["reference"]
        if base_url and sent.startswith(f"{base_url}/"):
            holder["reference"] = own_reference(sent, base_url) or sent
