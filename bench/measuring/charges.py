"""Adds up the request units that answers of Cosmos DB say they cost."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.transport import AioHttpTransport


class ChargedTransport(AioHttpTransport):  # type: ignore[misc]  # the package loads the class when it is asked for
    """The SDK's own transport for one client, which also keeps the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.request_units = 0.0

    async def send(self, request: Any, **options: Any) -> Any:
        """Send, and add what the answer cost."""
        response = await super().send(request, **options)
        self.request_units += float(response.headers.get("x-ms-request-charge", 0))
        return response
