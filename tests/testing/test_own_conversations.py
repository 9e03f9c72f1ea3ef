"""Conversations that somebody adds to the simulator: told as that provider tells any, and where they belong in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import Conversation, Hub, TranscriptTurn
from conversations_hub.adapters import BUILTIN
from conversations_hub.schema import Role, Status, ToolCall, ToolResult, TranscriptState
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._world import World

from ..support.provider_facts import NEVER_ENDED

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

SAID = [
    ("assistant", "Hello, what can I do for you?"),
    ("user", "Where is my {order}? It is 50% late."),
    ("assistant", "It comes on Tuesday, Æsa."),
    ("user", "Thanks."),
]


def spoken(conversation: Conversation) -> list[tuple[str, str]]:
    turns = conversation.transcript or ()
    return [(turn.role.value, turn.text) for turn in turns if turn.role in {Role.USER, Role.ASSISTANT} and turn.text]


@pytest.mark.parametrize("provider", BUILTIN)
@pytest.mark.parametrize("conversations", [0, 10])
async def test_a_transcript_of_ones_own_is_told_in_the_providers_words(provider: str, conversations: int) -> None:
    async with (
        Simulator(conversations=conversations, providers=[provider]) as running,
        Hub.from_env(environ=running.environment()) as hub,
    ):
        ref = running.add(provider, SAID, summary="About an {order}.")
        days_ago = datetime.now(UTC) - timedelta(days=2)
        older = running.add(provider, SAID[:2], started=days_ago)
        found = await hub.get(ref)
        assert spoken(found) == SAID
        status = Status.IN_PROGRESS if provider in NEVER_ENDED else Status.ENDED
        assert (found.status, found.transcript_state) == (status, TranscriptState.AVAILABLE)
        assert found.summary in {None, "About an {order}."}
        assert spoken(await hub.get(older)) == SAID[:2]
        listed = [one.ref async for one in hub.list(provider, transcripts=True)]
        assert len(listed) == len({*listed}) == conversations + 2
        assert {ref, older} <= {*listed}
        recent = [one.ref async for one in hub.list(provider, since=days_ago + timedelta(minutes=1))]
        assert (ref in recent, older in recent) == (True, False)


async def test_times_and_tools_of_ones_own_are_told() -> None:
    call = ToolCall(id="call_1", name="find_order", arguments='{"order": 7}')
    turns = [
        TranscriptTurn(index=0, role=Role.USER, text="Where is it?", start=3.5, duration=1.25),
        TranscriptTurn(index=1, role=Role.ASSISTANT, text="One moment.", start=6.0, tool_calls=(call,)),
        TranscriptTurn(index=2, role=Role.TOOL, tool_result=ToolResult(call_id="call_1", content='{"day": "Tuesday"}')),
        TranscriptTurn(index=3, role=Role.ASSISTANT, text="On Tuesday.", start=9.0, duration=1.0),
    ]
    async with (
        Simulator(conversations=2, providers=["vapi"]) as running,
        Hub.from_env(environ=running.environment()) as hub,
    ):
        found = await hub.get(running.add("vapi", turns))
    assert spoken(found) == [("user", "Where is it?"), ("assistant", "One moment."), ("assistant", "On Tuesday.")]
    told = found.transcript or ()
    assert [turn.start for turn in told if turn.text and turn.role in {Role.USER, Role.ASSISTANT}] == [3.5, 6.0, 9.0]
    assert [(one.name, one.arguments) for turn in told for one in turn.tool_calls] == [("find_order", '{"order": 7}')]
    assert [turn.tool_result.content for turn in told if turn.tool_result] == ['{"day": "Tuesday"}']


def test_what_is_added_is_delivered_by_webhooks() -> None:
    running = Simulator(conversations=3, now=NOW, clock=lambda: 0.0)
    for provider in ("tavus", "retell", "elevenlabs"):
        ref = running.add(provider, SAID)
        sent = running.delivered(provider, ref.partition(":")[2])
        assert any(SAID[0][1] in msgspec.json.decode(one.body, type=Any).__repr__() for one in sent)


def test_whoever_cannot_speak_and_what_is_to_come_is_refused() -> None:
    running = Simulator(conversations=3, now=NOW, clock=lambda: 0.0)
    for said in ([("agent", "Hello.")], [TranscriptTurn(index=0, role=Role.SYSTEM, text="You are kind.")]):
        with pytest.raises(ValueError, match="neither user nor assistant"):
            running.add("tavus", said)
    with pytest.raises(ValueError, match="in the future"):
        running.add("tavus", SAID, started=NOW + timedelta(minutes=5))
    assert len(running.worlds["tavus"]) == 3


@given(
    size=st.integers(0, 12),
    steps=st.lists(st.one_of(st.floats(0.0, 20_000.0), st.just("create"), st.integers(0, 20)), max_size=25),
)
def test_whatever_is_added_created_and_deleted_stands_in_the_order_of_time(
    size: int, steps: list[float | str | int]
) -> None:
    world = World(Corpus("tavus", prefix="c", size=size, seed=0, now=NOW.timestamp()), clock=lambda: 0.0)
    there = [world.corpus.id(index) for index in range(size)]
    for step in steps:
        if step == "create":
            there.append(world.id(world.create({}, lambda truth: truth)))
        elif isinstance(step, float):
            there.append(world.id(world.insert(world.present - step, lambda truth: truth)))
        elif there:
            found = world.find(there.pop(int(step) % len(there)))
            assert found is not None
            world.delete(found)
    newest = list(world.newest())
    assert [one.created for one in newest] == sorted((one.created for one in newest), reverse=True)
    assert {world.id(one) for one in newest} == {*there}
    assert len(newest) == len(there) == len(world)
    assert [one for start in range(0, len(newest), 3) for one in world.slice(start, 3)] == newest
    for one in newest:
        assert world.find(world.id(one)) == one
        assert next(world.newest(until=one.created)).created == one.created
