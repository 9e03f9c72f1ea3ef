"""Chats as ShareGPT has them, in the dialect of LLaMA-Factory: who is asked and who answers take turns strictly.

https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import Any, Final

import msgspec

from ..errors import FormatError
from ..schema import Conversation, Role, Status, ToolCall, ToolResult, TranscriptState, TranscriptTurn
from ._format import Format
from ._json_text import as_json, as_text
from ._messages import WRITTEN, ChatOptions, Message, messages_of

__all__ = ["FORMAT"]


class ShareGPTOptions(ChatOptions, frozen=True, kw_only=True):
    """Those of all chats, and one more."""

    tools: list[dict[str, Any]] | None = None
    """The tools that the agent had."""


class _Item(msgspec.Struct, rename={"sender": "from"}):
    sender: str
    value: str


def _dump(conversation: Conversation, options: ShareGPTOptions, lost: Counter[str]) -> bytes:
    messages = messages_of(conversation, options, lost, merge=True)
    items = _Items(lost)
    for message in messages:
        items.add(message)
    found: dict[str, Any] = {"conversations": items.finished()}
    if system := "\n".join(one.text or "" for one in messages if one.role == "system"):
        found["system"] = system
    if options.tools is not None:
        found["tools"] = msgspec.json.encode(options.tools).decode()
    return msgspec.json.encode(found)


_ASKS: Final = ("human", "observation")


class _Items:
    """Items in which `human` and `observation` alternate with `gpt` and `function_call`."""

    def __init__(self, lost: Counter[str]) -> None:
        self._items: list[_Item] = []
        self._lost = lost
        self._held: list[str] = []
        """What the agent said before a tool call; it is put before what it says next."""

    def add(self, message: Message) -> None:
        if message.role == "user":
            self._ask(message.text or "")
        elif message.role == "assistant":
            if message.text:
                self._say(message.text)
            for call in message.calls:
                value = msgspec.json.encode({"name": call.name, "arguments": as_json(call.arguments)}).decode()
                self._call(value, call.result)

    def _ask(self, text: str) -> None:
        self._answer_calls()
        if self._last == "human":
            self._items[-1].value += f"\n{text}"
        else:
            self._items.append(_Item("human", text))

    def _say(self, text: str) -> None:
        if not self._items:
            self._lost["messages before the user's first"] += 1
            return
        text = "\n".join((*self._held, text))
        self._held.clear()
        if self._last == "gpt":
            self._items[-1].value += f"\n{text}"
        else:
            self._items.append(_Item("gpt", text))

    def _call(self, value: str, result: str) -> None:
        if not self._items:
            self._lost["messages before the user's first"] += 1
            return
        if self._last == "gpt":
            self._held.append(self._items.pop().value)
        self._items += (_Item("function_call", value), _Item("observation", result))

    def _answer_calls(self) -> None:
        """End the agent's turn: with what it said before its calls, or without the calls if it said nothing."""
        if self._held:
            self._items.append(_Item("gpt", "\n".join(self._held)))
            self._held.clear()
        while self._last == "observation":
            del self._items[-2:]
            self._lost["tool calls without an answer"] += 1

    @property
    def _last(self) -> str | None:
        return self._items[-1].sender if self._items else None

    def finished(self) -> list[_Item]:
        self._answer_calls()
        if self._last == "human":
            self._items.pop()
            self._lost["messages after the last answer"] += 1
        if not self._items:
            raise FormatError("there is no message of the user before an answer")
        return self._items


# reading


class _Line(msgspec.Struct, frozen=True):
    conversations: list[_Item]
    system: str | None = None
    tools: str | None = None


class _Call(msgspec.Struct, frozen=True):
    name: str
    arguments: msgspec.Raw = msgspec.Raw()


_decoder: Final = msgspec.json.Decoder(_Line)
_call_decoder: Final = msgspec.json.Decoder(_Call)
_ROLES: Final = {"human": Role.USER, "user": Role.USER, "gpt": Role.ASSISTANT, "assistant": Role.ASSISTANT}


def _load(data: bytes, _options: ShareGPTOptions) -> Conversation:
    found = _decoder.decode(data)
    items = found.conversations if found.system is None else [_Item("system", found.system), *found.conversations]
    return Conversation(
        provider="sharegpt",
        id=sha256(data.strip()).hexdigest()[:32],
        status=Status.ENDED,
        transcript=tuple(_turn(index, one) for index, one in enumerate(items)),
        transcript_state=TranscriptState.AVAILABLE,
        metadata={} if found.tools is None else {"sharegpt.tools": found.tools},
    )


def _turn(index: int, one: _Item) -> TranscriptTurn:
    if one.sender == "observation":
        return TranscriptTurn(index=index, role=Role.TOOL, tool_result=ToolResult(content=one.value))
    if one.sender == "function_call":
        call = _call_decoder.decode(one.value)
        calls = (ToolCall(name=call.name, arguments=as_text(call.arguments)),)
        return TranscriptTurn(index=index, role=Role.ASSISTANT, tool_calls=calls)
    role = Role.SYSTEM if one.sender == "system" else _ROLES.get(one.sender, Role.UNKNOWN)
    return TranscriptTurn(index=index, role=role, text=one.value)


FORMAT: Final = Format(
    name="sharegpt",
    media_type="application/jsonl",
    suffix=".jsonl",
    framing="line",
    dump=_dump,
    load=_load,
    options=ShareGPTOptions,
    writes=WRITTEN,
)
