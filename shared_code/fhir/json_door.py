"""The one door for JSON: text that FHIR allows becomes Python values with Decimal numbers, and goes out as it came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import msgspec

from shared_code.errors import Malformed
from shared_code.fhir.findings import Place, rendered, shortened

MAX_DEPTH = 64

_LARGEST = Decimal("1.7976931348623157E+308")  # what other readers of the same JSON can hold in a double
_LARGEST_INTEGER = int(_LARGEST)
_BOM = b"\xef\xbb\xbf"


def parse(data: bytes | str) -> Any:
    """The value of a JSON text; numbers with a point or an exponent become Decimal and keep their digits.

    raises    Malformed: not JSON or not UTF-8, deeper than 64, a key twice in an object, a number that no double holds,
              NaN, half of a surrogate pair, a NUL character; the text names the fault and where it is
    """
    text = _utf8(data)
    try:
        value = _DECODER.decode(text)
        if not (_is_shallow(text) and _has_no_long_number(text)):
            _refuse_depth_and_size(value)
    except (ValueError, RecursionError, InvalidOperation):
        _explain(text)
    if _may_have_lost_keys(text, value):
        _refuse_duplicate_keys(text)
    if b"\\" in text and b"\\u0000" in text:  # one byte is found far faster than six, and most texts have no escape
        _refuse_nul(value)
    return value


def dump(value: Any) -> str:
    """Compact JSON text: keys in their order, decimals with their digits, characters outside ASCII as themselves."""
    return _ENCODER.encode(value).decode()


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if number.copy_abs() > _LARGEST:  # abs() would round, and overflow itself
        raise ValueError(text)
    return number


_DECODER = msgspec.json.Decoder(float_hook=_number)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def _utf8(data: bytes | str) -> bytes:
    try:
        text = data.encode() if isinstance(data, str) else bytes(data)
    except UnicodeEncodeError as error:
        raise Malformed(f"The text holds half of a surrogate pair at character {error.start}.") from None
    return text.removeprefix(_BOM)


_ALL_BUT_STRUCTURE = bytes(set(range(256)) - set(b'{}[]"'))
_AS_LISTS = bytes.maketrans(b"{}", b"[]")
_ESCAPE = re.compile(rb"\\.")
_STRING = re.compile(rb'"[^"]*"')
_AS_ZEROS = bytes(ord("0") if chr(byte).isdigit() else ord(" ") for byte in range(128)) + b" " * 128
_LONG_NUMBER = b"0" * 309
_PIECE_BYTES = 1 << 16


def _is_shallow(text: bytes) -> bool:
    """Whether a JSON text is nested no deeper than allowed: by its brackets, of which the innermost go in turns.

    Several times faster than going through the values, which is left to what this does not find shallow.
    """
    if len(text) < _PIECE_BYTES and text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return True
    plain = _ESCAPE.sub(b"", text) if b"\\" in text else text
    brackets = b"".join([piece.translate(_AS_LISTS, _ALL_BUT_STRUCTURE) for piece in _pieces(plain)])
    brackets = brackets.replace(b'""', b"")
    if b'"' in brackets:  # strings with brackets in them
        brackets = _STRING.sub(b"", brackets)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return True
    return False


def _has_no_long_number(text: bytes) -> bool:
    return not any(_LONG_NUMBER in piece.translate(_AS_ZEROS) for piece in _pieces(text, len(_LONG_NUMBER)))


def _pieces(text: bytes, overlap: int = 0) -> Iterator[bytes]:
    """A text in pieces that are worked on in memory that is at hand: a new block as large as a bundle costs more."""
    for start in range(0, len(text), _PIECE_BYTES):
        yield text[start : start + _PIECE_BYTES + overlap]


def _refuse_depth_and_size(root: Any) -> None:
    """Raise ValueError for what is nested too deeply and for integers that are too large."""
    level = [root]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is dict:
                below += value.values()
            elif kind is list:
                below += value
            elif kind is int and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
                raise ValueError("a number that no double holds")
        if not below:
            return
        level = below
    if any(isinstance(value, dict | list) for value in level):
        raise ValueError("too deep")


def _may_have_lost_keys(text: bytes, value: Any) -> bool:
    """Whether the parser may have dropped one of two equal keys: the value, written again, has fewer quotation marks.

    Only a quotation mark written as an escape could make up for a lost one, so such a text counts as doubtful. Writing
    the value and counting one character in both is several times faster than a second parse that looks at each key.
    """
    if b"\\" in text and b"\\u0022" in text:
        return True
    _ENCODER.encode_into(value, buffer := bytearray())
    return text.count(b'"') != buffer.count(b'"')


class _Object(dict[str, Any]):
    """A parsed object that remembers the first key that came twice."""

    twice: str | None = None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                made.twice = name
                break
            seen.add(name)
    return made


def _refuse_duplicate_keys(text: bytes) -> None:
    root = json.loads(text, object_pairs_hook=_object)
    for place, value in _walk(root):
        if isinstance(value, _Object) and value.twice is not None:
            where = rendered((place, value.twice))
            raise Malformed(f"The key '{shortened(value.twice)}' appears twice in one object.", where)


def _refuse_nul(root: Any) -> None:
    for place, value in _walk(root):
        if isinstance(value, str) and "\x00" in value:
            raise Malformed("A string may not hold the NUL character.", rendered(place))
        if isinstance(value, dict) and any("\x00" in key for key in value):
            raise Malformed("A key may not hold the NUL character.", rendered(place))


def _walk(root: Any) -> Iterator[tuple[Place | None, Any]]:
    """Every value with its place, in the order of the text; only for saying where a fault is."""
    kind = root.get("resourceType") if isinstance(root, dict) else None
    open_values: list[tuple[Place | None, Any]] = [((None, kind) if isinstance(kind, str) else None, root)]
    while open_values:
        place, value = open_values.pop()
        yield place, value
        if isinstance(value, dict):
            open_values += [((place, key), child) for key, child in reversed(value.items())]
        elif isinstance(value, list):
            open_values += [((place, index), child) for index, child in reversed(list(enumerate(value)))]


_HALF_PAIR = re.compile(r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]")


def _explain(text: bytes) -> NoReturn:
    """Raise Malformed with a sentence for a text that was refused; as slow as it needs to be."""
    if not text.strip():
        raise Malformed("The body is empty; a JSON text is expected.") from None
    try:
        characters = text.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"The text is not UTF-8: byte {error.start} is 0x{text[error.start]:02x}.") from None
    try:
        json.loads(characters, parse_constant=_refuse_constant, parse_float=_exact_float, parse_int=_exact_int)
    except json.JSONDecodeError as error:
        fault = error.msg.lower().removesuffix(" at")
        raise Malformed(f"Not JSON: {fault} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise Malformed(_TOO_DEEP) from None
    if half := _HALF_PAIR.search(characters):
        line = characters.count("\n", 0, half.start()) + 1
        column = half.start() - characters.rfind("\n", 0, half.start())
        raise Malformed(f"Half of a surrogate pair at line {line}, column {column}.") from None
    raise Malformed(_TOO_DEEP) from None


_TOO_DEEP = f"The JSON is nested deeper than {MAX_DEPTH} levels."


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not a JSON number.")


def _exact_float(text: str) -> None:
    try:
        _number(text)
    except (ValueError, InvalidOperation):
        raise Malformed(f"The number {_shortened(text)} is too large.") from None


def _exact_int(text: str) -> None:
    if len(text.lstrip("-")) > 308:  # one digit short of the largest: a number of 309 digits is no quantity of anything
        raise Malformed(f"The number {_shortened(text)} is too large.")


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:20]}… ({len(text)} characters)"
