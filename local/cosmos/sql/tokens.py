"""Splits the text of a query into tokens."""

from __future__ import annotations

import re
from enum import Enum
from math import isinf
from typing import Any, NamedTuple

from local.cosmos.doubles import as_doubles
from local.cosmos.errors import bad_request

# A field of such a name is written c["value"].
_WORDS = """
    and array as asc between by case cast convert cross desc distinct else end escape exists false for from group having
    in inner insert into is join left like limit not null offset on or order outer over right select set then top true
    udf undefined update value when where with
"""
KEYWORDS = frozenset(_WORDS.upper().split())


class Kind(Enum):
    """What a token is."""

    KEYWORD = "keyword"
    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    PARAMETER = "parameter"
    SYMBOL = "symbol"
    END = "end"


class Token(NamedTuple):
    """One token. `value` is the upper-case text of a keyword, the value of a literal, otherwise the text as written."""

    kind: Kind
    value: Any
    at: int
    text: str


_TOKEN = re.compile(
    r"""
    (?P<space>\s+ | --[^\n]* | /\*.*?\*/)
  | (?P<number>(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<name>[a-zA-Z_]\w*)
  | (?P<parameter>@[a-zA-Z_]\w*)
  | (?P<string>'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*")
  | (?P<symbol>\?\?|\|\||<>|!=|<=|>=|>>>|>>|<<|[-+*/%=<>!?:()\[\]{}.,&|^~])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "'": "'", '"': '"', "\\": "\\", "/": "/"}


def tokens(text: str) -> list[Token]:
    """All tokens, with one of the kind END behind them; raises CosmosError 400 for what is none."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise syntax_error(text, at, text[at])
        kind, part = match.lastgroup, match[0]
        if kind == "name":
            upper = part.upper()
            if upper in KEYWORDS:
                found.append(Token(Kind.KEYWORD, upper, at, part))
            else:
                found.append(Token(Kind.NAME, part, at, part))
        elif kind == "number":
            if text[match.end() : match.end() + 1].isalnum():  # 007, 1a
                raise syntax_error(text, at, part)
            found.append(Token(Kind.NUMBER, _number(text, at, part), at, part))
        elif kind == "string":
            found.append(Token(Kind.STRING, _unescaped(text, at, part), at, part))
        elif kind == "parameter":
            found.append(Token(Kind.PARAMETER, part, at, part))
        elif kind == "symbol":
            found.append(Token(Kind.SYMBOL, part, at, part))
        at = match.end()
    found.append(Token(Kind.END, None, len(text), ""))
    return found


def syntax_error(text: str, at: int, near: str) -> Exception:
    """400 with the place."""
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    shown = f"near '{near[:40]}'" if near else "at the end of the query"
    return bad_request(f"Syntax error, incorrect syntax {shown} (line {line}, column {column}).")


def _number(text: str, at: int, digits: str) -> int | float:
    value = float(digits)
    if isinf(value):
        raise syntax_error(text, at, digits)
    return as_doubles(int(digits) if digits.isdecimal() else value)  # type: ignore[no-any-return]


def _unescaped(text: str, at: int, quoted: str) -> str:
    inner = quoted[1:-1]
    if "\\" not in inner:
        return inner

    def replaced(match: re.Match[str]) -> str:
        escape = match[1]
        if escape[0] == "u" and len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape not in _ESCAPED:
            raise syntax_error(text, at, quoted)
        return _ESCAPED[escape]

    # Two escaped surrogates are one character.
    return _ESCAPE.sub(replaced, inner).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
