"""The transcript of a conversation: its turns, their speakers and tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from ...reading.json import try_decode
from ...reading.offsets import rebased
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.values import ABSENT, Id, json_text, text
from ...schema import (
    Issue,
    Participant,
    ParticipantKind,
    Role,
    ToolCall,
    ToolResult,
    TranscriptTurn,
    Visibility,
)
from . import _payload as payload
from ._payload import Metric

_SPEAKERS: Speakers = {"user": (Role.USER, 1), "agent": (Role.ASSISTANT, 0)}

_BUILT_IN = {"system", "workflow"}


def index_of_agent(id: Id | None, participants: Participants) -> int:
    """Return the position of an agent, by default that of the first; a new one is added."""
    if id is None or str(id) == participants[0].id:
        return 0
    return participants.index_of(Participant(kind=ParticipantKind.AI_AGENT, id=str(id)))


def is_handed_over(participants: Participants) -> bool:
    """Whether the call was transferred to a person's phone."""
    return any(one.kind is ParticipantKind.HUMAN_AGENT and one.phone for one in participants)


def _another(role: Role, position: int | None, entry: payload.Turn, participants: Participants) -> int | None:
    """Return the position of the agent or customer that an entry names; other speakers keep theirs."""
    if role is Role.ASSISTANT:
        return index_of_agent(entry.agent_metadata.agent_id if entry.agent_metadata else None, participants)
    if role is Role.USER and entry.user_identifier and str(entry.user_identifier) != participants[1].id:
        return participants.index_of(Participant(kind=ParticipantKind.CUSTOMER, id=str(entry.user_identifier)))
    return position


def turns(
    entries: Sequence[payload.Turn | None],
    participants: Participants,
    began: Sequence[datetime | None],
    estimated: list[str],
    issues: list[Issue],
) -> tuple[TranscriptTurn, ...]:
    """Return the turns of a transcript; new speakers join the participants.

    `began` has the instants that the offsets may be relative to.
    """
    found: list[TranscriptTurn] = []
    main_agent = participants[0].id
    zero = _zero(entries, began)
    moment: float | None = None
    for position, entry in enumerate(entries):
        if entry is None:
            issues.append(Issue(f"transcript[{position}]", "null"))
            continue
        start = entry.time_in_call_secs
        if zero is not None:
            start, moment = _finer(entry, zero)
        is_noted = entry.contextual_update_info or entry.platform_event
        if is_noted and (note := _note(len(found), entry, start, moment)):
            found.append(note)
            continue
        role, participant = _SPEAKERS.get(entry.role) or unknown_speaker(entry.role, participants)
        speaker = entry.agent_metadata
        if entry.user_identifier or (speaker is not None and speaker.agent_id != main_agent):
            participant = _another(role, participant, entry, participants)
        calls, results = entry.tool_calls, entry.tool_results
        said = entry.message or (_voices(entry.multivoice_message) if entry.multivoice_message else "")
        tool_calls = tuple(map(_tool_call, filter(None, calls))) if calls else ()
        if said or tool_calls or not results or entry.file_input or entry.file_inputs:
            found.append(
                TranscriptTurn(
                    index=len(found),
                    role=role,
                    text=said,
                    start=start,
                    timestamp=moment,
                    participant=participant,
                    interrupted=entry.interrupted,
                    tool_calls=tool_calls,
                    metrics=_metrics(entry) if entry.conversation_turn_metrics or entry.rag_retrieval_info else None,
                    provider_id=None if entry.id is None else str(entry.id),
                )
            )
        # An entry may hold the answers of several tools; a turn holds one.
        for result in filter(None, results) if results else ():
            latency = result.tool_latency_secs
            found.append(
                TranscriptTurn(
                    index=len(found),
                    role=Role.TOOL,
                    start=start,
                    timestamp=moment,
                    tool_result=_tool_result(result),
                    metrics=None if latency is None else {"tool_latency_secs": latency},
                )
            )
            for phone in _transfers(_outcome(result)):
                participants.index_of(Participant(kind=ParticipantKind.HUMAN_AGENT, phone=phone))
    if zero is None:
        return tuple(found)
    estimated.append("transcript.start")
    return rebased(found) or tuple(found)


def _zero(entries: Sequence[payload.Turn | None], began: Sequence[datetime | None]) -> float | None:
    """Return the instant of offset zero, in Unix seconds: one of those given, if the first turn agrees with it.

    None if turns have no instants, as in older conversations.
    """
    first = next((one for one in entries if one is not None), None)
    if first is None or first.created_at_unix_ms is None or first.time_in_call_secs is None:
        return None
    zero = first.created_at_unix_ms / 1000 - first.time_in_call_secs
    # Both are in whole seconds, rounded down.
    return next((at for one in began if one and 0 <= zero - (at := one.timestamp()) < 2), zero)


def _finer(entry: payload.Turn, zero: float) -> tuple[float | None, float | None]:
    """Return the start of a turn by its instant, unless it is in another second than its offset; and the instant."""
    told, made = entry.time_in_call_secs, entry.created_at_unix_ms
    if made is None:
        return told, None
    passed = made / 1000 - zero
    is_finer = passed >= 0 and (told is None or -1 <= passed - told < 2)
    return round(passed, 3) if is_finer else told, made / 1000


def _note(index: int, entry: payload.Turn, start: float | None, moment: float | None) -> TranscriptTurn | None:
    """Return the note of an application or an event of the platform; None for an entry that has more than that."""
    words = entry.message
    if not entry.contextual_update_info:
        if words or entry.tool_calls or entry.tool_results:
            return None
        words = json_text(entry.platform_event)
    return TranscriptTurn(
        index=index,
        role=Role.SYSTEM,
        text=words or "",
        start=start,
        timestamp=moment,
        visibility=Visibility.INTERNAL,
        provider_id=text(entry.id),
    )


def _voices(sent: payload.Parts) -> str:
    return " ".join(part.text for part in sent.parts or () if part and part.text)


def _tool_call(sent: payload.ToolCall) -> ToolCall:
    return ToolCall(id=text(sent.request_id), name=sent.tool_name, arguments=json_text(sent.params_as_json))


def _tool_result(sent: payload.ToolResult) -> ToolResult:
    content = json_text(sent.result_value) or sent.raw_error_message
    if not content and sent.result not in ABSENT:
        content = msgspec.json.format(bytes(sent.result), indent=-1).decode()
    is_error = True if sent.is_blocked else sent.is_error
    return ToolResult(call_id=text(sent.request_id), content=content, is_error=is_error)


def _outcome(sent: payload.ToolResult) -> payload.Outcome | None:
    if sent.type not in _BUILT_IN:
        return None
    answer = (json_text(sent.result_value) or "") if sent.result in ABSENT else bytes(sent.result)
    return try_decode(answer, payload.outcome)


# https://elevenlabs.io/docs/eleven-agents/customization/tools/system-tools/transfer-to-human
def _transfers(outcome: payload.Outcome | None) -> Iterator[str]:
    """Yield the numbers that a call was transferred to, by the tool itself or by a workflow."""
    if outcome is None:
        return
    kind = outcome.result_type or ""
    if outcome.transfer_number and kind.startswith("transfer_to_number") and kind.endswith("success"):
        yield str(outcome.transfer_number)
    for step in filter(None, outcome.steps or ()):
        for answer in filter(None, step.results or ()):
            yield from _transfers(answer.result)


def _metrics(entry: payload.Turn) -> dict[str, float] | None:
    found: dict[str, float] = {}
    sent, retrieval = entry.conversation_turn_metrics, entry.rag_retrieval_info
    if sent is not None:
        for name, metric in sent.metrics.items() if sent.metrics else sent.flat:
            if isinstance(metric, Metric) and metric.elapsed_time is not None:
                found[name] = metric.elapsed_time
    if retrieval is not None and retrieval.rag_latency_secs is not None:
        found["rag_latency_secs"] = retrieval.rag_latency_secs
    return found or None
