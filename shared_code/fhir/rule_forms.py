"""The recurring forms of invariants, so that most of them read as one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared_code.fhir.findings import Step

# Looks at an object whose structure is right and yields (text, *steps to the place) for each fault; the text goes on
# from the path of the place: 'must not end before it starts'.
type Broken = tuple[str, *tuple[Step, ...]]
type Rule = Callable[[dict[str, Any]], Iterator[Broken]]


_of_names: set[Rule] = set()


def by_names(rule: Rule) -> Rule:
    """A rule that asks only which elements there are, not what they say."""
    _of_names.add(rule)
    return rule


def is_of_names(rule: Rule) -> bool:
    """Whether a rule asks only which elements there are, so that it holds for all objects that have the same."""
    return rule in _of_names


def has(value: dict[str, Any], name: str) -> bool:
    """Whether an element is there, be it only with an extension; 'value[x]' stands for any of a choice."""
    if name in value:
        return True
    if not name.endswith("[x]"):
        return f"_{name}" in value
    start, length = name[:-3], len(name) - 3
    for key in value:
        if start in key:
            bare = key.removeprefix("_")
            if bare.startswith(start) and bare[length : length + 1].isupper():
                return True
    return False


def any_of(key: str, *names: str) -> Rule:
    """At least one of the elements."""

    def rule(value: dict[str, Any]) -> Iterator[Broken]:
        if not any(has(value, name) for name in names):
            yield (f"needs {' or '.join(map(_shown, names))} ({key})",)

    return by_names(rule)


def one_of(key: str, *names: str) -> Rule:
    """Exactly one of the elements."""

    def rule(value: dict[str, Any]) -> Iterator[Broken]:
        if sum(has(value, name) for name in names) != 1:
            yield (f"needs exactly one of {' and '.join(map(_shown, names))} ({key})",)

    return by_names(rule)


def not_both(key: str, first: str, second: str) -> Rule:
    """Not both elements."""

    def rule(value: dict[str, Any]) -> Iterator[Broken]:
        if has(value, first) and has(value, second):
            yield (f"may not have both {_shown(first)} and {_shown(second)} ({key})",)

    return by_names(rule)


def needs(key: str, first: str, second: str) -> Rule:
    """The second element where the first is."""

    def rule(value: dict[str, Any]) -> Iterator[Broken]:
        if has(value, first) and not has(value, second):
            yield (f"needs {_shown(second)} where it has {_shown(first)} ({key})",)

    return by_names(rule)


def only_if(key: str, name: str, element: str, *codes: str) -> Rule:
    """An element only where another has one of some codes."""

    def rule(value: dict[str, Any]) -> Iterator[Broken]:
        if has(value, name) and value.get(element) not in codes:
            yield (f"may only be given where {element} is {' or '.join(codes)} ({key})", name.removesuffix("[x]"))

    return rule


def rule(key: str, text: str, broken: Callable[[dict[str, Any]], Any], *steps: Step) -> Rule:
    """A rule of its own: `broken` says whether an object breaks it."""

    def check(value: dict[str, Any]) -> Iterator[Broken]:
        if broken(value):
            yield (f"{text} ({key})", *steps)

    return check


def has_coding(concept: dict[str, Any] | None, system: str, *codes: str) -> bool:
    """Whether a CodeableConcept has one of the codes of a system."""
    codings = concept.get("coding", ()) if concept else ()
    return any(coding.get("system") == system and coding.get("code") in codes for coding in codings)


def _shown(name: str) -> str:
    return f"'{name}'"
