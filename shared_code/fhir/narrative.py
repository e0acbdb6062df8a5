"""The XHTML of a narrative: basic formatting, links and pictures; nothing that runs."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from html.entities import name2codepoint
from typing import Any

from shared_code.fhir.findings import kind_of, shortened

# source: https://hl7.org/fhir/R4/narrative.html#xhtml and the invariants txt-1 and txt-2
_ELEMENTS = frozenset(
    {
        "a", "abbr", "acronym", "b", "big", "blockquote", "br", "caption", "cite", "code", "col", "colgroup",
        "dd", "dfn", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "li", "ol",
        "p", "pre", "q", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th",
        "thead", "tr", "tt", "ul", "var",
    }
)  # fmt: skip
_ATTRIBUTES = frozenset(
    {
        "abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellhalign", "cellpadding",
        "cellspacing", "cellvalign", "char", "charoff", "charset", "cite", "class", "colspan", "compact",
        "coords", "dir", "frame", "headers", "height", "href", "hreflang", "hspace", "id", "lang", "longdesc",
        "name", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "shape", "span", "src", "start", "style",
        "summary", "tabindex", "title", "type", "valign", "value", "vspace", "width", "xml:lang", "xml:space",
        "xmlns",
    }
)  # fmt: skip
_NAMESPACE = "http://www.w3.org/1999/xhtml"
_ENTITIES = frozenset({*name2codepoint, "apos"})  # those of HTML 4, and the one that XML adds

_NAME = r"[A-Za-z][\w:.\-]*+"
_ATTRIBUTE_TEXT = rf"""\s++{_NAME}\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+')"""


def _piece(group: str) -> str:
    """Some text and the markup after it: start or end of an element, comment, instruction or CDATA."""
    return rf"""{group}[^<]*+)(?:<{group}{_NAME}){group}(?:{_ATTRIBUTE_TEXT})*+)\s*+{group}/?)>
        |</{group}{_NAME})\s*+>|<!--.*?-->|<\?.*?\?>|<!\[CDATA\[{group}.*?)\]\]>)"""


@cache  # compiled when the first narrative comes: it takes as long as a good many resources
def _pieces() -> re.Pattern[str]:
    return re.compile(_piece("("), re.DOTALL | re.VERBOSE)


# All of a text in one go and without a way back, so that no text takes longer than its length; only then its pieces.
# Without groups: inside what never goes back, `re` of Python 3.13 mixes them up.
@cache
def _well_formed() -> re.Pattern[str]:
    return re.compile(rf"(?:{_piece('(?:')})*+[^<]*+", re.DOTALL | re.VERBOSE)


_REFERENCE = re.compile(rf"&(?:({_NAME});|#(x?)([0-9A-Fa-f]{{1,10}});)?")
_LITERAL = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>", re.DOTALL)  # in which nothing means anything
_ATTRIBUTE = re.compile(rf"""\s++({_NAME})\s*+=\s*+("[^"<]*+"|'[^'<]*+')""")
# Schemes of links and pictures: of what else a browser knows, some runs. Browsers see through references (&#115;), and
# leave out blanks and control characters.
_SCHEMES = frozenset({"cid", "ftp", "http", "https", "mailto", "sip", "sms", "tel", "urn"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_PICTURE = re.compile(r"data:image/[a-z0-9.+\-]+[;,]", re.IGNORECASE)
_LEFT_OUT = dict.fromkeys([*range(0x21), *range(0x7F, 0xA1)])


def xhtml_fault(value: Any) -> str | None:
    """What is wrong with the content of `Narrative.div`, or None."""
    if type(value) is not str:
        return f"must be a string, not {kind_of(value)}"
    text = value.strip()
    if not text.startswith("<div"):
        return "must be a <div> of XHTML"
    try:
        if not _has_content(text):
            return "must have content that is not only blanks (txt-2)"
    except ValueError as fault:
        return str(fault)
    return None


def _has_content(text: str) -> bool:
    """Whether there is anything to see; raises ValueError with a sentence where the markup is wrong."""
    if not _well_formed().fullmatch(text):
        raise ValueError("must be well-formed XHTML: every '<' that begins no element is written &lt;")
    if "&" in text or "<?" in text:
        _refuse_entities_and_instructions(_LITERAL.sub("", text))
    open_elements: list[str] = []
    content = closed = False
    for before, name, attributes, empty, end, cdata in _pieces().findall(text):
        shown = not before.isspace() if before else bool(cdata)
        if closed and (name or shown):
            raise ValueError("must be one <div> with nothing after it")
        content = content or shown or name == "img"
        if name:
            if not open_elements:
                _require_namespace(attributes)
            _refuse_element(name, attributes)
            if not empty:
                open_elements.append(name)
        elif end:
            if not open_elements or open_elements.pop() != end:
                raise ValueError(f"must be well-formed XHTML: </{shortened(end)}> closes what is not open")
            closed = not open_elements
    if open_elements:
        raise ValueError(f"must be well-formed XHTML: <{open_elements[-1]}> is not closed")
    if text.index(">", text.rindex("<")) != len(text) - 1:
        raise ValueError("must be one <div> with nothing after it")
    return content


def _refuse_entities_and_instructions(text: str) -> None:
    if "<?" in text:
        raise ValueError("must not hold a processing instruction, '<?'; only basic formatting is allowed (txt-1)")
    for name, hexadecimal, digits in _REFERENCE.findall(text):
        if not name and not digits:
            raise ValueError("must be well-formed XHTML: every '&' that begins no entity is written &amp;")
        if name and name not in _ENTITIES:
            raise ValueError(f"must not hold '&{shortened(name)};', which is no entity of XHTML")
        if digits and not (hexadecimal or digits.isdecimal()):
            raise ValueError(f"must not hold '&#{digits};', which is no number")
        if digits and not _is_character(int(digits, 16 if hexadecimal else 10)):
            raise ValueError(f"must not hold '&#{hexadecimal}{digits};', which is no character of XML")


def _is_character(code: int) -> bool:
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


def _require_namespace(attributes: str) -> None:
    """The outermost element says that it is XHTML, as almost all do in the first of their attributes."""
    if attributes.startswith(f' xmlns="{_NAMESPACE}"'):
        return
    if dict(_ATTRIBUTE.findall(attributes)).get("xmlns", "")[1:-1] != _NAMESPACE:
        raise ValueError(f'must be a <div xmlns="{_NAMESPACE}">')


def _refuse_element(name: str, attributes: str) -> None:
    if name not in _ELEMENTS:
        raise ValueError(f"must not hold <{shortened(name)}>; only basic formatting is allowed (txt-1)")
    for attribute, quoted in _ATTRIBUTE.findall(attributes) if attributes else ():
        if attribute not in _ATTRIBUTES and not attribute.startswith("xmlns:"):
            raise ValueError(f"must not hold the attribute '{shortened(attribute)}' of <{name}> (txt-1)")
        if attribute in ("href", "src", "cite", "longdesc") and not _is_harmless(attribute, quoted[1:-1]):
            raise ValueError(f"must not hold a script, or another scheme than {', '.join(sorted(_SCHEMES))} (txt-1)")


def _is_harmless(attribute: str, address: str) -> bool:
    plain = unescape(address).translate(_LEFT_OUT)
    scheme = _SCHEME.match(plain)
    # a picture that is linked to would be opened, and may then run what is in it
    is_picture = attribute == "src" and _PICTURE.match(plain) is not None
    return scheme is None or scheme[1].lower() in _SCHEMES or is_picture
