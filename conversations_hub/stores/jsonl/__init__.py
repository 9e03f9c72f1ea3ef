"""The JSONL store: one file with a conversation on each line, which no kill or full disk leaves half-written."""

from __future__ import annotations

from ._reader import JSONLReader
from ._store import JSONLStore

__all__ = ["JSONLReader", "JSONLStore"]
