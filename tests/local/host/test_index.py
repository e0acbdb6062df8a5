"""What the host takes from an app's index, and what it refuses as Azure would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.host.errors import StartError
from local.host.index import Function, QueueTrigger, read_index
from local.host.shapes import RpcFunctionMetadata


def declared(name: str, *bindings: Mapping[str, Any]) -> RpcFunctionMetadata:
    raw = [json.dumps(binding) for binding in bindings]
    return RpcFunctionMetadata(name=name, function_id=name, raw_bindings=raw, retry_options=None)


def http(route: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "httpTrigger", "direction": "IN", "name": "req", "authLevel": "ANONYMOUS", "route": route, **more}


def queue(name: str = "work", **more: Any) -> dict[str, Any]:
    return {"type": "queueTrigger", "direction": "IN", "name": "m", "queueName": name, "connection": "Data", **more}


def index(*functions: RpcFunctionMetadata, **environ: str) -> list[Function]:
    return read_index(functions, environ, "api")


def test_functions_are_ordered_by_name_without_case() -> None:
    found = index(
        declared("b", http("b")), declared("A", http("a")), declared("a_", http("c")), declared("aZ", http("d"))
    )
    assert [function.name for function in found] == ["A", "aZ", "a_", "b"]


def test_the_name_of_a_queue_may_be_a_setting_and_is_lower_case() -> None:
    trigger = index(declared("f", queue("%QUEUE%", dataType="BINARY")), QUEUE="Work-Items")[0].trigger
    assert trigger == QueueTrigger("work-items", "Data", binary=True)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (declared("1st", http("a")), "no valid name"),
        (declared("Host", http("a")), "no valid name"),
        (declared("f" * 129, http("a")), "no valid name"),
        (declared("f", http("admin/x")), "belong to the host"),
        (declared("f", http("runtime")), "belong to the host"),
        (declared("f", http("/a")), "must not begin"),
        (declared("f", http("a//b")), "no valid template"),
        (declared("f", http("a"), queue()), "2 triggers"),
        (declared("f", {"type": "queue", "direction": "OUT", "name": "o", "queueName": "out"}), "0 triggers"),
        (declared("f", queue("%NONE%")), "%NONE%"),
        (declared("f", queue("No_Queue")), "no valid name of a queue"),
        (declared("f", {"type": "blobTrigger", "name": "b", "path": "a/{name}"}), "Event Grid"),
        (declared("f", {"type": "cosmosDBTrigger", "name": "d"}), "HTTP, timer and queue triggers only"),
        (
            declared("f", http("a"), {"type": "blob", "direction": "IN", "name": "b", "path": "a/b"}),
            "binding of type blob",
        ),
        (declared("f", queue(properties={"SupportsDeferredBinding": "True"})), "SDK-type"),
    ],
)
def test_what_azure_would_not_run_is_refused_with_a_reason(function: RpcFunctionMetadata, said: str) -> None:
    with pytest.raises(StartError, match=said):
        index(function)


def test_two_functions_may_share_a_route_but_not_a_method_on_it() -> None:
    get, post = http("fhir/{a}", methods=["GET"]), http("FHIR/{b}", methods=["POST"])
    assert len(index(declared("f", get), declared("g", post))) == 2
    with pytest.raises(StartError, match="'f' and 'g' have the same route"):
        index(declared("f", get), declared("g", {**post, "methods": None}))


def test_names_that_differ_in_case_alone_are_refused() -> None:
    with pytest.raises(StartError, match="case alone"):
        index(declared("f", http("a")), declared("F", http("b")))
