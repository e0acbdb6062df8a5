"""Access keys: which of them open a function, from app settings; without any, nothing but `anonymous` opens.

`FunctionsHostKeys__master`                       opens everything, and the admin routes
`FunctionsHostKeys__host__<key name>`             opens every function of level `function`
`FunctionsHostKeys__function__<name>__<key name>` opens that function alone
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

PREFIX = "FunctionsHostKeys__"
MASTER, HOST, FUNCTION = f"{PREFIX}master", f"{PREFIX}host__", f"{PREFIX}function__"


class Keys:
    """The keys of this app.

    enforced  False lets everybody in everywhere
    """

    def __init__(self, environ: Mapping[str, str], *, enforced: bool) -> None:
        self._enforced = enforced
        self._master = tuple(value.encode() for name, value in environ.items() if name == MASTER and value)
        self._host = tuple(value.encode() for name, value in environ.items() if name.startswith(HOST) and value)
        self._own: dict[str, tuple[bytes, ...]] = {}
        for name, value in environ.items():
            function, separator, _ = name.removeprefix(FUNCTION).rpartition("__")
            if name.startswith(FUNCTION) and separator and value:
                self._own[function.lower()] = (*self._own.get(function.lower(), ()), value.encode())

    def open(self, level: str, function: str, given: str | None) -> bool:
        """Whether a caller who gave the key `given` may call `function`, whose auth level is `level`."""
        if level == "anonymous" or not self._enforced:
            return True
        accepted = self._master
        if level == "function":
            accepted += self._host + self._own.get(function.lower(), ())
        return given is not None and _any_equals(accepted, given.encode())

    def open_admin(self, given: str | None) -> bool:
        """Whether the admin routes open."""
        return self.open("admin", "", given)

    def nobody_opens(self, level: str, function: str) -> bool:
        """Whether no key exists that would open `function`."""
        usable = self._master + ((self._host + self._own.get(function.lower(), ())) if level == "function" else ())
        return self._enforced and level != "anonymous" and not usable


def _any_equals(accepted: tuple[bytes, ...], given: bytes) -> bool:
    return any([hmac.compare_digest(key, given) for key in accepted])  # a list: every key is compared, in equal time
