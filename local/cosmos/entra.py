"""Entra tokens: they open the data and what describes it, not the management of databases and containers."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from local.cosmos.errors import CosmosError
from local.cosmos.wire import Request

_ALGORITHMS = ["RS256", "PS256", "ES256"]
_PREFIX = "type=aad&ver=1.0&sig="
_SERVICE = "https://cosmos.azure.com"
_NOT_AUTHORIZED = 5300
_CLOCK_SKEW_SECONDS = 300
_FETCH_AGAIN_SECONDS = 60.0  # so often at most for a key that is not known
_TIMEOUT_SECONDS = 5.0


class EntraTokens:
    """Checks tokens of one issuer; its keys are read from it when the first token comes."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._keys: KeySet | None = None
        self._fetched_at = 0.0

    async def check(self, request: Request) -> None:
        """Raises CosmosError 401 for a token that does not hold, 403 for what no token may do."""
        if request.scheme != "https":
            raise _unauthorized("Entra tokens are accepted over HTTPS only.")
        token = unquote(request.header(b"authorization") or "").removeprefix(_PREFIX)
        claims = await self._claims(token)
        if claims.get("iss") != self._issuer:
            raise _unauthorized("The issuer of the token is not the one of this account.")
        if not _audiences(claims) & {_SERVICE, f"https://{_host_name(request)}"}:
            raise _unauthorized(f"The audience of the token is neither {_SERVICE} nor this account.")
        if isinstance(claims.get("nbf"), int | float) and claims["nbf"] - _CLOCK_SKEW_SECONDS > time.time():
            raise _unauthorized("The token does not hold yet.")
        if not isinstance(claims.get("exp"), int | float) or claims["exp"] + _CLOCK_SKEW_SECONDS < time.time():
            raise _unauthorized("The token has expired.")
        if not _is_for_data(request):
            raise CosmosError(
                403,
                f"Request blocked by Auth: principal [{claims.get('sub')}] does not have required RBAC permissions to"
                f" perform {request.method} on [{'/'.join(request.segments)}]; databases and containers are managed"
                " through Azure Resource Manager.",
                _NOT_AUTHORIZED,
            )

    async def _claims(self, token: str) -> dict[str, Any]:
        for is_last in (False, True):
            keys = self._keys or await self._fetch()
            try:
                return jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            except (JoseError, ValueError) as error:
                # The issuer may have a new key since its keys were read.
                if is_last or time.monotonic() - self._fetched_at < _FETCH_AGAIN_SECONDS:
                    raise _unauthorized(f"The token is not one of the issuer's: {error}") from None
                self._keys = None
        raise AssertionError("the second try returns or raises")

    async def _fetch(self) -> KeySet:
        try:
            found = await asyncio.to_thread(_published_keys, self._issuer)
        except (OSError, ValueError, KeyError) as error:
            raise CosmosError(503, f"The keys of the issuer {self._issuer} cannot be read: {error}") from None
        self._keys, self._fetched_at = found, time.monotonic()
        return found


def is_entra(request: Request) -> bool:
    """Whether a request comes with a token in place of a signature."""
    return request.headers.get(b"authorization", b"")[:12].lower().startswith((b"type%3daad", b"type=aad"))


def _audiences(claims: dict[str, Any]) -> set[str]:
    sent = claims.get("aud")
    return {str(one).rstrip("/") for one in (sent if isinstance(sent, list) else [sent])}


def _host_name(request: Request) -> str:
    return urlsplit(f"//{request.header(b'host') or ''}").hostname or ""


def _is_for_data(request: Request) -> bool:
    """Items, and reading what describes them: the account, one database, one container and its ranges."""
    segments = request.segments
    if len(segments) > 4:
        return segments[0] == "dbs"
    return request.method == "GET" and (not segments or (segments[0] == "dbs" and len(segments) in (2, 4)))


def _published_keys(issuer: str) -> KeySet:
    with urlopen(f"{issuer}/.well-known/openid-configuration", timeout=_TIMEOUT_SECONDS) as answer:
        address = json.load(answer)["jwks_uri"]
    with urlopen(address, timeout=_TIMEOUT_SECONDS) as answer:
        return KeySet.import_key_set(json.load(answer))


def _unauthorized(message: str) -> CosmosError:
    return CosmosError(401, message)
