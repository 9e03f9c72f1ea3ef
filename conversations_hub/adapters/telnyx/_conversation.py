"""Telnyx's conversations as ours."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import inf
from typing import Any
from urllib.parse import quote

import msgspec

from ...reading.json import decode, try_decode
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.values import (
    AnyJson,
    Instant,
    Issues,
    drop_if_before,
    in_seconds,
    instant,
    json_text,
    members_of,
    noted,
    text,
    timestamp,
    unless_empty,
)
from ...schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)
from ._payload import Envelope, Function, Insights, Message, Page, Row, SentToolCall, Whole

_row = msgspec.json.Decoder(Row, strict=False)
_document = msgspec.json.Decoder()

# what it means

# More may be added: https://developers.telnyx.com/api-reference/conversations/list-conversations
_CHANNELS = {
    "phone_call": Channel.PHONE,
    "voice": Channel.PHONE,
    "pstn": Channel.PHONE,
    "web_call": Channel.WEB,
    "websocket_call": Channel.WEB,
    "sms": Channel.SMS,
    "sms_chat": Channel.SMS,
    "web_chat": Channel.CHAT,
    "whatsapp": Channel.CHAT,
}
_THREADS = (Channel.SMS, Channel.CHAT)
_OVER = (Status.ENDED, Status.PROCESSING)
_CALL_IDS = ("call_session_id", "call_control_id", "call_leg_id")

# https://developers.telnyx.com/api-reference/conversations/get-insights-for-a-conversation
UNFINISHED = {"pending", "in_progress"}
"""The statuses of insights that are not ready yet."""

# https://developers.telnyx.com/api-reference/callbacks/call-conversation-ended
_END_REASONS = {"customer_disconnect": EndReason.CUSTOMER_ENDED}

_SPEAKERS: Speakers = {
    "user": (Role.USER, 1),
    "assistant": (Role.ASSISTANT, 0),
    "tool": (Role.TOOL, None),
    "system": (Role.SYSTEM, None),
    "developer": (Role.SYSTEM, None),
}

_SILENCE = timedelta(hours=1)  # longer than any pause in a call

_TEXT = (str, int)
_PHONE_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_NUMBERS = (int, float)


class Ending(msgspec.Struct, frozen=True):
    """How a conversation ended, which only a webhook says."""

    at: datetime | None
    duration: float | None
    reason: str | None


_UNTOLD = Ending(None, None, None)


def normalize(body: bytes | msgspec.Raw, *, present: datetime | None = None) -> Conversation:
    """Read a conversation without its messages, as a list has it; `present` is when Telnyx sent it."""
    issues = Issues()
    sent = decode(body, _row, issues)
    return read(Whole(Envelope(sent)), bytes(body), present, issues)


def read(
    whole: Whole,
    raw: bytes,
    present: datetime | None,
    issues: list[Issue],
    *,
    ending: Ending | None = None,
    place: str = "",
) -> Conversation:
    """Read a conversation from the answers about it; `place` is the place of the first in `raw`."""
    sent = whole.conversation.data
    attached = members_of(sent.metadata)
    channel_word = word(attached, "telnyx_conversation_channel") or word(attached, "calling_party_type")
    channel = _channel(channel_word or "")
    is_thread = channel in _THREADS
    insights = whole.runs

    created_at = instant(sent.created_at, f"{place}created_at", issues)
    updated_at = instant(sent.last_message_at, f"{place}last_message_at", issues)
    quiet_since = updated_at or created_at
    quiet = present - quiet_since if present and quiet_since else None
    is_call = not is_thread and (channel is not Channel.UNKNOWN or "call_control_id" in attached)
    status = Status.IN_PROGRESS if is_thread else _status_of_call(insights, quiet) if is_call else Status.UNKNOWN
    if ending:
        status = Status.ENDED

    told = ending or _UNTOLD
    ended_at = duration = None
    if status in _OVER:
        ended_at = told.at or updated_at
        ended_at = drop_if_before(ended_at, created_at, f"{place}last_message_at", issues)
        between = (ended_at - created_at).total_seconds() if created_at and ended_at else None
        duration = between if told.duration is None else in_seconds(told.duration, 1.0, between)

    direction = _direction(attached)
    agent = Agent(id=word(attached, "assistant_id"), version=word(attached, "assistant_version_id"))
    participants = _participants(attached, agent)
    counted: set[str] = set()
    began = created_at.timestamp() if created_at else inf
    messages = None if whole.messages is None else _joined(whole.messages)
    unread: _Unread = {}
    turns = None if messages is None else _turns(messages, began, participants, counted, unread)
    if messages and turns is not None and (unread or len(turns) < len(messages)):
        issues += _in_their_pages(whole.messages or (), unread)
    there_are = whole.messages[0].meta.total_results if whole.messages else None
    is_cut = messages is not None and len(messages) < int(there_are or 0)
    results = collected(insights)
    recordings = () if is_thread or status is Status.IN_PROGRESS else _recordings(attached)

    derived = {
        "status": status is not Status.UNKNOWN and not ending,
        "direction": direction is not Direction.UNKNOWN,
        "started_at": created_at is not None,
        "ended_at": ended_at is not None and told.at is None,
        "duration": duration is not None and told.duration is None,
        "recordings": bool(recordings),
    }
    return Conversation(
        provider="telnyx",
        id=str(sent.id),
        status=status,
        title=text(sent.name),
        channel=channel,
        direction=direction,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=created_at,
        ended_at=ended_at,
        updated_at=updated_at,
        duration=duration,
        end_reason=_END_REASONS.get(told.reason, EndReason.UNKNOWN) if told.reason else None,
        provider_end_reason=told.reason,
        transcript=turns if turns or is_thread else None,
        transcript_state=_transcript_state(turns, status, is_thread=is_thread, is_cut=is_cut),
        summary=_summary(results),
        analysis=Analysis(collected=results) if results else None,
        recordings=recordings,
        metadata=_metadata(sent, insights, attached),
        related_ids=call_ids(attached),
        estimated=(*[name for name, is_derived in derived.items() if is_derived], *sorted(counted)),
        issues=noted(issues),
        raw=raw,
    )


def _channel(word: str) -> Channel:
    # Every messaging service has its own word, such as whatsapp_chat.
    return _CHANNELS.get(word) or (Channel.CHAT if word.endswith("_chat") else Channel.UNKNOWN)


def word(sent: Mapping[str, Any], name: str) -> str | None:
    """Return a text or number from the attached metadata."""
    value = sent.get(name)
    return text(value) if isinstance(value, _TEXT) else None


def _status_of_call(insights: Sequence[Insights], quiet: timedelta | None) -> Status:
    if insights:
        return Status.PROCESSING if any(run.status in UNFINISHED for run in insights) else Status.ENDED
    if quiet is None:
        return Status.UNKNOWN
    return Status.ENDED if quiet > _SILENCE else Status.IN_PROGRESS


def _transcript_state(
    turns: tuple[TranscriptTurn, ...] | None, status: Status, *, is_thread: bool, is_cut: bool
) -> TranscriptState:
    if turns is None:
        return TranscriptState.NOT_LOADED
    # Until a call has insights, its last words may be missing.
    is_running = not is_thread and (status is Status.IN_PROGRESS or status is Status.PROCESSING)
    if is_running or (not turns and status is Status.UNKNOWN):
        return TranscriptState.PENDING
    if not turns and status is Status.ENDED:
        return TranscriptState.UNAVAILABLE
    return TranscriptState.TRUNCATED if is_cut else TranscriptState.AVAILABLE


def _direction(attached: Mapping[str, Any]) -> Direction:
    customer = word(attached, "telnyx_end_user_target")
    if customer is None:
        return Direction.UNKNOWN
    if word(attached, "from") == customer:
        return Direction.INBOUND
    return Direction.OUTBOUND if word(attached, "to") == customer else Direction.UNKNOWN


def _participants(attached: Mapping[str, Any], agent: Agent) -> Participants:
    ours, theirs = word(attached, "telnyx_agent_target"), word(attached, "telnyx_end_user_target")
    number = _phone_number(theirs)
    participants = Participants.of(
        agent, agent_phone=_phone_number(ours), customer_id=None if number else theirs, customer_phone=number
    )
    # It is set while a person has taken over from the assistant.
    # https://developers.telnyx.com/api-reference/conversations/update-conversation-metadata
    if "ai_disabled" in attached and str(attached["ai_disabled"]).lower() == "true":
        participants.append(Participant(kind=ParticipantKind.HUMAN_AGENT))
    return participants


def _phone_number(target: str | None) -> str | None:
    return target if target and _PHONE_NUMBER.fullmatch(target) else None


def _joined(pages: Sequence[Page[Message]]) -> list[Message | None]:
    """Join pages; a thread that grows while it is read pushes the end of one page to the start of the next."""
    joined: list[Message | None] = []
    for page in pages:
        if not joined:
            joined += page.data
            continue
        before: dict[Instant, list[Message]] = {}
        for one in filter(None, joined[-len(page.data) :]):
            before.setdefault(one.created_at, []).append(one)
        told: dict[Instant, set[bytes]] = {}  # encoded only if two were stored at once
        for message in page.data:
            at = None if message is None else message.created_at
            if message is None or at is None or at not in before:
                joined.append(message)
                continue
            if at not in told:
                told[at] = set(map(_written_out, before[at]))
            if _written_out(message) not in told[at]:
                joined.append(message)
    return joined


def _written_out(message: Message) -> bytes:
    return msgspec.json.encode(message, order="deterministic")


def _turns(
    messages: Sequence[Message | None],
    began: float,
    participants: Participants,
    counted: set[str],
    unread: _Unread,
) -> tuple[TranscriptTurn, ...]:
    """Return the turns in chronological order; `counted` receives the names of the fields that were derived."""
    turns: list[TranscriptTurn] = []
    unanswered: OrderedDict[str, None] = OrderedDict()
    misfits: list[Issue] = []
    for message in _from_the_start(messages):
        if message is None:
            continue
        # `created_at` is when it was stored, which may be later than when it was said.
        # https://developers.telnyx.com/api-reference/conversations/get-conversation-messages
        moment = timestamp(message.sent_at, "sent_at", misfits)
        if moment is None and message.created_at is not None:
            moment = timestamp(message.created_at, "created_at", misfits)
            counted.add("transcript.timestamp")
        if misfits:
            unread[id(message)], misfits = misfits, []
        role, participant = _SPEAKERS.get(message.role) or unknown_speaker(message.role, participants)
        said, result = message.text or "", None
        calls: tuple[ToolCall, ...] = ()
        if message.tool_calls:
            calls = tuple(map(_tool_call, filter(None, message.tool_calls)))
            unanswered |= OrderedDict.fromkeys([call.id for call in calls if call.id is not None])
        elif message.role == "tool":
            said, result = "", _tool_result(message, unanswered, counted)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=said,
                # In whole microseconds: further digits of large floats are noise.
                start=None if moment is None or moment < began else round((moment - began) * 1e6) / 1e6,
                timestamp=moment,
                participant=participant,
                tool_calls=calls,
                tool_result=result,
                metrics=_metrics(message.metadata) if message.metadata else None,
            )
        )
    if any(turn.start is not None for turn in turns):
        counted.add("transcript.start")
    return tuple(turns)


def _from_the_start(messages: Sequence[Message | None]) -> Iterable[Message | None]:
    """Return messages in chronological order: no order is documented, and in practice the last is first.

    They are reversed, never sorted, since instants of storing and of sending are from two clocks.
    """
    first, last = _first_moment(messages), _first_moment(reversed(messages))
    if first and last and first > last:
        return reversed(messages)
    return messages


def _first_moment(messages: Iterable[Message | None]) -> float | None:
    for message in messages:
        if message is not None and (at := timestamp(message.sent_at or message.created_at, "", [])):
            return at
    return None


_Unread = dict[int, list[Issue]]  # by the identity of the message; places are relative to it


def _in_their_pages(pages: Sequence[Page[Message]], unread: _Unread) -> list[Issue]:
    """Return the issues of the messages, and those that are null, with their places in the answers."""
    issues = Issues()
    for number, page in enumerate(pages):
        for position, one in enumerate(page.data):
            place = f"messages[{number}].data[{position}]"
            of_it = [Issue(f"{place}.{issue.place}", issue.reason) for issue in unread.get(id(one), ())]
            issues.extend([Issue(place, "null")] if one is None else of_it)
    return issues


def _tool_call(sent: SentToolCall) -> ToolCall:
    function = sent.function or Function()
    return ToolCall(id=text(sent.id), name=function.name, arguments=json_text(function.arguments))


def _tool_result(message: Message, unanswered: OrderedDict[str, None], counted: set[str]) -> ToolResult:
    """Read the answer of a tool: to the call that it names, else to the first call without an answer."""
    named = word(message.metadata, "tool_call_id") if isinstance(message.metadata, dict) else None
    call_id = text(message.tool_call_id) or named
    if call_id is None and unanswered:
        call_id = next(iter(unanswered))
        counted.add("transcript.tool_result")
    if call_id is not None:
        unanswered.pop(call_id, None)
    return ToolResult(call_id=call_id, content=message.text)


def _metrics(attached: AnyJson) -> dict[str, float] | None:
    """Return the members that are in milliseconds, in seconds."""
    if not isinstance(attached, dict):
        return None
    return {
        name[:-3]: span / 1000
        for name, span in attached.items()
        if name[-3:] == "_ms" and type(span) in _NUMBERS and 0 <= span < 1e9
    } or None


def call_ids(told: Mapping[str, Any]) -> dict[str, str]:
    """Return the ids of the conversation's call."""
    return {name: id for name in _CALL_IDS if (id := word(told, name))}


def collected(insights: Sequence[Insights]) -> dict[str, AnyJson]:
    """Return the results by the ids of their insights; the latest run counts."""
    return {
        str(one.insight_id): _opened(one.result)
        for run in sorted(insights, key=lambda run: run.created_at or "")
        for one in run.conversation_insights or ()
        if one is not None and one.insight_id is not None and one.result is not None
    }


def _opened(result: AnyJson) -> AnyJson:
    """Return a result, decoded if it is an object or list as JSON text."""
    if isinstance(result, str) and result[:1] in {"{", "["}:
        return try_decode(result, _document) or result
    return result


def _summary(results: Mapping[str, AnyJson]) -> str | None:
    # Only results with a schema have names.
    named = (result.get("summary") for result in results.values() if isinstance(result, dict))
    return next((summary for summary in named if isinstance(summary, str) and summary), None)


def _recordings(attached: Mapping[str, Any]) -> tuple[Recording, ...]:
    # The URLs listed there are valid for ten minutes, so they are requested only when used.
    # https://developers.telnyx.com/api-reference/call-recordings/list-all-call-recordings
    for name in ("call_session_id", "call_control_id"):
        if id := word(attached, name):
            where = f"/recordings?filter%5B{name}%5D={quote(id, safe='')}"
            return (Recording(location=where, access=RecordingAccess.PROVIDER_KEY),)
    return ()


def _metadata(sent: Row, insights: Sequence[Insights], attached: Mapping[str, Any]) -> dict[str, Any]:
    runs = [
        {"id": text(run.id), "status": run.status, "created_at": run.created_at, "group_id": text(run.insight_group_id)}
        for run in insights
    ]
    told: dict[str, Any] = {"insights": runs} if runs else {}
    if sent.metadata is not None and not isinstance(sent.metadata, dict):
        told["metadata"] = sent.metadata
    return {**told, **attached}
