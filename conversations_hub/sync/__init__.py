"""Copy every conversation into a store exactly once, keep it current, and report what is missing."""

from __future__ import annotations

from .._moved import moved
from ..stores._reconcile import reconciled
from ._delivery import Delivery
from ._drain import count_webhooks, drain
from ._drain_report import AccountDrainReport, DrainReport
from ._inbox import Inbox
from ._inbox_file import DeliveryState, Due, KeptEvent
from ._inbox_listing import DeadEvent, DeadPage, InboxStatus
from ._ingest import ingest
from ._plan import AccountPlan, Failure, Sample, plan
from ._recordings import RecordingsReport, download_recordings
from ._report import AccountSyncReport, SyncReport, Walked
from ._run import sync
from ._watch import watch
from ._work import work

__all__ = [
    "AccountDrainReport",
    "AccountPlan",
    "AccountSyncReport",
    "DeadEvent",
    "DeadPage",
    "Delivery",
    "DeliveryState",
    "DrainReport",
    "Due",
    "Failure",
    "Inbox",
    "InboxStatus",
    "KeptEvent",
    "RecordingsReport",
    "Sample",
    "SyncReport",
    "Walked",
    "count_webhooks",
    "download_recordings",
    "drain",
    "ingest",
    "plan",
    "reconciled",
    "sync",
    "watch",
    "work",
]

TYPE_CHECKING = False
if not TYPE_CHECKING:  # removed in 0.3
    __getattr__ = moved(
        __name__,
        names={
            "AccountSync": "conversations_hub.sync:AccountSyncReport",
            "Kept": "conversations_hub.stores:StoredVersion",
            "Progress": "conversations_hub.stores:Checkpoint",
            "Redact": "conversations_hub.redaction:Redact",
            **{
                name: f"conversations_hub.stores:{name}"
                for name in ("Checkpoint", "Entry", "Missing", "Store", "StoredVersion", "Window", "Written")
            },
        },
    )
