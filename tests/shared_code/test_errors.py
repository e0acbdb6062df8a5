"""Every failure says what is wrong, and has a status and an issue code of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared_code import errors
from shared_code.errors import Issue, PortalError
from shared_code.fhir import ANSWERS, answer

FOLDER = Path(errors.__file__).parent
ISSUE_TYPES = {
    *("invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired", "forbidden"),
    *("suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found", "deleted", "too-long"),
    *("code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient", "lock-error", "no-store"),
    *("exception", "timeout", "incomplete", "throttled", "informational"),
}


def kinds() -> list[type[PortalError]]:
    """Every failure that errors.py names."""
    return [kind for kind in PortalError.__subclasses__() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_failure_is_answered_by_the_one_table(kind: type[PortalError]) -> None:
    status, outcome = answer(kind("what is wrong"))
    assert (status, outcome["issue"][0]["code"]) == ANSWERS[kind]
    assert 400 <= status < 600
    assert outcome["issue"][0]["diagnostics"] == "what is wrong"


def test_no_two_failures_have_the_same_status() -> None:
    statuses = [status for status, _ in ANSWERS.values()]
    assert len(set(statuses)) == len(statuses) == len(kinds())


def test_each_code_is_one_of_fhirs() -> None:
    assert {PortalError.code, *(kind.code for kind in kinds())} <= ISSUE_TYPES
    written = {
        code
        for path in FOLDER.rglob("*.py")
        for code in re.findall(r"Issue\(\s*\"([a-z-]+)\"", path.read_text(encoding="utf-8"))
    }
    assert written <= ISSUE_TYPES


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_failure_says_its_status_where_it_is_defined(kind: type[PortalError]) -> None:
    assert f"({ANSWERS[kind][0]})" in str(kind.__doc__)


def test_a_failure_of_many_issues_reads_as_all_of_them() -> None:
    error = errors.Invalid(issues=[Issue("required", "one", "Patient.name"), Issue("value", "two")])
    assert str(error) == "one; two"
    assert [issue.path for issue in error.issues] == ["Patient.name", None]


def test_what_is_not_a_failure_of_ours_answers_as_a_fault_of_the_server() -> None:
    class Odd(PortalError):
        """Of a kind that the table does not list."""

    assert answer(Odd("x"))[0] == 500
    assert answer(PortalError("x"))[0] == 500
