"""What the headers of a request say about its form and that of the answer: media types and preferences. Pure."""

from __future__ import annotations

import re

FHIR_JSON = "application/fhir+json"
JSON_TYPES = frozenset({FHIR_JSON, "application/json", "application/json+fhir", "text/json"})
_JSON_FORMATS = JSON_TYPES | {"json"}
_FHIR_VERSION = "4.0"
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii"})
_BEYOND_ASCII = ("iso-8859-", "windows-125", "latin1")  # where they hold but ASCII, they are UTF-8
_NO_WEIGHT = re.compile(r"0(\.0*)?")


def media_type(text: str) -> tuple[str, dict[str, str]]:
    """A media type or range and its parameters, all in small letters: ('application/json', {'charset': 'utf-8'})."""
    name, *parameters = text.lower().split(";")
    pairs = [parameter.partition("=") for parameter in parameters]
    return name.strip(), {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def accepts_json(accept: str) -> bool:
    """Whether an Accept header takes FHIR JSON of R4. The most specific range decides, and with q=0 it says no."""
    parts = [part for part in accept.split(",") if part.strip()]
    ranges: dict[str, bool] = {}
    for name, parameters in map(media_type, parts):
        if _is_r4(parameters):
            ranges[name] = ranges.get(name, False) or not _NO_WEIGHT.fullmatch(parameters.get("q", "1"))
    if not parts or any(ranges.get(name) for name in JSON_TYPES):
        return True
    return next((ranges[name] for name in (FHIR_JSON, "application/*", "*/*") if name in ranges), False)


def is_json_format(wanted: str) -> bool:
    """Whether a `_format` asks for FHIR JSON of R4; an unescaped plus arrives as a blank."""
    name, parameters = media_type(wanted)
    return name.replace(" ", "+") in _JSON_FORMATS and _is_r4(parameters)


def fault_of_parameters(parameters: dict[str, str], body: bytes) -> str | None:
    """What keeps a body from being read, of what the parameters of its content type say; None where nothing does."""
    charset = parameters.get("charset", "utf-8")
    if charset not in _UTF_8 and not (charset.startswith(_BEYOND_ASCII) and body.isascii()):
        return f"the charset must be utf-8, not {charset[:40]!r}"
    if not _is_r4(parameters):
        return f"the fhirVersion must be {_FHIR_VERSION}, not {parameters['fhirversion'][:40]!r}"
    return None


def _is_r4(parameters: dict[str, str]) -> bool:
    return parameters.get("fhirversion", _FHIR_VERSION) in (_FHIR_VERSION, "4.0.1")


def preference(prefer: str | None, name: str) -> str | None:
    """What a Prefer header says of `name`, in small letters; the first word counts. None where it says nothing.

    Some clients put semicolons between preferences, which RFC 7240 keeps for their parameters; neither has any here.
    """
    for part in (prefer or "").lower().replace(";", ",").split(","):
        key, _, value = part.partition("=")
        if key.strip() == name:
            return value.strip().strip('"')
    return None
