"""OpenAI's sessions of agents as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Any

import msgspec

from ...reading.json import decode
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.values import (
    AnyJson,
    Issues,
    ids_of,
    instant,
    json_text,
    members_of,
    noted,
    text,
    timestamp,
    unless_empty,
    without_empty,
)
from ...schema import (
    Agent,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ._pages import PER_SECOND
from ._payload import Agent as SentAgent
from ._payload import Approval, Environment, Part, Session, SessionItem, SessionItems, Turns

__all__ = ["normalize", "read"]

_session = msgspec.json.Decoder(Session, strict=False)

# what it means

# A session never ends: one that is idle waits for more.
# https://github.com/openai/openai-python/tree/main/src/openai/types/beta/agents
_STATUSES = {
    "idle": Status.IN_PROGRESS,
    "in_progress": Status.IN_PROGRESS,
    "requires_action": Status.IN_PROGRESS,
    "failed": Status.FAILED,
}
_SPEAKERS: Speakers = {"assistant": (Role.ASSISTANT, 0), "user": (Role.USER, 1)}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a session as OpenAI sends it, in a list or alone."""
    issues = Issues()
    return read(decode(body, _session, issues), None, None, body, issues)


def read(
    sent: Session,
    items: Sequence[SessionItems] | None,
    turns: Sequence[Turns] | None,
    raw: bytes | msgspec.Raw,
    issues: list[Issue],
    *,
    place: str = "",
) -> Conversation:
    """Read a session, its items and its turns; `place` is the session's place in `raw`."""
    status = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    has_failed = status is Status.FAILED
    snapshot, environment = sent.agent or SentAgent(), sent.environment or Environment()
    agent = Agent(id=text(snapshot.id), name=text(snapshot.name))
    participants = Participants.of(agent)
    moments, runs = _runs(turns or (), issues)
    said = None if items is None else _transcript(items, moments, participants, issues)
    updated_at = instant(sent.last_active_at, f"{place}last_active_at", issues, per_second=PER_SECOND)
    derived = {
        "direction": True,
        "ended_at": has_failed and updated_at is not None,
        "transcript.timestamp": any(turn.timestamp is not None for turn in said or ()),
    }
    return Conversation(
        provider="openai",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        channel=Channel.CHAT,
        direction=Direction.INBOUND,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=instant(sent.created_at, f"{place}created_at", issues, per_second=PER_SECOND),
        ended_at=updated_at if has_failed else None,
        updated_at=updated_at,
        end_reason=EndReason.ERROR if has_failed else None,
        provider_end_reason=json_text(sent.error) or None if has_failed else None,
        transcript=said,
        transcript_state=TranscriptState.NOT_LOADED if said is None else TranscriptState.AVAILABLE,
        metadata=_metadata(sent, snapshot, environment, runs, is_whole=items is not None),
        related_ids=ids_of({"environment_id": environment.id}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(raw),
    )


def _metadata(
    sent: Session, agent: SentAgent, environment: Environment, runs: list[dict[str, Any]], *, is_whole: bool
) -> dict[str, Any]:
    is_text = not isinstance(sent.metadata, dict)
    actions = [action.type for action in sent.required_actions or () if action is not None and action.type]
    told = {
        "model": agent.model,
        "environment_type": environment.type,
        "error": sent.error,
        "required_actions": actions or None,
        # It is counted later, and is not to make a row look as if it had changed.
        "usage": sent.usage if is_whole else None,
        "turns": runs or None,
        "metadata": sent.metadata if is_text else None,
    }
    return {**without_empty(told), **members_of(sent.metadata)}


def _runs(pages: Sequence[Turns], issues: list[Issue]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return when each of the turns began, by its id, and all that is known of them."""
    moments: dict[str, float] = {}
    runs: list[dict[str, Any]] = []
    for number, page in enumerate(pages):
        for position, turn in enumerate(page.data or ()):
            place = f"turns[{number}].data[{position}]"
            if turn is None:
                issues.append(Issue(place, "null"))
                continue
            began = timestamp(turn.started_at, f"{place}.started_at", issues)
            if turn.id is not None and began is not None:
                moments[str(turn.id)] = began
            runs.append(without_empty(msgspec.structs.asdict(turn)))
    return moments, runs


def _transcript(
    pages: Sequence[SessionItems], moments: dict[str, float], participants: Participants, issues: list[Issue]
) -> tuple[TranscriptTurn, ...]:
    # An item has no instant; the first of a turn gets the instant at which its turn began.
    left = dict(moments)
    turns: list[TranscriptTurn] = []
    for number, page in enumerate(pages):
        for position, item in enumerate(page.data or ()):
            place = f"items[{number}].data[{position}]"
            if item is None:
                issues.append(Issue(place, "null"))
                continue
            for told in _told(item, place, participants, issues):
                moment = left.pop(str(item.turn_id), None)
                same = {"index": len(turns), "timestamp": moment, "provider_id": text(item.id)}
                turns.append(msgspec.structs.replace(told, **same))
    return tuple(turns)


_Arguments = Callable[[SessionItem, str], dict[str, Any]]
_CALLS: dict[str, _Arguments] = {
    "command_execution": lambda item, _: {"command": item.command, "cwd": item.cwd},
    "web_search_call": lambda item, _: members_of(item.action),
    "computer_use_call": lambda item, _: {"title": item.title},
    **dict.fromkeys(
        (
            "create_subagent_call",
            "send_subagent_input_call",
            "resume_subagent_call",
            "wait_for_subagents_call",
            "interrupt_subagent_call",
            "close_subagent_call",
        ),
        lambda item, said: {
            "agent_id": item.agent_id,
            "model": item.model,
            "reasoning_effort": item.reasoning_effort,
            "sender_agent_id": item.sender_agent_id,
            "recipient_agent_id": item.recipient_agent_id,
            "recipient_agent_ids": item.recipient_agent_ids,
            "content": said,
        },
    ),
}
"""What the provider's own tools are called with; an item's type is the name of the tool."""


def _told(item: SessionItem, place: str, participants: Participants, issues: list[Issue]) -> Iterator[TranscriptTurn]:
    """Yield the turns of an item: one, or a call and its result."""
    said = _words(item.content or (), f"{place}.content", issues)
    match item.type:
        case "message":
            role, participant = _SPEAKERS.get(item.role) or unknown_speaker(item.role, participants)
            yield TranscriptTurn(index=0, role=role, text=said, participant=participant)
        case "reasoning":
            thought = _words(item.summary or (), f"{place}.summary", issues)
            yield _internal(Role.ASSISTANT, thought, 0)
        case "function_call":
            yield _call(item, item.name, json_text(item.arguments))
        case "function_call_output":
            yield _result(item)
        case "mcp_call":
            name = ".".join(filter(None, (item.server_label, item.name)))
            yield _call(item, name or None, json_text(item.arguments))
            yield from _own_result(item)
        case "computer_use_approval_request" | "computer_use_approval_request_result":
            approval = item.request or item.response or Approval()
            words = (approval.type, approval.reason, approval.action)
            yield _internal(Role.SYSTEM, ": ".join(word for word in words if word), None)
        case "agent_message":
            yield _internal(Role.ASSISTANT, said, _sender(item, participants))
        case str() if item.type in _CALLS:
            arguments = without_empty(_CALLS[item.type](item, said))
            yield _call(item, item.type, json_text(arguments))
            yield from _own_result(item)
        case _:
            issues.append(Issue(f"{place}.type" if item.type else place, "an unknown kind of item"))
            yield TranscriptTurn(index=0, text=said)


def _internal(role: Role, said: str, participant: int | None) -> TranscriptTurn:
    return TranscriptTurn(index=0, role=role, text=said, participant=participant, visibility=Visibility.INTERNAL)


def _sender(item: SessionItem, participants: Participants) -> int:
    sender = text(item.sender_agent_id)
    if sender is None or sender == participants[0].id:
        return 0
    return participants.index_of(Participant(kind=ParticipantKind.AI_AGENT, id=sender))


def _call_id(item: SessionItem) -> str | None:
    return text(item.call_id) or text(item.id)


def _call(item: SessionItem, name: str | None, arguments: str | None) -> TranscriptTurn:
    call = ToolCall(id=_call_id(item), name=name, arguments=arguments)
    return TranscriptTurn(index=0, role=Role.ASSISTANT, participant=0, tool_calls=(call,))


def _own_result(item: SessionItem) -> Iterator[TranscriptTurn]:
    """Yield the result of a call that has it in the same item, unless there is none yet."""
    if item.output is not None or item.error is not None or item.exit_code is not None:
        yield _result(item)


def _result(item: SessionItem) -> TranscriptTurn:
    is_wrong = item.status == "failed" or item.error not in (None, "") or bool(item.exit_code)
    is_error = True if is_wrong else False if item.status == "completed" else None
    content = _output(item.error if item.output is None else item.output)
    return TranscriptTurn(
        index=0,
        role=Role.TOOL,
        duration=None if item.duration_ms is None else item.duration_ms / 1000,
        tool_result=ToolResult(call_id=_call_id(item), content=content, is_error=is_error),
    )


def _output(output: AnyJson) -> str | None:
    """Return a result as text: parts of text are joined, and a picture is only named."""
    parts = [members_of(part) for part in (output if isinstance(output, list) else [output])]
    if parts and all("text" in part or "image_url" in part for part in parts):
        return "\n".join(str(part["text"]) if part.get("text") else _IMAGE for part in parts)
    return json_text(output)


_IMAGE = "[image]"  # its URL may be the picture itself


def _words(parts: Sequence[Part | None], place: str, issues: list[Issue]) -> str:
    said: list[str] = []
    for position, part in enumerate(parts):
        if part is None:
            issues.append(Issue(f"{place}[{position}]", "null"))
        elif part.type == "encrypted_content":
            issues.append(Issue(f"{place}[{position}]", "encrypted"))
        elif part.type == "input_image":
            said.append(_IMAGE)
        elif part.text:
            said.append(part.text)
    return "\n".join(said)
