"""Test modules do not depend on each other: shared parts are in `tests/support`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ..support.paths import TESTS


def _imported(path: Path) -> Iterator[str]:
    """Yield each module that a file imports from, and each name that it imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.name for alias in node.names)


def test_no_module_imports_a_test_module() -> None:
    tests = {path.stem for path in TESTS.rglob("test_*.py")}
    found = [
        f"{path.relative_to(TESTS)} imports {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for name in _imported(path)
        if tests.intersection(name.split("."))
    ]
    assert tests
    assert found == []
