"""`dev.py token`: an access token of the local issuer, signed here with its key."""

from __future__ import annotations

import argparse
import time

from local.services import tokens
from local.services.kept_secrets import SYSTEM_CLIENT, signing_key
from local.stack.folder import StackFolder


def run(given: argparse.Namespace) -> int:
    """Print the token alone, so that it can stand in `$(…)`."""
    lifetime = tokens.LIFETIME_SECONDS if given.ttl is None else given.ttl
    print(token_of(StackFolder(given.data.resolve()), subject_of(given), scope=given.scope, lifetime_seconds=lifetime))
    return 0


def subject_of(given: argparse.Namespace) -> tokens.Subject:
    """Whom the command line names."""
    if given.patient:
        return tokens.patient(given.patient)
    if given.practitioner:
        return tokens.practitioner(given.practitioner)
    return tokens.system(SYSTEM_CLIENT)


def token_of(
    folder: StackFolder,
    subject: tokens.Subject,
    *,
    scope: str | None = None,
    lifetime_seconds: int = tokens.LIFETIME_SECONDS,
) -> str:
    """A token that the stack on `folder` accepts, whether it runs or is started later."""
    return tokens.signed(
        subject,
        key=signing_key(folder.services),
        issuer=folder.issuer(),
        now=int(time.time()),
        scope=scope,
        lifetime_seconds=lifetime_seconds,
    )
