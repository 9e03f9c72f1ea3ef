"""Saved payloads: each is read as its provider would have been, and what is none is set apart."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from conversations_hub import formats
from conversations_hub._stamp import stamp
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import UnknownAccountError
from conversations_hub.schema import Conversation, TranscriptState
from conversations_hub.testing import Case, replay

from ..support import exchanges
from ..support.iterators import collected
from ..support.simulated import simulated


def cases(provider: str, operation: str) -> list[Case]:
    found = exchanges.cases(provider).values()
    return [case for case in found if case.operation == operation and all(answer.ok for answer in case.answers)]


# What is told by the moment of the answer or by the query, neither of which is in a file.
OF_THE_MOMENT = ("status", "transcript_state", "estimated")


def got(provider: str) -> Iterator[tuple[Case, Conversation]]:
    adapter, account = load(provider), exchanges.account(provider)
    for case in cases(provider, "get"):
        if (one := replay(adapter, account, case).conversation) is not None:
            kind = case.facts.get("resource", adapter.main)
            yield case, stamp(one, adapter, kind, account="import")


@pytest.mark.parametrize("provider", BUILTIN)
def test_raw_holds_all_that_it_takes_to_read_a_conversation_again(provider: str) -> None:
    read = 0
    for case, wanted in got(provider):
        assert wanted.raw is not None
        [found] = formats.payload(wanted.raw, provider)
        assert found.conversation is not None, case.name
        read += 1
        told = {name: getattr(wanted, name) for name in OF_THE_MOMENT}
        assert msgspec.structs.replace(found.conversation, **told) == wanted, case.name
    assert read > 2


@pytest.mark.parametrize("provider", BUILTIN)
def test_what_was_got_in_one_answer_is_read_from_its_file(provider: str) -> None:
    for case, wanted in got(provider):
        if len(case.answers) == 1:
            [found] = formats.payload(case.answers[0].body, provider)
            assert found.conversation is not None, case.name
            assert (found.conversation.id, found.conversation.transcript) == (wanted.id, wanted.transcript)


@pytest.mark.parametrize("provider", BUILTIN)
def test_lists_and_their_rows_are_read_from_their_files(provider: str) -> None:
    adapter, account = load(provider), exchanges.account(provider)
    rows = 0
    for case in cases(provider, "list"):
        listed = replay(adapter, account, case).conversations
        kind = case.facts.get("resource", adapter.main)
        wanted = {adapter.id_for_all(kind, one.id) for one in listed}
        pages = [found for answer in case.answers for found in formats.payload(answer.body, provider)]
        assert wanted <= {one.conversation.id for one in pages if one.conversation is not None}, case.name
        for one in listed:
            assert one.raw is not None
            [found] = formats.payload(one.raw, provider)
            assert found.conversation is not None, case.name
            assert found.conversation.id == adapter.id_for_all(kind, one.id)
            assert (found.conversation.provider, found.conversation.account) == (provider, "import")
            rows += 1
    assert rows > 2


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_row_of_a_list_is_no_whole_answer(provider: str) -> None:
    async with simulated(provider, conversations=40, keep_raw=True) as (hub, _):
        rows = await collected(hub, provider)
        for row in rows:
            [found] = formats.payload(row.raw or b"", provider)
            assert found.conversation is not None
            assert found.conversation.transcript == row.transcript
            if found.conversation.transcript_state is row.transcript_state:
                continue
            # With nobody in it, a conversation has no transcript, so that an answer about it holds no more than a row.
            assert found.conversation.is_finished
            assert found.conversation.transcript_state is TranscriptState.UNAVAILABLE
            assert (await hub.get(row.ref)).transcript_state is TranscriptState.UNAVAILABLE


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_whole_answer_is_no_row(provider: str) -> None:
    async with simulated(provider, conversations=40, keep_raw=True) as (hub, _):
        for row in await collected(hub, provider):
            whole = await hub.get(row.ref)
            [found] = formats.payload(whole.raw or b"", provider)
            assert found.conversation is not None
            assert (found.conversation.transcript or ()) == (whole.transcript or ()) or not whole.is_finished


@pytest.mark.parametrize("provider", [name for name in BUILTIN if (hook := load(name).webhook) and not hook.forms])
def test_deliveries_are_read_and_those_without_a_conversation_are_told(provider: str) -> None:
    found = [one for case in exchanges.cases(provider).values() if case.operation == "webhook"
             for one in formats.payload(case.answers[0].body, provider)]  # fmt: skip
    assert all((one.conversation is None) != (one.error is None) for one in found)
    reasons = {one.error.reason for one in found if one.error is not None}
    other = f"{provider} sends no conversation like this"
    assert reasons <= {"it is a delivery without a conversation", other}


def test_many_documents_are_told_apart_by_their_places() -> None:
    [case] = [case for case in cases("bland", "get") if len(case.answers) == 1][:1]
    body = b" ".join(case.answers[0].body.split(b"\n"))
    lines = body + b"\n{}\nnonsense\n" + body
    found = [*formats.payload(lines, "bland", account="old")]
    assert [(one.place, one.error is None) for one in found] == [
        ("line 1", True),
        ("line 2", False),
        ("line 3", False),
        ("line 4", True),
    ]
    assert found[0].conversation is not None
    assert found[0].conversation.account == "old"
    array = [*formats.payload(b"[" + body + b",\n" + body + b"]", "bland")]
    assert [one.place for one in array if one.conversation] == ["document 1", "document 2"]


def test_an_unknown_provider_is_told() -> None:
    with pytest.raises(UnknownAccountError):
        formats.payload(b"{}", "nobody")
