"""Faults on demand, so that tests meet what production does now and then: refusals, lost connections, delays.

Rules are set at start or while the server runs (`PUT /_local/faults`); which request is hit is decided by a seeded
random number, so that a run can be repeated.
"""

from __future__ import annotations

import random
from typing import Annotated, Literal

import msgspec

from local.cosmos.errors import RANGE_IS_GONE, CosmosError, bad_request
from local.cosmos.wire import Request

PATH = ["_local", "faults"]
_Kind = Literal["read", "write", "query"]
_WRITES = frozenset(("POST", "PUT", "PATCH", "DELETE"))


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One kind of fault.

    fault        429, 449, 503, 410, drop-before (the write is not made), drop-after (it is made, nobody hears of it),
                 delay or empty-page
    probability  from 0 to 1, for each request that the rule is about
    operations   of read, write and query, those that the rule is about
    container    its id; empty is every container
    seconds      how long a delay is, and what a 429 asks to wait
    times        after so many faults the rule is spent; 0 is never
    """

    fault: str
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    operations: tuple[_Kind, ...] = ("read", "write", "query")
    container: str = ""
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.01
    times: Annotated[int, msgspec.Meta(ge=0)] = 0
    done: int = 0


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule]
    seed: int = 0


_REFUSALS = {
    "429": (429, "Request rate is large. More Request Units may be needed, so no changes were made.", 3200),
    "449": (449, "Conflicting request to resource has been attempted. Retry to avoid conflicts.", 0),
    "503": (503, "The service is temporarily unavailable; please retry the operation.", 0),
    "410": (410, "The requested resource is no longer available at the server.", RANGE_IS_GONE),
}
_OTHERS = frozenset(("drop-before", "drop-after", "delay", "empty-page"))


class Faults:
    """The rules that hold now."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(0)

    def replace(self, body: bytes) -> None:
        """Take over `{"rules": […], "seed": n}`; raises CosmosError 400 for what is none."""
        try:
            sent = msgspec.json.decode(body, type=_Wire)
        except msgspec.DecodeError as error:
            raise bad_request(f"The fault rules are not understood: {error}") from None
        for rule in sent.rules:
            if rule.fault not in _REFUSALS and rule.fault not in _OTHERS:
                raise bad_request(f"There is no fault {rule.fault!r}; there are {sorted({*_REFUSALS, *_OTHERS})}.")
        self.rules = sent.rules
        self._random = random.Random(sent.seed)

    def described(self) -> bytes:
        """The rules as JSON, with how often each has hit."""
        return msgspec.json.encode({"rules": self.rules})

    def hit(self, request: Request) -> Rule | None:
        """The fault that this request meets, if any; only requests on items meet one."""
        segments = request.segments
        if len(segments) < 5 or segments[4] != "docs":
            return None
        kind = _kind(request)
        for rule in self.rules:
            if kind not in rule.operations or (rule.container and rule.container != segments[3]):
                continue
            if rule.times and rule.done >= rule.times:
                continue
            if rule.fault == "empty-page" and kind != "query":
                continue
            if self._random.random() < rule.probability:
                rule.done += 1
                return rule
        return None


def refusal_of(rule: Rule) -> CosmosError | None:
    """The error of a rule that refuses."""
    if rule.fault not in _REFUSALS:
        return None
    status, message, substatus = _REFUSALS[rule.fault]
    headers = {"x-ms-retry-after-ms": str(int(rule.seconds * 1000))} if status in (429, 449) else {}
    return CosmosError(status, message, substatus, headers)


def _kind(request: Request) -> _Kind:
    if request.flag(b"x-ms-documentdb-isquery"):
        return "query"
    return "write" if request.method in _WRITES else "read"
