"""CORS as the platform does it before any function is asked: preflight requests, and headers on answers."""

from __future__ import annotations

from collections.abc import Mapping

from local.host.http_messages import Answer, Headers


class Cors:
    """The allowed origins ('*' for any); without origins nothing is done, and OPTIONS is a method like others."""

    def __init__(self, origins: tuple[str, ...], *, credentials: bool) -> None:
        self._origins, self._credentials = frozenset(origin.lower() for origin in origins), credentials

    def preflight(self, method: str, headers: Mapping[str, str]) -> Answer | None:
        """The answer to a preflight request; None for any other request."""
        wanted = headers.get("access-control-request-method")
        if method != "OPTIONS" or not self._origins or not wanted or "origin" not in headers:
            return None
        allowed = self.headers(headers)
        if allowed:
            allowed.append(("access-control-allow-methods", wanted))
            if asked := headers.get("access-control-request-headers"):
                allowed.append(("access-control-allow-headers", asked))
        return Answer(204, allowed)

    def headers(self, headers: Mapping[str, str]) -> Headers:
        """What to add to the answer to a request with `headers`: nothing for an origin that is not allowed."""
        origin = headers.get("origin")
        if origin is None or not self._origins:
            return []
        if "*" in self._origins:
            return [("access-control-allow-origin", "*")]
        if origin.lower() not in self._origins:
            return []
        added = [("access-control-allow-origin", origin), ("vary", "Origin")]
        if self._credentials:
            added.append(("access-control-allow-credentials", "true"))
        return added
