"""A redactor that fails: one sentence, without what it saw, and nothing stored that did not pass it."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from conversations_hub import Conversation
from conversations_hub._concurrency import run_all
from conversations_hub.errors import StoreError
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import sync

from ..support.simulated import simulated
from ..support.sqlite import stored


class Fails:
    """Fails at every seventh conversation."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, conversation: Conversation) -> Conversation:
        self.seen += 1
        if self.seen % 7 == 0:
            raise LookupError(conversation.text or "said")
        return conversation


def cut(conversation: Conversation) -> Conversation:
    raise ZeroDivisionError(conversation.id)


@pytest.mark.parametrize(("redact", "named"), [(Fails(), "Fails: LookupError"), (cut, "cut: ZeroDivisionError")])
@pytest.mark.parametrize("provider", ["vapi", "tavus"])
async def test_a_redactor_that_fails_is_one_sentence(redact: Fails, named: str, provider: str, tmp_path: Path) -> None:
    async with simulated(provider, "elevenlabs") as (hub, _):
        with pytest.raises(StoreError) as told:
            await sync(hub, SQLiteStore(tmp_path / "c.db"), redact=redact)
    assert told.value.reason == f"a redactor failed ({named}), so the conversation is not stored"
    assert isinstance(told.value.__cause__, LookupError | ZeroDivisionError)
    assert len(stored(tmp_path / "c.db")) < 120


async def test_what_fails_beside_others_is_raised_as_if_it_had_run_alone() -> None:
    async def fail() -> None:
        raise LookupError("alone")

    async def nested() -> None:
        raise ExceptionGroup("more", [ExceptionGroup("and more", [LookupError("alone")])])

    for run in (fail, nested):
        with pytest.raises(LookupError, match="alone") as told:
            await run_all([run(), fail()], 64)
        assert "ExceptionGroup" not in "".join(traceback.format_exception_only(told.value))
