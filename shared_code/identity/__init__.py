"""Tokens, callers and the rules of who may do what."""

from shared_code.identity.caller import Caller, Grant, Interaction, read_scopes
from shared_code.identity.rules import may_see, require_scope, require_write
from shared_code.identity.tokens import TokenChecker, caller_of_claims

__all__ = [
    "Caller",
    "Grant",
    "Interaction",
    "TokenChecker",
    "caller_of_claims",
    "may_see",
    "read_scopes",
    "require_scope",
    "require_write",
]
