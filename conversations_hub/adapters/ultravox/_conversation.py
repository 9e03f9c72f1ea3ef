"""Ultravox's calls, messages and deliveries as ours. A call has no status: its other members show it."""

# what it means

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any
from urllib.parse import quote

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode, try_decode
from ...reading.offsets import LAG
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.values import (
    AnyJson,
    Issues,
    Seconds,
    drop_if_before,
    enclosed,
    ids_of,
    instant,
    members_of,
    noted,
    text,
    text_at,
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
    Recording,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)
from ._payload import Call, Delivery, Facts, Line, Medium, Message, SentAgent, Timespan

Messages = Sequence[Message | None]

CALL = msgspec.json.Decoder(Call, strict=False)
_delivery = msgspec.json.Decoder(Delivery, strict=False)
_span = msgspec.json.Decoder(Seconds)
_spans: msgspec.json.Decoder[list[Seconds | None]] = msgspec.json.Decoder(list[Seconds | None])

# https://docs.ultravox.ai/api-reference/calls/calls-get
_END_REASONS = {
    "unjoined": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "hangup": (Status.ENDED, EndReason.CUSTOMER_ENDED),
    "agent_hangup": (Status.ENDED, EndReason.AGENT_ENDED),
    "timeout": (Status.ENDED, EndReason.MAX_DURATION),
    "connection_error": (Status.FAILED, EndReason.ERROR),
    "system_error": (Status.FAILED, EndReason.ERROR),
}
# More precise outcomes of a call that was not joined, from the telephone network.
_SIP_ENDINGS = {
    "SIP_TERMINATION_BUSY": (Status.NO_ANSWER, EndReason.BUSY),
    "SIP_TERMINATION_TIMEOUT": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "SIP_TERMINATION_DESTINATION_UNAVAILABLE": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "SIP_TERMINATION_REJECTED": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "SIP_TERMINATION_CANCELED": (Status.CANCELLED, EndReason.CANCELLED),
    "SIP_TERMINATION_INVALID_NUMBER": (Status.FAILED, EndReason.ERROR),
}
_WAITING = (Status.QUEUED, Status.RINGING)

# The medium `serverWebSocket` is missing: it leads to the customer's own server.
_CHANNELS = {
    "webRtc": Channel.WEB,
    "twilio": Channel.PHONE,
    "telnyx": Channel.PHONE,
    "plivo": Channel.PHONE,
    "exotel": Channel.PHONE,
    "sip": Channel.PHONE,
}

_TOOL_CALL = "MESSAGE_ROLE_TOOL_CALL"
_TOOL_RESULT = "MESSAGE_ROLE_TOOL_RESULT"
_SPEAKERS: Speakers = {
    "MESSAGE_ROLE_USER": (Role.USER, 1),
    "MESSAGE_ROLE_AGENT": (Role.ASSISTANT, 0),
    _TOOL_CALL: (Role.ASSISTANT, 0),
    _TOOL_RESULT: (Role.TOOL, None),
    "MESSAGE_ROLE_UNSPECIFIED": (Role.UNKNOWN, None),
}


def normalize(body: bytes | msgspec.Raw, *, present: datetime | None = None) -> Conversation:
    """Read a call as Ultravox sends it, in a list or alone; `present` is when it was sent."""
    return with_messages(body, None, [], present=present)


def with_messages(
    body: bytes | msgspec.Raw, pages: Sequence[Messages] | None, unread: list[Issue], *, present: datetime | None
) -> Conversation:
    """Read a call and the pages of its messages; `unread` has the issues of these pages."""
    issues = Issues()
    sent = decode(body, CALL, issues)
    messages = None if pages is None else [message for page in pages for message in page]
    medium, line = _connected(sent)
    outgoing = line and line.outgoing
    status, end_reason = _outcome(sent, is_dialled=outgoing is not None)

    created_at = instant(sent.created, "created", issues)
    if status in _WAITING and _is_stale(created_at, _seconds(sent.join_timeout, "joinTimeout", issues), present):
        status = Status.NO_ANSWER
    joined_at = instant(sent.joined, "joined", issues)
    ended_at = drop_if_before(instant(sent.ended, "ended", issues), joined_at or created_at, "ended", issues)
    # The billed duration is rounded up, so it is not used.
    duration = (ended_at - joined_at).total_seconds() if joined_at and ended_at else None
    if sent.end_reason == "timeout":
        # The word has two meanings: the call reached its maximum, or the customer was silent for too long.
        longest = _seconds(sent.max_duration, "maxDuration", issues)
        if duration is not None and longest is not None and duration < longest:
            end_reason = EndReason.SILENCE

    held_by = sent.agent or SentAgent()
    agent = Agent(id=text(held_by.agent_id) or text(sent.agent_id), name=text(held_by.name))
    # https://docs.ultravox.ai/telephony/sip
    caller_id, uri, name = (text_at(sent.request_context, "ultravox", "sip", told) for told in _TOLD_OF_CALLERS)
    called, calling = (outgoing.to, outgoing.caller) if outgoing else (caller_id, None)
    participants = Participants.of(
        agent, agent_phone=calling or None, customer_id=uri, customer_name=name, customer_phone=called or None
    )
    # The medium alone does not show the direction: carriers serve both.
    is_incoming = (line and line.incoming is not None) or uri or caller_id
    misfits = Issues()
    transcript, transcript_state = _transcript(sent, status, messages, participants, misfits)
    id = str(sent.call_id)
    derived = {"status": True, "duration": duration is not None, "end_reason": sent.end_reason == "timeout"}
    return Conversation(
        provider="ultravox",
        id=id,
        status=status,
        channel=_CHANNELS.get(medium or "", Channel.UNKNOWN),
        direction=Direction.OUTBOUND if outgoing else Direction.INBOUND if is_incoming else Direction.UNKNOWN,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=joined_at,
        ended_at=ended_at,
        duration=duration,
        end_reason=end_reason,
        provider_end_reason=sent.end_reason or None,
        transcript=transcript,
        transcript_state=transcript_state,
        summary=sent.summary or sent.short_summary or None,
        recordings=(_recording(id),) if status.is_finished and sent.joined else (),
        language=sent.language_hint or None,
        metadata=_metadata(sent, medium, messages or ()),
        related_ids=_related_ids(sent.metadata),
        estimated=tuple([field for field, is_derived in derived.items() if is_derived]),
        issues=noted(issues if pages is None else _joined(pages, issues, unread, misfits)),
        raw=bytes(body),
    )


def _joined(
    pages: Sequence[Messages], of_call: list[Issue], of_pages: list[Issue], of_messages: list[Issue]
) -> list[Issue]:
    """Return all issues with their places in `raw`; those of messages have positions across all pages."""
    if not (of_call or of_pages or of_messages):
        return []
    begins = [0, *accumulate(map(len, pages))]

    def place(told: str) -> str:
        if not told.isdecimal():
            return told
        number = bisect_right(begins, int(told)) - 1
        return f"messages[{number}].results[{int(told) - begins[number]}]"

    return [
        *(Issue(f"call.{issue.place}", issue.reason) for issue in of_call),
        *of_pages,
        *(Issue(place(issue.place), issue.reason) for issue in of_messages),
    ]


_TOLD_OF_CALLERS = ("caller_id", "from_uri", "from_display_name")


_MEDIA = {field.name: field.encode_name for field in msgspec.structs.fields(Medium)}


def _connected(sent: Call) -> tuple[str | None, Line | None]:
    """Return the medium of a call, with its name."""
    if sent.medium:
        for name, medium in _MEDIA.items():
            line: Line | None = getattr(sent.medium, name)
            if line is not None:
                return medium, line
    return None, None


_UNSETTLED = (None, "BILLING_STATUS_UNSPECIFIED", "BILLING_STATUS_PENDING")


def _is_settled(sent: Call) -> bool:
    """Whether a call has members that exist only after its end."""
    return bool(sent.summary or sent.short_summary) or sent.billing_status not in _UNSETTLED


def _outcome(sent: Call, *, is_dialled: bool) -> tuple[Status, EndReason | None]:
    if not (sent.ended or sent.end_reason or _is_settled(sent)):
        # Ultravox itself dials some; the others wait to be joined.
        return (Status.IN_PROGRESS if sent.joined else Status.RINGING if is_dialled else Status.QUEUED), None
    word = sent.sip_details and sent.sip_details.termination_reason
    if word in _SIP_ENDINGS and not sent.joined:
        return _SIP_ENDINGS[word]
    return _END_REASONS.get(sent.end_reason or "", (Status.ENDED, EndReason.UNKNOWN if sent.end_reason else None))


_SLACK = 600.0


# A call that is not joined ends at its join timeout; one that still waits long after that will not start.
# https://docs.ultravox.ai/webhooks/available-webhooks
def _is_stale(created_at: datetime | None, waits: float | None, present: datetime | None) -> bool:
    if created_at is None or present is None:
        return False
    return (present - created_at).total_seconds() > (waits or 0.0) + _SLACK


def _seconds(sent: str | None, place: str, issues: list[Issue]) -> float | None:
    """Read the duration of a protocol buffer, "12.345s"."""
    if sent is None:
        return None
    span = try_decode(sent.removesuffix("s"), _span)
    if span is None:
        issues.append(Issue(place, "not a duration"))
    return span


def _transcript(
    sent: Call, status: Status, messages: Messages | None, participants: Participants, issues: list[Issue]
) -> tuple[tuple[TranscriptTurn, ...] | None, TranscriptState]:
    if messages is None:
        return None, TranscriptState.NOT_LOADED
    if None in messages:
        issues.extend(Issue(str(position), "null") for position, message in enumerate(messages) if message is None)
    turns = _turns(messages, sent.system_prompt, participants, issues)
    if not status.is_finished:
        return turns or None, TranscriptState.PENDING
    if turns:
        return turns, TranscriptState.AVAILABLE
    if not sent.joined:
        return None, TranscriptState.UNAVAILABLE
    # Nothing was said, or the messages are not there yet: they are once the call is billed.
    # https://docs.ultravox.ai/webhooks/available-webhooks
    is_early = sent.billing_status == "BILLING_STATUS_PENDING"
    return (None, TranscriptState.PENDING) if is_early else ((), TranscriptState.AVAILABLE)


def _turns(
    messages: Messages, prompt: str | None, participants: Participants, issues: list[Issue]
) -> tuple[TranscriptTurn, ...]:
    """Return the turns in the provider's order, even if their times contradict it."""
    turns: list[TranscriptTurn] = []
    places = [place for place, message in enumerate(messages) if message is not None]
    there = [message for message in messages if message is not None]
    last_stage = there[-1].call_stage_id if there else None
    offsets = _offsets(there, places, issues)
    for message, (heard_from, heard_to, passed_from, passed_to) in zip(there, offsets, strict=True):
        start, finish = passed_from, passed_to
        # The clock of the recording lags behind that of the call; if it does not, the call's clock has restarted.
        if start is not None and heard_from is not None and heard_from - start > LAG:
            start, finish = heard_from, heard_to
        stage, word = message.call_stage_id, message.role
        # The prompt of a call is that of its last stage.
        # https://docs.ultravox.ai/agents/call-stages
        if prompt and stage == last_stage:
            turns.append(TranscriptTurn(index=len(turns), role=Role.SYSTEM, text=prompt))
            prompt = None
        role, participant = _SPEAKERS.get(word) or unknown_speaker(word, participants)
        said, result = message.text or "", None
        calls: tuple[ToolCall, ...] = ()
        if word == _TOOL_CALL:
            said, calls = "", (_tool_call(message),)
        elif word == _TOOL_RESULT:
            said, result = "", _tool_result(message)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=said,
                start=start,
                duration=None if start is None or finish is None or finish < start else finish - start,
                participant=participant,
                tool_calls=calls,
                tool_result=result,
                # Its place in the recording, which follows the clock of the audio.
                metrics=None if heard_from is None or heard_to is None else {_FROM: heard_from, _TO: heard_to},
                # The id of the message and of its audio.
                provider_id=None if stage is None else f"{stage}/{message.call_stage_message_index or 0}",
            )
        )
    return tuple(turns)


_FROM, _TO = "timespan.start", "timespan.end"
_NEVER = Timespan("null", "null")


def _offsets(
    messages: Sequence[Message], places: Sequence[int], issues: list[Issue]
) -> Iterable[tuple[float | None, ...]]:
    """Return start and end of each message by two clocks that drift apart: of the audio, and of the call.

    All are decoded at once, as JSON: one by one, that would take longer than everything else.
    """
    # A start of zero may be missing; older calls lack the second clock.
    sent = [
        f"{heard.start or 0},{heard.end or 'null'},{passed.start or 0},{passed.end or 'null'}"
        for message in messages
        for heard in [message.timespan or _NEVER]
        for passed in [message.wall_clock_timespan or heard]
    ]
    read = _numbers(",".join(sent), 4 * len(sent))
    if read is None:
        read = [offset for place, ends in zip(places, sent, strict=True) for offset in _four(ends, str(place), issues)]
    return zip(*[iter(read)] * 4, strict=True)


def _four(ends: str, place: str, issues: list[Issue]) -> Sequence[float | None]:
    read = _numbers(ends, 4)
    if read is None:
        issues.append(Issue(place, "not a timespan"))
    return read or (None,) * 4


def _numbers(durations: str, count: int) -> list[float | None] | None:
    read = try_decode(f"[{durations.replace('s', '')}]", _spans)
    return None if read is None or len(read) != count else read


def _tool_call(message: Message) -> ToolCall:
    return ToolCall(id=text(message.invocation_id), name=message.tool_name, arguments=message.text)


def _tool_result(message: Message) -> ToolResult:
    is_error = True if message.error_details else None
    return ToolResult(call_id=text(message.invocation_id), content=message.text or "", is_error=is_error)


def _recording(id: str) -> Recording:
    # Whatever `recordingEnabled` says: calls with false had recordings. Without a recording this is a 404.
    # https://github.com/fixie-ai/ultravox/issues/308
    location = f"/api/calls/{quote(id, safe='')}/recording"
    return Recording(location=location, access=RecordingAccess.PROVIDER_KEY, media_type="audio/wav")


_KEPT = {field.name: f"ultravox.{field.encode_name}" for field in msgspec.structs.fields(Facts)}


def _metadata(sent: Call, medium: str | None, messages: Messages) -> dict[str, Any]:
    """Return the customer's own metadata, and other members under the prefix that no customer may use.

    https://docs.ultravox.ai/api-reference/calls/calls-post
    """
    told: dict[str, AnyJson] = {key: getattr(sent, name) for name, key in _KEPT.items()}
    told["ultravox.medium"] = medium
    if sent.sip_details:
        told["ultravox.sipDetails.billedDuration"] = sent.sip_details.billed_duration
        told["ultravox.sipDetails.terminationReason"] = sent.sip_details.termination_reason
    if sent.summary:
        told["ultravox.shortSummary"] = sent.short_summary
    attached = members_of(sent.metadata)
    if not isinstance(sent.metadata, dict):
        told["ultravox.metadata"] = sent.metadata
    if messages:
        # An agent hands over to another by a change of stage.
        stages = dict.fromkeys([one.call_stage_id for one in messages if one])
        told["ultravox.stages"] = [stage for stage in stages if stage]
        more = [_beside(one) for one in messages if one and (one.error_details or one.call_state or one.metadata)]
        told["ultravox.messages"] = more or None
    return attached | without_empty(told)


def _beside(message: Message) -> AnyJson:
    """Return the members of a message that a turn has no field for, and the id of the message."""
    told = {
        "callStageId": message.call_stage_id,
        "callStageMessageIndex": message.call_stage_message_index or 0,
        "toolName": message.tool_name,
        "errorDetails": message.error_details,
        "callState": message.call_state,
        "metadata": message.metadata,
    }
    return without_empty(told)


# The vendor attaches these to the calls of a carrier: `ultravox.plivo.call_id`.
_ELSEWHERE = re.compile(r"ultravox\.(?P<name>\w+\.(call|stream)_id)")


def _related_ids(metadata: AnyJson) -> dict[str, str]:
    found = ((_ELSEWHERE.fullmatch(key), value) for key, value in members_of(metadata).items())
    return ids_of({key["name"]: value for key, value in found if key and isinstance(value, str)})


# https://docs.ultravox.ai/webhooks/available-webhooks
_EVENT_KINDS = {
    "call.started": EventKind.STARTED,
    "call.joined": EventKind.UPDATED,
    "call.ended": EventKind.ENDED,
    "call.billed": EventKind.UPDATED,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a delivery: an event and the call, without its messages."""
    sent = decode(body, _delivery, [])
    call = enclosed(normalize(sent.call), "call", body)
    moments = {"call.started": call.created_at, "call.joined": call.started_at, "call.ended": call.ended_at}
    return (
        Event(
            provider="ultravox",
            kind=_EVENT_KINDS.get(sent.event or "", EventKind.OTHER),
            provider_kind=sent.event,
            id=f"{call.id}:{sent.event}" if sent.event else None,
            conversation_id=call.id,
            conversation=call,
            occurred_at=moments.get(sent.event or ""),
        ),
    )
