"""The identity issuer: discovery, public keys, and the token endpoint for programs (OAuth 2.0 client credentials)."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.services import tokens
from local.services.kept_secrets import Client, signing_key, system_client

LIFETIME_SECONDS = 3600
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def routes(issuer: str, data: Path) -> list[Route]:
    """The issuer's routes, relative to the path of `issuer`."""
    key = signing_key(data)
    client = system_client(data)
    public = {name: value for name, value in key.as_dict(private=False).items() if name != "key_ops"}

    async def configuration(_: Request) -> Response:
        return JSONResponse(
            {
                "issuer": issuer,
                "jwks_uri": f"{issuer}/jwks",
                "token_endpoint": f"{issuer}/token",
                "grant_types_supported": ["client_credentials"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
                "id_token_signing_alg_values_supported": [tokens.ALGORITHM],
                "response_types_supported": ["token"],
                "subject_types_supported": ["public"],
                "scopes_supported": ["patient/*.cruds", "user/*.cruds", "system/*.cruds"],
            }
        )

    async def jwks(_: Request) -> Response:
        return JSONResponse({"keys": [public]})

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        presented = _presented(request.headers, form)
        if presented is None or not _same(presented, client):
            return _refused(401, "invalid_client", "the client id or its secret is wrong")
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", "grant_type must be client_credentials")
        subject = tokens.system(client.client_id)
        scope = form.get("scope") or subject.default_scope
        if not all(part.startswith("system/") for part in scope.split()):
            return _refused(400, "invalid_scope", "a program of its own gets system/ scopes alone")
        text = tokens.signed(
            subject, key=key, issuer=issuer, now=int(time.time()), scope=scope, lifetime_seconds=LIFETIME_SECONDS
        )
        answer = {"access_token": text, "token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "scope": scope}
        return JSONResponse(answer, headers=NOT_STORED)

    return [
        Route("/.well-known/openid-configuration", configuration),
        Route("/jwks", jwks),
        Route("/token", token, methods=["POST"]),
    ]


def _presented(headers: Mapping[str, str], form: Mapping[str, str]) -> Client | None:
    """The client that the request says it is, from the Authorization header or the form (RFC 6749, 2.3.1)."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return Client(unquote_plus(name), unquote_plus(secret)) if colon else None
    if "client_id" in form and "client_secret" in form:
        return Client(form["client_id"], form["client_secret"])
    return None


def _same(presented: Client, known: Client) -> bool:
    same_id = hmac.compare_digest(presented.client_id.encode(), known.client_id.encode())
    same_secret = hmac.compare_digest(presented.client_secret.encode(), known.client_secret.encode())
    return same_id and same_secret


def _refused(status: int, error: str, description: str) -> Response:
    headers = {**NOT_STORED, "WWW-Authenticate": "Basic"} if status == 401 else NOT_STORED
    return JSONResponse({"error": error, "error_description": description}, status, headers)
