"""Every app setting is known wherever app settings are listed, and nothing else is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local.services.app import issuer_url
from local.stack.app_settings import Addresses, app_settings
from local.stack.folder import Ports
from shared_code.azure import settings

ROOT = Path(__file__).resolve().parents[1]
READ = {
    *settings.REQUIRED,
    *settings.OPTIONAL,
    settings.REMINDER_LEAD_HOURS,
    settings.REQUIRE_IF_MATCH,
    *settings.HOST_READ,
}
# Managed identity takes the place of a key or of a connection string: each machine has one or the other.
OF_IDENTITY = {"DataStorage__blobServiceUri", "DataStorage__queueServiceUri", "AZURE_CLIENT_ID"}
OF_CORE_TOOLS = {"FUNCTIONS_WORKER_RUNTIME"}


def local_settings() -> dict[str, str]:
    ports = Ports(*range(20_001, 20_007))
    return app_settings(Addresses(7071, ports, issuer_url(ports.services), email_key="a2V5"))


def test_the_documentation_explains_every_setting():
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(READ | OF_CORE_TOOLS)


def test_the_sample_has_every_setting_that_a_machine_without_identity_needs():
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    assert set(sample["Values"]) == (READ | OF_CORE_TOOLS) - OF_IDENTITY
    assert sample["IsEncrypted"] is False


@pytest.mark.parametrize("source", ["sample", "dev.py"])
def test_the_app_can_read_what_it_is_given(source):
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    given = sample["Values"] if source == "sample" else local_settings()
    read = settings.read_settings(given)
    assert read.cosmos_database == "portal"
    assert read.storage_connection is not None


def test_dev_py_gives_what_the_sample_has():
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"]
    assert set(local_settings()) == set(sample) - {settings.REQUIRE_IF_MATCH}


def test_no_module_but_the_settings_reads_the_environment():
    readers = [
        str(path.relative_to(ROOT))
        for folder in ("functions", "shared_code")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bos\.environ\b|\bgetenv\b", path.read_text(encoding="utf-8"))
    ]
    assert readers == ["shared_code/azure/settings.py"]
