"""Webhooks come twice and late, to a receiver that goes down, while a secret is rotated: one poll makes it whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from conversations_hub import Conversation
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.schema import Analysis, Recording
from conversations_hub.stores._reconcile import UNSAID
from conversations_hub.testing import Faults

from ..support.bad_weather import Outcome, weathered
from ..support.clock import NOW
from ..support.virtual_time import WiredLoop

DELIVERING = [provider for provider in BUILTIN if load(provider).webhook is not None]
TWICE_AND_LATE = Faults(duplicate=0.2, late=0.5)
_OF_ITS_TIME = frozenset({"raw", "estimated"})  # not kept, or names what a webhook told


def said_by(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a value says, place by place; of a signed URL its place alone, for the rest is new each time."""
    if isinstance(value, Conversation | Analysis):
        for name in value.__struct_fields__:
            if name not in _OF_ITS_TIME and (found := getattr(value, name)) not in (UNSAID.get(name), None):
                yield from ((f"{name}.{place}", one) for place, one in said_by(found))
    elif isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        yield from ((f"{name}.{place}", one) for name, each in members for place, one in said_by(each))
    elif isinstance(value, str) and value.startswith("http"):
        yield "", value.partition("?")[0]
    elif isinstance(value, Recording):
        yield "", value.location.partition("?")[0]
    elif isinstance(value, tuple):
        parts = enumerate(cast("Sequence[Any]", value))
        yield from ((f"{at}.{place}", one) for at, each in parts for place, one in said_by(each))
    else:
        yield "", value


def unlike(outcome: Outcome) -> dict[str, list[str]]:
    """Return what a record does not have as the provider returns it, of what has finished there."""
    found = dict[str, list[str]]()
    for ref, due in outcome.fetched.items():
        kept = dict(said_by(outcome.stored[ref]))
        wrong = [place for place, value in said_by(due) if kept.get(place) != value]
        others = [*outcome.told.get(due.id, ()), outcome.listed[ref]]
        said = {(place, repr(value)) for one in (due, *others) for place, value in said_by(one)}
        wrong += [place for place, value in kept.items() if (place, repr(value)) not in said]
        if due.is_finished and wrong:
            found[ref] = wrong
    return found


def only_by_poll(outcome: Outcome) -> int:
    """Return how many conversations have finished in the last seven days of which no webhook told."""
    week_ago = NOW - timedelta(days=7)
    return sum(
        one.is_finished and (one.created_at or one.started_at or week_ago) > week_ago and one.id not in outcome.told
        for one in outcome.stored.values()
    )


@pytest.mark.parametrize("provider", DELIVERING)
async def test_in_any_weather_each_conversation_is_one_record_as_its_provider_has_it(
    provider: str, tmp_path: Path, loop: WiredLoop
) -> None:
    outcome = await weathered(provider, tmp_path, loop, faults=TWICE_AND_LATE, goes_down=True, conversations=8)
    assert unlike(outcome) == {}
    assert {one.id for one in outcome.stored.values()} >= outcome.told.keys()
    assert outcome.counted.by_poll_only == only_by_poll(outcome)


async def test_what_came_while_the_receiver_was_down_is_there_after_one_poll(tmp_path: Path, loop: WiredLoop) -> None:
    outcome = await weathered("tavus", tmp_path, loop, faults=TWICE_AND_LATE, goes_down=True, conversations=24)
    assert len(outcome.before_poll) < len(outcome.stored) == 24
    assert outcome.counted.by_poll_only == only_by_poll(outcome) > 0
    assert unlike(outcome) == {}


@pytest.mark.parametrize("provider", ["elevenlabs", "retell", "claude"])
async def test_a_secret_that_is_rotated_meanwhile_loses_nothing(provider: str, tmp_path: Path, loop: WiredLoop) -> None:
    outcome = await weathered(provider, tmp_path, loop, faults=TWICE_AND_LATE, rotates=True)
    assert outcome.refused == 0
    assert outcome.told.keys() >= {one.id for one in outcome.stored.values() if one.is_finished}
    assert outcome.counted.by_poll_only == 0
    assert unlike(outcome) == {}


async def test_a_secret_that_the_receiver_does_not_know_yet_loses_what_the_poll_brings(
    tmp_path: Path, loop: WiredLoop
) -> None:
    outcome = await weathered("elevenlabs", tmp_path, loop, rotates=True, is_told=False)
    assert outcome.refused > 0
    assert outcome.counted.by_poll_only == only_by_poll(outcome) > 0
    assert unlike(outcome) == {}
