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
    from .insert import put
    from .reader import ReadableStore, StoreReader
    from .store import Store
    from .url import StoreURL, open_store
else:  # imported on first use, so that naming a store costs nothing else
    _HOMES = {
        "ReadableStore": "reader",
        "Store": "store",
        "StoreReader": "reader",
        "StoreURL": "url",
        "open_store": "url",
        "put": "insert",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module  # noqa: PLC0415

        if name in _HOMES:
            return getattr(import_module(f".{_HOMES[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["ReadableStore", "Store", "StoreReader", "StoreURL", "open_store", "put"]
