"""How a failure answers: one of ours becomes a status and an OperationOutcome, over HTTP and in bundle entries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from shared_code import errors
from shared_code.errors import Issue, PortalError
from shared_code.fhir.resource_types import Resource

# source: https://hl7.org/fhir/R4/http.html#Status-Codes and https://hl7.org/fhir/R4/valueset-issue-type.html
ANSWERS: dict[type[PortalError], tuple[int, str]] = {
    errors.Malformed: (400, "structure"),
    errors.Unauthorized: (401, "login"),
    errors.Forbidden: (403, "forbidden"),
    errors.NotFound: (404, "not-found"),
    errors.MethodNotAllowed: (405, "not-supported"),
    errors.NotAcceptable: (406, "not-supported"),
    errors.Conflict: (409, "conflict"),
    errors.Gone: (410, "deleted"),
    errors.VersionConflict: (412, "conflict"),
    errors.TooLarge: (413, "too-long"),
    errors.UnsupportedMediaType: (415, "not-supported"),
    errors.Invalid: (422, "invalid"),
    errors.Throttled: (429, "throttled"),
    errors.NotImplementedHere: (501, "not-supported"),
    errors.Busy: (503, "transient"),
}

type Severity = Literal["fatal", "error", "warning", "information"]


def answer(error: PortalError) -> tuple[int, Resource]:
    """Status and OperationOutcome; a subclass that the table does not list answers as its parent does."""
    status = next((ANSWERS[kind][0] for kind in type(error).__mro__ if kind in ANSWERS), 500)
    return status, outcome(error.issues, "error")


def outcome(issues: Iterable[Issue], severity: Severity) -> Resource:
    """An OperationOutcome with one entry per issue, in order."""
    return {"resourceType": "OperationOutcome", "issue": [_entry(issue, severity) for issue in issues]}


def _entry(issue: Issue, severity: Severity) -> Resource:
    entry: Resource = {"severity": severity, "code": issue.code, "diagnostics": issue.text or issue.code}
    return entry | {"expression": [issue.path]} if issue.path else entry
