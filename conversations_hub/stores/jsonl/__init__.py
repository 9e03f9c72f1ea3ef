"""The JSONL store: one file with a conversation on each line, which no kill or full disk leaves half-written."""

from __future__ import annotations

from .store import JSONLStore

__all__ = ["JSONLStore"]
