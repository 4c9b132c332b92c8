"""The structure holds: imports point down only, and files stay small enough to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import ROOT

SOURCE = ROOT / "src" / "fairlead"

LAYERS = {
    "version": 0,
    "errors": 0,
    "b64": 0,
    "data_dir": 0,
    "durations": 0,
    "clock": 0,
    "metrics": 0,
    "watch_plans": 0,
    "settings": 0,
    "core": 1,
    "engines": 2,
    "watches": 2,
    "store": 2,
    "following": 2,
    "client": 2,
    "locks": 2,
    "agent": 3,
    "dns": 4,
    "http": 4,
    "cli": 4,
    "__main__": 5,
}
COMPOSITION_ROOT = "cli/agent.py"
# The core touches nothing of the world: of the standard library it may use these only.
CORE_MAY_IMPORT = set(
    "__future__ base64 collections functools itertools operator re typing".split()
)
CORE_LIBRARIES = {"msgspec", "re2", "sortedcontainers", "fairlead"}
# Where anything at all may be caught: three edges, and the writer that must outlive one command.
CATCHES_EVERYTHING = {"http/app.py", "agent/tasks.py", "dns/server.py", "store.py"}
FILE_LINES = 400
FUNCTION_LINES = 50

FILES = sorted(SOURCE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _unit(path: Path) -> str:
    """The folder or, at the top, the file."""
    parts = path.relative_to(SOURCE).parts
    return parts[0].removesuffix(".py")


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "fairlead":
                yield from (f"fairlead.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_point_down(path: Path) -> None:
    unit = _unit(path)
    if unit == "__init__":
        return
    for module in _imports(ast.parse(path.read_text())):
        if not module.startswith("fairlead."):
            continue
        target = module.split(".")[1]
        assert LAYERS[target] <= LAYERS[unit], f"{_name(path)} imports {module}, which is above it"
        siblings = LAYERS[target] == LAYERS[unit] >= 3 and target != unit
        if siblings and _name(path) != COMPOSITION_ROOT:
            pytest.fail(f"{_name(path)} imports {module}: services and edges never meet directly")


@pytest.mark.parametrize("path", sorted((SOURCE / "core").glob("*.py")), ids=_name)
def test_the_core_touches_nothing(path: Path) -> None:
    for module in _imports(ast.parse(path.read_text())):
        top = module.split(".")[0]
        assert top in CORE_MAY_IMPORT | CORE_LIBRARIES, f"{_name(path)} imports {module}"
        assert module not in {"fairlead.clock", "fairlead.metrics"}, f"{_name(path)}: {module}"


def test_there_is_no_cycle() -> None:
    graph = {_module(path): set(_imports(_at_run_time(path))) for path in FILES}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module in done:
            return
        for target in graph.get(module, ()):
            if target != module:
                visit(target, (*above, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def _at_run_time(path: Path) -> ast.Module:
    """The module without what only the type checker imports."""
    tree = ast.parse(path.read_text())
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return tree


def _module(path: Path) -> str:
    name = _name(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return f"fairlead.{name}"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_import_hides_in_a_function(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = ast.walk(node)
            hidden = any(isinstance(inner, ast.Import | ast.ImportFrom) for inner in inside)
            assert not hidden, f"{_name(path)}: {node.name} imports"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_files_and_functions_fit(path: Path) -> None:
    text = path.read_text()
    lines = len(text.splitlines())
    assert lines <= FILE_LINES, f"{_name(path)} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES, f"{_name(path)}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{_name(path)} has no docstring"


def test_few_places_catch_everything() -> None:
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                if caught in {"everything", "Exception"}:
                    found.add(_name(path))
    assert found == CATCHES_EVERYTHING
