"""The operations whose instructions `count.py` counts, by public names alone, so that older revisions run them too.

    valgrind --tool=callgrind --dump-before=getppid … python benchmarks/operations.py PLAN KIND …

Each is run once unmeasured, for imports and caches, then with few conversations and with many. `os.getppid` stands
between them as a mark, for nothing else here calls it: valgrind writes what it counted each time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import msgspec

from conversations_hub import Account, Hub
from conversations_hub.adapters import load
from conversations_hub.sync import sync
from conversations_hub.testing import drive
from conversations_hub.wire import Response

__all__ = ["OPERATIONS", "Answer", "Conversations", "Plan", "without_limit"]


class Answer(msgspec.Struct, frozen=True):
    """What a provider answered to one request."""

    status: int
    headers: dict[str, str]
    body: bytes


class Conversations(msgspec.Struct, frozen=True):
    """So many conversations of every provider: where they are served, and what `get` of each is answered, by id."""

    url: str
    sent: dict[str, dict[str, list[Answer]]]


class Plan(msgspec.Struct, frozen=True):
    """Whose conversations are read, and what each provider's account needs besides a key."""

    few: Conversations
    many: Conversations
    settings: dict[str, dict[str, str]]

    def account(self, provider: str, served: Conversations) -> Account:
        """Return an account at the provider that is served."""
        return Account(
            provider, key="invented-key", base_url=f"{served.url}/{provider}", settings=self.settings[provider]
        )


async def _get(provider: str, account: Account, sent: Mapping[str, list[Answer]]) -> int:
    async with Hub([account]) as hub:
        return len([await hub.get(f"{provider}:{id}") for id in sent])


async def _normalize(provider: str, account: Account, sent: Mapping[str, list[Answer]]) -> int:
    get = load(provider).get
    assert get is not None
    read = [
        drive(get(account, id), *[Response(one.status, one.headers, one.body) for one in answers]).result
        for id, answers in sent.items()
    ]
    return len(read)


async def _list(provider: str, account: Account, _sent: Mapping[str, list[Answer]]) -> int:
    async with Hub([account], profile="bulk") as hub:
        return len([row async for row in hub.list(provider)])


async def _hydrate(provider: str, account: Account, _sent: Mapping[str, list[Answer]]) -> int:
    async with Hub([account], profile="bulk") as hub:
        return len([row async for row in hub.list(provider, transcripts=True)])


_STOPPED: Any = SimpleNamespace(monotonic=lambda: 0.0, now=lambda: datetime(2026, 12, 1, tzinfo=UTC))
"""Long after the conversations; a sync also commits when a second has passed, which would be chance."""


def _sqlite() -> Any:
    try:
        return import_module("conversations_hub.stores.sqlite")
    except ModuleNotFoundError:
        return import_module("conversations_hub.sync.sqlite")  # where it was before


async def _sync(_provider: str, account: Account, _sent: Mapping[str, list[Answer]]) -> int:
    with TemporaryDirectory() as folder:
        async with Hub([account], profile="bulk") as hub:
            report = await sync(hub, _sqlite().SQLiteStore(Path(folder, "conversations.db")), clock=_STOPPED)
    assert report.complete, report
    return report.accounts[0].new


OPERATIONS: Mapping[str, Callable[[str, Account, Mapping[str, list[Answer]]], Awaitable[int]]] = {
    "get": _get,
    "normalize": _normalize,
    "list": _list,
    "list with transcripts": _hydrate,
    "sync": _sync,
}
"""By kind; each reads all conversations of a provider, and returns how many there were."""


def without_limit(provider: str) -> None:
    """Forget the documented limit of a provider, which nobody else would keep."""
    module: Any = import_module(f"conversations_hub.adapters.{provider}")
    module.ADAPTER = msgspec.structs.replace(module.ADAPTER, requests_per_second=None)


def main(plan: Plan, *kinds: str) -> None:
    """Run every operation of these kinds for every provider."""
    for provider in plan.settings:
        without_limit(provider)

    async def run(kind: str, provider: str, served: Conversations) -> None:
        sent = served.sent[provider]
        came = await OPERATIONS[kind](provider, plan.account(provider, served), sent)
        assert came == len(sent), f"{kind} of {provider} brought {came} of {len(sent)}"

    for kind in kinds:
        for provider in plan.settings:
            for served in (plan.few, plan.few, plan.many):
                # What is older is not looked at again, as in a process that has run for a while.
                gc.collect()
                gc.freeze()
                os.getppid()
                asyncio.run(run(kind, provider, served))
            os.getppid()


if __name__ == "__main__":
    main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan), *sys.argv[2:])
