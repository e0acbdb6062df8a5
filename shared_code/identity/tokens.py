"""From a bearer token to a Caller: a JWT of the configured issuer, checked against the keys it publishes."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from shared_code import errors
from shared_code.identity.caller import Caller, CallerKind, read_scopes

ALGORITHMS = ["RS256", "PS256", "ES256"]
LEEWAY_SECONDS = 60  # clocks differ a little between an issuer and a worker
KEYS_MAX_AGE_SECONDS = 3600
KEYS_KEPT_SECONDS = 24 * 3600  # how long the last known keys serve while the issuer does not answer
KEYS_MIN_AGE_SECONDS = 30  # an unknown key id makes the keys be read again, but not more often than this
REMEMBERED_TOKENS = 2000

FetchKeys = Callable[[], Awaitable[dict[str, Any]]]


class TokenChecker:
    """Checks signature, issuer, audience, times and scope; remembers the callers of tokens that held until they expire.

    base_url    of this server, whose users a fhirUser names
    fetch_keys  gives the issuer's JSON Web Key Set; raises Busy where the issuer does not answer
    now         seconds since 1970
    """

    def __init__(
        self, issuer: str, audience: str, base_url: str, fetch_keys: FetchKeys, now: Callable[[], float]
    ) -> None:
        self._issuer, self._audience, self._base_url = issuer, audience, base_url
        self._fetch_keys, self._now = fetch_keys, now
        self._keys: Any = None
        self._keys_at = self._asked_at = 0.0
        self._away = ""  # why the keys could not be read the last time
        self._callers: dict[bytes, tuple[float, Caller]] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """The caller named by an Authorization header. Raises Unauthorized, with what is wrong with the token."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise errors.Unauthorized("this needs a bearer token: Authorization: Bearer <token>")
        token = token.strip()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._callers.get(digest)
        if known and known[0] > self._now():
            return known[1]
        expires, caller = await self._check(token)
        if len(self._callers) >= REMEMBERED_TOKENS:
            self._callers.clear()
        self._callers[digest] = (expires, caller)
        return caller

    async def _check(self, token: str) -> tuple[float, Caller]:
        from joserfc import jwt  # joserfc: imported when the first token comes, for a quick start
        from joserfc.errors import JoseError

        try:
            decoded = await self._decode(token)
            registry = jwt.JWTClaimsRegistry(
                now=int(self._now()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._audience},
                exp={"essential": True},
                sub={"essential": True},
            )
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError) as fault:  # TypeError: of headers of the wrong type
            raise errors.Unauthorized(f"the token does not hold: {fault}") from fault
        return float(decoded.claims["exp"]) + LEEWAY_SECONDS, caller_of_claims(decoded.claims, self._base_url)

    async def _decode(self, token: str) -> Any:
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError

        try:
            return jwt.decode(token, await self._key_set(KEYS_MAX_AGE_SECONDS), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            return jwt.decode(token, await self._key_set(KEYS_MIN_AGE_SECONDS), algorithms=ALGORITHMS)

    async def _key_set(self, max_age_seconds: float) -> Any:
        """The issuer's keys, at most so old; its last known ones while it does not answer, but for an unknown key."""
        now = self._now()
        due = now - self._keys_at > max_age_seconds and now - self._asked_at > KEYS_MIN_AGE_SECONDS
        if self._keys is None or due:
            self._asked_at = now
            await self._read_keys()
        kept_seconds = max_age_seconds if max_age_seconds == KEYS_MIN_AGE_SECONDS else KEYS_KEPT_SECONDS
        if self._away and (self._keys is None or now - self._keys_at > kept_seconds):
            raise errors.Busy(self._away, 5)
        return self._keys

    async def _read_keys(self) -> None:
        from joserfc.jwk import KeySet

        try:
            keys = await self._fetch_keys()
        except errors.Busy as fault:
            self._away = str(fault)
            return
        self._keys, self._keys_at, self._away = KeySet.import_key_set(keys), self._now(), ""  # type: ignore[arg-type]


def caller_of_claims(claims: Mapping[str, Any], base_url: str) -> Caller:
    """Who the claims of a token that holds speak of.

    A `fhirUser` of Practitioner makes a practitioner, also with a patient at hand; else `patient` or a `fhirUser`
    of Patient a person; a system/… scope without either a system. Raises Unauthorized where they name none of these.
    """
    scope = claims.get("scope") or claims.get("scp") or ""
    listed = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
    grants = read_scopes(str(one) for one in listed)
    kind, person = _kind_and_person(claims, base_url, {grant.context for grant in grants})
    return Caller(str(claims["sub"]), kind, person, grants)


def _kind_and_person(claims: Mapping[str, Any], base_url: str, contexts: set[str]) -> tuple[CallerKind, str | None]:
    patient = str(claims.get("patient") or "").removeprefix("Patient/")
    user = str(claims.get("fhirUser") or "").removeprefix(f"{base_url}/")
    if ":" in user:
        raise errors.Unauthorized("the token is of a user of another server (fhirUser)")
    user_type, _, user_id = user.partition("/")
    if user_type == "Practitioner" and user_id:
        return "practitioner", None
    own = patient or (user_id if user_type == "Patient" else "")
    if own:
        return "person", f"Patient/{own}"
    if not user_type and "system" in contexts:
        return "system", None
    raise errors.Unauthorized("the token names no person (patient), no practitioner (fhirUser) and no system/… scope")
