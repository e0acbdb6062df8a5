"""How a person wants to be reached, with values alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared_code.notifications import may_be_written_to, preferred_email, preferred_language

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def email(value: str = "ann@example.org", **elements: Any) -> dict[str, Any]:
    return {"system": "email", "value": value, **elements}


def test_the_lowest_rank_is_preferred_and_no_rank_comes_last():
    telecom = [
        email("none@x.org"),
        email("two@x.org", rank=2),
        email("one@x.org", rank=1),
        email("one-b@x.org", rank=1),
    ]
    assert preferred_email({"telecom": telecom}, NOW) == "one@x.org"
    assert preferred_email({"telecom": [*telecom[:1], email("later@x.org")]}, NOW) == "none@x.org"


@pytest.mark.parametrize(
    "point",
    [
        {"system": "phone", "value": "+32 2 555 01 23"},
        {"value": "ann@example.org"},
        email(use="old"),
        email(period={"end": "2026-11-22"}),
        email(period={"start": "2026-11-24"}),
        email(period={"start": "2026-11-23T08:00:01Z"}),
        email("ann at example.org"),
        email("Ann <ann@example.org>"),
        email("ann@example.org, bob@example.org"),
        email('"Ann" <ann@example.org>'),
        email(f"{'a' * 65}@example.org"),
        email(f"ann@{'a' * 64}.org"),
        email(f"ann@{'a.' * 130}org"),
        email("ann@localhost"),
        email("ann@example..org"),
        email("ann.@example.org"),
        email("ann@-example.org"),
        email("ann(home)@example.org"),
        email("ann@[192.0.2.1]"),
        email("müller@example.de"),
        email(f"ann@{'ü' * 64}.de"),
        email(""),
        {"system": "email", "_value": {"extension": [{"url": "http://x.org/absent", "valueCode": "masked"}]}},
        None,
    ],
)
def test_what_is_no_address_or_not_of_now_is_not_used(point: dict[str, Any] | None):
    assert preferred_email({"telecom": [point]}, NOW) is None
    assert preferred_email({"telecom": [point, email("bob@example.org", rank=9)]}, NOW) == "bob@example.org"


@pytest.mark.parametrize(
    "period",
    [{}, {"start": "2026-11-23"}, {"end": "2026-11-23"}, {"end": "2026"}, {"start": "2020", "end": "2026-11"}],
)
def test_a_period_covers_all_of_its_first_and_last_day(period: dict[str, str]):
    assert preferred_email({"telecom": [email(period=period)]}, NOW) == "ann@example.org"


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("ann@example.org", "ann@example.org"),
        (" ann@example.org ", "ann@example.org"),
        ("mailto:ann@example.org", "ann@example.org"),
        ("Mailto:Ann.O'Hara+portal@mail.example.co.uk", "Ann.O'Hara+portal@mail.example.co.uk"),
        ("a@b.xn--p1ai", "a@b.xn--p1ai"),
        ("x@müller.example.de", "x@xn--mller-kva.example.de"),
        ("mailto:ann@example.org?subject=x", "ann@example.org"),
        (f"{'a' * 64}@example.org", f"{'a' * 64}@example.org"),
    ],
)
def test_what_an_address_looks_like(value: str, address: str):
    assert preferred_email({"telecom": [email(value)]}, NOW) == address


def test_no_telecom_at_all_is_no_address():
    assert preferred_email({}, NOW) is None


def spoken(*languages: tuple[str, bool | None]) -> dict[str, Any]:
    return {
        "communication": [
            {"language": {"coding": [{"code": code}]}} | ({} if preferred is None else {"preferred": preferred})
            for code, preferred in languages
        ]
    }


@pytest.mark.parametrize(
    ("patient", "language"),
    [
        ({}, "en"),
        (spoken(("nl", None)), "nl"),
        (spoken(("nl-BE", True)), "nl"),
        (spoken(("NL", True)), "nl"),
        (spoken(("fr", False), ("nl", True)), "nl"),
        (spoken(("ar", True), ("fr", None)), "fr"),
        (spoken(("ar", True)), "en"),
        (spoken(("nld", True)), "en"),
        ({"communication": [{"language": {"text": "Dutch"}, "preferred": True}]}, "en"),
    ],
)
def test_the_preferred_language_that_is_offered_is_chosen(patient: dict[str, Any], language: str):
    assert preferred_language(patient, frozenset({"en", "nl", "fr"}), "en") == language


@pytest.mark.parametrize(
    ("patient", "may"),
    [
        ({}, True),
        ({"active": True, "deceasedBoolean": False}, True),
        ({"active": False}, False),
        ({"deceasedBoolean": True}, False),
        ({"deceasedDateTime": "2026-11"}, False),
    ],
)
def test_nobody_writes_to_the_dead_or_to_a_record_out_of_use(patient: dict[str, Any], may: bool):
    assert may_be_written_to(patient) is may
