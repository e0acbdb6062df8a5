"""Route templates as the Functions host understands them: `fhir/{type}/{id:regex(^[a-z]+$)?}` against a path."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from local.host.errors import StartError

Check = Callable[[str], bool]
# A literal, or what stands inside a pair of braces; a brace of either is written twice.
PIECE = re.compile(r"((?:\{\{|\}\}|[^{}])+)|\{((?:\{\{|\}\}|[^{}])+)\}")
# Stars of a catch-all, name, constraints (with arguments in parentheses, which may hold anything), default, '?'.
PARAMETER = re.compile(r"(\*{0,2})([A-Za-z_]\w*)((?::\w+(?:\(.*?\))?(?=[:=?]|$))*)(?:=([^?]*))?(\?)?", re.DOTALL)
GUID = re.compile(r"[({]?[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}[)}]?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`{name}`, with what was written inside the braces."""

    name: str
    catch_all: bool
    optional: bool
    default: str | None
    constraints: tuple[tuple[str, str], ...]  # ("regex", "^[a-z]+$"), ("int", "")

    @property
    def may_be_absent(self) -> bool:
        return self.optional or self.catch_all or self.default is not None


class Route:
    """A compiled template. `shape` is equal for two templates that differ only in case and names of parameters."""

    def __init__(self, template: str) -> None:
        self.template = template
        self._parameters: list[Parameter] = []
        self._checks: list[tuple[int, Check]] = []
        self._regex = re.compile(self._pattern(template), re.IGNORECASE)
        self.shape = self._regex.pattern, tuple(parameter.constraints for parameter in self._parameters)

    def match(self, path: str) -> dict[str, str] | None:
        """The values of the parameters for `path` ('/api/fhir/Patient', decoded but for %2F), or None."""
        found = self._regex.fullmatch(path)
        if not found:
            return None
        groups = found.groups()
        for index, check in self._checks:
            if groups[index] and not check(groups[index]):
                return None
        values: dict[str, str] = {}
        for parameter, value in zip(self._parameters, groups, strict=True):
            if value := value or parameter.default:
                values[parameter.name] = value
        return values

    def _pattern(self, template: str) -> str:
        if template.startswith(("/", "~")) or "//" in template:
            raise StartError(f"route '{template}' is no valid template: no '/' at its beginning, no '//' in it")
        segments = [_pieces(segment, template) for segment in _segments(template)]
        pattern = ends = ""
        for position, pieces in enumerate(segments):
            last = position == len(segments) - 1
            parameters = [piece for piece in pieces if isinstance(piece, Parameter)]
            for parameter in parameters:
                if (parameter.optional or parameter.catch_all) and not (last and parameter is pieces[-1]):
                    raise StartError(f"route '{template}': {{{parameter.name}}} may only stand at the end")
                self._add(parameter, template)
            if len(pieces) == 1 and parameters and parameters[0].may_be_absent:
                pattern += "(?:/(.*)" if parameters[0].catch_all else "(?:/([^/]+)"
                ends += ")?"
            elif ends:
                raise StartError(f"route '{template}': nothing may follow what may be absent")
            else:
                pattern += "/" + "".join(
                    "([^/]+)" if isinstance(piece, Parameter) else re.escape(piece.lower()) for piece in pieces
                )
        return f"{pattern}{ends}/?"

    def _add(self, parameter: Parameter, template: str) -> None:
        if any(parameter.name.lower() == other.name.lower() for other in self._parameters):
            raise StartError(f"route '{template}' has the parameter '{parameter.name}' twice")
        for name, argument in parameter.constraints:
            self._checks.append((len(self._parameters), _check(name, argument, template)))
        self._parameters.append(parameter)


def _segments(template: str) -> list[str]:
    """`template` cut at each '/' that is not inside braces."""
    segments, depth = [""], 0
    for character in template:
        depth += (character == "{") - (character == "}")
        if character == "/" and depth == 0:
            segments.append("")
        else:
            segments[-1] += character
    return [] if segments == [""] else segments


def _pieces(segment: str, template: str) -> list[str | Parameter]:
    """The literals and parameters of a segment; `{{` and `}}` stand for the brace itself."""
    pieces: list[str | Parameter] = []
    for literal, inside in PIECE.findall(segment):
        piece = (literal or inside).replace("{{", "{").replace("}}", "}")
        pieces.append(piece if literal else _parameter(piece, template))
    if PIECE.sub("", segment) or not pieces:
        raise StartError(f"route '{template}': the braces of '{segment}' do not match")
    if any(isinstance(a, Parameter) and isinstance(b, Parameter) for a, b in pairwise(pieces)):
        raise StartError(f"route '{template}': two parameters need a text between them")
    return pieces


def _parameter(inside: str, template: str) -> Parameter:
    match = PARAMETER.fullmatch(inside)
    if not match:
        raise StartError(f"route '{template}': '{{{inside}}}' is no valid parameter")
    stars, name, constraints, default, optional = match.groups()
    found = re.findall(r":(\w+)(?:\((.*?)\))?(?=:\w|$)", constraints or "", re.DOTALL)
    return Parameter(name, bool(stars), bool(optional), default, tuple((kind.lower(), text) for kind, text in found))


def _check(name: str, argument: str, template: str) -> Check:
    """The test that a constraint makes of a value; case never matters."""
    if name == "regex":
        return _searches(argument, template)
    if name in SIMPLE:
        return SIMPLE[name]
    try:
        return SIZED[name, argument.count(",") + 1](*(int(number) for number in argument.split(",")))
    except (KeyError, ValueError):
        raise StartError(f"route '{template}': there is no constraint '{name}({argument})'") from None


def _searches(pattern: str, template: str) -> Check:
    try:
        regex = re.compile(pattern, re.IGNORECASE)
    except re.error as fault:
        raise StartError(f"route '{template}': '{pattern}' is no regular expression: {fault}") from fault
    return lambda value: regex.search(value) is not None


def _is_whole(value: str, bits: int) -> bool:
    return re.fullmatch(r"\s*[+-]?\d+\s*", value) is not None and -(2 ** (bits - 1)) <= int(value) < 2 ** (bits - 1)


def _is_long(value: str) -> bool:
    return _is_whole(value, 64)


def _is_number(value: str) -> bool:
    try:
        return Decimal(value.replace(",", "")).is_finite()
    except InvalidOperation:
        return False


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value.strip())
    except ValueError:
        return re.fullmatch(r"\s*\d{1,2}/\d{1,2}/\d{4}\s*", value) is not None
    return True


SIMPLE: dict[str, Check] = {
    "int": lambda value: _is_whole(value, 32),
    "long": _is_long,
    "guid": lambda value: GUID.fullmatch(value) is not None,
    "bool": lambda value: value.strip().lower() in ("true", "false"),
    "decimal": _is_number,
    "double": _is_number,
    "float": _is_number,
    "datetime": _is_date,
    "alpha": lambda value: re.fullmatch("[a-z]*", value, re.IGNORECASE) is not None,
    "required": lambda value: value != "",
}
# Constraints with one number or two.
SIZED: dict[tuple[str, int], Callable[..., Check]] = {
    ("length", 1): lambda exact: lambda value: len(value) == exact,
    ("length", 2): lambda least, most: lambda value: least <= len(value) <= most,
    ("minlength", 1): lambda least: lambda value: len(value) >= least,
    ("maxlength", 1): lambda most: lambda value: len(value) <= most,
    ("min", 1): lambda least: lambda value: _is_long(value) and int(value) >= least,
    ("max", 1): lambda most: lambda value: _is_long(value) and int(value) <= most,
    ("range", 2): lambda least, most: lambda value: _is_long(value) and least <= int(value) <= most,
}
