"""Functions over strings; positions and lengths count UTF-16 units, as in the service."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import regex

from local.cosmos.errors import bad_request
from local.cosmos.sql.values import UNDEFINED, Value, is_number, utf16_length

_MATCH_SECONDS = 0.5
_NO_END = 2**31


def _strings(*values: Value) -> bool:
    return all(type(value) is str for value in values)


def _test(test: Callable[[str, str], bool]) -> Callable[..., Value]:
    def function(text: Value, wanted: Value, ignore_case: Value = False) -> Value:
        if not _strings(text, wanted):
            return UNDEFINED
        if ignore_case is True:
            return test(text.lower(), wanted.lower())
        return test(text, wanted)

    return function


_contains = _test(lambda text, wanted: wanted in text)


def _units(text: str) -> bytes:
    return text.encode("utf-16-le")


def _text(units: bytes) -> str:
    return units.decode("utf-16-le", "replace")


def _whole(value: Value) -> int | None:
    return int(value) if is_number(value) else None


def length(text: Value) -> Value:
    """LENGTH."""
    return utf16_length(text) if _strings(text) else UNDEFINED


def substring(text: Value, start: Value, count: Value) -> Value:
    """SUBSTRING, from 0."""
    first, size = _whole(start), _whole(count)
    if not _strings(text) or first is None or size is None:
        return UNDEFINED
    if first < 0 or size <= 0:
        return ""
    return _text(_units(text)[2 * first : 2 * (first + size)])


def left(text: Value, count: Value) -> Value:
    """LEFT."""
    return substring(text, 0, count)


def right(text: Value, count: Value) -> Value:
    """RIGHT."""
    size = _whole(count)
    if not _strings(text) or size is None:
        return UNDEFINED
    units = _units(text)
    return _text(units[max(0, len(units) - 2 * size) :]) if size > 0 else ""


def index_of(text: Value, wanted: Value, start: Value = 0) -> Value:
    """INDEX_OF: -1 where it is not."""
    first = _whole(start)
    if not _strings(text, wanted) or first is None:
        return UNDEFINED
    prefix = _text(_units(text)[: 2 * max(0, first)])
    found = text.find(wanted, len(prefix))
    return found if found < 0 else utf16_length(text[:found])


def last_index_of(text: Value, wanted: Value, start: Value = _NO_END) -> Value:
    """LASTINDEXOF: the last one that lies wholly at or before `start`; -1 where there is none."""
    last = _whole(start)
    if not _strings(text, wanted) or last is None:
        return UNDEFINED
    found = _text(_units(text)[: 2 * max(0, last + 1)]).rfind(wanted)
    return found if found < 0 else utf16_length(text[:found])


def _contains_several(decisive: bool, ignore_case: bool) -> Callable[..., Value]:
    """CONTAINS for each wanted text, joined by OR where True decides, by AND where False does."""

    def function(text: Value, *wanted: Value) -> Value:
        answers = [_contains(text, one, ignore_case) for one in wanted]
        if decisive in answers:
            return decisive
        return UNDEFINED if UNDEFINED in answers else not decisive

    return function


def concat(*texts: Value) -> Value:
    """CONCAT."""
    return "".join(texts) if _strings(*texts) else UNDEFINED


def replace(text: Value, wanted: Value, replacement: Value) -> Value:
    """REPLACE: every occurrence."""
    if not _strings(text, wanted, replacement):
        return UNDEFINED
    return text.replace(wanted, replacement) if wanted else text


def replicate(text: Value, count: Value) -> Value:
    """REPLICATE; up to 10,000 characters."""
    times = _whole(count)
    if not _strings(text) or times is None or times < 0 or times * len(text) > 10_000:
        return UNDEFINED
    return text * times


def reverse(text: Value) -> Value:
    """REVERSE."""
    return text[::-1] if _strings(text) else UNDEFINED


def split(text: Value, separator: Value) -> Value:
    """STRINGSPLIT."""
    if not _strings(text, separator):
        return UNDEFINED
    return text.split(separator) if separator else [text]


def join(texts: Value, separator: Value) -> Value:
    """STRINGJOIN."""
    if type(texts) is not list or not _strings(separator, *texts):
        return UNDEFINED
    return separator.join(texts)


def _case(change: Callable[[str], str]) -> Callable[[Value], Value]:
    return lambda text: change(text) if _strings(text) else UNDEFINED


def _trim(change: Callable[[str, str | None], str]) -> Callable[..., Value]:
    def function(text: Value, characters: Value = None) -> Value:
        if not _strings(text) or not (characters is None or _strings(characters)):
            return UNDEFINED
        return change(text, characters)

    return function


def regex_match(text: Value, pattern: Value, modifiers: Value = "") -> Value:
    """REGEXMATCH with the modifiers m, s, i, x; a pattern that is none yields undefined.

    Raises CosmosError 400 for a pattern that takes too long; meanwhile other threads run.
    """
    if not _strings(text, pattern, modifiers):
        return UNDEFINED
    compiled = _compiled(pattern, modifiers)
    if compiled is None:
        return UNDEFINED
    try:
        return compiled.search(text, concurrent=True, timeout=_MATCH_SECONDS) is not None
    except TimeoutError:
        raise bad_request(
            f"REGEXMATCH gave up after {_MATCH_SECONDS} s: the pattern {pattern[:100]!r} tries too many ways to match"
            " a text."
        ) from None


@lru_cache(maxsize=256)
def _compiled(pattern: str, modifiers: str) -> regex.Pattern[str] | None:
    flags = {"m": regex.MULTILINE, "s": regex.DOTALL, "i": regex.IGNORECASE, "x": regex.VERBOSE}
    chosen = 0
    for modifier in modifiers:
        if modifier not in flags:
            return None
        chosen |= flags[modifier]
    try:
        return regex.compile(pattern, chosen)
    except regex.error:
        return None


def to_string(value: Value) -> Value:
    """TOSTRING: JSON for what is not a string."""
    if value is UNDEFINED:
        return UNDEFINED
    if _strings(value):
        return value
    if type(value) is float and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return msgspec.json.encode(value).decode()


def _parser(*kinds: type) -> Callable[[Value], Value]:
    def function(text: Value) -> Value:
        if not _strings(text):
            return UNDEFINED
        try:
            value: Any = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return UNDEFINED
        return value if type(value) in kinds else UNDEFINED

    return function


FUNCTIONS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "CONTAINS": (_contains, 2, 3),
    "CONTAINS_ALL_CI": (_contains_several(False, True), 2, 1000),
    "CONTAINS_ALL_CS": (_contains_several(False, False), 2, 1000),
    "CONTAINS_ANY_CI": (_contains_several(True, True), 2, 1000),
    "CONTAINS_ANY_CS": (_contains_several(True, False), 2, 1000),
    "STARTSWITH": (_test(str.startswith), 2, 3),
    "ENDSWITH": (_test(str.endswith), 2, 3),
    "STRINGEQUALS": (_test(str.__eq__), 2, 3),
    "REGEXMATCH": (regex_match, 2, 3),
    "LOWER": (_case(str.lower), 1, 1),
    "UPPER": (_case(str.upper), 1, 1),
    "LENGTH": (length, 1, 1),
    "SUBSTRING": (substring, 3, 3),
    "LEFT": (left, 2, 2),
    "RIGHT": (right, 2, 2),
    "INDEX_OF": (index_of, 2, 3),
    "LASTINDEXOF": (last_index_of, 2, 3),
    "CONCAT": (concat, 2, 1000),
    "REPLACE": (replace, 3, 3),
    "REPLICATE": (replicate, 2, 2),
    "REVERSE": (reverse, 1, 1),
    "STRINGSPLIT": (split, 2, 2),
    "STRINGJOIN": (join, 2, 2),
    "TRIM": (_trim(str.strip), 1, 2),
    "LTRIM": (_trim(str.lstrip), 1, 2),
    "RTRIM": (_trim(str.rstrip), 1, 2),
    "TOSTRING": (to_string, 1, 1),
    "STRINGTONUMBER": (_parser(int, float), 1, 1),
    "STRINGTOBOOLEAN": (_parser(bool), 1, 1),
    "STRINGTONULL": (_parser(type(None)), 1, 1),
    "STRINGTOARRAY": (_parser(list), 1, 1),
    "STRINGTOOBJECT": (_parser(dict), 1, 1),
}
