"""SMART scopes: which interaction on which type a scope allows, in whose context."""

from __future__ import annotations

from typing import get_args

import pytest

from shared_code.identity import Caller, Grant, Interaction, read_scopes
from tests.builders import person, practitioner, system


@pytest.mark.parametrize(
    ("scope", "grant"),
    [
        ("patient/*.cruds", Grant("patient", "*", "cruds")),
        ("patient/Observation.rs", Grant("patient", "Observation", "rs")),
        ("user/Patient.r", Grant("user", "Patient", "r")),
        ("system/*.read", Grant("system", "*", "rs")),
        ("system/*.write", Grant("system", "*", "cud")),
        ("patient/Condition.*", Grant("patient", "Condition", "cruds")),
    ],
)
def test_a_scope_is_read(scope: str, grant: Grant) -> None:
    assert read_scopes([scope]) == (grant,)


@pytest.mark.parametrize(
    "scope",
    [
        *("openid", "launch/patient", "offline_access", "", "patient/*", "patient/*.sr", "patient/*.rr", "patient/*.x"),
        *("Patient/*.r", "patient/observation.r", "patient/*.r ", "patients/*.r", "patient/*.cruds?code=x", "*/*.*"),
    ],
)
def test_what_is_no_scope_of_this_form_grants_nothing(scope: str) -> None:
    assert [grant for grant in read_scopes([scope]) if grant.letters] == []


@pytest.mark.parametrize("interaction", get_args(Interaction))
def test_each_letter_allows_one_interaction(interaction: Interaction) -> None:
    letter = {"create": "c", "read": "r", "update": "u", "delete": "d", "search": "s"}[interaction]
    assert person("anna", f"patient/*.{letter}").allows(interaction, "Observation")
    others = "cruds".replace(letter, "")
    assert not person("anna", f"patient/*.{others}").allows(interaction, "Observation")


@pytest.mark.parametrize("make", [lambda scope: person("anna", scope), practitioner, system])
def test_a_scope_counts_in_its_callers_context_alone(make: object) -> None:
    assert callable(make)
    own = {"person": "patient", "practitioner": "user", "system": "system"}
    for context in own.values():
        caller: Caller = make(f"{context}/*.cruds")
        assert caller.allows("read", "Observation") is (own[caller.kind] == context)


def test_a_scope_for_a_type_is_for_that_type_alone() -> None:
    caller = system("system/Observation.cruds system/Patient.r")
    assert caller.allows("delete", "Observation")
    assert caller.allows("read", "Patient")
    assert not caller.allows("update", "Patient")
    assert not caller.allows("read", "Condition")
