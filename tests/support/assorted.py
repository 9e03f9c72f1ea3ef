"""Conversations of every kind that stores meet: recorded, simulated and odd."""

from __future__ import annotations

from pathlib import Path

import msgspec

from conversations_hub.schema import Conversation
from conversations_hub.stores import open_store
from conversations_hub.sync import sync
from conversations_hub.testing.stores._conversations import MANY, ODD

from .recorded import everything
from .simulated import simulated

__all__ = ["WORDS", "assorted"]

WORDS = (
    "refund",
    "the OR and",
    "card -please",
    '"thank you"',
    "canc*",
    "order when",
    "退款",
    "שלום",
    "👍",
    "no such",
    "",
)
"""What is searched for in them."""


async def assorted(folder: Path) -> list[Conversation]:
    """Return them, without the providers' JSON; a store in the folder is used on the way."""
    store = open_store(f"{folder / 'simulated.db'}")
    async with simulated(conversations=3) as (hub, _):
        await sync(hub, store)
    with store.reader() as reader:
        each = (*everything(), *reader.conversations(), *MANY, *ODD)
    return [*{one.ref: msgspec.structs.replace(one, raw=None) for one in each}.values()]
