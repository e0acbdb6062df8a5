"""The sample people of a stack: loaded once, when its folder is new."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Any

from local.commands.token import token_of
from local.services import tokens
from local.services.kept_secrets import SYSTEM_CLIENT
from local.stack.app_settings import storage_connection
from local.stack.session import say
from local.stack.supervisor import Supervisor
from local.state_files import create_once, write_whole


async def load_sample(supervisor: Supervisor) -> None:
    """Load the sample people unless that was done before."""
    folder = supervisor.folder
    began = json.dumps({"now": datetime.now(UTC).isoformat(), "loaded": False})
    # A load that was interrupted goes on with the same moment, and so with the same resources.
    state = json.loads(create_once(folder.sample, began))
    if state["loaded"]:
        return
    # Not at the top: they take a second to import, and only the first start needs them.
    from local.commands.load import load_and_show
    from local.loading.loader import Target
    from local.loading.sources import Source
    from local.samples.histories import bundles

    made = bundles(datetime.fromisoformat(state["now"]))
    sources = [Source(f"{name}.json", _opens(bundle)) for name, bundle in made.items()]
    addresses = supervisor.addresses
    target = Target(
        url=addresses.app,
        token=token_of(folder, tokens.system(SYSTEM_CLIENT)),
        storage=storage_connection(addresses.ports),
    )
    report = await load_and_show(sources, target, 2, "Loading sample people")
    for failure in report.failures:
        say(f"sample {failure.file}: {failure.where} {failure.text}")
    if not report.failures:
        write_whole(folder.sample, json.dumps({**state, "loaded": True}))


def _opens(bundle: dict[str, Any]) -> Callable[[], IO[bytes]]:
    text = json.dumps(bundle, ensure_ascii=False).encode()
    return lambda: io.BytesIO(text)
