"""How codes and identifiers are written as search values: `system|code`, other bars behind a backslash."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_LONGEST_REMEMBERED = 200  # characters


def escaped(text: str) -> str:
    """`text` with a backslash before each backslash and bar."""
    return text.replace("\\", "\\\\").replace("|", "\\|") if "\\" in text or "|" in text else text


def token_values(value: Any, data_type: str) -> Sequence[str]:
    """The stored forms of one element: `system|code` (or `|code`), `code`, and `system|` if it has one."""
    if data_type == "CodeableConcept":
        codings = value.get("coding", ())
        if len(codings) == 1:
            return _forms(codings[0].get("system"), codings[0].get("code"))
        return [text for coding in codings for text in _forms(coding.get("system"), coding.get("code"))]
    if data_type == "Coding":
        return _forms(value.get("system"), value.get("code"))
    if data_type == "Identifier":
        return _forms(value.get("system"), value.get("value"))
    if data_type == "ContactPoint":
        return _forms(None, value.get("value"))  # its system says phone or email and names no code system
    return _forms(None, ("true" if value else "false") if isinstance(value, bool) else str(value))


def _forms(system: str | None, code: str | None) -> tuple[str, ...]:
    is_short = len(system or "") + len(code or "") <= _LONGEST_REMEMBERED
    return _short_forms(system, code) if is_short else _made_forms(system, code)


def _made_forms(system: str | None, code: str | None) -> tuple[str, ...]:
    of_code = (f"{escaped(system or '')}|{escaped(code)}", escaped(code)) if code else ()
    return (*of_code, f"{escaped(system)}|") if system else of_code


_short_forms = lru_cache(4096)(_made_forms)  # a record uses the same few codes again and again
