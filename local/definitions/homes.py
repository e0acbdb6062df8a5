"""The home table: the elements of each type that name the patients it belongs to, the home first."""

from __future__ import annotations

from typing import Any

# Nobody's home, though the compartment lists them: a group is of many, a Person spans several records. A Patient is its
# own home, and a link between two Patients is a statement about them, not an entry in either one's record.
HOMELESS = {"Group", "Person", "Patient"}

# What the compartment definition of R4 forgets: these belong to a patient as plainly as the types it lists.
ADDED = {
    "Binary": ["securityContext"],
    "Contract": ["subject"],
    "Device": ["patient"],
    "GuidanceResponse": ["subject"],
    "Task": ["for"],
}

PREFERRED = ("patient", "subject", "subjectReference", "beneficiary", "for", "individual")


def home_paths(resource_type: str, compartment: list[str], parameters: dict[str, dict[str, Any]]) -> list[str]:
    """The property paths of references to look at, in this order."""
    if resource_type in HOMELESS:
        return []
    paths = list(ADDED.get(resource_type, []))
    for name in compartment:
        paths += [path for path, kind, *_ in parameters[name]["paths"] if kind == "Reference"]
    unique = list(dict.fromkeys(paths))
    return sorted(unique, key=lambda path: PREFERRED.index(path) if path in PREFERRED else len(PREFERRED))
