"""CORS: preflight requests, and the headers on answers."""

from __future__ import annotations

from local.host.cors import Cors

ORIGIN = "https://portal.example.org"
PREFLIGHT = {"origin": ORIGIN, "access-control-request-method": "PUT", "access-control-request-headers": "if-match"}


def test_a_preflight_is_answered_by_the_host() -> None:
    answer = Cors((ORIGIN,), credentials=True).preflight("OPTIONS", PREFLIGHT)
    assert answer is not None
    assert answer.status == 204
    assert dict(answer.headers) == {
        "access-control-allow-origin": ORIGIN,
        "vary": "Origin",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "PUT",
        "access-control-allow-headers": "if-match",
    }


def test_another_origin_is_allowed_nothing() -> None:
    cors = Cors((ORIGIN,), credentials=True)
    answer = cors.preflight("OPTIONS", {**PREFLIGHT, "origin": "https://evil.example"})
    assert answer is not None
    assert answer.headers == []
    assert cors.headers({"origin": "https://evil.example"}) == []


def test_any_origin_is_a_star() -> None:
    assert Cors(("*",), credentials=False).headers({"origin": ORIGIN}) == [("access-control-allow-origin", "*")]


def test_without_origins_options_is_a_method_like_others() -> None:
    cors = Cors((), credentials=False)
    assert cors.preflight("OPTIONS", PREFLIGHT) is None
    assert cors.headers({"origin": ORIGIN}) == []


def test_options_without_a_wanted_method_is_no_preflight() -> None:
    assert Cors((ORIGIN,), credentials=False).preflight("OPTIONS", {"origin": ORIGIN}) is None
