"""The rules of who may do what, as values: the caller, the interaction, the type, and whose the resource is."""

from __future__ import annotations

import pytest

from shared_code import errors
from shared_code.identity import Caller, Interaction, may_see, require_scope, require_write
from tests.builders import person, practitioner, system

ANNA, BERT = "Patient/anna", "Patient/bert"
CALLERS = {"anna": person("anna"), "practitioner": practitioner(), "system": system()}

SEEN = [
    ("Observation", ANNA, {"anna", "system"}),
    ("Observation", BERT, {"system"}),
    ("Observation", None, {"system"}),
    ("Patient", ANNA, {"anna", "system"}),
    ("Patient", BERT, {"system"}),
    ("Organization", None, {"anna", "practitioner", "system"}),
    ("Medication", None, {"anna", "practitioner", "system"}),
    ("Group", None, {"system"}),
    ("Slot", None, {"system"}),
]


@pytest.mark.parametrize(("resource_type", "home", "who"), SEEN)
def test_who_sees_what(resource_type: str, home: str | None, who: set[str]) -> None:
    assert {name for name, caller in CALLERS.items() if may_see(caller, resource_type, home)} == who


def may_write(caller: Caller, interaction: Interaction, resource_type: str, home: str | None) -> bool:
    try:
        require_write(caller, interaction, resource_type, home)
    except errors.Forbidden:
        return False
    return True


WRITTEN = [
    ("create", "Observation", ANNA, {"anna", "system"}),
    ("update", "Observation", ANNA, {"anna", "system"}),
    ("delete", "Observation", ANNA, {"anna", "system"}),
    ("create", "Observation", BERT, {"system"}),
    ("update", "Observation", BERT, {"system"}),
    ("delete", "Observation", BERT, {"system"}),
    ("create", "Observation", None, {"system"}),
    ("create", "Patient", ANNA, {"system"}),
    ("update", "Patient", ANNA, {"anna", "system"}),
    ("update", "Patient", BERT, {"system"}),
    ("delete", "Patient", ANNA, {"system"}),
    ("create", "Organization", None, {"system"}),
    ("update", "Organization", None, {"system"}),
    ("update", "Organization", ANNA, {"system"}),
    ("create", "Group", None, {"system"}),
]


@pytest.mark.parametrize(("interaction", "resource_type", "home", "who"), WRITTEN)
def test_who_writes_what(interaction: Interaction, resource_type: str, home: str | None, who: set[str]) -> None:
    assert {name for name, one in CALLERS.items() if may_write(one, interaction, resource_type, home)} == who


@pytest.mark.parametrize("caller", [person("anna", "patient/*.rs"), system("system/Patient.cruds"), system("")])
def test_a_write_needs_its_scope_too(caller: Caller) -> None:
    assert not may_write(caller, "create", "Observation", ANNA)


def test_what_is_refused_for_its_scope_names_the_interaction_and_the_type() -> None:
    with pytest.raises(errors.Forbidden, match="search on Observation"):
        require_scope(person("anna", "patient/*.r"), "search", "Observation")
