"""Conversations in Postgres, which many workers fill together; needs the extra `postgres`."""

from __future__ import annotations

__all__: list[str] = []
