"""Files that are ours: written whole or not at all, gone on with where that broke off, and by one process at a time."""

from __future__ import annotations

__all__: list[str] = []
