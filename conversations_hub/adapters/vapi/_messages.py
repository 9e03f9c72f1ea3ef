"""The messages of Vapi's chats and sessions: those of OpenAI, mostly without instants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.values import AnyJson, Id, Seconds, json_text, per_second_of, text
from ...schema import Issue, Participant, ParticipantKind, Role, ToolCall, ToolResult, TranscriptTurn
from ._payload import Function, SentToolCall

# what Vapi sends

_Milliseconds = Annotated[float, msgspec.Meta(gt=0, lt=1e14)]


class Message(msgspec.Struct, gc=False):
    """A message of a person, an assistant or a tool, or the prompt; the last three members are those of calls."""

    role: str | None = None
    content: AnyJson = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: list[SentToolCall | None] | None = None
    tool_call_id: Id | None = None
    message: str | None = None
    time: _Milliseconds | None = None
    seconds_from_start: Seconds | None = msgspec.field(name="secondsFromStart", default=None)


LEFT_TO_RAW = {
    "endTime": "written messages have no length",
    "duration": "written messages have no length",
    "speakerLabel": "only voices have one",
    "metadata*": "about the model or the transcriber, not about the message",
    "isFiltered": "about the security filter",
    "detectedThreats*": "about the security filter",
    "originalMessage": "about the security filter",
    "tool_calls[].type": "always a function",
    "content[].*": "only text is read, not pictures and the like",
}
"""Members of a message that are not read, each with the reason."""

# what it means

_SPEAKERS: Speakers = {
    "user": (Role.USER, 1),
    "assistant": (Role.ASSISTANT, 0),
    "bot": (Role.ASSISTANT, 0),
    "tool": (Role.TOOL, None),
    "system": (Role.SYSTEM, None),
    "developer": (Role.SYSTEM, None),
}
_KINDS = {Role.USER: ParticipantKind.CUSTOMER, Role.ASSISTANT: ParticipantKind.AI_AGENT}


def turns(
    messages: Sequence[Message | None],
    place: str,
    participants: Participants,
    issues: list[Issue],
    *,
    begin: int = 0,
    first: int = 0,
) -> list[TranscriptTurn]:
    """Read the messages at a place of the body.

    `begin` is the position of the first message to read, `first` the index of its turn.
    """
    found: list[TranscriptTurn] = []
    for position, entry in enumerate(messages[begin:], start=begin):
        if entry is None:
            issues.append(Issue(f"{place}[{position}]", "null"))
            continue
        role, participant = _SPEAKERS.get(entry.role) or unknown_speaker(entry.role, participants)
        if entry.name and role in _KINDS:
            participant = _named(entry.name, _KINDS[role], participants)
        is_answer = role is Role.TOOL
        said = entry.content if entry.content is not None else entry.message
        found.append(
            TranscriptTurn(
                index=first + len(found),
                role=role,
                text="" if is_answer else _words(said, entry.refusal),
                start=entry.seconds_from_start,
                timestamp=entry.time / per_second_of(entry.time, 1000) if entry.time else None,
                participant=participant,
                tool_calls=tuple(map(tool_call_of, filter(None, entry.tool_calls))) if entry.tool_calls else (),
                tool_result=tool_result_of(entry.tool_call_id, said) if is_answer else None,
            )
        )
    return found


def _named(name: str, kind: ParticipantKind, participants: Participants) -> int:
    """Return the position of a participant of that name, whatever else is known of them."""
    # Only the first two may have more than a name; the others were added here.
    for position, known in enumerate(participants[:2]):
        if known.kind is kind and known.name == name:
            return position
    return participants.index_of(Participant(kind=kind, name=name))


def _words(said: AnyJson, refusal: str | None) -> str:
    parts = map(_text_of, said if isinstance(said, list) else [said])
    return "\n".join(filter(None, (*parts, refusal)))


def _text_of(part: AnyJson) -> str | None:
    return json_text(part.get("text") if isinstance(part, dict) else part)


def tool_call_of(sent: SentToolCall) -> ToolCall:
    """Read the call of a tool."""
    function = sent.function or Function()
    return ToolCall(id=text(sent.id), name=function.name, arguments=json_text(function.arguments))


def tool_result_of(id: Id | None, content: AnyJson) -> ToolResult:
    """Read the answer of a tool."""
    return ToolResult(call_id=text(id), content=json_text(content))
