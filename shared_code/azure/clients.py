"""The SDK clients of this worker process: made once, on first use, and with managed identity unless a key is set."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from shared_code import errors
from shared_code.azure.settings import settings

if TYPE_CHECKING:
    from azure.communication.email.aio import EmailClient
    from azure.cosmos.aio import ContainerProxy, DatabaseProxy
    from azure.identity.aio import DefaultAzureCredential
    from azure.storage.blob.aio import BlobServiceClient

# A store that does not answer is asked a few times; a caller's wait stays below a minute, far from the front's 230 s.
COSMOS_CONNECT_SECONDS, COSMOS_READ_SECONDS = 3, 10


@cache
def credential() -> DefaultAzureCredential:
    """The managed identity of the function app."""
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential(managed_identity_client_id=settings().identity_client_id)


@cache
def cosmos_database() -> DatabaseProxy:
    """The one database."""
    from azure.core.pipeline.transport import AioHttpTransport
    from azure.cosmos.aio import CosmosClient

    s = settings()
    # Without this the SDK looks for proxies and a .netrc, in a thread, at every call: a quarter of a point read's time.
    transport = AioHttpTransport(use_env_settings=False)
    client = CosmosClient(
        s.cosmos_endpoint,
        credential=s.cosmos_key or credential(),
        transport=transport,
        connection_timeout=COSMOS_CONNECT_SECONDS,
        read_timeout=COSMOS_READ_SECONDS,
    )
    return client.get_database_client(s.cosmos_database)


@cache
def container(name: str) -> ContainerProxy:
    """A container of infra/containers.json."""
    return cosmos_database().get_container_client(name)


@cache
def blob_service() -> BlobServiceClient:
    """The account that holds files: its emulator by connection string, in Azure by identity."""
    from azure.storage.blob.aio import BlobServiceClient

    s = settings()
    if s.storage_connection:
        return BlobServiceClient.from_connection_string(s.storage_connection)
    return BlobServiceClient(str(s.blob_endpoint), credential=credential())


@cache
def email_client() -> EmailClient:
    """Communication Services' email; it does not retry by itself, since the outbox does."""
    from azure.communication.email.aio import EmailClient
    from azure.core.credentials import AzureKeyCredential

    s = settings()
    key: Any = AzureKeyCredential(s.email_key) if s.email_key else credential()
    return EmailClient(s.email_endpoint, key, retry_total=0)


@cache
def _http_session() -> Any:
    from aiohttp import ClientSession, ClientTimeout

    return ClientSession(timeout=ClientTimeout(total=10))


async def fetch_json(url: str) -> dict[str, Any]:
    """The JSON object at a URL of the token issuer. Raises Busy where it does not answer with one."""
    from aiohttp import ClientError

    try:
        async with _http_session().get(url, raise_for_status=True) as answer:
            found = await answer.json(content_type=None)
    except (TimeoutError, ClientError, ValueError) as fault:
        raise errors.Busy(f"the token issuer does not answer: {type(fault).__name__}", 5) from fault
    if not isinstance(found, dict):
        raise errors.Busy("the token issuer answers with something that is not a JSON object", 5)
    return found
