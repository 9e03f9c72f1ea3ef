"""The hub against the simulator on loopback: two readings of the same documentation, and they must agree."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial

import msgspec
import pytest

from conversations_hub import errors
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.policy import PROFILES
from conversations_hub.schema import Role, Status, TranscriptState
from conversations_hub.testing import Faults

from ..support.clock import ManualClock
from ..support.iterators import collected
from ..support.provider_facts import AGENT_NEEDS_GET, MAY_HAVE_NOTES_ALONE, NEVER_LATE
from ..support.simulated import simulated

CONVERSATIONS = 120


# As interactive callers read, who try less often than a sync does.
served = partial(simulated, conversations=CONVERSATIONS, profile="interactive")
# Those that are not finished are among the newest seven.
served_few = partial(served, conversations=40)


@pytest.mark.no_cover
async def test_everything_there_is_arrives_once() -> None:
    async with served() as (hub, simulator):
        walk = hub.list(transcripts=True)
        found = [conversation async for conversation in walk]
        assert walk.report.complete, str(walk.report)
        for provider in BUILTIN:
            corpus = simulator.worlds[provider].corpus
            ids = [conversation.id for conversation in found if conversation.provider == provider]
            assert sorted(ids) == sorted(corpus.id(number) for number in range(CONVERSATIONS))
    assert Counter(c.transcript_state for c in found)[TranscriptState.AVAILABLE] > 250
    for conversation in found:
        assert [issue for issue in conversation.issues if issue.reason != "empty"] == []
        if conversation.status in {Status.ENDED, Status.IN_PROGRESS} and conversation.transcript:
            is_noted = all(turn.role is Role.SYSTEM or not turn.text for turn in conversation.transcript)
            assert conversation.text or (is_noted and conversation.provider in MAY_HAVE_NOTES_ALONE)


@pytest.mark.no_cover
async def test_a_row_and_its_details_agree() -> None:
    async with served() as (hub, _):
        for provider in BUILTIN:
            for row in await collected(hub, provider, limit=40):
                details = await hub.get(row.ref)
                assert details.id == row.id
                assert row.agent == details.agent or (row.agent is None and provider in AGENT_NEEDS_GET)
                assert row.transcript is None or row.transcript == details.transcript


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_hostile_provider_loses_nothing(provider: str) -> None:
    # More than this, and the budget for retries would run dry.
    faults = Faults(throttle=0.04, throttle_bare=0.03, outage=0.05, reset=0.03, truncate=0.03)
    patient = msgspec.structs.replace(PROFILES["bulk"], attempts=40, deadline=1e9, breaks=False)
    async with served(faults=faults, profile=patient) as (hub, simulator):
        walk = hub.list(provider, transcripts=True)
        found = [conversation.id async for conversation in walk]
        requests = simulator.requests.total()
    assert len(set(found)) == len(found) == CONVERSATIONS
    assert walk.report.complete, str(walk.report)
    [report] = walk.report.accounts
    assert requests > report.requests * 0.9
    if not load(provider).complete_lists:
        assert requests > CONVERSATIONS * 1.1


@pytest.mark.no_cover
async def test_a_provider_that_is_down_stops_no_other() -> None:
    async with served(faults=Faults(outage=1.0, providers=("tavus",))) as (hub, _):
        taken: list[errors.HubError] = []
        found = await collected(hub, on_error=taken.append)
        assert {c.provider for c in found} == set(BUILTIN) - {"tavus"}
        assert len(found) == (len(BUILTIN) - 1) * CONVERSATIONS
        with pytest.raises(errors.PartialError, match="tavus/default: OutageError"):
            await collected(hub)
    [error] = taken
    assert isinstance(error, errors.OutageError)
    assert error.attempts == 3


@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_bad_key_is_refused_as_the_provider_refuses(provider: str) -> None:
    bad = {"anyreach": "ak_bad.key"}.get(provider, "bad-key")
    async with served(environ={f"{provider.upper()}_API_KEY": bad}) as (hub, _):
        with pytest.raises(errors.AuthError, match=f"{provider.upper()}_API_KEY"):
            await hub.get(f"{provider}:c1")
        with pytest.raises(errors.AuthError):
            await collected(hub, provider)


@pytest.mark.parametrize("provider", BUILTIN)
async def test_an_unknown_id_is_not_found(provider: str) -> None:
    async with served() as (hub, _):
        with pytest.raises(errors.NotFoundError) as caught:
            await hub.get(f"{provider}:no_such_conversation")
    assert caught.value.attempts == 1


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_window_brings_what_lies_in_it(provider: str) -> None:
    async with served() as (hub, _):
        dated = {c.id: at for c in await collected(hub, provider) if (at := c.created_at or c.started_at)}
        since, until = sorted(dated.values())[30], sorted(dated.values())[60]
        found = {c.id for c in await collected(hub, provider, since=since, until=until)}
    inside = {id for id, at in dated.items() if since <= at < until}
    assert len(inside) == 30
    assert found & dated.keys() == inside


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_walk_goes_on_from_every_page(provider: str) -> None:
    async with served() as (hub, _):
        pages = [page async for page in hub.list(provider, page_size=25).pages()]
        ids = [c.id for page in pages for c in page.items]
        assert len(set(ids)) == len(ids) == CONVERSATIONS
        for page in pages[:-1]:
            rest = [c.id for c in await collected(hub, provider, cursor=page.cursor)]
            assert rest == ids[len(ids) - len(rest) :]
            assert not {one.id for one in page.items}.intersection(rest)


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", [provider for provider in BUILTIN if provider not in NEVER_LATE])
async def test_a_late_transcript_is_pending_and_then_there(provider: str) -> None:
    present = ManualClock()
    async with served_few(present=present) as (hub, _):
        found = await collected(hub, provider, transcripts=True)
        pending = [c for c in found if c.transcript_state == TranscriptState.PENDING]
        present.seconds = timedelta(days=1).total_seconds()
        later = [await hub.get(c.ref) for c in pending]
    assert {c.status for c in pending} & {Status.ENDED, Status.PROCESSING}, "none that has ended a moment ago"
    ended = [after for before, after in zip(pending, later, strict=True) if before.status == Status.IN_PROGRESS]
    assert ended
    assert all(c.is_finished and c.transcript for c in ended)
