"""Chats as OpenAI takes them for fine-tuning, a line for each.

https://platform.openai.com/docs/guides/supervised-fine-tuning
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any, Final, Literal

import msgspec

from ..errors import FormatError
from ..schema import Conversation, Role, Status, ToolCall, ToolResult, TranscriptState, TranscriptTurn
from ._format import Format
from ._messages import WRITTEN, ChatOptions, Message, messages_of

__all__ = ["FORMAT"]


class OpenAIOptions(ChatOptions, frozen=True, kw_only=True):
    """Those of all chats, and more."""

    merge: bool = True
    """Whether consecutive messages of one role become one."""
    strict_alternation: Literal["drop", "fold"] | None = None
    """What becomes of the agent's first words where the user must begin: left out, or part of the system prompt."""
    tools: list[dict[str, Any]] | None = None
    """The tools that the agent had, as the API takes them."""


def _dump(conversation: Conversation, options: OpenAIOptions, lost: Counter[str]) -> bytes:
    is_strict = options.strict_alternation is not None
    messages = messages_of(conversation, options, lost, merge=options.merge or is_strict)
    if is_strict:
        messages = _user_first(messages, options, lost)
    messages = _until_answer(messages, lost)
    if not any(one.role == "user" for one in messages):
        raise FormatError("there is no message of the user before an answer")
    found: dict[str, Any] = {"messages": [each for one in messages for each in _as_sent(one)]}
    if options.tools is not None:
        found["tools"] = options.tools
    return msgspec.json.encode(found)


def _until_answer(messages: list[Message], lost: Counter[str]) -> list[Message]:
    """Return the messages up to the last text of the assistant, which is what a model learns to write."""
    end = next(
        (at for at in range(len(messages), 0, -1) if messages[at - 1].role == "assistant" and messages[at - 1].text), 0
    )
    kept = messages[:end]
    if cut := len(messages) - end:
        lost["messages after the last answer"] += cut
    if kept and kept[-1].calls:  # their results would follow the answer
        lost["tool calls after the last answer"] += len(kept[-1].calls)
        kept[-1] = Message(role="assistant", text=kept[-1].text)
    return kept


def _user_first(messages: list[Message], options: OpenAIOptions, lost: Counter[str]) -> list[Message]:
    system = [one.text for one in messages if one.role == "system"]
    spoken = [one for one in messages if one.role != "system"]
    begin = next((at for at, one in enumerate(spoken) if one.role == "user"), len(spoken))
    for one in spoken[:begin]:
        if options.strict_alternation == "fold" and one.text:
            system.append(f"You have already said: {one.text}")
        else:
            lost["messages before the user's first"] += 1
    text = "\n".join(filter(None, system))
    head = [Message(role="system", text=text)] if text else []
    return head + _joined(spoken[begin:])


def _joined(messages: list[Message]) -> list[Message]:
    """Join what stands next to each other now that no system prompt is between."""
    joined: list[Message] = []
    for one in messages:
        if joined and joined[-1].role == one.role and not joined[-1].calls:
            joined[-1].text = "\n".join(filter(None, (joined[-1].text, one.text))) or None
            joined[-1].calls = one.calls
        else:
            joined.append(one)
    return joined


def _as_sent(one: Message) -> list[dict[str, Any]]:
    message: dict[str, Any] = {"role": one.role, "content": one.text}
    if one.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in one.calls
        ]
    return [message, *({"role": "tool", "tool_call_id": call.id, "content": call.result} for call in one.calls)]


# reading


class _Function(msgspec.Struct, frozen=True):
    name: str
    arguments: str = ""


class _Call(msgspec.Struct, frozen=True):
    function: _Function
    id: str | None = None


class _Part(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""
    refusal: str = ""


class _Message(msgspec.Struct, frozen=True):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Line(msgspec.Struct, frozen=True):
    messages: list[_Message]
    tools: list[dict[str, Any]] | None = None


_decoder: Final = msgspec.json.Decoder(_Line)
_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}


def _load(data: bytes, _options: OpenAIOptions) -> Conversation:
    found = _decoder.decode(data)
    return Conversation(
        provider="openai",
        id=sha256(data.strip()).hexdigest()[:32],
        status=Status.ENDED,
        transcript=tuple(_turn(index, one) for index, one in enumerate(found.messages)),
        transcript_state=TranscriptState.AVAILABLE,
        metadata={} if found.tools is None else {"openai.tools": found.tools},
    )


def _turn(index: int, one: _Message) -> TranscriptTurn:
    content = one.content
    text = "".join(part.text or part.refusal for part in content) if isinstance(content, list) else content or ""
    role = _ROLES.get(one.role, Role.UNKNOWN)
    if role is Role.TOOL:
        return TranscriptTurn(index=index, role=role, tool_result=ToolResult(call_id=one.tool_call_id, content=text))
    calls = (
        ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
        for call in one.tool_calls or ()
    )
    return TranscriptTurn(index=index, role=role, text=text, tool_calls=tuple(calls))


FORMAT: Final = Format(
    name="openai",
    media_type="application/jsonl",
    suffix=".jsonl",
    framing="line",
    dump=_dump,
    load=_load,
    options=OpenAIOptions,
    writes=WRITTEN,
)
