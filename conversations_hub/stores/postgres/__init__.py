"""Conversations in Postgres, which many workers fill together; needs the extra `postgres`."""

from __future__ import annotations

from ._reader import PostgresReader
from ._store import PostgresStore

__all__ = ["PostgresReader", "PostgresStore"]
