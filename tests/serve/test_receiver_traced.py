"""What the system sees of a receiver: a delivery is on the disk before its answer is, or it is not acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import ClientSession

from ..support.accounts_file import accounts_file
from ..support.entries import said
from ..support.receiving import TOKEN
from ..support.sqlite import kept_in
from ..support.traced import Call, calls_in, needs_strace, served_traced

pytestmark = [needs_strace, pytest.mark.no_cover, pytest.mark.timeout(300)]

LOG = "inbox-wal"
HOOK = '[[webhook]]\nprovider = "tavus"\ntoken_env = "TAVUS_TOKEN"\n'
MANY = 5


async def answered(folder: Path, *strace: str) -> tuple[list[int], int]:
    """Deliver some to a process of its own; return the statuses of the answers, and that of `/readyz` then."""
    config = accounts_file(folder, HOOK)
    options = ["--hooks", "--config", str(config), "--store", str(folder / "c.db"), "--inbox", str(folder / "c.inbox")]
    statuses: list[int] = []
    async with (
        served_traced(options, {"TAVUS_TOKEN": TOKEN}, folder / "log", *strace) as served,
        ClientSession() as session,
    ):
        for number in range(MANY):
            body = f'{{"event_type": "system.shutdown", "conversation_id": "c{number}", "properties": {{}}}}'
            async with session.post(f"{served.url}hooks/tavus/{TOKEN}", data=body.encode()) as answer:
                statuses.append(answer.status)
        async with session.get(f"{served.url}readyz") as answer:
            return statuses, answer.status


def before_each_answer(calls: Sequence[Call]) -> list[list[str]]:
    """Return what happened to the log of the inbox before each acknowledgement, since the one before."""
    found: list[list[str]] = [[]]
    for call in calls:
        if call.target.endswith(LOG):
            found[-1].append(call.name)
        elif call.data.startswith("HTTP/1.1 200"):
            found.append([])
    return found[:-1]


async def test_a_delivery_has_reached_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello."))
    statuses, ready = await answered(tmp_path)
    assert (statuses, ready) == ([200] * MANY, 200)
    *deliveries, _ready = before_each_answer(calls_in(tmp_path / "log"))
    assert len(deliveries) == MANY
    for calls in deliveries:
        assert "pwrite64" in calls
        assert calls[-1] in {"fdatasync", "fsync"}  # after all that was written


async def test_what_does_not_reach_the_disk_is_not_acknowledged(tmp_path: Path) -> None:
    """From the third delivery on, the disk fails."""
    await kept_in(tmp_path / "c.db", said("Hello."))
    (tmp_path / "well").mkdir()
    await kept_in(tmp_path / "well" / "c.db", said("Hello."))
    await answered(tmp_path / "well")
    *deliveries, _ready = before_each_answer(calls_in(tmp_path / "well" / "log"))
    syncs = sum(name in {"fdatasync", "fsync"} for calls in deliveries[:2] for name in calls)
    log = tmp_path / "c.inbox-wal"
    failing = ("-P", str(log), "-e", f"inject=fdatasync,fsync:error=EIO:when={syncs + 1}+")
    statuses, ready = await answered(tmp_path, *failing)
    assert (statuses, ready) == ([200, 200, 503, 503, 503], 503)
    with closing(sqlite3.connect(tmp_path / "c.inbox")) as database:
        kept = {event for (event,) in database.execute("SELECT conversation FROM deliveries")}
    assert kept >= {"c0", "c1"}
