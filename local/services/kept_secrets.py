"""The secrets of the local services: made once, then kept under their data folder for every later run."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import RSAKey

from local.state_files import create_once

SYSTEM_CLIENT = "local-system"


@dataclass(frozen=True, slots=True)
class Client:
    """A program that may ask the issuer for tokens of its own."""

    client_id: str
    client_secret: str


def signing_key(data: Path) -> RSAKey:
    """The issuer's RSA key; its `kid` is the thumbprint of RFC 7638."""
    path = data / "signing-key.json"
    text = path.read_text(encoding="utf-8") if path.exists() else create_once(path, _new_signing_key())
    return RSAKey.import_key(json.loads(text))


def _new_signing_key() -> str:
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
    return json.dumps({**key.as_dict(private=True), "kid": key.thumbprint()})


def system_client(data: Path) -> Client:
    """The one client that is registered with the issuer."""
    text = create_once(
        data / "client.json",
        json.dumps({"client_id": SYSTEM_CLIENT, "client_secret": secrets.token_urlsafe(32)}),
    )
    return Client(**json.loads(text))


def email_key(data: Path) -> str:
    """The access key of the email service, base64 as Communication Services gives it out."""
    return create_once(data / "email-key", base64.b64encode(secrets.token_bytes(64)).decode()).strip()
