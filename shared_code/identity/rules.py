"""May this caller do this? Pure rules over the caller, the interaction and where a resource is at home."""

from __future__ import annotations

from shared_code import errors
from shared_code.fhir import SHARED_TYPES
from shared_code.identity.caller import Caller, Interaction


def require_scope(caller: Caller, interaction: Interaction, resource_type: str) -> None:
    """Raises Forbidden where no scope of the token names the interaction on the type."""
    if not caller.allows(interaction, resource_type):
        raise errors.Forbidden(f"no scope of the token allows {interaction} on {resource_type}")


def may_see(caller: Caller, resource_type: str, person: str | None) -> bool:
    """Whether a resource of this type, at home with `person` or with nobody, exists for the caller at all."""
    if caller.kind == "system" or resource_type in SHARED_TYPES:
        return True
    return caller.person is not None and caller.person == person


def require_write(caller: Caller, interaction: Interaction, resource_type: str, person: str | None) -> None:
    """Raises Forbidden where the caller may not write a resource of this type at home with `person`.

    A person writes what is at home with them, but neither makes nor deletes a Patient; shared types are a system's to
    write. A practitioner reads shared types only.
    """
    require_scope(caller, interaction, resource_type)
    if caller.kind == "system":
        return
    if caller.person is None:
        raise errors.Forbidden("a practitioner's token reads what is shared; it does not write")
    if resource_type == "Patient" and interaction != "update":
        raise errors.Forbidden(f"a person's token may not {interaction} a Patient")
    if resource_type in SHARED_TYPES:
        raise errors.Forbidden(f"{resource_type} is shared by all; only a system may {interaction} it")
    if person != caller.person:
        raise errors.Forbidden(f"a person's token may {interaction} only what belongs to that person")
