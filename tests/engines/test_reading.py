"""Reading partitions: together they are what a sync brings, and each is whole or an error."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub.adapters import BUILTIN
from conversations_hub.adapters.retell import ADAPTER as RETELL
from conversations_hub.adapters.tavus import ADAPTER as TAVUS
from conversations_hub.engines import COLUMNS, OnBad, Partition, Source, pages, plan, read, row
from conversations_hub.errors import ConfigurationError, HubError, NotFoundError, PayloadError, WindowedOutError
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import sync
from conversations_hub.testing import Simulator
from conversations_hub.wire import Flow, Response

from ..support.clock import NOW, FakeClock, ManualClock, at
from ..support.sqlite import stored

SINCE = NOW - timedelta(hours=20)  # a few of the forty conversations are older
STEP = timedelta(hours=5)


@asynccontextmanager
async def serving(
    monkeypatch: pytest.MonkeyPatch, *providers: str, conversations: int = 40
) -> AsyncGenerator[tuple[Simulator, Hub]]:
    """Serve providers to the environment, and yield a hub for them that never sleeps."""
    with Simulator(
        conversations=conversations, chats=10, seed=7, providers=providers, now=NOW, clock=ManualClock()
    ) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        async with Hub.from_env(profile="bulk", clock=FakeClock().clock) as hub:
            yield simulator, hub


@pytest.mark.parametrize("provider", BUILTIN)
async def test_all_partitions_together_are_what_a_sync_brings(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(monkeypatch, provider) as (_, hub):
        await sync(hub, SQLiteStore(tmp_path / "c.db"), since=SINCE, clock=at(NOW))
        partitions = plan(Source(), SINCE, NOW, STEP)
        found = [one for partition in partitions async for page in pages(partition, hub=hub) for one in page]
    assert {one.ref: one for one in found} == stored(tmp_path / "c.db")
    assert max(Counter(one.ref for one in found).values()) == 1


async def test_a_span_holds_what_lies_in_it_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "tavus", "voiceable", "retell") as (_, hub):
        edge = NOW - timedelta(hours=9)
        whole, early, late = [
            {one.ref for partition in plan(Source(), *span) async for page in pages(partition, hub=hub) for one in page}
            for span in ((SINCE, NOW), (SINCE, edge), (edge, NOW))
        ]
    assert early | late == whole
    assert len(whole) < 120
    assert early - late
    assert late - early
    assert all(ref.startswith("retell:") for ref in early & late)  # calls that never connected have no instant


async def test_a_conversation_stays_in_its_window_if_its_details_have_another_instant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def earlier(account: Account, id: str) -> Flow[Conversation]:
        assert TAVUS.get is not None
        found = yield from TAVUS.get(account, id)
        return msgspec.structs.replace(found, created_at=(found.created_at or NOW) - timedelta(minutes=50))

    async with serving(monkeypatch, "tavus") as (simulator, _):
        adapters = {"tavus": msgspec.structs.replace(TAVUS, get=earlier)}
        async with Hub.from_env(environ=simulator.environment(), adapters=adapters) as hub:
            listed = [one.ref async for one in hub.list() if one.created_at and one.created_at < NOW]
            found = [
                one.ref
                for hours in range(30)
                for partition in plan(Source(), NOW - timedelta(hours=hours + 1), NOW - timedelta(hours=hours))
                async for page in pages(partition, hub=hub)
                for one in page
                if one.ref in listed
            ]
    assert sorted(found) == sorted(listed)


async def test_calls_that_never_connected_are_in_the_partition_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "retell") as (_, hub):
        rest, *windows = plan(Source(), SINCE, NOW, STEP)
        undated = {one.ref async for page in pages(rest, hub=hub) for one in page}
        dated = {one.ref for window in windows async for page in pages(window, hub=hub) for one in page}
    assert undated
    assert not undated & dated


async def test_a_time_filter_that_leaves_something_out_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "retell") as (simulator, _):
        adapters = {"retell": msgspec.structs.replace(RETELL, undated=False)}
        async with Hub.from_env(environ=simulator.environment(), adapters=adapters) as hub:
            with pytest.raises(WindowedOutError, match=r"retell/default, 2026.*step=None"):
                await anext(pages(plan(Source(), SINCE, NOW)[-1], hub=hub))
            [unnarrowed] = plan(Source(), SINCE, NOW, None)
            found = [one async for page in pages(unnarrowed, hub=hub) for one in page]
    assert 30 < len(found) < 40


async def _bad(hub: Hub, partition: Partition, on_bad: OnBad) -> list[Conversation]:
    return [one async for page in pages(partition, hub=hub, on_bad=on_bad) for one in page]


async def test_a_row_that_cannot_be_read_is_an_error_or_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(monkeypatch, "vapi") as (simulator, hub):
        [partition] = plan(Source(), SINCE, NOW, None)
        without_id = Response(200, {"content-type": "application/json"}, b'[{"status": "ended"}]')
        simulator.script("vapi", [without_id])
        with pytest.raises(
            PayloadError, match=r"vapi/default, .* to 2026-11-20T12:00:00Z: unreadable rows: 1, the first"
        ):
            await _bad(hub, partition, "raise")
        simulator.script("vapi", [without_id])
        with caplog.at_level(logging.WARNING, "conversations_hub.engines"):
            found = await _bad(hub, partition, "count")
        assert found
        assert all(one.id.startswith(("chats:", "sessions:")) for one in found)
    assert "left out: 1 unreadable" in caplog.text


async def test_with_count_only_what_failed_for_good_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(monkeypatch, "tavus") as (simulator, hub):
        [partition] = plan(Source(), None, NOW)
        simulator.script("tavus", [200, 404])
        with caplog.at_level(logging.WARNING, "conversations_hub.engines"):
            assert len(await _bad(hub, partition, "count")) == 39
        assert "left out: 1 without details" in caplog.text
        simulator.script("tavus", [200, *[502] * 100])
        with pytest.raises(HubError) as caught:
            await _bad(hub, partition, "count")
        assert caught.value.retryable


async def test_a_conversation_that_is_gone_ends_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "tavus") as (simulator, hub):
        simulator.script("tavus", [200, 404])
        with pytest.raises(NotFoundError):
            await _bad(hub, plan(Source(), None, NOW)[0], "raise")


async def test_it_is_read_where_a_loop_runs_and_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "tavus", conversations=120):
        [partition] = plan(Source(), None, NOW)
        threads = threading.active_count()
        assert len(list(read(partition))) == 120
        found: Iterator[Conversation] = read(partition)
        next(found)
        found.close()  # type: ignore[attr-defined]
        assert threading.active_count() == threads


async def test_an_error_reaches_who_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "tavus") as (simulator, _):
        [partition] = plan(Source(), None, NOW)
        simulator.script("tavus", [200, 404])
        with pytest.raises(NotFoundError):
            list(read(partition))


def redact_title(conversation: Conversation) -> Conversation:
    return msgspec.structs.replace(conversation, title="gone")


async def test_the_named_redactor_sees_everything_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "vapi", conversations=5):
        name = f"{__name__}:redact_title"
        [partition] = plan(Source(targets=("vapi",), redact=name), SINCE, NOW, None)
        assert {one.title for one in read(partition)} == {"gone"}
        [partition] = plan(Source(redact="conversations_hub.redaction:PersonalData"), SINCE, NOW, None)
        assert all("@" not in row(one).document for one in read(partition))


@pytest.mark.parametrize("name", ["nowhere:redact", "conversations_hub.redaction:nothing", "conversations_hub", ""])
async def test_without_its_redactor_nothing_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(monkeypatch, "vapi", conversations=5) as (simulator, _):
        [partition] = plan(Source(redact=name), SINCE, NOW, None)
        with pytest.raises(ConfigurationError, match="redactor"):
            list(read(partition))
        assert simulator.requests.total() == 0


async def test_a_row_has_a_column_for_each_name_and_holds_the_whole_conversation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(monkeypatch, "vapi") as (_, hub):
        [partition] = plan(Source(), SINCE, NOW, None)
        found = [one async for page in pages(partition, hub=hub) for one in page]
    for one in found:
        columns = dict(zip(COLUMNS, row(one), strict=True))
        assert msgspec.json.decode(row(one).document, type=Conversation) == one
        assert f"{columns['provider']}/{columns['account']}:{columns['id']}" in (one.ref, f"vapi/default:{one.id}")
        assert columns["content"] != row(msgspec.structs.replace(one, title="another")).content
    assert {len(row(one).day) for one in found} == {len("2026-11-20")}
    assert row(msgspec.structs.replace(found[0], created_at=None, started_at=None)).day == "unknown"
