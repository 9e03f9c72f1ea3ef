"""All conversations of all accounts into a store, each exactly once and kept up to date."""

from __future__ import annotations

from ..redaction import Redact
from ..stores.store import Entry, Kept, Missing, Progress, Store, Window, Written
from .report import AccountSync, SyncReport, Walked
from .run import sync

__all__ = [
    "AccountSync",
    "Entry",
    "Kept",
    "Missing",
    "Progress",
    "Redact",
    "Store",
    "SyncReport",
    "Walked",
    "Window",
    "Written",
    "sync",
]
