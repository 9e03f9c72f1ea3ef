"""The conversations that the fixtures hold."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from conversations_hub.adapters import load
from conversations_hub.schema import Conversation
from conversations_hub.testing._replay import account_of, cases_in, replay

from .paths import FIXTURES

__all__ = ["recorded"]


def recorded(provider: str) -> Iterator[Conversation]:
    """Yield all conversations that a provider's fixtures hold, each under an id of its own."""
    adapter, folder = load(provider), FIXTURES / provider
    account = account_of(folder, adapter)
    for case in cases_in(folder).values():
        for number, one in enumerate(replay(adapter, account, case).conversations):
            named = msgspec.structs.replace(one, id=f"{case.name}-{number}-{one.id}")
            recordings = tuple(msgspec.structs.replace(recording, ref=named.ref) for recording in one.recordings)
            yield msgspec.structs.replace(named, recordings=recordings)
