"""A conversation as lines for people: all of it, or without its tools or times."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from conversations_hub.schema import (
    Conversation,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)

SPOKEN = Conversation(
    provider="acme",
    id="c-1",
    status=Status.ENDED,
    title="Kettle",
    summary="Broken.\nTo be replaced.",
    transcript=(
        TranscriptTurn(index=0, role=Role.ASSISTANT, text="Hello.\nHow can I help?", start=1.5),
        TranscriptTurn(index=1, role=Role.USER, text="It is broken.", start=62.0),
        TranscriptTurn(
            index=2, role=Role.ASSISTANT, text="Let me see.", tool_calls=(ToolCall(name="find", arguments="{}"),)
        ),
        TranscriptTurn(index=3, role=Role.ASSISTANT, tool_calls=(ToolCall(name="order", arguments="{}"),), start=70.0),
        TranscriptTurn(index=4, role=Role.TOOL, tool_result=ToolResult(content="none", is_error=True)),
    ),
    transcript_state=TranscriptState.AVAILABLE,
)
HEADING = [
    "acme:c-1  ended",
    "title    Kettle",
    "summary  Broken.",
    "         To be replaced.",
    "",
]


def test_it_has_the_facts_and_every_turn_in_columns() -> None:
    assert SPOKEN.render().split("\n") == [
        *HEADING,
        "0:01  agent  Hello.",
        "             How can I help?",
        "1:02  user   It is broken.",
        "      agent  Let me see.",
        "             → find {}",
        "1:10  agent  → order {}",
        "      tool   ← error none",
    ]


def test_without_tools_no_turn_is_left_empty() -> None:
    assert SPOKEN.render(tools=False).split("\n") == [
        *HEADING,
        "0:01  agent  Hello.",
        "             How can I help?",
        "1:02  user   It is broken.",
        "      agent  Let me see.",
    ]


def test_without_times_there_is_no_column_for_them() -> None:
    assert SPOKEN.render(tools=False, times=False).split("\n") == [
        *HEADING,
        "agent  Hello.",
        "       How can I help?",
        "user   It is broken.",
        "agent  Let me see.",
    ]


@pytest.mark.parametrize("role", Role)
def test_whoever_said_it_is_named(role: Role) -> None:
    turn = TranscriptTurn(index=0, role=role, text="Hi.")
    spoken = msgspec.structs.replace(SPOKEN, transcript=(turn,))
    speaker, _, _ = spoken.render().rpartition("\n")[2].partition("  ")
    assert speaker == {Role.ASSISTANT: "agent", Role.UNKNOWN: "?"}.get(role, role.value.replace("_", " "))


@pytest.mark.parametrize("status", Status)
def test_however_it_ended_it_is_said(status: Status) -> None:
    assert Conversation(provider="acme", id="c-1", status=status).render().startswith(f"acme:c-1  {status.value}")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (TranscriptState.PENDING, "The transcript is not complete yet: try again in a while."),
        (TranscriptState.AVAILABLE, "Nothing was said."),
    ],
)
def test_without_a_transcript_it_says_why(state: TranscriptState, said: str) -> None:
    silent = Conversation(provider="acme", id="c-1", transcript_state=state)
    assert silent.render() == f"acme:c-1  unknown\n\n{said}"


def test_it_needs_nothing_of_the_command_line() -> None:
    code = (
        "import sys; from conversations_hub import Conversation; Conversation(provider='acme', id='c-1').render();"
        " print(sorted({'click', 'rich', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"
