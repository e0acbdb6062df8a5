"""The consistency level of the account: a read may ask for a weaker one, and the two strongest cost twice as much."""

from __future__ import annotations

from local.cosmos.errors import bad_request
from local.cosmos.wire import Request

SESSION = "Session"
LEVELS = ("Strong", "BoundedStaleness", SESSION, "ConsistentPrefix", "Eventual")  # from the strongest on
_READ_TWO_REPLICAS = LEVELS[:2]


class Consistency:
    """What reads may ask for and cost, in an account whose level is one of LEVELS."""

    def __init__(self, level: str) -> None:
        self.level = level
        self._factors = {
            weaker.lower().encode(): 2.0 if weaker in _READ_TWO_REPLICAS else 1.0
            for weaker in LEVELS[LEVELS.index(level) :]
        }
        self._factor = self._factors[level.lower().encode()]

    def read_factor(self, request: Request) -> float:
        """How many times its charge a read costs; raises CosmosError 400 where it asks for a stronger level."""
        sent = request.headers.get(b"x-ms-consistency-level")
        if sent is None:
            return self._factor
        factor = self._factors.get(sent.lower())
        if factor is None:
            raise bad_request(
                f"ConsistencyLevel {sent[:40].decode('ascii', 'replace')} specified in the request is invalid when"
                f" service is configured with consistency level {self.level}. Ensure the request consistency level is"
                " not stronger than the service consistency level."
            )
        return factor
