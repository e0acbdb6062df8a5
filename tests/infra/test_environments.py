"""What the templates share with the rest of the tree, from settings to schedules, is the same on both sides."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
from pathlib import Path

import pytest

from local.host.schedule import parse_schedule
from local.services import event_grid
from shared_code.azure import settings
from tests.infra.templates import INFRA, ROOT, fields, object_keys, parameters

FUNCTION_APP = (INFRA / "modules" / "function-app.bicep").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
PARAMETER_FILES = sorted(INFRA.glob("*.bicepparam"))

# Where there is an identity there are no keys, and connections are named by address.
KEYS_AND_CONNECTION_STRINGS = {"COSMOS_KEY", "EMAIL_KEY", "DataStorage", "AzureWebJobsStorage"}
READ_BY_AZURES_HOST = {
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "DataStorage__credential",
    "DataStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
}


# What Azure is given; everything else at the top of the tree stays at home.
PACKAGED = {"function_app.py", "host.json", "requirements.txt", "functions", "shared_code"}


def test_azure_gets_every_app_setting_that_is_read_there_and_no_other():
    read = {*settings.REQUIRED, *settings.OPTIONAL, *settings.HOST_READ}
    read |= {settings.REMINDER_LEAD_HOURS, settings.REQUIRE_IF_MATCH}
    given = object_keys(FUNCTION_APP, "appSettings")
    assert sorted(given) == sorted((read - KEYS_AND_CONNECTION_STRINGS) | READ_BY_AZURES_HOST)


def test_the_guide_explains_the_settings_that_only_azures_host_reads():
    section = GUIDE.split("### App settings")[1].split("###")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == READ_BY_AZURES_HOST


def test_the_app_can_read_what_azure_gives_it():
    given = dict.fromkeys(object_keys(FUNCTION_APP, "appSettings"), "x")
    given |= {"REMINDER_LEAD_HOURS": "24", "REQUIRE_IF_MATCH": "false"}
    read = settings.read_settings(given)
    assert (read.cosmos_key, read.email_key, read.storage_connection) == (None, None, None)
    assert read.blob_endpoint
    assert read.identity_client_id


def test_the_containers_are_made_from_their_one_definition_with_all_that_it_says():
    module = (INFRA / "modules" / "cosmos.bicep").read_text(encoding="utf-8")
    assert "loadJsonContent('../containers.json').containers" in module
    containers = json.loads((INFRA / "containers.json").read_text(encoding="utf-8"))["containers"]
    said = {key for container in containers for key in container}
    assert said == set(re.findall(r"\bdefinition\.\??(\w+)", module))


def test_no_container_is_named_in_the_templates():
    names = [c["name"] for c in json.loads((INFRA / "containers.json").read_text(encoding="utf-8"))["containers"]]
    module = (INFRA / "modules" / "cosmos.bicep").read_text(encoding="utf-8")
    assert [name for name in names if f"'{name}'" in module] == []


def test_azures_events_take_the_way_of_the_local_ones():
    storage = (INFRA / "modules" / "storage.bicep").read_text(encoding="utf-8")
    assert f"var bundles = '{event_grid.CONTAINER}'" in storage
    assert f"var bundleEvents = '{event_grid.QUEUE}'" in storage
    events = (INFRA / "modules" / "blob-events.bicep").read_text(encoding="utf-8")
    assert "values: ['PutBlob', 'PutBlockList', 'CopyBlob', 'FlushWithClose']" in events


@pytest.mark.parametrize("path", PARAMETER_FILES, ids=lambda path: path.name)
def test_a_parameter_file_sets_every_parameter(path: Path):
    given = re.findall(r"^param (\w+) =", path.read_text(encoding="utf-8"), re.MULTILINE)
    main = (INFRA / "main.bicep").read_text(encoding="utf-8")
    assert sorted(given) == sorted(one.name for one in parameters(main))


def test_there_is_a_parameter_file_for_azd_and_one_for_each_size():
    sizes = re.findall(r"^var (\w+) = \{", (INFRA / "sizes.bicep").read_text(encoding="utf-8"), re.MULTILINE)
    assert sizes == ["dev", "test", "prod"]
    files = {path.name for path in PARAMETER_FILES}
    assert files == {"main.bicepparam", *(f"main.{size}.bicepparam" for size in sizes)}


def test_the_guide_explains_what_the_parameter_files_read():
    read = {name for path in PARAMETER_FILES for name in re.findall(r"readEnvironmentVariable\('(\w+)'", _text(path))}
    section = GUIDE.split("## One environment")[1].split("\n### ")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    assert read == explained | {"AZURE_ENV_NAME", "AZURE_LOCATION"}  # azd sets these two by itself


def test_every_schedule_is_one_that_the_host_understands():
    sizes = _text(INFRA / "sizes.bicep")
    schedules = re.findall(r"^      (reminders|outbox|statistics|transactions): '([^']+)'$", sizes, re.MULTILINE)
    assert {name for name, _ in schedules} <= {one.name for one in fields(sizes)}
    assert len(schedules) == 8
    for name, schedule in schedules:
        parse_schedule(schedule, name)


def test_azd_deploys_to_the_function_app_that_the_template_makes():
    project = _text(ROOT / "azure.yaml")
    assert re.search(r"^services:\n  (\w+):", project, re.MULTILINE)[1] == "api"  # type: ignore[index]
    assert "'azd-service-name': 'api'" in FUNCTION_APP
    assert "'azd-env-name': environmentName" in _text(INFRA / "main.bicep")
    assert re.search(r"^  module: main$", project, re.MULTILINE)


def test_the_package_holds_what_runs_and_nothing_else():
    patterns = [line for line in _text(ROOT / ".funcignore").splitlines() if line and not line.startswith("#")]
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tracked = [Path(line) for line in listed.splitlines()]
    kept = {path for path in tracked if not any(fnmatch.fnmatch(part, p) for part in path.parts for p in patterns)}
    assert kept == {path for path in tracked if path.parts[0] in PACKAGED}


def test_the_app_runs_on_the_python_that_the_project_asks_for():
    asked = re.search(r'^requires-python = ">=([\d.]+)"$', _text(ROOT / "pyproject.toml"), re.MULTILINE)
    assert asked is not None
    assert f"runtime: {{ name: 'python', version: '{asked[1]}' }}" in FUNCTION_APP


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
