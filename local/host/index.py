"""What the app declares: each function with its trigger and outputs, refused where Azure would refuse it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from local.host.errors import StartError
from local.host.routes import Route
from local.host.settings import is_disabled, resolve_names
from local.host.shapes import RpcFunctionMetadata

RESERVED_ROUTES = ("admin", "runtime")
QUEUE_NAME = re.compile("[a-z0-9](?:-?[a-z0-9])*")


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    """`httpTrigger`; `methods` in capitals, None for any; `level` is 'anonymous', 'function' or 'admin'."""

    route: Route
    methods: frozenset[str] | None
    level: str


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    """`timerTrigger`."""

    schedule: str
    run_on_startup: bool
    use_monitor: bool


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    """`queueTrigger`; `connection` is the name of a connection, not the connection."""

    queue: str
    connection: str
    binary: bool


@dataclass(frozen=True, slots=True)
class QueueOutput:
    """An output binding of kind `queue`; `parameter` is '$return' for the returned value."""

    parameter: str
    queue: str
    connection: str


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app; `parameter` is the one that takes the trigger's value."""

    name: str
    metadata: RpcFunctionMetadata
    trigger: HttpTrigger | TimerTrigger | QueueTrigger
    parameter: str
    outputs: tuple[QueueOutput, ...]
    disabled: bool
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def retry(self) -> Any:
        """The retry policy of its decorator, or None."""
        return self.metadata.retry_options


def read_index(found: Sequence[RpcFunctionMetadata], environ: Mapping[str, str], prefix: str) -> list[Function]:
    """The functions in the order in which the host tries their routes: by name, without case.

    prefix  `extensions.http.routePrefix`; '' puts routes at the root
    """
    functions = sorted((_function(one, environ, prefix) for one in found), key=lambda function: function.name.upper())
    _refuse_same_names(functions)
    _refuse_same_routes(functions)
    return functions


def _function(metadata: RpcFunctionMetadata, environ: Mapping[str, str], prefix: str) -> Function:
    name: str = metadata.name
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_-]{0,127}", name) or name.lower() == "host":
        raise StartError(
            f"'{name}' is no valid name of a function: a letter, then letters, digits, '_' and '-', and not 'host'"
        )
    bindings = tuple(json.loads(raw) for raw in metadata.raw_bindings)
    triggers = [binding for binding in bindings if binding["type"].lower().endswith("trigger")]
    if len(triggers) != 1:
        raise StartError(f"function '{name}' has {len(triggers)} triggers: give it exactly one")
    disabled = is_disabled(name, environ)
    return Function(
        name=name,
        metadata=metadata,
        trigger=_trigger(name, triggers[0], environ, prefix),
        parameter=triggers[0]["name"],
        outputs=tuple(_outputs(name, bindings, environ)),
        disabled=disabled,
        bindings=bindings,
    )


def _trigger(
    name: str, binding: Mapping[str, Any], environ: Mapping[str, str], prefix: str
) -> HttpTrigger | TimerTrigger | QueueTrigger:
    where = f"function '{name}'"
    match binding["type"]:
        case "httpTrigger":
            return _http_trigger(name, binding, prefix)
        case "timerTrigger":
            return TimerTrigger(
                schedule=resolve_names(binding["schedule"], environ, where),
                run_on_startup=binding.get("runOnStartup", False),
                use_monitor=binding.get("useMonitor", True),
            )
        case "queueTrigger":
            binary = str(binding.get("dataType", "")).upper() == "BINARY"
            return QueueTrigger(_queue_name(binding, environ, where), binding.get("connection") or "", binary)
        case "blobTrigger":
            raise StartError(
                f"{where} has a blob trigger, which hands over the whole blob: let Event Grid send the blob's events "
                "to a storage queue, and trigger by that queue"
            )
    raise StartError(f"{where} is triggered by {binding['type']}; here there are HTTP, timer and queue triggers only")


def _http_trigger(name: str, binding: Mapping[str, Any], prefix: str) -> HttpTrigger:
    own = binding.get("route") or name
    if own.lower().split("/", 1)[0] in RESERVED_ROUTES:
        raise StartError(f"function '{name}' has the route '{own}': routes of '{own.split('/')[0]}' belong to the host")
    if own.startswith("/"):
        raise StartError(f"function '{name}': the route '{own}' must not begin with '/'")
    methods = frozenset(str(method).upper() for method in binding.get("methods") or ())
    level = str(binding.get("authLevel") or "function").lower()
    if level not in ("anonymous", "function", "admin"):
        raise StartError(f"function '{name}' has the auth level '{level}': use anonymous, function or admin")
    return HttpTrigger(Route(f"{prefix}/{own}" if prefix else own), methods or None, level)


def _outputs(name: str, bindings: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> list[QueueOutput]:
    outputs = []
    for binding in bindings:
        kind, where = binding["type"], f"function '{name}'"
        if binding.get("properties", {}).get("SupportsDeferredBinding"):
            raise StartError(f"{where} uses an SDK-type binding: bind plain values, and make the SDK's client yourself")
        if kind.endswith("Trigger") or kind == "http":
            continue
        if kind != "queue" or str(binding["direction"]).upper() != "OUT":
            raise StartError(f"{where} has a binding of type {kind}: use the SDK of that service instead")
        queue = _queue_name(binding, environ, where)
        outputs.append(QueueOutput(binding["name"], queue, binding.get("connection") or ""))
    return outputs


def _queue_name(binding: Mapping[str, Any], environ: Mapping[str, str], where: str) -> str:
    queue = resolve_names(binding["queueName"], environ, where).lower()
    if not QUEUE_NAME.fullmatch(queue) or not 3 <= len(queue) <= 63:
        raise StartError(f"{where}: '{queue}' is no valid name of a queue: 3 to 63 letters, digits and single hyphens")
    return queue


def _refuse_same_names(functions: Sequence[Function]) -> None:
    for first, second in pairwise(functions):
        if first.name.upper() == second.name.upper():
            raise StartError(f"functions '{first.name}' and '{second.name}' differ in case alone: rename one")


def _refuse_same_routes(functions: Sequence[Function]) -> None:
    taken: dict[object, list[tuple[Function, HttpTrigger]]] = {}
    for function in functions:
        trigger = function.trigger
        if not isinstance(trigger, HttpTrigger):
            continue
        for other, earlier in taken.setdefault(trigger.route.shape, []):
            both = trigger.methods is None or earlier.methods is None or trigger.methods & earlier.methods
            if both:
                raise StartError(
                    f"functions '{other.name}' and '{function.name}' have the same route '{trigger.route.template}' "
                    "and a method in common: only one of them would ever be called"
                )
        taken[trigger.route.shape].append((function, trigger))
