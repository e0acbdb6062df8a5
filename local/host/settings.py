"""What configures the host: local.settings.json, host.json with its overrides, and `%NAME%` in bindings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.host.errors import StartError

OVERRIDE = "AzureFunctionsJobHost__"
LOG_LEVELS = frozenset({"trace", "debug", "information", "warning", "error", "critical", "none"})


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """The `Host` part of local.settings.json; origins are those of CORS, '*' for any."""

    port: int = 7071
    origins: tuple[str, ...] = ()
    credentials: bool = False


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """`extensions.queues` of host.json."""

    batch_size: int
    new_batch_threshold: int
    max_dequeue_count: int
    visibility_timeout_seconds: float
    max_polling_interval_seconds: float
    base64: bool


@dataclass(frozen=True, slots=True)
class HostConfig:
    """host.json, as far as it has a meaning on one machine."""

    route_prefix: str
    max_concurrent_requests: int | None
    max_outstanding_requests: int | None
    custom_headers: Mapping[str, str]
    function_timeout_seconds: float | None
    queues: QueueOptions
    lock_period_seconds: float
    lock_recovery_seconds: float
    log_levels: Mapping[str, str]


def read_local_settings(file: Path, environ: MutableMapping[str, str], *, required: bool) -> LocalSettings:
    """Put `Values` of local.settings.json into `environ`, where what is set already wins; give the rest of it.

    required  the file was named by the caller: that it is missing is then a StartError
    """
    if not file.is_file():
        if required:
            raise StartError(f"{file} does not exist: name a settings file with --settings, or leave that out")
        return LocalSettings()
    content = _json_object(file)
    if content.get("IsEncrypted", True):
        raise StartError(f'{file} says or implies that it is encrypted: write "IsEncrypted": false')
    for name, value in content.get("Values", {}).items():
        if not isinstance(value, str):
            raise StartError(f"{file}: the value of {name} must be a text in quotes")
        environ.setdefault(name, value)
    host = content.get("Host", {})
    origins = tuple(origin.strip().rstrip("/") for origin in host.get("CORS", "").split(",") if origin.strip())
    credentials = bool(host.get("CORSCredentials", False))
    if credentials and "*" in origins:
        raise StartError(f"{file}: CORSCredentials cannot go with the origin '*': list the origins in Host.CORS")
    return LocalSettings(int(host.get("LocalHttpPort", 7071)), origins, credentials)


def read_host_config(file: Path, environ: Mapping[str, str], cores: int) -> HostConfig:
    """host.json with the overrides of `environ`. Raises StartError that names the value that is wrong."""
    if not file.is_file():
        raise StartError(f'{file} is missing: a function app needs one, at least {{"version": "2.0"}}')
    tree = _overridden(_json_object(file), environ)
    if _member(tree, "version", None) != "2.0":
        raise StartError(f'{file}: "version" must be "2.0", not {_member(tree, "version", None)!r}')
    http, queues, singleton = (
        _section(tree, *path) for path in (("extensions", "http"), ("extensions", "queues"), ("singleton",))
    )
    levels = {str(name): str(level) for name, level in _section(tree, "logging", "logLevel").items()}
    levels = {name.lower() if name.lower() == "default" else name: level for name, level in levels.items()}
    for category, level in levels.items():
        if level.lower() not in LOG_LEVELS:
            raise StartError(f"{file}: the log level of {category} must be Trace to Critical or None, not {level!r}")
    batch_size = _whole(queues, "batchSize", 16)
    if not 1 <= batch_size <= 32:
        raise StartError(f"{file}: extensions.queues.batchSize must be from 1 to 32, not {batch_size}")
    encoding = str(_member(queues, "messageEncoding", "base64")).lower()
    if encoding not in ("base64", "none"):
        raise StartError(f"{file}: extensions.queues.messageEncoding must be base64 or none, not {encoding!r}")
    timeout = str(_member(tree, "functionTimeout", "00:30:00"))
    return HostConfig(
        route_prefix=str(_member(http, "routePrefix", "api")).strip("/"),
        max_concurrent_requests=_limit(http, "maxConcurrentRequests"),
        max_outstanding_requests=_limit(http, "maxOutstandingRequests"),
        custom_headers={str(name): str(value) for name, value in _member(http, "customHeaders", {}).items()},
        function_timeout_seconds=None if timeout.startswith("-1") else seconds_of(timeout, "functionTimeout"),
        queues=QueueOptions(
            batch_size=batch_size,
            new_batch_threshold=_whole(queues, "newBatchThreshold", max(1, batch_size // 2) * cores),
            max_dequeue_count=_whole(queues, "maxDequeueCount", 5),
            visibility_timeout_seconds=_span(queues, "visibilityTimeout", "00:00:00"),
            max_polling_interval_seconds=_span(queues, "maxPollingInterval", "00:01:00"),
            base64=encoding == "base64",
        ),
        lock_period_seconds=_span(singleton, "listenerLockPeriod", "00:01:00"),
        lock_recovery_seconds=_span(singleton, "listenerLockRecoveryPollingInterval", "00:01:00"),
        log_levels=levels,
    )


def resolve_names(text: str, environ: Mapping[str, str], where: str) -> str:
    """`text` with every `%NAME%` replaced by the app setting of that name; `where` is for the StartError."""

    def setting(match: re.Match[str]) -> str:
        if value := environ.get(match[1]):
            return value
        raise StartError(f"{where} uses %{match[1]}%, but there is no app setting {match[1]}: set it")

    return re.sub("%([^%]+)%", setting, text)


def number_setting(environ: Mapping[str, str], name: str, default: int) -> int:
    """A whole number above 0 from the app setting `name`; StartError for anything else."""
    text = environ.get(name) or str(default)
    if not text.isdecimal() or int(text) == 0:
        raise StartError(f"app setting {name} must be a whole number above 0, not {text!r}")
    return int(text)


def is_disabled(function: str, environ: Mapping[str, str]) -> bool:
    """Whether an app setting switches the function off."""
    names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs_{function}_Disabled")
    return any(environ.get(name, "").lower() in ("true", "1") for name in names)


def seconds_of(text: str, where: str) -> float:
    """The length of a .NET TimeSpan, `[d.]hh:mm:ss[.fff]`, in seconds."""
    match = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):([0-5]?\d):([0-5]?\d(?:\.\d{1,7})?)", text)
    if not match or int(match[2]) > 23:
        raise StartError(f"{where} must be a time span hh:mm:ss, not {text!r}")
    days, hours, minutes, seconds = match.groups("0")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds)).total_seconds()


def _json_object(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except ValueError as fault:
        raise StartError(f"{file} is not JSON: {fault}") from fault
    if not isinstance(content, dict):
        raise StartError(f"{file} must hold one JSON object")
    return content


def _overridden(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """`tree` with `AzureFunctionsJobHost__a__b` put at a.b; names are compared without case."""
    for setting, value in environ.items():
        if not setting.lower().startswith(OVERRIDE.lower()):
            continue
        node = tree
        *parents, leaf = setting[len(OVERRIDE) :].split("__")
        for parent in parents:
            node = node.setdefault(_spelt(node, parent), {})
            if not isinstance(node, dict):
                raise StartError(f"app setting {setting} overrides a part of a single value of host.json")
        node[_spelt(node, leaf)] = value
    return tree


def _spelt(node: Mapping[str, Any], name: str) -> str:
    return next((key for key in node if key.lower() == name.lower()), name)


def _member(section: Mapping[str, Any], name: str, default: Any) -> Any:
    return section.get(_spelt(section, name), default)


def _section(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        tree = _member(tree, name, {})
    return tree


def _whole(section: Mapping[str, Any], name: str, default: int) -> int:
    try:
        return int(_member(section, name, default))
    except (TypeError, ValueError):
        raise StartError(f"host.json: {name} must be a whole number, not {_member(section, name, None)!r}") from None


def _limit(section: Mapping[str, Any], name: str) -> int | None:
    limit = _whole(section, name, -1)
    return None if limit < 0 else limit


def _span(section: Mapping[str, Any], name: str, default: str) -> float:
    return seconds_of(str(_member(section, name, default)), f"host.json: {name}")
