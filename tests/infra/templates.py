"""Reads what the tests of the templates ask of a Bicep file: its parameters, types' fields, outputs and resources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
MODULES = sorted((INFRA / "modules").glob("*.bicep"))
TEMPLATES = [INFRA / "main.bicep", INFRA / "sizes.bicep", *MODULES, *sorted((INFRA / "tests").glob("*.bicep"))]

_STRING = r"'((?:[^'\\]|\\.)*)'"
_DECORATED = r"((?:^[ \t]*@.*\n)*)"


@dataclass(frozen=True, slots=True)
class Declaration:
    """A parameter, an output or a field of a type; `description` is None where it has none."""

    name: str
    description: str | None
    has_default: bool


def parameters(text: str) -> list[Declaration]:
    """The parameters of a template."""
    found = re.finditer(_DECORATED + r"^param (\w+) ([^\n]*)", text, re.MULTILINE)
    return [Declaration(m[2], _description(m[1]), bool(re.search(r"(?<![=!<>])=(?!=)", m[3]))) for m in found]


def outputs(text: str) -> list[Declaration]:
    """The outputs of a template."""
    found = re.finditer(_DECORATED + r"^output (\w+) ", text, re.MULTILINE)
    return [Declaration(m[2], _description(m[1]), has_default=True) for m in found]


def fields(text: str) -> list[Declaration]:
    """The fields of the object types that a template declares."""
    bodies = re.findall(r"^type \w+ = \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    found = (m for body in bodies for m in re.finditer(_DECORATED + r"^ +(\w+): ", body, re.MULTILINE))
    return [Declaration(m[2], _description(m[1]), has_default=False) for m in found]


def object_keys(text: str, variable: str) -> list[str]:
    """The keys of an object variable that is written out in the template."""
    body = re.search(rf"^var {variable} = \{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    assert body is not None, variable
    return re.findall(r"^  (\w+):", body[1], re.MULTILINE)


def metadata(text: str, name: str) -> str | None:
    """The value of a metadata declaration."""
    found = re.search(rf"^metadata {name} = {_STRING}$", text, re.MULTILINE)
    return found[1] if found else None


def _description(decorators: str) -> str | None:
    found = re.search(rf"@description\({_STRING}\)", decorators)
    return found[1] if found else None
