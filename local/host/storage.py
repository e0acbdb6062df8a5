"""Clients of the storage accounts that bindings name, from app settings: a connection string, or an identity."""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.credentials_async import AsyncTokenCredential
from azure.storage.blob.aio import BlobServiceClient, ContainerClient, LinearRetry
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local.host.errors import StartError

ADDRESS = ("https://", "http://")  # what is not an address is a connection string
HOST_STORAGE = "Storage"  # the connection that a binding without one means: app setting AzureWebJobsStorage
# The well-known account of the storage emulators, which everybody may know.
EMULATOR = "UseDevelopmentStorage=true"
EMULATOR_ACCOUNT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;QueueEndpoint=http://127.0.0.1:10001/devstoreaccount1;"
)


class Connections:
    """One client per account and service, made when first asked for; `close` ends them all."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._queues: dict[str, QueueServiceClient] = {}
        self._blobs: dict[str, BlobServiceClient] = {}
        self._credentials: dict[str, AsyncTokenCredential] = {}

    def has_host_storage(self) -> bool:
        """Whether the host has storage of its own, for the timers' locks and status."""
        return self._account(HOST_STORAGE, "blob") is not None

    def container(self, name: str) -> ContainerClient:
        """A blob container of the host's own storage."""
        if HOST_STORAGE not in self._blobs:
            account = self._found(HOST_STORAGE, "blob", "the host")
            if not account.startswith(ADDRESS):
                client = BlobServiceClient.from_connection_string(account, retry_policy=_retry())
            else:
                client = BlobServiceClient(account, credential=self._credential(HOST_STORAGE), retry_policy=_retry())
            self._blobs[HOST_STORAGE] = client
        return self._blobs[HOST_STORAGE].get_container_client(name)

    def queue(self, connection: str, name: str, used_by: str) -> QueueClient:
        """The queue `name` of the account that `connection` names; StartError if no app setting does.

        used_by  the function, for the StartError
        """
        connection = connection or HOST_STORAGE
        if connection not in self._queues:
            account = self._found(connection, "queue", used_by)
            if not account.startswith(ADDRESS):
                client = QueueServiceClient.from_connection_string(account, retry_policy=_retry())
            else:
                client = QueueServiceClient(account, credential=self._credential(connection), retry_policy=_retry())
            self._queues[connection] = client
        return self._queues[connection].get_queue_client(name)

    async def close(self) -> None:
        """Close every connection to storage and identity."""
        for clients in (self._queues, self._blobs, self._credentials):
            for client in clients.values():
                await client.close()

    def _found(self, connection: str, service: str, used_by: str) -> str:
        account = self._account(connection, service)
        if account is None:
            raise StartError(
                f"{used_by} uses the connection '{connection}': set the app setting {_names(connection)[1]} (or "
                f"{_names(connection)[0]}) to a connection string, or {_names(connection)[1]}__{service}ServiceUri"
            )
        return account

    def _account(self, connection: str, service: str) -> str | None:
        """A connection string, or the service's address where an identity is to be used."""
        for name in _names(connection):
            if text := self._environ.get(name):
                return EMULATOR_ACCOUNT if text.strip().rstrip(";") == EMULATOR else text
            for setting in (f"{name}__{service}ServiceUri", f"{name}__serviceUri"):
                if address := self._environ.get(setting):
                    return address
            if account := self._environ.get(f"{name}__accountName"):
                return f"https://{account}.{service}.core.windows.net"
        return None

    def _credential(self, connection: str) -> AsyncTokenCredential:
        """The identity for `connection`: `{connection}__clientId` names a user-assigned one."""
        if connection not in self._credentials:
            # Imported here: it costs a fifth of a second, and on one machine nobody has an identity.
            from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

            settings = [self._environ.get(f"{name}__clientId") for name in _names(connection)]
            client_id = next((setting for setting in settings if setting), None)
            self._credentials[connection] = (
                ManagedIdentityCredential(client_id=client_id) if client_id else DefaultAzureCredential()
            )
        return self._credentials[connection]


def _names(connection: str) -> tuple[str, str]:
    return f"AzureWebJobs{connection}", connection


def _retry() -> LinearRetry:
    """Soon again, and not often: what waits here has its own way of trying later, and the SDK's default takes 15 s."""
    return LinearRetry(backoff=1, retry_total=2, random_jitter_range=0)
