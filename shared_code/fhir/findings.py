"""What a validation has found so far, and how the place of a fault is written as FHIRPath."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared_code.errors import Issue

# A place is a link to its parent and a step, a name or an index: cheap to make for every value, rendered for few.
type Step = str | int
type Place = tuple[Place | None, Step]

MAX_ISSUES = 100


@dataclass(frozen=True, slots=True)
class Pointers:
    """What in a resource leads elsewhere, in the order of the text. The objects are the resource's own.

    references   each Reference that has a `reference`, unless to a contained resource, with its place
    urls         each object with a url or a narrative, which may have some: the name of the property, and its text
    """

    references: list[tuple[dict[str, Any], Place]] = field(default_factory=list)
    urls: list[tuple[dict[str, Any], str, str]] = field(default_factory=list)

    def add(self, inner: Pointers) -> None:
        """Take in what is in a resource within this one."""
        self.references.extend(inner.references)
        self.urls.extend(inner.urls)


class Findings:
    """Collects the faults of one validation, and what it came across that leads elsewhere.

    count   of all faults; `issues` holds the first of them
    local   references to contained resources in the resource at hand, to be resolved when all of it was seen: each
            Reference with its place and the types that its element allows, empty where it allows any
    empties   what is nothing by itself, nulls in lists and extensions of primitives with an id alone: place of the
              object that has it, name, and index in a list; to be held against the partner, `x` of `_x` and `_x` of `x`
    pointers      of the resource at hand
    pointers_of   of each resource that was seen, but those contained, by the identity of its object
    conditional_references   whether 'Patient?identifier=…' may stand for a reference, as in a transaction
    """

    __slots__ = ("conditional_references", "count", "empties", "issues", "local", "pointers", "pointers_of")

    def __init__(self, conditional_references: bool = False) -> None:
        self.count = 0
        self.issues: list[Issue] = []
        self.local: list[tuple[dict[str, Any], Place, frozenset[str]]] = []
        self.empties: list[tuple[Place | None, str, int | None]] = []
        self.pointers = Pointers()
        self.pointers_of: dict[int, Pointers] = {}
        self.conditional_references = conditional_references

    def state(self) -> tuple[int, int, int, int, int]:
        """Something that is the same after a check that has found nothing at all."""
        pointers = self.pointers
        return self.count, len(self.local), len(self.empties), len(pointers.references), len(pointers.urls)

    def add(self, code: str, text: str, at: Place | None, *steps: Step) -> None:
        """Note a fault at a place, or at something below it; the text goes on from there: 'must be a list'."""
        self.count += 1
        if self.count <= MAX_ISSUES:
            for step in steps:
                at = (at, step)
            path = rendered(at)
            self.issues.append(Issue(code, f"{path or 'This'} {text}", path))


def rendered(at: Place | None) -> str | None:
    """FHIRPath of a place: 'Patient.name[0].given[1]'; a property '_birthDate' is what belongs to `birthDate`."""
    steps: list[str] = []
    while at is not None:
        at, step = at
        steps.append(f"[{step}]" if isinstance(step, int) else f".{shortened(step.removeprefix('_'))}")
    return "".join(reversed(steps)).lstrip(".") or None


def shortened(text: str) -> str:
    """A name or code for a sentence: what is far too long to be one is cut off."""
    return text if len(text) <= 80 else f"{text[:80]}…"


def kind_of(value: Any) -> str:
    """What a JSON value is, for a sentence."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else "a number"
