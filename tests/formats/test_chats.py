"""Chats to train models on: every call is answered at once, the last word is the assistant's, losses are counted."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from conversations_hub import formats
from conversations_hub.errors import FormatError
from conversations_hub.schema import (
    Conversation,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)

from ..support.entries import said
from ..support.recorded import everything


def chat(*turns: TranscriptTurn) -> Conversation:
    return said(transcript=tuple(msgspec.structs.replace(turn, index=at) for at, turn in enumerate(turns)))


def user(text: str) -> TranscriptTurn:
    return TranscriptTurn(index=0, role=Role.USER, text=text)


def agent(text: str = "", *calls: ToolCall, **more: Any) -> TranscriptTurn:
    return TranscriptTurn(index=0, role=Role.ASSISTANT, text=text, tool_calls=calls, **more)


def result(content: str | None, call_id: str | None = None) -> TranscriptTurn:
    return TranscriptTurn(index=0, role=Role.TOOL, tool_result=ToolResult(call_id=call_id, content=content))


SYSTEM = TranscriptTurn(index=0, role=Role.SYSTEM, text="Be kind.")
CALL = ToolCall(id="t1", name="look up!", arguments='{"order": 1}')


def written(one: Conversation, name: str = "openai", **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(formats.dump(one, name, **options))
    return found


def losses(one: Conversation, name: str = "openai", **options: Any) -> dict[str, int]:
    """Return what is lost besides fields."""
    lost = formats.dump_all([one], name, len, **options).lost
    return {kind: number for kind, number in lost.items() if " " in kind}


BOOKING = chat(
    SYSTEM,
    agent("Hello."),
    user("Where is"),
    user("my order?"),
    agent("Let me see.", CALL),
    agent("One moment."),
    result("sent", "t0"),
    result("lost", "t1"),
    result(None, "t1"),
    agent("It is lost."),
    user("Bye."),
)


def test_results_follow_their_calls_and_the_assistant_has_the_last_word() -> None:
    assert written(BOOKING) == {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Where is\nmy order?"},
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "look_up_", "arguments": '{"order": 1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "t1", "content": ""},
            {"role": "assistant", "content": "One moment.\nIt is lost."},
        ]
    }
    assert losses(BOOKING) == {"tool results without a call": 1, "messages after the last answer": 1}
    apart = written(BOOKING, merge=False)["messages"]
    assert [one["content"] for one in apart if one["role"] == "user"] == ["Where is", "my order?"]
    assert written(BOOKING, system=False)["messages"] == written(BOOKING)["messages"][1:]
    assert losses(BOOKING, system=False)["system prompts"] == 1
    tools = [{"type": "function", "function": {"name": "look_up_"}}]
    assert written(BOOKING, tools=tools)["tools"] == tools


def test_who_must_begin_is_the_user() -> None:
    dropped = written(BOOKING, strict_alternation="drop")["messages"]
    assert [one["role"] for one in dropped] == ["system", "user", "assistant", "tool", "assistant"]
    assert losses(BOOKING, strict_alternation="drop")["messages before the user's first"] == 1
    folded = written(BOOKING, strict_alternation="fold")["messages"]
    assert folded[0] == {"role": "system", "content": "Be kind.\nYou have already said: Hello."}
    assert folded[1:] == dropped[1:]
    between = written(chat(user("A"), SYSTEM, user("B"), agent("C")), strict_alternation="drop")["messages"]
    assert [one["content"] for one in between] == ["Be kind.", "A\nB", "C"]


def test_calls_without_ids_are_answered_in_order() -> None:
    one = chat(
        user("Hi."),
        agent("", ToolCall(name="a"), ToolCall(name="b", arguments="{broken")),
        result("1"),
        result("2"),
        agent("Done."),
    )
    _, asked, first, second, _ = written(one)["messages"]
    assert asked["content"] is None
    assert [call["id"] for call in asked["tool_calls"]] == ["call_1_0", "call_1_1"]
    assert [call["function"]["arguments"] for call in asked["tool_calls"]] == ["{}", "{broken"]
    assert [(each["tool_call_id"], each["content"]) for each in (first, second)] == [
        ("call_1_0", "1"),
        ("call_1_1", "2"),
    ]


def test_what_fits_into_no_message_is_left_out_and_counted() -> None:
    one = chat(
        user("Hi."),
        agent("", ToolCall(name="open"), ToolCall(id="t2")),
        result("x", "t2"),
        TranscriptTurn(index=0, text="Who?", tool_calls=(CALL,)),
        agent("A liar.", visibility=Visibility.INTERNAL),
        agent("I would", interrupted=True),
        agent("Done.", CALL),
        result("late", "t1"),
    )
    assert [m["content"] for m in written(one, drop_interrupted=True)["messages"]] == ["Hi.", None, "late", "Done."]
    assert losses(one, drop_interrupted=True) == {
        "tool calls without a result": 2,
        "tool calls without a name": 1,
        "texts of another role": 1,
        "internal notes": 1,
        "interrupted texts": 1,
    }


def test_a_call_whose_answer_would_come_after_the_last_text_goes_with_it() -> None:
    one = chat(user("Hi."), agent("Let me see.", CALL), result("lost", "t1"), user("Hello?"))
    assert [message["role"] for message in written(one)["messages"]] == ["user", "assistant"]
    assert "tool_calls" not in written(one)["messages"][-1]
    assert losses(one) == {"messages after the last answer": 1, "tool calls after the last answer": 1}


@pytest.mark.parametrize("name", ["openai", "sharegpt"])
@pytest.mark.parametrize("turns", [(), (user("Hi."),), (agent("Hello."),), (agent("Hello."), user("Hi."))])
def test_where_the_user_is_not_answered_there_is_nothing_to_learn(name: str, turns: tuple[TranscriptTurn, ...]) -> None:
    with pytest.raises(FormatError, match="there is no message of the user before an answer"):
        formats.dump(chat(*turns), name)


def test_chats_of_others_are_read() -> None:
    line = {
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "Where is "}, {"type": "text", "text": "it?"}]},
            {
                "role": "assistant",
                "weight": 0,
                "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "see", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "lost"},
            {"role": "assistant", "content": "Lost."},
        ],
        "tools": [{"type": "function"}],
    }
    found = formats.load(json.dumps(line).encode(), "openai")
    assert (found.provider, len(found.id), found.status) == ("openai", 32, Status.ENDED)
    assert found.transcript_state is TranscriptState.AVAILABLE
    assert found.metadata == {"openai.tools": [{"type": "function"}]}
    assert [turn.index for turn in found.transcript or ()] == [0, 1, 2, 3, 4]
    assert found.transcript == (
        chat(
            SYSTEM,
            user("Where is it?"),
            agent("", ToolCall(id="t1", name="see", arguments="{}")),
            result("lost", "t1"),
            agent("Lost."),
        ).transcript
    )


# ShareGPT


def test_in_sharegpt_who_asks_and_who_answers_take_turns() -> None:
    assert written(BOOKING, "sharegpt") == {
        "conversations": [
            {"from": "human", "value": "Where is\nmy order?"},
            {"from": "function_call", "value": '{"name":"look_up_","arguments":{"order": 1}}'},
            {"from": "observation", "value": ""},
            {"from": "gpt", "value": "Let me see.\nOne moment.\nIt is lost."},
        ],
        "system": "Be kind.",
    }
    assert losses(BOOKING, "sharegpt") == {
        "messages before the user's first": 1,
        "messages after the last answer": 1,
        "tool results without a call": 1,
    }
    assert json.loads(written(BOOKING, "sharegpt", tools=[{"a": 1}])["tools"]) == [{"a": 1}]


def test_every_recorded_conversation_alternates() -> None:
    for one in everything():
        try:
            found = written(one, "sharegpt")["conversations"]
        except FormatError:
            continue
        assert {item["from"] for item in found[::2]} <= {"human", "observation"}
        assert {item["from"] for item in found[1::2]} <= {"gpt", "function_call"}
        assert len(found) % 2 == 0


def test_calls_that_nothing_follows_are_left_out_of_sharegpt() -> None:
    one = chat(user("Hi."), agent("", CALL), result("x", "t1"), user("Hello?"), agent("Yes."))
    assert [item["value"] for item in written(one, "sharegpt")["conversations"]] == ["Hi.\nHello?", "Yes."]
    assert losses(one, "sharegpt") == {"tool calls without an answer": 1}
    held = chat(user("Hi."), agent("I see.", CALL), result("x", "t1"), user("So?"), agent("Yes."))
    assert [item["value"] for item in written(held, "sharegpt")["conversations"]][2:] == ["x", "I see.", "So?", "Yes."]


def test_sharegpt_of_others_is_read() -> None:
    line = {
        "conversations": [
            {"from": "human", "value": "Where is it?"},
            {"from": "function_call", "value": '{"name": "see", "arguments": {"a": 1}}'},
            {"from": "observation", "value": "lost"},
            {"from": "gpt", "value": "Lost."},
            {"from": "narrator", "value": "The end."},
        ],
        "system": "Be kind.",
        "tools": "[]",
    }
    found = formats.load(json.dumps(line).encode(), "sharegpt")
    call = ToolCall(name="see", arguments='{"a": 1}')
    end = TranscriptTurn(index=0, text="The end.")
    expected = chat(SYSTEM, user("Where is it?"), agent("", call), result("lost"), agent("Lost."), end)
    assert found.transcript == expected.transcript
    assert found.metadata == {"sharegpt.tools": "[]"}
