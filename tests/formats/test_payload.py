"""Saved payloads: each is read as its provider would have been, and what is none is set apart."""

from __future__ import annotations

import pytest

from conversations_hub import formats
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import UnknownAccountError
from conversations_hub.testing import Case, account_of, cases_in, replay

from ..support.paths import FIXTURES

# Whose conversations take several requests, or of whose lists each page takes some.
COMPOSITE = {
    *("telnyx", "ultravox", "anam", "beyond_presence", "liveavatar", "fish_audio", "assemblyai", "chatwoot", "claude"),
    *("openai", "synthflow"),
}
# Of whose list each page takes several.
LISTED_IN_STEPS = {"cartesia", "chatwoot"}


def cases(provider: str, operation: str) -> list[Case]:
    found = cases_in(FIXTURES / provider).values()
    return [case for case in found if case.operation == operation and all(answer.ok for answer in case.answers)]


@pytest.mark.parametrize("provider", [name for name in BUILTIN if name not in COMPOSITE])
def test_what_was_got_is_read_from_its_file_as_it_was_from_the_wire(provider: str) -> None:
    adapter, account = load(provider), account_of(FIXTURES / provider, load(provider))
    single = [case for case in cases(provider, "get") if len(case.answers) == 1]
    assert single
    read = 0
    for case in single:
        wanted = replay(adapter, account, case).conversation
        [one] = formats.payload(case.answers[0].body, provider)
        if one.conversation is None or wanted is None:
            continue
        read += 1
        assert one.conversation.account == "import"
        assert one.conversation.transcript == wanted.transcript
        assert one.conversation.id.endswith(wanted.id)
    assert read >= len(single) - 1


@pytest.mark.parametrize("provider", [name for name in BUILTIN if name not in LISTED_IN_STEPS])
def test_the_rows_of_a_list_are_read_from_its_file(provider: str) -> None:
    pages = [case.answers[0].body for case in cases(provider, "list")]
    found = [one for page in pages for one in formats.payload(page, provider)]
    read = [one.conversation for one in found if one.conversation is not None]
    assert read
    assert {(one.provider, one.account) for one in read} == {(provider, "import")}


@pytest.mark.parametrize("provider", [name for name in BUILTIN if (hook := load(name).webhook) and not hook.forms])
def test_deliveries_are_read_and_those_without_a_conversation_are_told(provider: str) -> None:
    found = [one for case in cases_in(FIXTURES / provider).values() if case.operation == "webhook"
             for one in formats.payload(case.answers[0].body, provider)]  # fmt: skip
    assert all((one.conversation is None) != (one.error is None) for one in found)
    reasons = {one.error.reason for one in found if one.error is not None}
    other = f"{provider} sends no conversation like this, or only in several answers"
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
