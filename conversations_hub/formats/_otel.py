"""Messages as OpenTelemetry's conventions for generative AI have them, a line for each conversation.

https://github.com/open-telemetry/semantic-conventions/tree/main/docs/gen-ai. The conventions are in development.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any, Final

import msgspec

from ..schema import (
    Conversation,
    Participant,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ._format import Format, NoOptions
from ._json_text import as_json, as_text

__all__ = ["FORMAT", "OTelOptions", "attributes"]


class OTelOptions(NoOptions, frozen=True, kw_only=True):
    """What is written besides what people said and what tools did."""

    system: bool = True
    """Whether to write system prompts."""
    internal: bool = False
    """Whether to write what only the company's own people were meant to read."""


def _dump(conversation: Conversation, options: OTelOptions, lost: Counter[str]) -> bytes:
    return msgspec.json.encode({"gen_ai.conversation.id": conversation.id, **attributes(conversation, options, lost)})


def attributes(conversation: Conversation, options: OTelOptions, lost: Counter[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the attributes that hold the messages: the last is the output, if it is the assistant's."""
    instructions: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for turn in conversation.transcript or ():
        if turn.role is Role.SYSTEM and not options.system:
            lost["system prompts"] += 1
        elif turn.visibility is Visibility.INTERNAL and not options.internal:
            lost["internal notes"] += 1
        elif turn.role is Role.SYSTEM:
            instructions.append({"type": "text", "content": turn.text})
        elif parts := [*_parts(turn)]:
            messages.append(_message(conversation, turn, parts))
    found = {"gen_ai.system_instructions": instructions} if instructions else {}
    found["gen_ai.input.messages"] = messages
    if messages and messages[-1]["role"] == "assistant":
        found["gen_ai.output.messages"] = [{**messages.pop(), "finish_reason": "stop"}]
    return found


def _message(conversation: Conversation, turn: TranscriptTurn, parts: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role.value, "parts": parts}
    at = turn.participant
    if at is not None and 0 <= at < len(conversation.participants) and (name := conversation.participants[at].name):
        message["name"] = name
    return message


def _parts(turn: TranscriptTurn) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "text", "content": turn.text}] if turn.text else []
    for call in turn.tool_calls:
        told = {
            "type": "tool_call",
            "id": call.id,
            "name": call.name or "unknown",
            "arguments": as_json(call.arguments),
        }
        parts.append({name: value for name, value in told.items() if value is not None})
    if (result := turn.tool_result) is not None:
        id = {} if result.call_id is None else {"id": result.call_id}
        parts.append({"type": "tool_call_response", **id, "response": as_json(result.content)})
    return parts


# reading


class _Part(msgspec.Struct, frozen=True):
    type: str
    content: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()


class _Message(msgspec.Struct, frozen=True):
    role: str
    parts: list[_Part] = []
    name: str | None = None


class _Line(msgspec.Struct, frozen=True):
    input: list[_Message] = msgspec.field(name="gen_ai.input.messages", default_factory=list[_Message])
    output: list[_Message] = msgspec.field(name="gen_ai.output.messages", default_factory=list[_Message])
    instructions: list[_Part] = msgspec.field(name="gen_ai.system_instructions", default_factory=list[_Part])
    id: str | None = msgspec.field(name="gen_ai.conversation.id", default=None)


_decoder: Final = msgspec.json.Decoder(_Line)
_ROLES: Final = {role.value: role for role in Role}


def _load(data: bytes, _options: OTelOptions) -> Conversation:
    found = _decoder.decode(data)
    messages = [_Message("system", [part]) for part in found.instructions] + found.input + found.output
    people: dict[str, int] = {}
    turns = tuple(_turn(index, one, people) for index, one in enumerate(messages))
    return Conversation(
        provider="otel",
        id=found.id or sha256(data.strip()).hexdigest()[:32],
        status=Status.ENDED,
        participants=tuple(Participant(name=name) for name in people),
        transcript=turns,
        transcript_state=TranscriptState.AVAILABLE,
    )


def _turn(index: int, one: _Message, people: dict[str, int]) -> TranscriptTurn:
    results = [
        ToolResult(call_id=part.id, content=_text(part.response))
        for part in one.parts
        if part.type == "tool_call_response"
    ]
    calls = (
        ToolCall(id=part.id, name=part.name, arguments=_text(part.arguments))
        for part in one.parts
        if part.type == "tool_call"
    )
    return TranscriptTurn(
        index=index,
        role=_ROLES.get(one.role, Role.UNKNOWN),
        text="\n".join(part.content for part in one.parts if part.type == "text" and part.content),
        participant=people.setdefault(one.name, len(people)) if one.name else None,
        tool_calls=tuple(calls),
        tool_result=results[-1] if results else None,
    )


def _text(json: msgspec.Raw) -> str | None:
    return None if bytes(json) == b"null" else as_text(json)


FORMAT: Final = Format(
    name="otel",
    media_type="application/jsonl",
    suffix=".jsonl",
    framing="line",
    dump=_dump,
    load=_load,
    options=OTelOptions,
    writes=frozenset(
        {
            *("id", "participants", "transcript"),
            *(f"transcript.{name}" for name in ("index", "role", "text", "participant", "tool_calls", "tool_result")),
        }
    ),
)
