"""What the service answers when it refuses: a status, a sub-status and a message that says what is wrong."""

from __future__ import annotations

import msgspec

CODES = {
    304: "NotModified",
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    424: "FailedDependency",
    429: "TooManyRequests",
    449: "RetryWith",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}

# Sub-statuses that clients act on.
PARTITION_KEY_MISMATCH = 1001
RANGE_IS_GONE = 1002
OWNER_NOT_FOUND = 1003
NEEDS_QUERY_PLAN = 1004
CONTAINER_WAS_RECREATED = 1024


class CosmosError(Exception):
    """A refusal; the server turns it into an answer, a batch into the result of one operation."""

    def __init__(self, status: int, message: str, substatus: int = 0, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.substatus = substatus
        self.headers = headers or {}

    @property
    def body(self) -> bytes:
        """The JSON that goes with the status."""
        return msgspec.json.encode({"code": CODES.get(self.status, "Error"), "message": self.message})


def bad_request(message: str, substatus: int = 0) -> CosmosError:
    """400: the request itself is wrong."""
    return CosmosError(400, message, substatus)


def item_not_found() -> CosmosError:
    """404 / 0: the container is there, the item is not."""
    return CosmosError(404, "Entity with the specified id does not exist in the system.")


def owner_not_found() -> CosmosError:
    """404 / 1003: the database or container that should hold it does not exist."""
    return CosmosError(404, "Owner resource does not exist.", OWNER_NOT_FOUND)


def precondition_failed() -> CosmosError:
    """412: the ETag or the filter of the request does not hold."""
    return CosmosError(412, "One of the specified pre-condition is not met.")
