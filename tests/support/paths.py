"""Paths of the repository, for tests in any folder."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DOCS", "FIXTURES", "PACKAGE", "ROOT", "TESTS"]

TESTS = Path(__file__).parent.parent
FIXTURES = TESTS / "fixtures"
ROOT = TESTS.parent
PACKAGE = ROOT / "conversations_hub"
DOCS = ROOT / "docs"
