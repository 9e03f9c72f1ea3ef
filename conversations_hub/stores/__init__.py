"""Stores that keep conversations, and how to read them.

    from conversations_hub.stores import open_store

    store = open_store("sqlite:conversations.db")
    with store.reader() as reader:
        for conversation in reader.conversations("tavus", since=…):
            print(conversation)

`sync` brings a store up to date; `put` adds a conversation that arrived in another way, such as by webhook.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._changes import Change, ChangeReader
    from ._erasure import Person, Receipt
    from ._event_store import EventStore
    from ._filters import Filters
    from ._insert import put
    from ._pages import Row, StorePage
    from ._reader import Found, Hit, HitPage, NewestStats, ReadableStore, StoreReader
    from ._shared import Lease, Shared
    from ._status import AccountStatus, StoreStatus
    from ._store import Checkpoint, Entry, Missing, Store, StoredVersion, Window, Written
    from ._url import StoreURL, open_store
else:  # imported on first use, so that naming a store costs nothing else
    _HOMES = {
        "AccountStatus": "_status",
        "Change": "_changes",
        "ChangeReader": "_changes",
        "Checkpoint": "_store",
        "Entry": "_store",
        "EventStore": "_event_store",
        "Filters": "_filters",
        "Found": "_reader",
        "Hit": "_reader",
        "HitPage": "_reader",
        "NewestStats": "_reader",
        "Missing": "_store",
        "Lease": "_shared",
        "Person": "_erasure",
        "ReadableStore": "_reader",
        "Receipt": "_erasure",
        "Row": "_pages",
        "Shared": "_shared",
        "Store": "_store",
        "StorePage": "_pages",
        "StoreReader": "_reader",
        "StoreStatus": "_status",
        "StoreURL": "_url",
        "StoredVersion": "_store",
        "Window": "_store",
        "Written": "_store",
        "open_store": "_url",
        "put": "_insert",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module  # noqa: PLC0415

        if name in _HOMES:
            return getattr(import_module(f".{_HOMES[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AccountStatus",
    "Change",
    "ChangeReader",
    "Checkpoint",
    "Entry",
    "EventStore",
    "Filters",
    "Found",
    "Hit",
    "HitPage",
    "Lease",
    "Missing",
    "NewestStats",
    "Person",
    "ReadableStore",
    "Receipt",
    "Row",
    "Shared",
    "Store",
    "StorePage",
    "StoreReader",
    "StoreStatus",
    "StoreURL",
    "StoredVersion",
    "Window",
    "Written",
    "open_store",
    "put",
]
