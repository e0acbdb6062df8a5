"""Drives the app through azure-functions-runtime, the library that runs it in Azure, as its worker does there."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

import azure_functions_runtime as library

from local.host.errors import StartError
from local.host.shapes import PROTOCOL, Message, ParameterBinding, RpcFunctionMetadata, StatusResult, TypedData

BY_HAND = "This function was programmatically called via the host APIs."
NO_RETRY = Message(retry_count=0, max_retry_count=0, exception=None)
log = logging.getLogger("Host.General")


@dataclass(slots=True)  # not frozen: one is made for each call, and that takes thrice as long
class Occasion:
    """Why a function is called, and what it is told beside its parameter."""

    reason: str
    metadata: Mapping[str, TypedData] = field(default_factory=dict)
    trace_parent: str | None = None
    trace_state: str = ""
    retry: Message = field(default_factory=lambda: NO_RETRY)


@dataclass(slots=True)  # not frozen: one is made for each call, and that takes thrice as long
class Result:
    """What an invocation gave; `error` is None where it succeeded, else the exception's type and text."""

    return_value: TypedData | None = None
    outputs: Mapping[str, TypedData] = field(default_factory=dict)
    error: str | None = None

    @property
    def succeeded(self) -> bool:
        return self.error is None


class Worker:
    """The loaded app: its index, and invocations of its functions by id.

    timeout_seconds  `functionTimeout`; None lets a function run for ever
    """

    def __init__(self, timeout_seconds: float | None) -> None:
        self._timeout_seconds = timeout_seconds
        self.running: dict[str, str] = {}  # invocation id → name of the function
        self._loggers: dict[str, logging.Logger] = {}

    async def load(self, app: Path) -> list[RpcFunctionMetadata]:
        """Import the app in `app` and give its index. Raises StartError with the library's text where it cannot."""
        script = os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
        if not (app / script).is_file():
            raise StartError(f"{app} has no {script}: name the folder of a function app with --app")
        library.start_threadpool_executor()
        init = Message(capabilities={}, function_app_directory=str(app))
        response = await library.worker_init_request(
            Message(request=Message(worker_init_request=init), properties={"protos": PROTOCOL, "host": "127.0.0.1"})
        )
        if response.result.status != StatusResult.Success:
            fault = response.result.exception
            raise StartError(f"{script} cannot be indexed: {fault.message}\n{fault.stack_trace}".rstrip())
        if "HttpUri" in response.capabilities:
            raise StartError("the app imports an HTTP streaming extension, which is not used here: remove the import")
        index = await library.functions_metadata_request(Message(request=Message(), properties={}))
        functions: list[RpcFunctionMetadata] | None = index.function_metadata_results
        if not functions:
            raise StartError(f"{app / script} declares no function: decorate at least one")
        return functions

    async def invoke(self, function: RpcFunctionMetadata, parameter: ParameterBinding, occasion: Occasion) -> Result:
        """Run `function` once in the current task and say how it ended; only cancelling the task raises."""
        invocation_id = str(uuid.uuid4())
        request = Message(
            invocation_id=invocation_id,
            function_id=function.function_id,
            input_data=(parameter,),
            trigger_metadata=occasion.metadata,
            trace_context=Message(
                trace_parent=child_of(occasion.trace_parent), trace_state=occasion.trace_state, attributes={}
            ),
            retry_context=occasion.retry,
        )
        name: str = function.name
        logger = self._loggers.get(name) or self._loggers.setdefault(name, logging.getLogger(f"Function.{name}"))
        self.running[invocation_id] = name
        token = library.invocation_id_cv.set(invocation_id)
        started = time.perf_counter()
        try:
            result = await self._call(request, name)
        finally:
            library.invocation_id_cv.reset(token)
            del self.running[invocation_id]
        outcome = "Succeeded" if result.succeeded else "Failed"
        if logger.isEnabledFor(logging.INFO) or not result.succeeded:
            duration_ms = (time.perf_counter() - started) * 1000
            asyncio.get_running_loop().call_soon(  # whoever waits for the result need not wait for the line
                logger.log,
                logging.INFO if result.succeeded else logging.ERROR,
                "Executed 'Functions.%s' (%s, Id=%s, Duration=%.0fms) %s",
                *(name, outcome, invocation_id, duration_ms, result.error or occasion.reason),
            )
        return result

    async def _call(self, request: Message, name: str) -> Result:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                response = await library.invocation_request(Message(request=Message(invocation_request=request)))
        except TimeoutError:
            log.critical(
                "function '%s' ran longer than functionTimeout (%g s); Azure ends the whole worker process here",
                *(name, self._timeout_seconds),
            )
            return Result(error=f"Timeout value of {self._timeout_seconds:g} s was exceeded by function: {name}")
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as stop:
            # The library lets these through; one function must not end the host for all the others.
            return Result(error=f"{type(stop).__name__}: {stop}")
        if response.result.status != StatusResult.Success:
            fault = response.result.exception
            logging.getLogger(f"Function.{name}").error("%s\n%s", fault.message, fault.stack_trace.rstrip())
            return Result(error=fault.message)
        outputs = {output.name: output.data for output in response.output_data}
        return Result(response.return_value, outputs)

    def stop(self, within_seconds: float) -> bool:
        """Wait for the threads of sync functions; whether all have ended. One that goes on cannot be interrupted."""
        waiting = threading.Thread(target=library.stop_threadpool_executor, daemon=True)
        waiting.start()
        waiting.join(within_seconds)
        return not waiting.is_alive()


def child_of(trace_parent: str | None) -> str:
    """A W3C traceparent: a new span of the trace that the caller began, or of a new one."""
    span = f"{random.getrandbits(64):016x}"
    if trace_parent and len(parts := trace_parent.split("-")) == 4 and len(parts[1]) == 32:
        return f"{parts[0]}-{parts[1]}-{span}-{parts[3]}"
    return f"00-{random.getrandbits(128):032x}-{span}-00"


def arrange_import_path(app: Path, launch: Path) -> None:
    """Put the app's folder last on `sys.path`, as in Azure, and take the folder this was launched from off it.

    Raises StartError where an installed package has the name of one of the app's and would hide it.
    """
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() not in (app, launch)]
    modules = {path.stem for path in app.glob("*.py")}
    packages = {path.parent.name for path in app.glob("*/__init__.py")}
    for own in sorted(modules | packages):
        found = own not in sys.modules and _installed(own)
        if found:
            raise StartError(f"the installed package at {found} hides the app's own '{own}': rename one of them")
    sys.path.append(str(app))
    os.chdir(app)


def _installed(name: str) -> str | None:
    found = PathFinder.find_spec(name)
    return found.origin if found and found.loader else None
