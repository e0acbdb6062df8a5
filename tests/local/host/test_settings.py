"""local.settings.json, host.json with its overrides, and what stands between percent signs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.host.errors import StartError
from local.host.settings import (
    HostConfig,
    is_disabled,
    read_host_config,
    read_local_settings,
    resolve_names,
    seconds_of,
)


def written(folder: Path, content: Any) -> Path:
    file = folder / "settings.json"
    file.write_text(json.dumps(content))
    return file


def config(folder: Path, content: dict[str, Any], **environ: str) -> HostConfig:
    return read_host_config(written(folder, {"version": "2.0", **content}), environ, cores=2)


def test_values_become_environment_variables_unless_they_are_set(tmp_path: Path) -> None:
    environ = {"SET": "already"}
    file = written(tmp_path, {"IsEncrypted": False, "Values": {"SET": "later", "NEW": "new"}})
    read_local_settings(file, environ, required=True)
    assert environ == {"SET": "already", "NEW": "new"}


def test_cors_comes_from_the_host_part(tmp_path: Path) -> None:
    host = {"CORS": "https://a.example, https://b.example/", "CORSCredentials": True, "LocalHttpPort": 7100}
    local = read_local_settings(written(tmp_path, {"IsEncrypted": False, "Host": host}), {}, required=True)
    assert (local.origins, local.credentials, local.port) == (("https://a.example", "https://b.example"), True, 7100)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"Values": {}}, "IsEncrypted"),
        ({"IsEncrypted": True}, "IsEncrypted"),
        ({"IsEncrypted": False, "Values": {"A": 1}}, "value of A"),
        ({"IsEncrypted": False, "Host": {"CORS": "*", "CORSCredentials": True}}, "CORSCredentials"),
        ([], "one JSON object"),
    ],
)
def test_settings_that_func_start_would_not_take_are_refused(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(StartError, match=said):
        read_local_settings(written(tmp_path, content), {}, required=True)


def test_a_settings_file_may_be_missing_unless_it_was_named(tmp_path: Path) -> None:
    assert read_local_settings(tmp_path / "none.json", {}, required=False).port == 7071
    with pytest.raises(StartError, match="does not exist"):
        read_local_settings(tmp_path / "none.json", {}, required=True)


def test_host_json_has_azures_defaults(tmp_path: Path) -> None:
    found = config(tmp_path, {})
    assert (found.route_prefix, found.function_timeout_seconds, found.max_outstanding_requests) == ("api", 1800, None)
    queues = found.queues
    assert (queues.batch_size, queues.new_batch_threshold, queues.max_dequeue_count) == (16, 16, 5)
    assert (queues.visibility_timeout_seconds, queues.max_polling_interval_seconds, queues.base64) == (0, 60, True)


def test_an_override_wins_over_host_json_whatever_its_case(tmp_path: Path) -> None:
    settings = {
        "AzureFunctionsJobHost__extensions__http__routePrefix": "",
        "azurefunctionsjobhost__extensions__Queues__MaxPollingInterval": "00:00:01",
        "AzureFunctionsJobHost__logging__logLevel__Host.Results": "Error",
    }
    found = config(tmp_path, {"extensions": {"http": {"routePrefix": "v1"}}}, **settings)
    assert (found.route_prefix, found.queues.max_polling_interval_seconds) == ("", 1)
    assert found.log_levels["Host.Results"] == "Error"


def test_a_function_timeout_of_minus_one_is_none(tmp_path: Path) -> None:
    assert config(tmp_path, {"functionTimeout": "-1"}).function_timeout_seconds is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"version": "1.0"}, "version"),
        ({"functionTimeout": "5 minutes"}, "functionTimeout"),
        ({"extensions": {"queues": {"batchSize": 33}}}, "batchSize"),
        ({"extensions": {"queues": {"batchSize": "many"}}}, "batchSize"),
        ({"extensions": {"queues": {"messageEncoding": "hex"}}}, "messageEncoding"),
        ({"logging": {"logLevel": {"default": "Loud"}}}, "log level of default"),
    ],
)
def test_a_wrong_value_in_host_json_is_named(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    with pytest.raises(StartError, match=said):
        config(tmp_path, content)


def test_host_json_must_be_there_and_be_json(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="missing"):
        read_host_config(tmp_path / "host.json", {}, cores=1)
    (tmp_path / "host.json").write_text("{")
    with pytest.raises(StartError, match="not JSON"):
        read_host_config(tmp_path / "host.json", {}, cores=1)


def test_names_in_percent_signs_are_app_settings() -> None:
    assert resolve_names("%A%-x-%B%", {"A": "1", "B": "2"}, "x") == "1-x-2"
    with pytest.raises(StartError, match="function 'x' uses %C%"):
        resolve_names("%C%", {}, "function 'x'")


@pytest.mark.parametrize("setting", ["AzureWebJobs.f.Disabled", "AzureWebJobs_f_Disabled"])
def test_a_function_is_switched_off_by_a_setting(setting: str) -> None:
    assert is_disabled("f", {setting: "true"})
    assert is_disabled("f", {setting: "1"})
    assert not is_disabled("f", {setting: "false"})


@pytest.mark.parametrize(("text", "seconds"), [("00:00:30", 30), ("1.02:00:00", 93600), ("00:00:00.5", 0.5)])
def test_time_spans_are_dotnets(text: str, seconds: float) -> None:
    assert seconds_of(text, "x") == seconds
