"""Measures of what the hub reads, against measures of what happened.

The simulator knows the whole truth of each conversation. `DIFFERENT` names what cannot agree, because the provider
leaves something out or means something else; everything else agrees to the millisecond.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from functools import cache

import pytest
from msgspec.structs import replace

from conversations_hub.metrics import METRICS, Measures, measure
from conversations_hub.schema import (
    Channel,
    Conversation,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.testing.simulator._truth import Truth, Turn

from ..support.clock import ManualClock
from ..support.metric_differences import DIFFERENT, FIRST_WORDS, PRECISION, WITH_ENDS, WITH_OWN_LATENCY
from ..support.simulated import simulated

CONVERSATIONS = 100
every_provider = pytest.mark.parametrize("provider", DIFFERENT)


@cache
def measured(provider: str) -> list[tuple[Measures, Measures]]:
    """Return what is read of each finished conversation, and what is true of it."""
    return asyncio.run(_measured(provider))


async def _measured(provider: str) -> list[tuple[Measures, Measures]]:
    present = ManualClock()
    async with simulated(provider, conversations=CONVERSATIONS, seed=6, present=present) as (hub, simulator):
        world = simulator.worlds[provider]
        present.seconds = 86400.0
        found: list[tuple[Measures, Measures]] = []
        async for read in hub.list(provider, transcripts=True, page_size=25):
            truth = world.find(read.id)
            assert truth is not None
            if read.transcript_state is TranscriptState.AVAILABLE:
                found.append((measure(read), measure(_true(truth, world.turns(truth), read.channel))))
        return found


def _true(truth: Truth, turns: tuple[Turn, ...], channel: Channel) -> Conversation:
    """Return what happened as a conversation of a provider that reports everything."""
    told: list[TranscriptTurn] = []
    is_asked = False
    for turn in turns:
        at = TranscriptTurn(index=len(told), role=turn.role, start=turn.start)
        if turn.tool is not None:
            id = turn.tool.call_id
            result = ToolResult(call_id=id, is_error=turn.tool.is_error)
            told += [replace(at, tool_calls=(ToolCall(id=id),)), replace(at, tool_result=result)]
            continue
        is_agent = turn.role is Role.ASSISTANT
        interrupted = turn.interrupted if is_agent else None
        metrics = {"turnLatency": turn.latency} if is_agent and is_asked else None
        told.append(replace(at, text=turn.text, duration=turn.duration, interrupted=interrupted, metrics=metrics))
        is_asked = turn.role is Role.USER
    return Conversation(
        provider="vapi",
        id="c1",
        status=Status.ENDED,
        channel=channel,
        duration=truth.duration,
        end_reason=truth.ending,
        transcript=tuple(told),
        transcript_state=TranscriptState.AVAILABLE,
    )


@every_provider
def test_measures_agree_with_the_truth(provider: str) -> None:
    apart: dict[str, float] = defaultdict(float)
    for read, true in measured(provider):
        for name in METRICS:
            found, expected = read[name].value, true[name].value
            if found is not None and expected is not None:
                apart[name] = max(apart[name], abs(float(found) - float(expected)))
    assert {name for name, difference in apart.items() if difference > PRECISION} == DIFFERENT[provider].keys()


@every_provider
def test_only_who_says_when_turns_end_has_times_of_speech(provider: str) -> None:
    found = [read for read, _ in measured(provider)]
    for name in ("talk_ratio", "silence", "response_latency_p50"):
        assert any(read[name].value is not None for read in found) == (provider in WITH_ENDS)
    assert any(read["reported_latency_p50"].value is not None for read in found) == (provider in WITH_OWN_LATENCY)


@every_provider
def test_a_first_word_that_counts_from_dialling_is_estimated(provider: str) -> None:
    for read, true in measured(provider):
        for name in FIRST_WORDS:
            found, expected = read[name], true[name].value
            if (
                found.value is not None
                and expected is not None
                and abs(float(found.value) - float(expected)) > PRECISION
            ):
                assert found.basis == "estimated"


def test_the_truth_has_interruptions_and_overlaps() -> None:
    true = [true for _, true in measured("vapi")]
    assert sum(int(one["agent_interrupted"].value or 0) for one in true) > 10
    assert any(float(one["overlap"].value or 0) > 1 for one in true)
    found = [read for read, _ in measured("ultravox")]
    assert sum(int(one["agent_interrupted"].value or 0) for one in found) > 10
    assert {one["agent_interrupted"].basis for one in found} == {"estimated"}
