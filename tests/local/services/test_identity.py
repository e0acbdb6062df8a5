"""The issuer: what it publishes, what it signs, and that both outlive a restart."""

from __future__ import annotations

import base64
import json
import stat
import time

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from local.services import tokens
from local.services.kept_secrets import signing_key, system_client


@pytest.fixture
def client(services):
    with httpx.Client(base_url=services.issuer, trust_env=False) as client:
        yield client


def claims_of(token: str, client: httpx.Client) -> dict[str, object]:
    keys = KeySet.import_key_set(client.get("/jwks").json())
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


def test_discovery_names_the_issuer_and_where_its_keys_are(services, client):
    configuration = client.get("/.well-known/openid-configuration").json()
    assert configuration["issuer"] == services.issuer
    assert configuration["jwks_uri"] == f"{services.issuer}/jwks"
    assert configuration["token_endpoint"] == f"{services.issuer}/token"


def test_the_published_key_is_public(client):
    (key,) = client.get("/jwks").json()["keys"]
    assert key["kty"] == "RSA"
    assert key["alg"] == "RS256"
    assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()


def test_the_signing_key_is_for_its_owner_alone(services):
    assert stat.S_IMODE((services.data / "signing-key.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        (
            tokens.patient("p1"),
            {"sub": "Patient/p1", "patient": "p1", "fhirUser": "Patient/p1", "scope": "patient/*.cruds"},
        ),
        (tokens.practitioner("d1"), {"sub": "Practitioner/d1", "fhirUser": "Practitioner/d1", "scope": "user/*.cruds"}),
        (tokens.system("s1"), {"sub": "s1", "client_id": "s1", "scope": "system/*.cruds"}),
    ],
    ids=["patient", "practitioner", "system"],
)
def test_a_token_signed_offline_verifies_with_the_published_key(services, client, subject, expected):
    now = int(time.time())
    claims = claims_of(tokens.signed(subject, key=signing_key(services.data), issuer=services.issuer, now=now), client)
    assert claims.pop("jti")
    assert claims == {
        **expected,
        "iss": services.issuer,
        "aud": "api://health-portal",
        "iat": now,
        "nbf": now,
        "exp": now + tokens.LIFETIME_SECONDS,
    }


def test_a_program_gets_a_token_for_its_id_and_secret(services, client):
    known = system_client(services.data)
    form = {"grant_type": "client_credentials", "client_id": known.client_id, "client_secret": known.client_secret}
    answer = client.post("/token", data={**form, "scope": "system/Patient.rs"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["scope"]) == ("Bearer", "system/Patient.rs")
    assert claims_of(body["access_token"], client)["client_id"] == known.client_id


def test_a_program_may_authenticate_with_basic(services, client):
    known = system_client(services.data)
    answer = client.post(
        "/token", data={"grant_type": "client_credentials"}, auth=(known.client_id, known.client_secret)
    )
    assert answer.json()["scope"] == "system/*.cruds"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "somebody"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "patient/*.cruds"}, 400, "invalid_scope"),
    ],
    ids=["secret", "id", "grant", "scope"],
)
def test_a_token_request_that_does_not_hold_is_refused(services, client, change, status, error):
    known = system_client(services.data)
    form = {"grant_type": "client_credentials", "client_id": known.client_id, "client_secret": known.client_secret}
    answer = client.post("/token", data={**form, **change})
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_broken_basic_header_is_refused(client):
    answer = client.post("/token", headers={"Authorization": "Basic !!"}, data={"grant_type": "client_credentials"})
    assert answer.status_code == 401


def test_a_key_file_of_an_earlier_run_is_used_again(tmp_path):
    first = signing_key(tmp_path)
    again = signing_key(tmp_path)
    assert first.kid == again.kid
    header = json.loads(base64.urlsafe_b64decode(_header(first) + "=="))
    assert header == {"typ": "JWT", "alg": "RS256", "kid": first.kid}


def _header(key) -> str:
    return tokens.signed(tokens.system("s"), key=key, issuer="http://issuer", now=0).split(".")[0]
