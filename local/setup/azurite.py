"""Node and Azurite, the storage emulator, at the versions that are pinned."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

from local.setup.telling import SetupError, run_with_progress

OLDEST_NODE = (20, 6)  # what the packages in package-lock.json ask for
PINNED = ("package.json", "package-lock.json")


def ensure_azurite(root: Path, tools: Path) -> None:
    """Azurite under `tools`, installed with npm if it is not there in the pinned version."""
    pins = root / "local" / "azurite"
    version = json.loads((pins / "package.json").read_text(encoding="utf-8"))["dependencies"]["azurite"]
    if installed_version(tools) == version and shutil.which("node"):
        return
    require_node()
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError("npm is missing: it comes with Node.js, https://nodejs.org/en/download")
    tools.mkdir(parents=True, exist_ok=True)
    for name in PINNED:
        shutil.copyfile(str(pins / name), str(tools / name))
    run_with_progress(
        f"Installing Azurite {version}",
        [npm, "ci", "--prefix", str(tools), "--no-audit", "--no-fund", "--ignore-scripts"],
    )


def installed_version(tools: Path) -> str | None:
    """The version that npm has installed completely: it writes its own lock file last."""
    modules = tools / "node_modules"
    package = modules / "azurite" / "package.json"
    if not ((modules / ".package-lock.json").exists() and package.exists()):
        return None
    version = json.loads(package.read_text(encoding="utf-8"))["version"]
    return str(version)


def require_node() -> None:
    """Raises SetupError if there is no Node, or one that Azurite cannot run on."""
    wanted = "Node.js {}.{} or later".format(*OLDEST_NODE)
    get = "Get it from https://nodejs.org/en/download (any LTS release) and start again."
    node = shutil.which("node")
    if node is None:
        raise SetupError(f"{wanted} is needed for Azurite, the storage emulator, and none is on PATH. {get}")
    asked = subprocess.run([node, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = asked.stdout.decode("utf-8", "replace").strip()
    found = re.match(r"v(\d+)\.(\d+)", said)
    if found is None:
        raise SetupError(f"{node} does not answer with a version but {said!r}. {get}")
    if (int(found.group(1)), int(found.group(2))) < OLDEST_NODE:
        raise SetupError(f"{wanted} is needed for Azurite; {node} is {said}. {get}")
