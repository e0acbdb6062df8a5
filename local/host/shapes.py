"""The message shapes that Microsoft's worker library reads and makes: the fields of its RPC messages, without protobuf.

The library takes its messages from whoever drives it, under the names of the RPC protocol; hence the names here.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class TypedData:
    """One value of one kind, `TypedData(string="x")`; the kind is the name of the attribute that holds it."""

    __slots__ = ("__dict__", "kind")

    def __init__(self, **one: Any) -> None:
        (self.kind,) = one
        self.__dict__ = one

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - the name of the protocol
        """The kind: 'string', 'bytes', 'json', 'http', 'int', 'double' …"""
        return self.kind

    @property
    def value(self) -> Any:
        """What it holds, whichever kind that is."""
        return self.__dict__[self.kind]


class ParameterBinding:
    """The value of one parameter, by name."""

    __slots__ = ("data", "name")

    def __init__(self, name: str, data: TypedData | None) -> None:
        self.name = name
        self.data = data

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - the name of the protocol
        """Always 'data': shared memory, the other kind, is gone from the library."""
        return "data"


class Message(SimpleNamespace):
    """A message that is nothing but its fields."""


class StatusResult(Message):
    """How a request ended; `exception` only where it failed."""

    Failure = 0
    Success = 1

    def __init__(self, status: int, exception: Any = None) -> None:
        super().__init__(status=status, exception=exception)


class BindingInfo(Message):
    """A binding as the index reports it; the numbers are those of the protocol."""

    undefined = 0
    out = 1
    inout = 2


class RpcHttpCookie(Message):
    """One cookie of a response; an attribute that was not set is None."""

    SameSite = SimpleNamespace(**{"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


class InvocationResponse(Message):
    """What an invocation gave: a result, a return value or None, and the output parameters that were set."""

    def __init__(self, result: StatusResult, return_value: Any = None, output_data: Any = (), **rest: Any) -> None:
        super().__init__(result=result, return_value=return_value, output_data=output_data, **rest)


class RpcFunctionMetadata(Message):
    """A function as the index reports it."""


PROTOCOL = SimpleNamespace(
    BindingInfo=BindingInfo,
    FunctionLoadResponse=Message,
    FunctionMetadataResponse=Message,
    InvocationResponse=InvocationResponse,
    NullableBool=Message,
    NullableDouble=Message,
    NullableString=Message,
    NullableTimestamp=Message,
    ParameterBinding=ParameterBinding,
    RpcException=Message,
    RpcFunctionMetadata=RpcFunctionMetadata,
    RpcHttp=Message,
    RpcHttpCookie=RpcHttpCookie,
    RpcRetryOptions=Message,
    StatusResult=StatusResult,
    Timestamp=Message,
    TypedData=TypedData,
    WorkerInitResponse=Message,
    WorkerMetadata=Message,
)
