"""Every failure has an answer."""

from __future__ import annotations

import pytest

from shared_code import errors
from shared_code.errors import Issue, PortalError
from shared_code.fhir import ANSWERS, answer, outcome, validate


@pytest.mark.parametrize("kind", PortalError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_error_has_an_answer_with_its_own_code(kind: type[PortalError]) -> None:
    assert ANSWERS[kind][1] == kind.code


def test_a_narrower_error_answers_as_its_parent_does() -> None:
    class Rejected(errors.VersionConflict):
        """Too late."""

    assert answer(Rejected("late"))[0] == 412


def test_an_answer_has_one_entry_per_issue_with_code_text_and_path() -> None:
    issues = [Issue("required", "'status' is required", "Observation.status"), Issue("value", "bad")]
    status, body = answer(errors.Invalid(issues=issues))
    assert status == 422
    assert body["issue"] == [
        {
            "severity": "error",
            "code": "required",
            "diagnostics": "'status' is required",
            "expression": ["Observation.status"],
        },
        {"severity": "error", "code": "value", "diagnostics": "bad"},
    ]
    validate(body)


def test_an_outcome_may_also_warn() -> None:
    body = outcome([Issue("informational", "3 were ignored")], "warning")
    assert body["issue"][0]["severity"] == "warning"
    validate(body)
