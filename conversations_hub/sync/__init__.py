"""Copy every conversation into a store exactly once, keep it current, and report what is missing."""

from __future__ import annotations

from .._moved import moved
from ..redaction import Redact
from ..stores.store import Checkpoint, Entry, Missing, Store, StoredVersion, Window, Written
from .report import AccountSyncReport, SyncReport, Walked
from .run import sync

__all__ = [
    "AccountSyncReport",
    "Checkpoint",
    "Entry",
    "Missing",
    "Redact",
    "Store",
    "StoredVersion",
    "SyncReport",
    "Walked",
    "Window",
    "Written",
    "sync",
]

TYPE_CHECKING = False
if not TYPE_CHECKING:  # removed in 0.3
    __getattr__ = moved(
        __name__,
        names={
            "AccountSync": "conversations_hub.sync:AccountSyncReport",
            "Kept": "conversations_hub.sync:StoredVersion",
            "Progress": "conversations_hub.sync:Checkpoint",
        },
    )
