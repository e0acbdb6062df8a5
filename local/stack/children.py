"""What the stack is made of: the command line of each child, and the order in which they start and end."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from local.stack.app_settings import COSMOS_KEY, DATABASE, Addresses, app_settings, storage_connection
from local.stack.child import Plan
from local.stack.folder import Ports, StackFolder

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".local" / "tools"

# Those of one line start together, the next line when all of them are ready; they end the other way round.
ORDER = (("azurite", "cosmos"), ("services", "functions"))


def plans(folder: StackFolder, addresses: Addresses) -> dict[str, Plan]:
    """Name → how it is started."""
    environment = child_environment(addresses)
    commands = {
        "azurite": azurite_command(folder, addresses.ports),
        "cosmos": _python(
            "local.cosmos", "--port", addresses.ports.cosmos, "--data", folder.cosmos, "--key", COSMOS_KEY,
            "--consistency", "Strong", "--containers", ROOT / "infra" / "containers.json", "--database", DATABASE,
        ),
        "services": _python(
            "local.services", "--port", addresses.ports.services, "--email-port", addresses.ports.email,
            "--data", folder.services, "--blob-connection", storage_connection(addresses.ports),
        ),
        "functions": _python(
            "local.host", "--app", ROOT, "--port", addresses.app_port, "--settings", folder.app_settings,
        ),
    }  # fmt: skip
    return {name: Plan(name, command, environment, ROOT) for name, command in commands.items()}


def azurite_command(folder: StackFolder, ports: Ports) -> list[str]:
    """Azurite for all three kinds of storage; it would send telemetry if it were not told not to."""
    node = shutil.which("node") or "node"
    given: list[object] = [node, ROOT / "local" / "azurite" / "run.js", TOOLS]
    for kind in ("blob", "queue", "table"):
        given += [f"--{kind}Host", "127.0.0.1", f"--{kind}Port", getattr(ports, kind)]
    given += ["--location", folder.azurite, "--skipApiVersionCheck", "--silent", "--disableTelemetry"]
    return [str(one) for one in given]


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", module, *(str(one) for one in arguments), "--end-with-parent"]


def child_environment(addresses: Addresses) -> dict[str, str]:
    """This process's environment without app settings: one that is set would win over the settings file."""
    ours = app_settings(addresses)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith(("AzureWebJobs", "AzureFunctionsJobHost__", "DataStorage"))
    }
    return {**environment, "PYTHONUNBUFFERED": "1"}
