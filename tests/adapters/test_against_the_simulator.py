"""Every adapter against its simulator: what the hub reads must be what happened.

Adapter and simulator are written from the same documentation, separately. The simulator knows the whole truth of each
conversation; `FACTS` names what a provider leaves out or reports differently.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module

import pytest

from conversations_hub import Conversation, Hub
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import WebhookError
from conversations_hub.events import Event
from conversations_hub.schema import Channel, EndReason, ParticipantKind, Role, TranscriptTurn
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._truth import Phase, ToolUse, Turn
from conversations_hub.testing.simulator._world import Delivery, Simulated, World
from conversations_hub.webhooks import verify

from ..support.clock import NOW, ManualClock
from ..support.provider_facts import FACTS, Case, Spoken
from ..support.simulated import simulated

CONVERSATIONS = 160
every_provider = pytest.mark.parametrize("provider", BUILTIN)


# the conversations


@dataclass(frozen=True)
class Walked:
    """One provider's conversations, read at once and again a day later, when all transcripts are there."""

    world: World
    at_once: Sequence[Case]
    later: Sequence[Case]

    @property
    def cases(self) -> Sequence[Case]:
        return [*self.at_once, *self.later]


@cache
def walked(provider: str) -> Walked:
    return asyncio.run(_walked(provider))


async def _walked(provider: str) -> Walked:
    present = ManualClock()
    async with simulated(provider, conversations=CONVERSATIONS, seed=6, present=present) as (hub, simulator):
        world = simulator.worlds[provider]
        walks: list[list[Case]] = []
        for wait in (timedelta(), timedelta(days=1)):
            present.seconds = wait.total_seconds()
            walk = hub.list(provider, transcripts=True, page_size=25)
            walks.append([_case(read, world) async for read in walk])
            assert walk.report.complete, str(walk.report)
    return Walked(world, *walks)


def _case(read: Conversation, world: World) -> Case:
    truth = world.find(read.id)
    assert truth is not None
    return Case(read, truth, world.present, world.turns(truth))


@every_provider
def test_every_conversation_is_found_once_and_in_order(provider: str) -> None:
    found = walked(provider)
    for cases in (found.at_once, found.later):
        ids = [case.read.id for case in cases]
        oldest_first = [found.world.corpus.id(number) for number in range(CONVERSATIONS)]
        assert ids in (oldest_first, oldest_first[::-1])


@every_provider
def test_every_conversation_is_read_without_issues(provider: str) -> None:
    issues = [issue for case in walked(provider).cases for issue in case.read.issues]
    assert [issue for issue in issues if issue.reason != "empty"] == []


@every_provider
def test_the_conversations_are_of_every_kind(provider: str) -> None:
    cases = walked(provider).at_once
    assert {case.phase for case in cases} == {*Phase} - {Phase.QUEUED}
    assert {case.truth.channel for case in cases} == {Channel.PHONE, Channel.WEB, Channel.CHAT, Channel.EMAIL}
    assert {case.ending for case in cases} == {
        None,
        EndReason.CUSTOMER_ENDED,
        EndReason.AGENT_ENDED,
        EndReason.TRANSFERRED,
        EndReason.MAX_DURATION,
        EndReason.NO_ANSWER,
        EndReason.CANCELLED,
        EndReason.ERROR,
    }


# facts


@every_provider
def test_facts_match_what_happened(provider: str) -> None:
    wrong: list[str] = []
    for case in walked(provider).cases:
        for fact, found in _facts_of(case.read).items():
            expected = FACTS[provider].expected(fact, case)
            if not _is_same(found, expected, FACTS[provider].precision):
                wrong.append(f"{case.read.id}, {case.phase}, {case.truth.ending}: {fact} is {found}, not {expected}")
    assert wrong == []


def _facts_of(read: Conversation) -> dict[str, object]:
    analysis = read.analysis
    return {
        "status": read.status,
        "end_reason": read.end_reason,
        "channel": read.channel,
        "direction": read.direction,
        "agent": read.agent and read.agent.name,
        "phone": read.participants[1].phone,
        "created_at": read.created_at and read.created_at.timestamp(),
        "started_at": read.started_at and read.started_at.timestamp(),
        "ended_at": read.ended_at and read.ended_at.timestamp(),
        "duration": read.duration,
        "title": read.title,
        "summary": read.summary,
        "success": analysis and analysis.success,
        "order": ((analysis and analysis.collected) or {}).get("order"),
        "cost": read.cost and read.cost.amount,
        "has_recording": bool(read.recordings),
        "has_human_agent": any(one.kind is ParticipantKind.HUMAN_AGENT for one in read.participants),
        "state": read.transcript_state,
    }


def _is_same(found: object, expected: object, within: float) -> bool:
    if isinstance(expected, float) and isinstance(found, float | int):
        return abs(found - expected) <= within
    return bool(found == expected)


@every_provider
def test_the_agent_matches(provider: str) -> None:
    for case in walked(provider).cases:
        part = FACTS[provider].expected("agent_id", case)
        if part is None:
            assert case.read.agent is None
        else:
            assert case.read.agent is not None
            assert str(part) in str(case.read.agent.id)


# turns, words and tools


@every_provider
def test_turns_match_what_was_said(provider: str) -> None:
    facts = FACTS[provider]
    wrong: list[str] = []
    for case in walked(provider).cases:
        said, read = _said(case, facts.heard(case)), _spoken(case.read)
        assert [turn.role for turn in read] == [spoken.turn.role for spoken in said], case.read.id
        for turn, spoken in zip(read, said, strict=True):
            found = {
                "text": turn.text,
                "start": turn.start,
                "timestamp": turn.timestamp,
                "length": turn.duration,
                "interrupted": turn.interrupted,
                "latency": (turn.metrics or {}).get(facts.latency_name),
            }
            for fact, value in found.items():
                expected = facts.expected(fact, spoken)
                if not _is_same(value, expected, facts.precision):
                    wrong.append(f"{case.read.id}, turn {turn.index}: {fact} is {value}, not {expected}")
    assert wrong == []


def _said(case: Case, turns: Sequence[Turn]) -> list[Spoken]:
    said = [turn for turn in turns if turn.tool is None]
    return [Spoken(case, *three) for three in zip(said, [None, *said], [*said[1:], None], strict=False)]


def _spoken(read: Conversation) -> list[TranscriptTurn]:
    return [turn for turn in read.transcript or () if turn.role in {Role.USER, Role.ASSISTANT} and turn.text]


@every_provider
def test_timed_words_make_up_their_turn_and_lie_within_it(provider: str) -> None:
    are_timed = False
    for case in walked(provider).cases:
        for turn, spoken in zip(_spoken(case.read), _said(case, FACTS[provider].heard(case)), strict=True):
            if turn.words:
                assert " ".join(word.text for word in turn.words) == " ".join(turn.text.split())
            for word in turn.words:
                assert word.start is not None
                assert -0.001 <= word.start - spoken.turn.start <= spoken.turn.duration + 0.001
                are_timed = True
    assert are_timed == ("word timing" in {*load(provider).shows} - {*FACTS[provider].shown_by_others})


@pytest.mark.parametrize("provider", [provider for provider, facts in FACTS.items() if facts.shown_by_others])
async def test_what_only_other_kinds_show_is_there(provider: str) -> None:
    adapter, found = load(provider), set[str]()
    async with (
        Simulator(conversations=0, chats=CONVERSATIONS, now=NOW, clock=ManualClock(), providers=[provider]) as running,
        Hub.from_env(environ=running.environment()) as hub,
    ):
        for kind in adapter.resources:
            world = running.worlds[provider].others[kind]
            async for read in hub.list(f"{provider}:{kind}", transcripts=True):
                truth = world.find(read.id)
                assert truth is not None
                said = [turn for turn in world.turns(truth) if turn.tool is None]
                found |= {"recording"} if read.recordings else set()
                for turn, spoken in zip(read.transcript or (), said, strict=bool(read.transcript)):
                    for word in turn.words:
                        assert word.start is not None
                        assert -0.001 <= word.start - spoken.start <= spoken.duration + 0.001
                        found.add("word timing")
    assert {*FACTS[provider].shown_by_others} <= found & {*adapter.shows}


@every_provider
def test_tool_calls_and_results_match_the_tools_used(provider: str) -> None:
    facts = FACTS[provider]
    for case in walked(provider).cases:
        used: list[ToolUse] = [turn.tool for turn in facts.heard(case) if turn.tool] if facts.has_tools else []
        turns = case.read.transcript or ()
        calls = [call for turn in turns for call in turn.tool_calls if call.name not in facts.own_tools]
        # Arguments may be sent as an object, and then be written in another way.
        assert [(call.id, call.name, json.loads(call.arguments or "null")) for call in calls] == [
            (tool.call_id, facts.tool_name(case, tool), json.loads(tool.arguments)) for tool in used
        ]
        ids = {call.id for call in calls}
        results = [turn.tool_result for turn in turns if turn.tool_result and turn.tool_result.call_id in ids]
        # Of several results of one call the last counts.
        assert {result.call_id: (result.content, result.is_error) for result in results} == {
            tool.call_id: (tool.result, facts.expected("is_error", tool)) for tool in used if facts.has_results
        }


# deliveries


@pytest.mark.parametrize("provider", [provider for provider in BUILTIN if load(provider).webhook is not None])
def test_deliveries_are_verified_and_agree_with_get(provider: str) -> None:
    facts, found = FACTS[provider], walked(provider)
    simulator: Simulated = import_module(f"conversations_hub.testing.simulator._{provider}").SIMULATED
    assert simulator.deliveries is not None
    kinds: set[str] = set()
    ids: list[str] = []
    for case in found.later:
        deliveries = simulator.deliveries(found.world, case.truth)
        events = [_verified(provider, simulator, delivery) for delivery in deliveries]
        for delivery, event in zip(deliveries, events, strict=True):
            kinds.add(delivery.kind)
            kind, fields = facts.deliveries[delivery.kind]
            assert (event.kind, event.provider_kind or delivery.kind) == (kind, delivery.kind)
            if event.conversation_id is None:
                assert (event.conversation, fields) == (None, ())
            else:
                assert event.conversation_id == case.read.id
            for field in fields:
                assert getattr(event.conversation, field) == getattr(case.read, field), f"{delivery.kind}: {field}"
        sent = [delivery.moment for delivery in deliveries]
        occurred = [event.occurred_at for event in events if event.occurred_at is not None]
        if facts.delivers_in_order:
            assert (sent, occurred) == (sorted(sent), sorted(occurred))
        ids += [event.id for event in events if event.id is not None]
    assert kinds == facts.deliveries.keys()
    assert len(set(ids)) == len(ids)


def _verified(provider: str, simulator: Simulated, delivery: Delivery) -> Event:
    """Verify a delivery and return its event; check that a changed body is refused."""
    now = datetime.fromtimestamp(delivery.moment, UTC)
    if simulator.signed is None:
        [event] = verify(provider, delivery.body, {}, None, now, insecure_accept_unsigned=True)
        assert not event.verified
        return event
    secret = simulator.webhook_secret
    headers = simulator.signed(delivery, secret if simulator.signing_secret is None else simulator.signing_secret)
    [event] = verify(provider, delivery.body, headers, secret, now, url=delivery.url)
    assert event.verified
    if FACTS[provider].signs_body:
        with pytest.raises(WebhookError):
            verify(provider, delivery.body + b" ", headers, secret, now, url=delivery.url)
    return event
