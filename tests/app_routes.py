"""The app's HTTP routes as the app itself registers them, and a path for each: so that no test forgets a new one."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import function_app

EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SAMPLE = {"type": "Observation", "id": "x", "vid": "1", "operation": "$op"}


@cache
def routes() -> dict[str, tuple[str, ...]]:
    """Every route template, without the prefix of host.json, with its methods."""
    triggers: list[Any] = [function.get_trigger() for function in function_app.app.get_functions()]
    return {
        trigger.route: tuple(getattr(method, "value", method) for method in trigger.methods or EVERY_METHOD)
        for trigger in triggers
        if trigger.type == "httpTrigger"
    }


def path_of(template: str) -> str:
    """A path that the template matches."""
    return re.sub(r"\{(\w+)(?:[^{}]|\{[^{}]*\})*\}", lambda match: SAMPLE[match[1]], template)
