"""The sending limits of Communication Services, per kind of email domain.

source: https://learn.microsoft.com/azure/communication-services/concepts/service-limits#email
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """So many sends at most in any span of so many seconds."""

    sends: int
    seconds: int


LIMITS: dict[str, tuple[Limit, ...]] = {
    "none": (),
    "custom": (Limit(30, 60), Limit(100, 3600)),
    "managed": (Limit(5, 60), Limit(10, 3600)),
}
LONGEST_SECONDS = 3600


def wait_seconds(limits: tuple[Limit, ...], accepted: list[float], now: float) -> int:
    """How long the next send has to wait; 0 = it may go.

    accepted  when the earlier sends of the last hour were accepted, the oldest first, seconds since 1970
    """
    waits = [0.0]
    for limit in limits:
        within = [moment for moment in accepted if moment > now - limit.seconds]
        if len(within) >= limit.sends:
            waits.append(within[-limit.sends] + limit.seconds - now)
    return math.ceil(max(waits))
