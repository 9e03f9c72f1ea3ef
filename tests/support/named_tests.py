"""The names of all tests that there are, for tables that name them."""

from __future__ import annotations

import re

from conversations_hub.testing.stores import CHECKS

from .paths import TESTS

__all__ = ["found_tests"]

_TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)


def found_tests() -> set[str]:
    return {name for path in TESTS.rglob("test_*.py") for name in _TEST.findall(path.read_text())} | {*CHECKS}
