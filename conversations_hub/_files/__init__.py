"""Our own files: written completely or not at all, resumed after an interruption, and by one process at a time."""

from __future__ import annotations

__all__: list[str] = []
