"""The XHTML of a narrative: basic formatting only, nothing that runs, nothing that is loaded from elsewhere."""

from __future__ import annotations

import re
from typing import Any

from shared_code.fhir.findings import kind_of

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

_TAG = re.compile(r"""<(/?)([\w:]+)((?:[^<>"']|"[^"]*"|'[^']*')*)>""")
_NO_CONTENT = re.compile(r"<!--.*?-->|<\?.*?\?>", re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_ATTRIBUTE = re.compile(r"\s+([\w:\-]+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_SCRIPT = re.compile(r"\s*(javascript|vbscript):", re.IGNORECASE)


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
    if "<!" in text or "<?" in text:
        text = _CDATA.sub(lambda match: match[1].replace("<", "&lt;"), _NO_CONTENT.sub("", text))
    parts = _TAG.split(text)  # text, then slash, name, attributes and text in turn
    shown = "".join(parts[::4])
    if "<" in shown:
        raise ValueError("must be well-formed XHTML: a '<' that begins no element is written &lt;")
    open_elements: list[str] = []
    closed = False
    for slash, name, attributes in zip(parts[1::4], parts[2::4], parts[3::4], strict=True):
        if closed:
            raise ValueError("must be one <div> with nothing after it")
        if slash:
            if not open_elements or open_elements.pop() != name:
                raise ValueError(f"must be well-formed XHTML: </{name}> closes what is not open")
        else:
            _refuse_element(name, attributes)
            if not attributes.endswith("/"):
                open_elements.append(name)
        closed = not open_elements
    if open_elements:
        raise ValueError(f"must be well-formed XHTML: <{open_elements[-1]}> is not closed")
    if parts[-1].strip():
        raise ValueError("must be one <div> with nothing after it")
    return bool(shown.strip()) or "img" in parts[2::4]


def _refuse_element(name: str, rest: str) -> None:
    if name not in _ELEMENTS:
        raise ValueError(f"must not hold <{name}>; only basic formatting is allowed (txt-1)")
    body = rest.removesuffix("/")
    if not body:
        return
    for attribute, quoted in _ATTRIBUTE.findall(body):
        if attribute not in _ATTRIBUTES and not attribute.startswith("xmlns:"):
            raise ValueError(f"must not hold the attribute '{attribute}' of <{name}> (txt-1)")
        if attribute in ("href", "src") and _SCRIPT.match(quoted[1:-1]):
            raise ValueError("must not hold a script (txt-1)")
    if _ATTRIBUTE.sub("", body).strip():
        raise ValueError('must be well-formed XHTML: attributes are written name="value"')
