"""A conversation as the messages of a chat: what models are trained on and tested with."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from ..schema import Conversation, Role, ToolCall, ToolResult, TranscriptTurn, Visibility
from ._format import NoOptions

__all__ = ["WRITTEN", "Call", "ChatOptions", "Message", "messages_of"]

WRITTEN: Final = frozenset(
    {"transcript", *(f"transcript.{name}" for name in ("index", "role", "text", "tool_calls", "tool_result"))}
)
"""The fields that messages hold, at least in part."""


class ChatOptions(NoOptions, frozen=True, kw_only=True):
    """How turns become messages."""

    system: bool = True
    """Whether to write system prompts."""
    internal: bool = False
    """Whether to write what only the company's own people were meant to read."""
    drop_interrupted: bool = False
    """Whether to leave out what the agent was interrupted in: some of it was never heard."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call, and what the tool returned."""

    id: str
    name: str
    arguments: str
    result: str


class Message(msgspec.Struct, kw_only=True):
    """A message; the results of its calls follow it."""

    role: Literal["system", "user", "assistant"]
    text: str | None = None
    calls: list[Call] = []


_ROLES: Final[dict[Role, Literal["system", "user", "assistant"]]] = {
    Role.SYSTEM: "system",
    Role.USER: "user",
    Role.ASSISTANT: "assistant",
    Role.HUMAN_AGENT: "assistant",
}


def messages_of(conversation: Conversation, options: ChatOptions, lost: Counter[str], *, merge: bool) -> list[Message]:
    """Return the messages in order, with only such calls as have a name and a result; count all that is left out.

    With `merge`, consecutive messages of one role are one, their texts on lines of their own.
    """
    answers = _Answers(conversation)
    messages: list[Message] = []
    for turn in conversation.transcript or ():
        for one in _of_turn(turn, options, answers, lost):
            last = messages[-1] if messages else None
            if merge and last is not None and last.role == one.role and not last.calls:
                last.text = "\n".join(filter(None, (last.text, one.text))) or None
                last.calls = one.calls
            else:
                messages.append(one)
    if left := answers.left:
        lost["tool results without a call"] += left
    return messages


def _of_turn(turn: TranscriptTurn, options: ChatOptions, answers: _Answers, lost: Counter[str]) -> Iterator[Message]:
    calls = [call for at, one in enumerate(turn.tool_calls) if (call := answers.answered(turn, at, one, lost))]
    role = _ROLES.get(turn.role)
    text = turn.text if _is_wanted(turn, options, lost) else None
    if text and role is None:
        lost["texts of another role"] += 1
    elif text and role == "assistant":
        yield Message(role=role, text=text, calls=calls)
        return
    elif text and role is not None:
        yield Message(role=role, text=text)
    if calls:
        yield Message(role="assistant", calls=calls)


def _is_wanted(turn: TranscriptTurn, options: ChatOptions, lost: Counter[str]) -> bool:
    if not turn.text:
        return False
    if turn.role is Role.SYSTEM and not options.system:
        lost["system prompts"] += 1
    elif turn.visibility is Visibility.INTERNAL and not options.internal:
        lost["internal notes"] += 1
    elif turn.interrupted and options.drop_interrupted and turn.role is not Role.USER:
        lost["interrupted texts"] += 1
    else:
        return True
    return False


class _Answers:
    """The results of tools: found by the id of the call, else in order."""

    def __init__(self, conversation: Conversation) -> None:
        self._by_id: dict[str, ToolResult] = {}
        self._unnamed: deque[ToolResult] = deque()
        for turn in conversation.transcript or ():
            if (result := turn.tool_result) is None:
                continue
            if result.call_id is None:
                self._unnamed.append(result)
            else:
                self._by_id[result.call_id] = result  # of several, the last counts

    def answered(self, turn: TranscriptTurn, at: int, call: ToolCall, lost: Counter[str]) -> Call | None:
        """Return a call with its result; each result answers one call."""
        result = self._by_id.pop(call.id, None) if call.id is not None else None
        if call.id is None and self._unnamed:
            result = self._unnamed.popleft()
        if not call.name:
            lost["tool calls without a name"] += 1
        elif result is None:
            lost["tool calls without a result"] += 1
        else:
            return Call(
                id=call.id or f"call_{turn.index}_{at}",
                name=_NOT_IN_NAMES.sub("_", call.name)[:_LONGEST_NAME],
                arguments=call.arguments or "{}",
                result=result.content or "",
            )
        return None

    @property
    def left(self) -> int:
        """How many results answered no call."""
        return len(self._by_id) + len(self._unnamed)


# https://platform.openai.com/docs/api-reference/chat/create
_NOT_IN_NAMES: Final = re.compile("[^A-Za-z0-9_-]")
_LONGEST_NAME: Final = 64
