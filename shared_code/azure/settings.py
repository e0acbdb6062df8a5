"""The app settings: the only reader of the environment in function_app.py, functions/ and shared_code/."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Settings:
    """What the functions are told by their host; `docs/settings.md` explains each.

    A key is None where managed identity is used, which is the rule; the local services have no identity and want keys.
    """

    cosmos_endpoint: str
    cosmos_database: str
    cosmos_key: str | None
    blob_endpoint: str | None  # None: `storage_connection` has it
    storage_connection: str | None  # a connection string: the local storage emulator only
    token_issuer: str
    token_audience: str
    fhir_base_url: str  # as callers see it, without a slash at the end
    email_endpoint: str
    email_sender: str
    email_key: str | None
    reminder_lead_hours: int
    require_if_match: bool
    identity_client_id: str | None


# App setting → field, and how its text is read. Every name here stands in local.settings.sample.json, infra/ and docs/.
REQUIRED = {
    "COSMOS_ENDPOINT": "cosmos_endpoint",
    "COSMOS_DATABASE": "cosmos_database",
    "TOKEN_ISSUER": "token_issuer",
    "TOKEN_AUDIENCE": "token_audience",
    "FHIR_BASE_URL": "fhir_base_url",
    "EMAIL_ENDPOINT": "email_endpoint",
    "EMAIL_SENDER": "email_sender",
}
OPTIONAL = {
    "COSMOS_KEY": "cosmos_key",
    "EMAIL_KEY": "email_key",
    "DataStorage": "storage_connection",
    "DataStorage__blobServiceUri": "blob_endpoint",
    "AZURE_CLIENT_ID": "identity_client_id",
}
REMINDER_LEAD_HOURS, REQUIRE_IF_MATCH = "REMINDER_LEAD_HOURS", "REQUIRE_IF_MATCH"
# Read by the Functions host, which puts them where the triggers say %NAME% or name a connection.
HOST_READ = (
    "AzureWebJobsStorage",
    "DataStorage__queueServiceUri",
    "REMINDERS_SCHEDULE",
    "OUTBOX_SCHEDULE",
    "STATISTICS_SCHEDULE",
    "TRANSACTIONS_SCHEDULE",
)


class SettingsError(Exception):
    """An app setting is missing or cannot be read; the text names it."""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`. Raises SettingsError that names what is missing or wrong."""
    missing = [name for name in REQUIRED if not environ.get(name)]
    if not (environ.get("DataStorage") or environ.get("DataStorage__blobServiceUri")):
        missing.append("DataStorage__blobServiceUri")
    if missing:
        raise SettingsError(f"app settings are missing: {', '.join(missing)}; see docs/settings.md")
    required = {field: environ[name] for name, field in REQUIRED.items()}
    optional = {field: environ.get(name) or None for name, field in OPTIONAL.items()}
    return Settings(
        cosmos_endpoint=required["cosmos_endpoint"].rstrip("/"),
        cosmos_database=required["cosmos_database"],
        cosmos_key=optional["cosmos_key"],
        blob_endpoint=optional["blob_endpoint"],
        storage_connection=optional["storage_connection"],
        token_issuer=required["token_issuer"],
        token_audience=required["token_audience"],
        fhir_base_url=required["fhir_base_url"].rstrip("/"),
        email_endpoint=required["email_endpoint"].rstrip("/"),
        email_sender=required["email_sender"],
        email_key=optional["email_key"],
        identity_client_id=optional["identity_client_id"],
        reminder_lead_hours=_hours(environ, REMINDER_LEAD_HOURS, 24),
        require_if_match=_switch(environ, REQUIRE_IF_MATCH),
    )


def _hours(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= 24 * 14:
        raise SettingsError(f"app setting {name} must be a whole number of hours from 1 to 336, not {text!r}")
    return int(text)


def _switch(environ: Mapping[str, str], name: str) -> bool:
    text = (environ.get(name) or "false").lower()
    if text not in ("true", "false"):
        raise SettingsError(f"app setting {name} must be true or false, not {text!r}")
    return text == "true"


@cache
def settings() -> Settings:
    """The settings of this worker process."""
    return read_settings(os.environ)
