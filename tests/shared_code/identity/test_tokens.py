"""Tokens against the keys that an issuer publishes, also while it changes them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from shared_code import errors
from shared_code.identity import Caller, TokenChecker, caller_of_claims

BASE = "https://portal.example.org/api/fhir"
ISSUER, AUDIENCE = "https://login.example.org/portal", "api://health-portal"
KEY, NEXT_KEY = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("one", "two"))
CURVE_KEY = ECKey.generate_key("P-256", {"kid": "curve"})


class Issuer:
    """Publishes keys, counts how often they are asked for, and can be away; time stands until it is moved."""

    def __init__(self, *keys: Any) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.away = False
        self.time = time.time()
        self.checker = TokenChecker(ISSUER, AUDIENCE, BASE, self._publish, lambda: self.time)

    async def _publish(self) -> dict[str, Any]:
        self.asked += 1
        if self.away:
            raise errors.Busy("the token issuer does not answer")
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    def token(self, key: Any = KEY, alg: str = "RS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "s", "exp": int(self.time) + 600, "scope": "system/*.rs"}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        head = {"alg": alg} | ({"kid": key.kid} if header is None else header)
        return jwt.encode(head, claims, key, algorithms=[alg])

    async def caller(self, token: str) -> Caller:
        return await self.checker.caller(f"Bearer {token}")


@pytest.mark.parametrize(("key", "alg"), [(KEY, "RS256"), (KEY, "PS256"), (CURVE_KEY, "ES256")], ids=["RS", "PS", "ES"])
async def test_a_token_of_an_allowed_algorithm_holds(key: Any, alg: str) -> None:
    issuer = Issuer(KEY, CURVE_KEY)
    assert (await issuer.caller(issuer.token(key, alg))).kind == "system"


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS512"])
async def test_a_token_of_another_algorithm_does_not_hold(alg: str) -> None:
    issuer = Issuer(KEY)
    with pytest.raises(errors.Unauthorized):
        await issuer.caller(issuer.token(alg=alg))


async def test_keys_are_asked_for_once_and_again_when_they_are_old() -> None:
    issuer = Issuer(KEY)
    for n in range(5):
        await issuer.caller(issuer.token(jti=str(n)))
    assert issuer.asked == 1
    issuer.time += 3601
    await issuer.caller(issuer.token())
    assert issuer.asked == 2


async def test_a_new_key_is_learned_when_a_token_names_it() -> None:
    issuer = Issuer(KEY)
    await issuer.caller(issuer.token())
    issuer.keys = [KEY, NEXT_KEY]
    issuer.time += 31
    assert (await issuer.caller(issuer.token(NEXT_KEY))).kind == "system"
    assert issuer.asked == 2


async def test_tokens_that_name_unknown_keys_do_not_make_the_issuer_busy() -> None:
    issuer = Issuer(KEY)
    await issuer.caller(issuer.token())
    for n in range(20):
        with pytest.raises(errors.Unauthorized):
            await issuer.caller(issuer.token(NEXT_KEY, jti=str(n)))
    assert issuer.asked == 1
    issuer.time += 31
    for n in range(20):
        with pytest.raises(errors.Unauthorized):
            await issuer.caller(issuer.token(NEXT_KEY, jti=str(n)))
    assert issuer.asked == 2


async def test_a_key_that_is_withdrawn_opens_nothing_new_once_keys_are_read_again() -> None:
    issuer = Issuer(KEY)
    await issuer.caller(issuer.token())
    issuer.keys = [NEXT_KEY]
    issuer.time += 3601
    with pytest.raises(errors.Unauthorized):
        await issuer.caller(issuer.token())


async def test_an_issuer_that_is_away_is_no_fault_of_the_caller() -> None:
    issuer = Issuer(KEY)
    issuer.away = True
    with pytest.raises(errors.Busy):
        await issuer.caller(issuer.token())
    issuer.away = False
    assert (await issuer.caller(issuer.token())).kind == "system"


async def test_a_token_that_held_needs_no_issuer_until_it_ends() -> None:
    issuer = Issuer(KEY)
    token = issuer.token()
    await issuer.caller(token)
    issuer.away = True
    issuer.time += 600
    await issuer.caller(token)
    issuer.time += 61
    with pytest.raises(errors.Unauthorized):
        await issuer.caller(token)


async def test_the_last_known_keys_serve_for_a_day_while_the_issuer_is_away() -> None:
    issuer = Issuer(KEY)
    await issuer.caller(issuer.token())
    issuer.away = True
    issuer.time += 23 * 3600
    for n in range(5):
        assert (await issuer.caller(issuer.token(jti=str(n)))).kind == "system"
    assert issuer.asked == 2, "an issuer that is away is asked now and then, not for every token"
    issuer.time += 31
    with pytest.raises(errors.Busy):
        await issuer.caller(issuer.token(NEXT_KEY))
    issuer.time += 3600
    with pytest.raises(errors.Busy):
        await issuer.caller(issuer.token())


async def test_a_token_without_a_key_id_holds_where_one_key_is_published() -> None:
    issuer = Issuer(KEY)
    assert (await issuer.caller(issuer.token(header={}))).kind == "system"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://login.example.org/"},
        {"iss": None},
        {"aud": "api://health-portal/"},
        {"aud": []},
        {"aud": None},
        {"exp": None},
        {"exp": 0},
        {"exp": "tomorrow"},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"scope": None},
        {"scope": {"system/*.rs": 1}},
    ],
    ids=str,
)
async def test_a_claim_that_is_wrong_or_missing_is_refused(changes: dict[str, Any]) -> None:
    issuer = Issuer(KEY)
    with pytest.raises(errors.Unauthorized):
        await issuer.caller(issuer.token(**changes))


@pytest.mark.parametrize(
    ("claims", "kind", "who"),
    [
        ({"patient": "anna"}, "person", "Patient/anna"),
        ({"patient": "Patient/anna"}, "person", "Patient/anna"),
        ({"fhirUser": "Patient/anna"}, "person", "Patient/anna"),
        ({"fhirUser": "https://portal.example.org/api/fhir/Patient/anna"}, "person", "Patient/anna"),
        ({"patient": "child", "fhirUser": "Patient/anna"}, "person", "Patient/child"),
        ({"fhirUser": "Practitioner/dr"}, "practitioner", None),
        ({"fhirUser": "Practitioner/dr", "patient": "anna"}, "practitioner", None),
        ({"scope": "system/*.rs"}, "system", None),
        ({"scope": "", "scp": ["system/*.rs"]}, "system", None),
        ({"patient": "anna", "scope": "system/*.cruds"}, "person", "Patient/anna"),
    ],
)
def test_claims_say_who_calls(claims: dict[str, Any], kind: str, who: str | None) -> None:
    caller = caller_of_claims({"sub": "s"} | claims, BASE)
    assert (caller.kind, caller.person) == (kind, who)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"scope": "patient/*.cruds"},
        {"scope": "user/*.cruds"},
        {"fhirUser": "RelatedPerson/r", "scope": "system/*.cruds"},
        {"fhirUser": "Patient/"},
        {"fhirUser": "https://other-hospital.example.org/fhir/Patient/anna"},
        {"fhirUser": "https://other-hospital.example.org/fhir/Practitioner/dr", "patient": "anna"},
        {"fhirUser": "https://portal.example.org/api/fhirs/Patient/anna"},
        {"fhirUser": "anna", "scope": "system/*.cruds"},
    ],
    ids=str,
)
def test_claims_that_name_nobody_are_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(errors.Unauthorized):
        caller_of_claims({"sub": "s"} | claims, BASE)
