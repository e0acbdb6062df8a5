"""The app settings that the functions get on one machine, and the storage connection string that is part of them."""

from __future__ import annotations

from dataclasses import dataclass

from local.services.tokens import AUDIENCE
from local.stack.folder import Ports

DATABASE = "portal"
# Public and the same on every machine: Azurite and the Cosmos emulator document them, they protect nothing.
AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
COSMOS_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the settings need to know of one stack."""

    app_port: int
    ports: Ports
    issuer: str
    email_key: str

    @property
    def app(self) -> str:
        """The functions host."""
        return f"http://127.0.0.1:{self.app_port}"

    @property
    def cosmos(self) -> str:
        """The Cosmos account's endpoint."""
        return f"http://127.0.0.1:{self.ports.cosmos}"

    @property
    def email(self) -> str:
        """The endpoint of Communication Services, and the page of what was caught."""
        return f"http://127.0.0.1:{self.ports.email}"


def storage_connection(ports: Ports) -> str:
    """Azurite's connection string on these ports."""
    endpoints = {"Blob": ports.blob, "Queue": ports.queue, "Table": ports.table}
    return f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};" + "".join(
        f"{name}Endpoint=http://127.0.0.1:{port}/{AZURITE_ACCOUNT};" for name, port in endpoints.items()
    )


def app_settings(addresses: Addresses) -> dict[str, str]:
    """Name → value, as `docs/settings.md` explains them; timers run every few seconds so that one sees them work."""
    storage = storage_connection(addresses.ports)
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": storage,
        "DataStorage": storage,
        "COSMOS_ENDPOINT": addresses.cosmos,
        "COSMOS_DATABASE": DATABASE,
        "COSMOS_KEY": COSMOS_KEY,
        "TOKEN_ISSUER": addresses.issuer,
        "TOKEN_AUDIENCE": AUDIENCE,
        "FHIR_BASE_URL": f"{addresses.app}/api/fhir",
        "EMAIL_ENDPOINT": addresses.email,
        "EMAIL_KEY": addresses.email_key,
        "EMAIL_SENDER": "DoNotReply@portal.example",
        "REMINDER_LEAD_HOURS": "24",
        "REMINDERS_SCHEDULE": "*/10 * * * * *",
        "OUTBOX_SCHEDULE": "*/5 * * * * *",
        "STATISTICS_SCHEDULE": "*/5 * * * * *",
        "TRANSACTIONS_SCHEDULE": "*/15 * * * * *",
    }


def settings_file(addresses: Addresses, extra: dict[str, str]) -> dict[str, object]:
    """The content of a `local.settings.json`; a page from anywhere may call the local app.

    extra  what only the host reads, such as its keys
    """
    return {
        "IsEncrypted": False,
        "Values": {**app_settings(addresses), **extra},
        "Host": {"LocalHttpPort": addresses.app_port, "CORS": "*", "CORSCredentials": False},
    }
