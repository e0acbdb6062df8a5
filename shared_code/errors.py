"""What can go wrong, by FHIR name: raised anywhere, translated into a status and an OperationOutcome in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault: a code of FHIR's IssueType, what is wrong, and the FHIRPath of where ('Patient.name[0].family')."""

    code: str
    text: str
    path: str | None = None


class PortalError(Exception):
    """The common parent; `issues` has at least one entry, and a caller may see all of it."""

    code = "exception"
    about: str | None = None  # "Type/id" of the one of several writes that it is about

    def __init__(self, text: str = "", path: str | None = None, *, issues: list[Issue] | None = None) -> None:
        self.issues = issues or [Issue(self.code, text, path)]
        super().__init__("; ".join(issue.text for issue in self.issues))


def of_the_server() -> PortalError:
    """What a caller is told of a mistake of ours, of which the log has all."""
    return PortalError("the server failed; the fault is in its log")


class Malformed(PortalError):
    """The request cannot be parsed: not JSON, a wrong parameter, a wrong header (400)."""

    code = "structure"


class Invalid(PortalError):
    """What was sent can be parsed but is not valid R4, or breaks a business rule (422)."""

    code = "invalid"


class Unauthorized(PortalError):
    """No bearer token, or one that does not hold (401)."""

    code = "login"


class Forbidden(PortalError):
    """The caller is known and may not do this (403)."""

    code = "forbidden"


class NotFound(PortalError):
    """It does not exist, or the caller may not know that it does (404)."""

    code = "not-found"


class MethodNotAllowed(PortalError):
    """The interaction does not exist on this route (405); `allowed` lists the methods that do."""

    code = "not-supported"

    def __init__(self, text: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.allowed = allowed


class NotAcceptable(PortalError):
    """The answer cannot be given in the format asked for (406)."""

    code = "not-supported"


class Conflict(PortalError):
    """It clashes with what is stored or with what another request is doing (409)."""

    code = "conflict"


class Gone(PortalError):
    """It was deleted (410)."""

    code = "deleted"


class VersionConflict(PortalError):
    """`If-Match` names another version than the stored one, or a condition matches several (412)."""

    code = "conflict"


class TooLarge(PortalError):
    """More bytes than may be sent or stored (413)."""

    code = "too-long"


class UnsupportedMediaType(PortalError):
    """The content type is not one that this route reads (415)."""

    code = "not-supported"


class Throttled(PortalError):
    """The store asks to slow down (429)."""

    code = "throttled"


class NotImplementedHere(PortalError):
    """Defined by FHIR, not offered by this server (501)."""

    code = "not-supported"


class Busy(PortalError):
    """Another transaction holds it, or a service does not answer; the same request may succeed later (503)."""

    code = "transient"

    def __init__(self, text: str, retry_after_seconds: int = 1) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds
