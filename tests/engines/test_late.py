"""What comes late is in the lake in the end, as it is in a store: a stream settles, and reads once more a day later."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from conversations_hub import Conversation, Hub
from conversations_hub.engines import pages
from conversations_hub.engines.spark import Conversations
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import sync
from conversations_hub.testing import Simulator

from ..support.clock import NOW, FakeClock, ManualClock, at
from ..support.sqlite import stored

HOURS = 26


@pytest.mark.parametrize("reread", ["24h", ""])
@pytest.mark.parametrize("provider", ["elevenlabs", "tavus"])
async def test_after_settling_and_reading_again_the_lake_is_as_the_store(
    provider: str, reread: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations_hub.engines.spark._OVERLAP", timedelta(0))  # or it finds what is minutes late
    present = ManualClock()
    since = NOW - timedelta(hours=6)
    with Simulator(conversations=20, seed=7, providers=[provider], now=NOW, clock=present) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        options = {"since": since.isoformat(), "settle": "0s", "reread": reread}
        stream = Conversations(options).streamReader(None)
        offset, lake = stream.initialOffset(), dict[str, Conversation]()
        async with Hub.from_env(profile="bulk", clock=FakeClock().clock) as hub:
            for hour in range(HOURS):
                present.seconds = hour * 3600.0
                end = stream.offset_at(offset, NOW + timedelta(hours=hour))
                for partition in stream.partitions(offset, end):
                    lake |= {one.ref: one async for page in pages(partition.value, hub=hub) for one in page}
                offset = end
            store = tmp_path / "c.db"
            await sync(hub, SQLiteStore(store), since=since, clock=at(NOW + timedelta(hours=HOURS - 1)))
    found = stored(store)
    assert lake.keys() == found.keys()
    assert len(found) > 5
    assert (lake == found) == (reread != "")
