"""A sync and the loop it runs in: what takes its time with a long conversation is done in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from conversations_hub import Account, Hub
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import _account, _change, sync

from ..support.clock import at
from ..support.server import Answer, Asked, answer, serving
from ..support.tavus_server import AFTER, START


def call(number: int, turns: int) -> dict[str, Any]:
    said = [{"role": "user", "message": f"I am turn {turn}.", "secondsFromStart": turn} for turn in range(turns)]
    times = dict.fromkeys(("createdAt", "startedAt", "endedAt", "updatedAt"), START.isoformat())
    return {"id": f"c{number}", "status": "ended", **times, "artifact": {"messages": said}}


async def calls(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
    if not asked.target.startswith("/call"):
        return answer({"message": "not in your plan"}, 403)
    return answer([call(1, 2000), call(2, 2)])


async def test_a_long_conversation_is_digested_once_and_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digested: list[tuple[str, bool]] = []

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def watch(*arguments: Any) -> Any:
            digested.append((work.__name__, threading.current_thread() is threading.main_thread()))
            return work(*arguments)

        return watch

    for module, name in ((_account, "fingerprint"), (_change, "is_print_of")):
        monkeypatch.setattr(module, name, watched(getattr(module, name)))
    async with (
        serving(calls) as server,
        Hub([Account("vapi", key="key", base_url=server.url)]) as hub,
    ):
        for brought in (2, 0):
            report = await sync(hub, SQLiteStore(tmp_path / "c.db"), verify=False, clock=at(AFTER))
            assert (report.complete, report.accounts[0].new) == (True, brought)
    assert digested == [("fingerprint", False), ("fingerprint", True), ("is_print_of", False), ("is_print_of", True)]
