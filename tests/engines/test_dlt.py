"""dlt loads everything there is, and goes on where it ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Conversation
from conversations_hub.engines import Source, plan, read
from conversations_hub.engines.dlt import conversations
from conversations_hub.errors import ConfigurationError
from conversations_hub.testing import Simulator

from ..support.clock import NOW, ManualClock

pytestmark = pytest.mark.timeout(180)
_HOUR = timedelta(hours=1)


class Loaded:
    """A pipeline into a database of its own."""

    def __init__(self, dlt: Any, folder: Path) -> None:
        self._pipeline = dlt.pipeline(
            "conversations",
            destination=dlt.destinations.duckdb(str(folder / "lake.duckdb")),
            dataset_name="calls",
            pipelines_dir=str(folder / "pipelines"),
        )

    def run(self, source: Any) -> None:
        self._pipeline.run(source)

    def select(self, what: str) -> list[tuple[Any, ...]]:
        with self._pipeline.sql_client() as client:
            return list(client.execute_sql(f"SELECT {what} FROM conversations"))  # noqa: S608  (our own text)


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator(
        conversations=80, seed=7, now=NOW, clock=ManualClock(), providers=("tavus", "voiceable", "vapi")
    ) as found:
        for name, value in found.environment().items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    dlt = pytest.importorskip("dlt", reason="NOT TRIED: dlt. Run `make engines`.")
    return Loaded(dlt, tmp_path)


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
def test_rows_beyond_the_window_do_not_move_it_so_the_next_run_loses_nothing(
    simulator: Simulator, loaded: Loaded
) -> None:
    """A row without an instant passes `until`, and gets a later one with its details."""
    everything = {one.ref for partition in plan(Source(), None, NOW) for one in read(partition)}
    loaded.run(conversations(Source(), until=NOW - 12 * _HOUR))
    first = {f"{account}:{id}" for account, id in loaded.select("account, id")}
    loaded.run(conversations(Source(), until=NOW))
    found = loaded.select("provider, account, id, document")
    assert len(first) < len(found) == len(everything)
    documents = [msgspec.json.decode(document, type=Conversation) for *_, document in found]
    assert {one.ref for one in documents} == everything


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
def test_a_run_begins_a_little_before_the_end_of_the_last(simulator: Simulator, loaded: Loaded) -> None:
    loaded.run(conversations(Source(targets=("vapi",)), until=NOW - _HOUR))
    before = simulator.requests["vapi"]
    loaded.run(conversations(Source(targets=("vapi",)), until=NOW, lag=_HOUR))
    assert simulator.requests["vapi"] - before <= 6  # two hours of three lists
    assert len(loaded.select("id")) == len({id for (id,) in loaded.select("id")}) == 80
    keys = [value for name, value in simulator.environment().items() if name.endswith("_API_KEY")]
    assert all(key not in str(loaded.select("*")) for key in keys)


def test_without_the_extra_the_error_says_how_to_get_dlt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlt", None)
    with pytest.raises(ConfigurationError, match=r"conversations-hub\[dlt\]"):
        conversations(Source())
