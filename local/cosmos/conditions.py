"""The condition of a patch, `from c where …`, as a test of one item."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from local.cosmos.patch import Patch
from local.cosmos.sql.compiler import Compiler
from local.cosmos.sql.execution import container_alias
from local.cosmos.sql.parser import parse
from local.cosmos.sql.select import compile_select
from local.cosmos.storage.items import StoredItem


def condition_of(patch: Patch) -> Callable[[StoredItem], bool] | None:
    """None for a patch without condition; raises CosmosError 400 for one that cannot be read."""
    if patch.condition is None:
        return None
    query = parse(f"SELECT VALUE true {patch.condition}")
    compiler = Compiler({})
    select = compile_select(compiler, query, {}, container_alias(query))
    environment = compiler.environment()

    def holds(item: StoredItem) -> bool:
        environment[0] = msgspec.json.decode(item.body)
        return select.exists(environment)

    return holds
