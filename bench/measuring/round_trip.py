"""One resource created over HTTP and read back: whether it is what was sent, down to the digits of its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from local.loading.posting import failures_of

EQUAL, CHANGED, INVALID, TOO_LARGE, OTHER = "read back equal", "changed", "not valid R4", "too large", "not as expected"
_WITH_NUMBERS_AS_TEXT = msgspec.json.Decoder(float_hook=str)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one example; `reason` says why it is not what it was, or not there."""

    file: str
    type: str
    kind: str
    reason: str = ""


async def round_trip(client: httpx.AsyncClient, file: str, content: bytes) -> Outcome:
    """Create the resource that a file holds, read it, and compare: numbers by their digits."""
    text = content.removeprefix(_BOM)
    sent = _WITH_NUMBERS_AS_TEXT.decode(text)
    resource_type = str(sent["resourceType"])
    created = await client.post(resource_type, content=text, headers={"Prefer": "return=minimal"})
    if created.status_code != 201:
        kind = {422: INVALID, 413: TOO_LARGE}.get(created.status_code, OTHER)
        return Outcome(file, resource_type, kind, _said(created))
    address = created.headers["location"].partition("/_history/")[0]
    read = await client.get(address)
    if read.status_code != 200:
        return Outcome(file, resource_type, OTHER, _said(read))
    difference = _difference(_comparable(sent), _comparable(_WITH_NUMBERS_AS_TEXT.decode(read.content)))
    return Outcome(file, resource_type, CHANGED if difference else EQUAL, difference or "")


def _said(answer: httpx.Response) -> str:
    try:
        outcome = answer.json()
    except ValueError:
        outcome = answer.text
    faults = failures_of("", answer.status_code, outcome)
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{faults[0].text}{f' at {faults[0].where}' if faults[0].where else ''}{more}"


def _comparable(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource without what a server gives: id, meta.versionId and meta.lastUpdated."""
    given = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    meta = resource.get("meta", {})
    kept = {name: value for name, value in meta.items() if name not in ("versionId", "lastUpdated")}
    return given | ({"meta": kept} if kept else {})


def _difference(sent: Any, read: Any, path: str = "") -> str | None:
    """Where the first difference is, None where there is none; lists have an order, objects have not."""
    if isinstance(sent, dict) and isinstance(read, dict):
        if sent.keys() != read.keys():
            return f"{path}: {', '.join(sorted(sent.keys() ^ read.keys()))} on one side only"
        pairs = [(sent[name], read[name], f"{path}.{name}") for name in sent]
    elif isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        pairs = [(one, other, f"{path}[{place}]") for place, (one, other) in enumerate(zip(sent, read, strict=True))]
    else:
        return None if type(sent) is type(read) and sent == read else f"{path}: sent {sent!r:.60}, read {read!r:.60}"
    return next((found for found in (_difference(*pair) for pair in pairs) if found), None)
