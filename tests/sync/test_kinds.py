"""The kinds that simulated providers keep apart: all of each arrives, as it was said, in lists and in stores."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conversations_hub import Hub, errors
from conversations_hub._transport import Clock
from conversations_hub.schema import Role, TranscriptTurn
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import sync
from conversations_hub.testing import Faults, Simulator
from conversations_hub.testing.simulator._truth import Turn

from ..support.sqlite import stored

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KINDS = [
    ("vapi", "chats"),
    ("vapi", "sessions"),
    ("bland", "texts"),
    ("openai", "threads"),
    ("synthflow", "chats"),
]
CHATS = 230


@asynccontextmanager
async def simulated(
    *providers: str,
    faults: Faults = Faults(),  # noqa: B008  (a frozen value)
) -> AsyncGenerator[tuple[Hub, Simulator]]:
    async with Simulator(
        conversations=20,
        chats=CHATS,
        seed=7,
        now=NOW,
        clock=lambda: 0.0,
        providers=providers or ("vapi", "bland"),
        faults=faults,
    ) as simulator:
        clock = Clock(now=lambda: NOW)
        async with Hub.from_env(environ=simulator.environment(), clock=clock) as hub:
            yield hub, simulator


@pytest.mark.parametrize(("provider", "kind"), KINDS)
async def test_all_of_a_kind_arrives_as_it_was_said(provider: str, kind: str) -> None:
    async with simulated(provider) as (hub, simulator):
        world = simulator.worlds[provider].others[kind]
        walk = hub.list(f"{provider}:{kind}", transcripts=True)
        found = {one.id.removeprefix(f"{kind}:"): one async for one in walk}
        assert walk.report.complete, str(walk.report)
        truths = {world.corpus.id(number): world.corpus.truth(number) for number in range(world.corpus.size)}
        assert found.keys() == truths.keys()
        for id, one in found.items():
            assert one.issues == (), id
            assert (await hub.get(one.ref)).transcript == one.transcript
            spoken = [turn.text for turn in one.transcript or () if _is_said(turn)]
            truth = truths[id]
            due = [turn.text for turn in world.turns(truth) if _is_said(turn)]
            # Who was written to and never answered was greeted all the same.
            assert spoken == due or (not due and spoken == [truth.scenario.greeting.format_map(truth.facts)]), id


def _is_said(turn: TranscriptTurn | Turn) -> bool:
    return bool(turn.text) and turn.role in {Role.USER, Role.ASSISTANT}


async def test_a_sync_brings_every_kind(tmp_path: Path) -> None:
    async with simulated() as (hub, _):
        listed = [one.ref async for one in hub.list()]
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=Clock(now=lambda: NOW))
        assert report.complete, str(report)
    assert len(set(listed)) == len(listed) > 2 * CHATS
    assert stored(tmp_path / "c.db").keys() == set(listed)


async def test_what_is_withheld_is_told() -> None:
    async with simulated(faults=Faults(withheld=("vapi:chats", "bland:texts"))) as (hub, _):
        walk = hub.list()
        kinds = {one.id.partition(":")[0] for one in [one async for one in walk] if ":" in one.id}
        assert kinds == {"sessions"}
        assert walk.report.complete
        assert [[*account.refused] for account in walk.report.accounts] == [["chats"], ["texts"]]
        with pytest.raises(errors.ForbiddenError):
            _ = [one async for one in hub.list("vapi:chats")]
