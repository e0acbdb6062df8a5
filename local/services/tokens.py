"""Access tokens of the local issuer: who a token speaks for, and its signature. Needs no running service."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from joserfc import jwt
from joserfc.jwk import RSAKey

AUDIENCE = "api://health-portal"
LIFETIME_SECONDS = 24 * 3600
ALGORITHM = "RS256"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token speaks for: the claims that say so, and the SMART v2 scopes that it has by default."""

    claims: Mapping[str, str]
    default_scope: str


def patient(patient_id: str) -> Subject:
    """A person who uses the portal for the record of `Patient/<patient_id>`."""
    reference = f"Patient/{patient_id}"
    return Subject({"sub": reference, "patient": patient_id, "fhirUser": reference}, "patient/*.cruds")


def practitioner(practitioner_id: str) -> Subject:
    """A care giver."""
    reference = f"Practitioner/{practitioner_id}"
    return Subject({"sub": reference, "fhirUser": reference}, "user/*.cruds")


def system(client_id: str) -> Subject:
    """A program that acts for itself."""
    return Subject({"sub": client_id, "client_id": client_id}, "system/*.cruds")


def signed(
    subject: Subject,
    *,
    key: RSAKey,
    issuer: str,
    now: int,
    scope: str | None = None,
    lifetime_seconds: int = LIFETIME_SECONDS,
) -> str:
    """A JWT for `subject`, valid from `now` (seconds since 1970) for `lifetime_seconds`; a negative one has expired."""
    claims = {
        **subject.claims,
        "iss": issuer,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + lifetime_seconds,
        "jti": secrets.token_urlsafe(16),
        "scope": subject.default_scope if scope is None else scope,
    }
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT", "kid": key.kid}, claims, key, algorithms=[ALGORITHM])
