"""Imports go one way: what is below knows nothing of what is above, and domains use each other's public names alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Leftmost is lowest: each may import what is left of it, and of its own group itself alone.
LAYERS = (
    ("errors", "events"),
    ("azure", "fhir"),
    ("identity", "audit"),
    ("records",),
    ("attachments", "interop", "loading", "messaging", "notifications", "statistics"),
    ("reminders",),
)
LEVEL = {name: level for level, group in enumerate(LAYERS) for name in group}
# Allowed inside functions and for types alone: what makes a start slow. Everything else is imported at the top.
SDK = ("azure.", "aiohttp", "joserfc", "jsonschema_rs")
GENERATED = ("shared_code.fhir.",)


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a module imports: the module, and the names taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module), tuple(alias.name for alias in node.names)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def part_of(module: str, names: tuple[str, ...]) -> list[str]:
    """The parts of shared_code that an import reaches: ["records"] of `from shared_code.records.store import …`."""
    if module == "shared_code":
        return list(names)
    return [module.split(".")[1]] if module.startswith("shared_code.") else []


@pytest.mark.parametrize("path", modules("shared_code"), ids=named)
def test_a_domain_imports_only_what_lies_below_it(path: Path) -> None:
    own = path.relative_to(ROOT / "shared_code").parts[0].removesuffix(".py")
    if own == "__init__":
        return
    assert own in LEVEL, f"{own} has no place in the layers"
    for module, names in imports(parsed(path)):
        assert not module.startswith(("functions", "local", "tests", "function_app")), f"{module} lies above"
        for other in part_of(module, names):
            assert other == own or LEVEL[other] < LEVEL[own], f"{own} may not import {other}"


@pytest.mark.parametrize("path", modules("functions"), ids=named)
def test_a_function_imports_nothing_of_what_only_runs_on_one_machine(path: Path) -> None:
    for module, _ in imports(parsed(path)):
        assert not module.startswith(("local", "tests", "bench")), module


@pytest.mark.parametrize("path", [*modules("functions"), *modules("shared_code")], ids=named)
def test_a_package_is_known_outside_by_its_public_names_and_inside_by_its_modules(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    own = parts[1] if parts[0] == "shared_code" else None
    for module, _ in imports(parsed(path)):
        steps = module.split(".")
        if steps[0] != "shared_code" or len(steps) < 2 or steps[1] in ("azure", "errors"):
            continue  # azure has no public names of its own: each of its modules is a service
        if steps[1] == own:
            assert len(steps) > 2 or path.name == "__init__.py", f"{module} imports its own package"
        elif not module.endswith("fhir.capability"):  # imported where metadata is asked for: a quick start
            assert len(steps) == 2, f"{module} reaches into another package"


@pytest.mark.parametrize("path", [*modules("functions"), *modules("shared_code")], ids=named)
def test_only_what_is_slow_to_import_is_imported_inside_a_function_or_for_types(path: Path) -> None:
    tree = parsed(path)
    at_the_top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in at_the_top:
            for module, _ in imports(node):
                late = module.startswith(SDK) or module.startswith(GENERATED)
                assert late, f"{named(path)}:{node.lineno} imports {module} late"


@pytest.mark.parametrize("path", modules("shared_code"), ids=named)
def test_the_functions_sdk_is_known_to_functions_alone(path: Path) -> None:
    assert not [module for module, _ in imports(parsed(path)) if module.startswith("azure.functions")]


@pytest.mark.parametrize("path", [*modules("functions"), *modules("shared_code"), ROOT / "function_app.py"], ids=named)
def test_a_module_opens_with_a_sentence_about_what_it_knows(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text.strip():
        docstring = ast.get_docstring(parsed(path))
        assert docstring
        assert docstring.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize("path", [*modules("functions"), *modules("shared_code"), *modules("local")], ids=named)
def test_a_module_is_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500


def test_only_the_http_door_ends_whatever_is_raised() -> None:
    ending = [
        named(path)
        for path in [*modules("functions"), *modules("shared_code")]
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler) and _catches_all(node) and not _goes_on(node)
    ]
    assert ending == ["functions/fhir_http.py"]


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
    )


def _goes_on(handler: ast.ExceptHandler) -> bool:
    """Whether it raises, or keeps what it caught under a name to raise it later."""
    steps = [step for line in handler.body for step in ast.walk(line)]
    kept = handler.name and any(isinstance(step, ast.Name) and step.id == handler.name for step in steps)
    return bool(kept) or any(isinstance(step, ast.Raise) for step in steps)
