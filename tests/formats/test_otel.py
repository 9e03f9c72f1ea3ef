"""OpenTelemetry: messages in spoken order, and spans that sending twice does not double."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from conversations_hub import formats
from conversations_hub.errors import FormatError
from conversations_hub.schema import (
    Agent,
    Analysis,
    Conversation,
    Participant,
    ParticipantKind,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptTurn,
    Visibility,
)

from ..support.entries import said
from ..support.recorded import everything

START = datetime(2026, 6, 1, 11, 30, tzinfo=UTC)
AVA = Participant(kind=ParticipantKind.AI_AGENT, name="Ava")
CALL = said(
    started_at=START,
    duration=60.5,
    agent=Agent(id="a1", name="Ava"),
    participants=(AVA,),
    analysis=Analysis(scores={"csat": 4.5, "odd": float("inf")}),
    transcript=(
        TranscriptTurn(index=0, role=Role.SYSTEM, text="Be kind."),
        TranscriptTurn(index=1, role=Role.USER, text="Where is it?", start=1.0),
        TranscriptTurn(
            index=2,
            role=Role.ASSISTANT,
            text="Let me see.",
            start=2.0,
            participant=0,
            tool_calls=(ToolCall(id="t1", name="see", arguments='{"order": 1}'), ToolCall(arguments="{no")),
        ),
        TranscriptTurn(
            index=3,
            role=Role.TOOL,
            timestamp=START.timestamp() + 3.5,
            tool_result=ToolResult(call_id="t1", content="[1]", is_error=True),
        ),
        TranscriptTurn(index=4, role=Role.TOOL, start=4.0, tool_result=ToolResult()),
        TranscriptTurn(index=5, role=Role.ASSISTANT, text="He lies.", visibility=Visibility.INTERNAL),
        TranscriptTurn(index=6),
        TranscriptTurn(index=7, role=Role.ASSISTANT, text="It is lost."),
    ),
)


def written(one: Conversation, name: str, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(formats.dump(one, name, **options))
    return found


def test_messages_are_in_spoken_order_and_the_last_is_the_output() -> None:
    assert written(CALL, "otel") == {
        "gen_ai.conversation.id": "c1",
        "gen_ai.system_instructions": [{"type": "text", "content": "Be kind."}],
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]},
            {
                "role": "assistant",
                "name": "Ava",
                "parts": [
                    {"type": "text", "content": "Let me see."},
                    {"type": "tool_call", "id": "t1", "name": "see", "arguments": {"order": 1}},
                    {"type": "tool_call", "name": "unknown", "arguments": "{no"},
                ],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "t1", "response": [1]}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "response": None}]},
        ],
        "gen_ai.output.messages": [
            {"role": "assistant", "parts": [{"type": "text", "content": "It is lost."}], "finish_reason": "stop"}
        ],
    }
    lost = formats.dump_all([CALL], "otel", len, system=False).lost
    assert (lost["internal notes"], lost["system prompts"], lost["duration"]) == (1, 1, 1)
    assert "He lies." in json.dumps(written(CALL, "otel", internal=True))


def test_where_the_assistant_is_not_the_last_there_is_no_output() -> None:
    found = written(said("Hello?"), "otel")
    assert found["gen_ai.input.messages"] == [{"role": "user", "parts": [{"type": "text", "content": "Hello?"}]}]
    assert "gen_ai.output.messages" not in found
    assert written(said(transcript=None), "otel") == {"gen_ai.conversation.id": "c1", "gen_ai.input.messages": []}


def test_texts_roles_and_tools_are_read_back() -> None:
    for one in everything():
        found = formats.load(formats.dump(one, "otel", internal=True), "otel")
        kept = [turn for turn in one.transcript or () if turn.text or turn.tool_calls or turn.tool_result]
        kept.sort(key=lambda turn: turn.role is not Role.SYSTEM)
        assert [(turn.role, turn.text) for turn in found.transcript or ()] == [(turn.role, turn.text) for turn in kept]
        calls = [[(call.id, call.arguments) for call in turn.tool_calls] for turn in kept]
        assert [[(call.id, call.arguments) for call in turn.tool_calls] for turn in found.transcript or ()] == calls


def test_messages_of_others_are_read() -> None:
    line = {
        "gen_ai.input.messages": [
            {"role": "critic", "parts": [{"type": "text", "content": "A"}, {"type": "reasoning", "content": "x"}]},
            {
                "role": "user",
                "parts": [{"type": "text", "content": "B"}, {"type": "text", "content": "C"}],
                "name": "Zoë",
            },
        ]
    }
    found = formats.load(json.dumps(line).encode(), "otel")
    assert re.fullmatch("[0-9a-f]{32}", found.id)
    assert found.participants == (Participant(name="Zoë"),)
    assert found.transcript == (
        TranscriptTurn(index=0, text="A"),
        TranscriptTurn(index=1, role=Role.USER, text="B\nC", participant=0),
    )


def spans(one: Conversation, **options: Any) -> list[dict[str, Any]]:
    [resource] = written(one, "otlp", **options)["resourceSpans"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "acme"}}]
    [scope] = resource["scopeSpans"]
    assert scope["scope"]["name"] == "conversations-hub"
    found: list[dict[str, Any]] = scope["spans"]
    return found


def attributes(span: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def nano(seconds: float) -> str:
    return str(
        (START + timedelta(seconds=seconds) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    )


def test_a_conversation_is_a_span_and_so_is_every_tool_call() -> None:
    root, first, second = spans(CALL)
    assert re.fullmatch("[0-9a-f]{32}", root["traceId"])
    assert re.fullmatch("[0-9a-f]{16}", root["spanId"])
    assert {span["traceId"] for span in (root, first, second)} == {root["traceId"]}
    assert len({span["spanId"] for span in (root, first, second)}) == 3
    assert "parentSpanId" not in root
    assert first["parentSpanId"] == second["parentSpanId"] == root["spanId"]
    assert (root["name"], root["kind"]) == ("invoke_agent Ava", 3)
    assert (root["startTimeUnixNano"], root["endTimeUnixNano"]) == (nano(0), nano(60.5))
    assert attributes(root) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "acme",
        "gen_ai.conversation.id": "c1",
        "gen_ai.agent.id": "a1",
        "gen_ai.agent.name": "Ava",
        "conversations_hub.account": "default",
        "conversations_hub.status": "ended",
        "conversations_hub.channel": "unknown",
        "conversations_hub.direction": "unknown",
    }
    [event] = root["events"]
    assert (event["name"], event["timeUnixNano"]) == ("gen_ai.evaluation.result", nano(60.5))
    assert attributes(event) == {"gen_ai.evaluation.name": "csat", "gen_ai.evaluation.score.value": 4.5}
    assert (first["name"], first["kind"], first["status"]) == ("execute_tool see", 1, {"code": 2})
    assert (first["startTimeUnixNano"], first["endTimeUnixNano"]) == (nano(2), nano(3.5))
    assert (second["name"], second["endTimeUnixNano"], "status" in second) == ("execute_tool unknown", nano(4), False)


def test_no_text_is_in_a_span_unless_it_is_asked_for() -> None:
    for text in ("Where is it", "Let me see", "order", "Be kind", "He lies", "[1]"):
        assert text not in json.dumps(spans(CALL))
    root, first, _ = spans(CALL, content=True)
    told = written(CALL, "otel")
    assert json.loads(attributes(root)["gen_ai.input.messages"]) == told["gen_ai.input.messages"]
    assert json.loads(attributes(root)["gen_ai.output.messages"]) == told["gen_ai.output.messages"]
    assert attributes(first)["gen_ai.tool.call.arguments"] == '{"order": 1}'
    assert attributes(first)["gen_ai.tool.call.result"] == "[1]"


def test_the_ids_are_those_of_the_conversation() -> None:
    changed = msgspec.structs.replace(CALL, title="Another", status=Status.FAILED)
    assert [span["spanId"] for span in spans(changed)] == [span["spanId"] for span in spans(CALL)]
    assert spans(changed)[0]["status"] == {"code": 2}
    assert spans(msgspec.structs.replace(CALL, account="eu"))[0]["traceId"] != spans(CALL)[0]["traceId"]


@pytest.mark.parametrize("start", [None, datetime(1969, 1, 1, tzinfo=UTC)])
def test_without_a_start_there_is_no_span(start: datetime | None) -> None:
    with pytest.raises(FormatError, match="it has no start"):
        formats.dump(msgspec.structs.replace(CALL, started_at=start), "otlp")
