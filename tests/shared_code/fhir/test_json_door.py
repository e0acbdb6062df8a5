"""What the JSON door lets in, what it refuses and how it says so, and that what goes out is what came in."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared_code.errors import Malformed
from shared_code.fhir import dump, parse


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"  \n", "empty", id="blanks"),
        pytest.param(b"hello", "line 1, column 1", id="no JSON"),
        pytest.param(b'{"a": 1,}', "trailing comma", id="trailing comma"),
        pytest.param(b'{"a": 1} x', "extra data at line 1, column 10", id="something after the value"),
        pytest.param(b'{\n "a": [1,\n 2', "line 3", id="cut off"),
        pytest.param(b'{"a": NaN}', "NaN", id="NaN"),
        pytest.param(b'{"a": -Infinity}', "-Infinity", id="Infinity"),
        pytest.param(b'{"a": 1e400}', "1e400", id="beyond a double"),
        pytest.param(b'{"a": -1E+9999999999999999999}', "too large", id="beyond a Decimal"),
        pytest.param(b"[1e1000001]", "1e1000001", id="beyond the arithmetic of Decimal"),
        pytest.param(b"[" + b"9" * 400 + b"]", "400 characters", id="integer beyond a double"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "5000 characters", id="integer beyond what Python reads"),
        pytest.param(b'["\xff"]', "byte 2 is 0xff", id="not UTF-8"),
        pytest.param(b'["\xed\xa0\x80"]', "not UTF-8", id="surrogate as bytes"),
        pytest.param('{"a":1}'.encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param(b'["\\ud800"]', "surrogate pair at line 1, column 3", id="first half of a pair"),
        pytest.param(b'["\\udc00 later"]', "surrogate pair", id="second half of a pair"),
        pytest.param(b'["a\nb"]', "control character", id="raw control character"),
        pytest.param(b"[" * 65 + b"]" * 65, "64 levels", id="65 levels"),
        pytest.param(b"[" * 3000 + b"]" * 3000, "64 levels", id="3,000 levels"),
        pytest.param(b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "64 levels", id="200,000 levels"),
        pytest.param(b"[" * 200_000, "64 levels", id="200,000 levels, cut off"),
    ],
)
def test_what_is_not_json_for_fhir_is_refused_with_its_fault(text: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        parse(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        pytest.param(b'{"resourceType":"Patient","id":"1","id":"2"}', "Patient.id", id="at the top"),
        pytest.param(
            b'{"resourceType":"Patient","name":[{},{"given":["A"],"given":["B"]}]}',
            "Patient.name[1].given",
            id="inside",
        ),
        pytest.param(b'{"a" : 1, "a" : 1}', "a", id="blanks before the colon"),
        pytest.param(b'{"id":1,"\\u0069d":2}', "id", id="one of them with an escape"),
        pytest.param(b'{"a":"\\u0022","b":"\\u0022","a":1}', "a", id="escaped quotation marks making up for it"),
        pytest.param(b'{"a\\\\":1,"a\\\\":2}', "a\\", id="a backslash at the end of the key"),
        pytest.param(b'{"x":"\\":","x":2}', "x", id="what looks like a key inside a string"),
    ],
)
def test_a_key_that_comes_twice_is_named_with_its_path(text: bytes, path: str) -> None:
    with pytest.raises(Malformed, match="appears twice") as refusal:
        parse(text)
    assert refusal.value.issues[0].path == path


def test_a_nul_character_is_refused_with_its_path() -> None:
    with pytest.raises(Malformed, match="NUL") as refusal:
        parse(b'{"resourceType":"Patient","name":[{"family":"a\\u0000"}]}')
    assert refusal.value.issues[0].path == "Patient.name[0].family"


@pytest.mark.parametrize(
    "text",
    [
        '{"value":72.50}',
        '{"value":-0.10,"other":1.0,"third":100}',
        '{"value":0.000001}',
        '{"value":123456789012345678901234567890.123456789}',
        '{"text":"\\"quoted\\": \\\\ \\n é 😀"}',
        '{"b":1,"a":2}',
        '{"html":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">a</div>"}',
        "[" * 64 + "]" * 64,
        "[true,false,null,{}]",
    ],
)
def test_what_comes_in_goes_out_as_it_was(text: str) -> None:
    assert dump(parse(text)) == text
    assert dump(parse(text.encode())) == text


def test_decimals_keep_their_digits_and_integers_are_integers() -> None:
    assert str(parse("[72.50]")[0]) == "72.50"
    assert parse("[1, 1.0]") == [1, Decimal("1.0")]
    assert isinstance(parse("[1]")[0], int)


def test_a_byte_order_mark_and_pretty_printing_are_tolerated() -> None:
    assert parse(b'\xef\xbb\xbf{\r\n  "a" : [ 1 ,\t2 ]\n}') == {"a": [1, 2]}


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert parse(b'["\\\\u0000"]') == ["\\u0000"]


def test_text_with_half_a_pair_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="surrogate"):
        parse('{"a":"\ud800"}')
