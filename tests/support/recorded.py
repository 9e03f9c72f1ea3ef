"""The conversations that the fixtures hold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import msgspec

from conversations_hub.adapters import BUILTIN, load
from conversations_hub.schema import Conversation
from conversations_hub.testing._replay import replay
from conversations_hub.testing.stores._full import FULL

from . import exchanges

__all__ = ["IN_RAW", "everything", "recorded"]

IN_RAW = "qz-in-raw-only"
"""Stands in the `raw` of everything that was recorded, and nowhere else."""


@cache
def everything() -> tuple[Conversation, ...]:
    """Return all conversations of all fixtures, and one with every field."""
    found = (one for provider in BUILTIN for one in recorded(provider))
    return (*(msgspec.structs.replace(one, raw=b'{"id": "%s"}' % IN_RAW.encode()) for one in found), FULL)


def recorded(provider: str) -> Iterator[Conversation]:
    """Yield all conversations that a provider's fixtures hold, each under an id of its own."""
    adapter = load(provider)
    for case in exchanges.cases(provider).values():
        for number, one in enumerate(replay(adapter, exchanges.account(provider), case).conversations):
            named = msgspec.structs.replace(one, id=f"{case.name}-{number}-{one.id}")
            recordings = tuple(msgspec.structs.replace(recording, ref=named.ref) for recording in one.recordings)
            yield msgspec.structs.replace(named, recordings=recordings)
