"""Requests and answers between HTTP and the shapes that functions know."""

from __future__ import annotations

import pytest

from local.host.http_messages import Answer, answer_of, decoded_path, query_values, url_path
from local.host.shapes import TypedData


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/api/Patient", "/api/Patient"),
        (b"/api/a%20b%7Cc", "/api/a b|c"),
        (b"/api/a%2Fb%2fc", "/api/a%2Fb%2fc"),
        (b"/api/%C3%A9", "/api/é"),
        (b"/api/./a/../b", "/api/b"),
        (b"/../../a", "/a"),
        (b"/api/a/..", "/api/"),
        (b"/api/.well-known", "/api/.well-known"),
    ],
)
def test_routes_see_the_decoded_path(raw: bytes, path: str) -> None:
    assert decoded_path(raw) == path


def test_a_path_that_is_not_utf8_is_no_path() -> None:
    with pytest.raises(UnicodeDecodeError):
        decoded_path(b"/api/%FF")


def test_the_url_keeps_only_the_encoding_it_needs() -> None:
    assert url_path(b"/a%20b%7e%41%2f%c3%a9") == "/a%20b~A%2F%C3%A9"


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("", {}),
        ("a=1&a=2", {"a": "1,2"}),
        ("a=1&A=2", {"a": "1,2"}),
        ("a=&b", {}),
        ("date=ge2020&code=http%3A%2F%2Floinc.org%7C1", {"date": "ge2020", "code": "http://loinc.org|1"}),
    ],
)
def test_query_values(query: str, values: dict[str, str]) -> None:
    assert query_values(query) == values


def returned(text: str) -> Answer:
    return answer_of(TypedData(string=text))


def test_a_described_answer_says_nothing_that_is_the_servers_to_say() -> None:
    text = '{"body": "hello", "headers": {"Transfer-Encoding": "chunked", "Content-Length": "2", "X-Own": "1"}}'
    assert returned(text).headers == [("x-own", "1"), ("content-type", "text/plain; charset=utf-8")]


@pytest.mark.parametrize(
    "text",
    [
        '{"body": "x", "status": 999}',
        '{"body": {}, "status": 101}',
        '{"body": "x", "headers": {"x-own": "\u20ac"}}',
        '{"body": {}, "headers": {"x-\u20ac": "1"}}',
    ],
)
def test_what_cannot_be_sent_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError, match=r"status|ASCII"):
        returned(text)
