"""Every route but metadata and health wants a token that holds; what does not hold is named and opens nothing."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from local.services import tokens
from local.services.kept_secrets import signing_key
from tests.app_routes import path_of, routes
from tests.system.fhir_answers import issue

if TYPE_CHECKING:
    from local.stack.served import ServedStack

OPEN = {"fhir/metadata", "health", "health/ready"}


def test_a_path_is_made_of_every_template() -> None:
    assert len(routes()) >= 10
    assert not [path for path in map(path_of, routes()) if re.search(r"[{}?^]", path)]


@pytest.mark.parametrize("template", sorted(routes()))
def test_a_route_without_a_token_answers_no_method(anonymous: httpx.Client, template: str) -> None:
    for method in routes()[template]:
        body: dict[str, Any] = (
            {} if method in ("GET", "HEAD", "DELETE") else {"json": {"resourceType": "Observation", "id": "x"}}
        )
        answer = anonymous.request(method, f"/{path_of(template)}", **body)
        if template in OPEN:
            assert answer.status_code == (200 if method in ("GET", "HEAD") else 405)
        else:
            assert answer.status_code in (401, 405, 501), f"{method} {template}"
            assert answer.status_code != 401 or answer.headers["WWW-Authenticate"].startswith("Bearer")
    if template not in OPEN:
        method = next(
            one for one in ("GET", "POST") if anonymous.request(one, f"/{path_of(template)}").status_code == 401
        )
        assert issue(anonymous.request(method, f"/{path_of(template)}"), 401)["code"] == "login"


# Tokens that do not hold


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


class Forge:
    """Makes tokens as the issuer of a stack does, and ones that it never would."""

    def __init__(self, stack: ServedStack) -> None:
        self._stack = stack
        self._key = signing_key(stack.folder.services)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The claims of a system's token, changed; None takes a claim away."""
        now = int(time.time())
        base = {"sub": "s", "iss": self._stack.folder.issuer(), "aud": tokens.AUDIENCE, "iat": now, "exp": now + 600}
        changed = base | {"scope": "system/*.cruds"} | changes
        return {name: value for name, value in changed.items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
        """A token signed by the issuer's key, unless told otherwise."""
        head = {"alg": "RS256", "typ": "JWT", "kid": self._key.kid} | (header or {})
        return jwt.encode(head, self.claims(**changes), key or self._key, algorithms=[head["alg"]])

    def unsigned(self) -> str:
        """alg: none"""
        return f"{encoded({'alg': 'none', 'typ': 'JWT', 'kid': self._key.kid})}.{encoded(self.claims())}."

    def symmetric(self) -> str:
        """HS256 with the public key, which everybody knows, for a secret."""
        signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': self._key.kid})}.{encoded(self.claims())}"
        digest = hmac.digest(self._key.as_pem(private=False), signed.encode(), "sha256")
        return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    def tampered(self) -> str:
        """The signature of other claims."""
        head, _, signature = self.token().split(".")
        return f"{head}.{encoded(self.claims(sub='somebody-else'))}.{signature}"

    def stranger(self, **header: Any) -> str:
        """Signed by a key that the issuer does not publish."""
        return self.token(header, RSAKey.generate_key(2048))


@pytest.fixture(scope="module")
def forge(stack: ServedStack) -> Forge:
    return Forge(stack)


BAD: dict[str, Callable[[Forge], str]] = {
    "expired": lambda forge: forge.token(exp=int(time.time()) - 120),
    "not yet valid": lambda forge: forge.token(nbf=int(time.time()) + 600),
    "another audience": lambda forge: forge.token(aud="api://another"),
    "no audience": lambda forge: forge.token(aud=None),
    "another issuer": lambda forge: forge.token(iss="https://login.example.org"),
    "no issuer": lambda forge: forge.token(iss=None),
    "no expiry": lambda forge: forge.token(exp=None),
    "an expiry that is no number": lambda forge: forge.token(exp="never"),
    "no subject": lambda forge: forge.token(sub=None),
    "nobody": lambda forge: forge.token(scope="openid"),
    "scopes of no form": lambda forge: forge.token(scope=7),
    "alg none": Forge.unsigned,
    "HS256 with the public key": Forge.symmetric,
    "tampered": Forge.tampered,
    "another key under the issuer's name": lambda forge: forge.stranger(),
    "an unknown key": lambda forge: forge.stranger(kid="unknown"),
    "no JWT": lambda _: "abc",
    "parts of nothing": lambda _: "..",
    "bytes of no text": lambda _: "é.ü.ö",
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_does_not_hold_opens_nothing(anonymous: httpx.Client, forge: Forge, name: str) -> None:
    headers = {b"Authorization": f"Bearer {BAD[name](forge)}".encode()}
    found = issue(anonymous.get("/fhir/Patient", headers=headers), 401)
    assert found["code"] == "login"
    assert "Traceback" not in found["diagnostics"]


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "token"])
def test_a_header_without_a_bearer_token_opens_nothing(anonymous: httpx.Client, header: str) -> None:
    issue(anonymous.get("/fhir/Patient", headers={"Authorization": header}), 401)


def test_a_token_of_the_issuer_opens_what_it_names(anonymous: httpx.Client, forge: Forge) -> None:
    for token in (forge.token(), forge.token(aud=["api://x", tokens.AUDIENCE])):
        answer = anonymous.get("/fhir/Patient", headers={"Authorization": f"bearer {token}"})
        assert answer.status_code == 200


def test_a_token_ends_while_it_is_remembered(anonymous: httpx.Client, forge: Forge) -> None:
    leeway = 60
    headers = {"Authorization": f"Bearer {forge.token(exp=int(time.time()) - leeway + 3)}"}
    assert anonymous.get("/fhir/Patient", headers=headers).status_code == 200
    deadline = time.monotonic() + 10
    while anonymous.get("/fhir/Patient", headers=headers).status_code == 200:
        assert time.monotonic() < deadline, "the token is remembered for longer than it holds"
        time.sleep(0.2)


def test_a_program_gets_a_token_from_the_issuer_and_uses_it(stack: ServedStack, anonymous: httpx.Client) -> None:
    described = stack.services["identity"]
    form = {
        "grant_type": "client_credentials",
        "client_id": described["clientId"],
        "client_secret": described["clientSecret"],
        "scope": "system/Patient.rs",
    }
    given = httpx.post(described["token"], data=form, trust_env=False).json()
    headers = {"Authorization": f"{given['token_type']} {given['access_token']}"}
    assert anonymous.get("/fhir/Patient", headers=headers).status_code == 200
    issue(anonymous.get("/fhir/Observation", headers=headers), 403)
