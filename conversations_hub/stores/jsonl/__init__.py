"""The JSONL store: a conversation on each line of one file, which no kill or full disk leaves half done."""

from __future__ import annotations

from .store import JSONLStore

__all__ = ["JSONLStore"]
