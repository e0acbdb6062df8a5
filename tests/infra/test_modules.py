"""Every template is documented, secure by default, repeatable, and deployed by a test of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.infra.templates import INFRA, MODULES, ROOT, TEMPLATES, fields, metadata, outputs, parameters

MAIN = (INFRA / "main.bicep").read_text(encoding="utf-8")
WITHOUT_LOGS = {"identity"}  # Azure offers none for it

every_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)


@every_template
def test_a_template_says_what_it_is(path: Path):
    text = path.read_text(encoding="utf-8")
    assert metadata(text, "name")
    assert metadata(text, "description")


@every_template
def test_a_parameter_says_whether_it_is_required(path: Path):
    text = path.read_text(encoding="utf-8")
    for one in [*parameters(text), *fields(text)]:
        words = "Optional. ", "Conditional. "
        assert (one.description or "").startswith(words if one.has_default else "Required. "), one.name


@every_template
def test_an_output_says_what_it_is(path: Path):
    assert [one.name for one in outputs(path.read_text(encoding="utf-8")) if not one.description] == []


@every_template
def test_no_key_is_read_and_nothing_differs_from_run_to_run(path: Path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\blist\w*\(|\bgetSecret\(|\butcNow\(|\bnewGuid\(|@secure\(", text) == []


@every_module
def test_a_module_is_part_of_the_environment(path: Path):
    assert f"'modules/{path.name}'" in MAIN


@every_module
def test_a_module_is_deployed_alone_and_twice_by_its_test(path: Path):
    text = (INFRA / "tests" / f"{path.stem}.test.bicep").read_text(encoding="utf-8")
    assert re.search(rf"'\.\./modules/{path.name}' = \[\s+for run in \['first', 'again'\]:", text)


@every_module
def test_a_module_sends_its_logs_to_the_workspace(path: Path):
    text = path.read_text(encoding="utf-8")
    assert ("Microsoft.Insights/diagnosticSettings@" in text) == (path.stem not in WITHOUT_LOGS)


@pytest.mark.parametrize(
    ("module", "lines"),
    [
        ("cosmos", ["disableLocalAuth: true", "minimalTlsVersion: 'Tls12'", "defaultConsistencyLevel: 'Strong'"]),
        ("storage", ["allowSharedKeyAccess: false", "allowBlobPublicAccess: false", "minimumTlsVersion: 'TLS1_2'"]),
        ("email", ["disableLocalAuth: true", "userEngagementTracking: 'Disabled'"]),
        ("key-vault", ["enableRbacAuthorization: true", "enablePurgeProtection: true"]),
        ("monitoring", ["disableLocalAuth: true", "DisableLocalAuth: true", "DisableIpMasking: false"]),
        ("function-app", ["httpsOnly: true", "minTlsVersion: '1.2'", "ftpsState: 'Disabled'", "allow: false"]),
    ],
)
def test_a_module_is_secure_by_default(module: str, lines: list[str]):
    text = (INFRA / "modules" / f"{module}.bicep").read_text(encoding="utf-8")
    assert [line for line in lines if line not in text] == []


def test_the_guide_names_every_role_that_is_given_and_no_other():
    texts = [path.read_text(encoding="utf-8") for path in MODULES]
    given = {name for text in texts for name in re.findall(r"^var (\w+) = '[0-9a-f-]{36}'$", text, re.MULTILINE)}
    guide = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| the (?:app|Event Grid topic) \| ([^|]+) \|", guide, re.MULTILINE)
    # Cosmos DB Built-in Data Contributor is the one role of Cosmos DB's own, so the module leaves its service out.
    assert {_joined(role).removeprefix("cosmosdb") for role in named} == {name.lower() for name in given}


def _joined(role: str) -> str:
    return re.sub(r"[^a-z]", "", role.lower())
