"""Retell's calls and chats as conversations."""

# what it means

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import msgspec

from ...errors import PayloadError
from ...reading.json import decode, decode_at
from ...reading.lifecycle import concluded, is_too_early
from ...reading.money import cost
from ...reading.participants import Participants, unknown_speaker
from ...reading.plain_text import utterances
from ...reading.recordings import signed_recording
from ...reading.values import (
    DIRECTIONS,
    Issues,
    drop_if_before,
    ids_of,
    in_seconds,
    instant,
    members_of,
    noted,
    per_second_of,
    text,
    unless_empty,
    without_empty,
)
from ...schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Cost,
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
    Word,
)
from ._payload import Call, Item, Remarks, SentAnalysis, SentWord

CALL = msgspec.json.Decoder(Call, strict=False)
_items = msgspec.json.Decoder(list[Item | None] | None, strict=False)

# https://docs.retellai.com/api-references/get-call
_STATUSES = {
    "registered": Status.QUEUED,
    "ongoing": Status.IN_PROGRESS,
    "ended": Status.ENDED,
    "not_connected": Status.FAILED,
    "error": Status.FAILED,
}
_CHANNELS = {
    "phone_call": Channel.PHONE,
    "web_call": Channel.WEB,
    "api_chat": Channel.CHAT,
    "sms_chat": Channel.SMS,
}

# https://docs.retellai.com/reliability/debug-call-disconnect
_END_REASONS = {
    "user_hangup": EndReason.CUSTOMER_ENDED,
    "user_requested_callback": EndReason.CUSTOMER_ENDED,
    "user_requested_dnc": EndReason.CUSTOMER_ENDED,
    "agent_hangup": EndReason.AGENT_ENDED,
    "ivr_reached": EndReason.AGENT_ENDED,
    "manual_stopped": EndReason.API_ENDED,
    "call_transfer": EndReason.TRANSFERRED,
    "call_take_over": EndReason.TRANSFERRED,
    "transfer_bridged": EndReason.TRANSFERRED,
    "transfer_cancelled": EndReason.CANCELLED,
    "voicemail_reached": EndReason.VOICEMAIL,
    "inactivity": EndReason.SILENCE,
    "max_duration_reached": EndReason.MAX_DURATION,
    "dial_busy": EndReason.BUSY,
    "dial_no_answer": EndReason.NO_ANSWER,
    "user_declined": EndReason.NO_ANSWER,
    "registered_call_timeout": EndReason.NO_ANSWER,
    "error_user_not_joined": EndReason.NO_ANSWER,
    "dial_failed": EndReason.ERROR,
    "invalid_destination": EndReason.ERROR,
    "telephony_provider_permission_denied": EndReason.ERROR,
    "telephony_provider_unavailable": EndReason.ERROR,
    "sip_routing_error": EndReason.ERROR,
    "marked_as_spam": EndReason.ERROR,
    "scam_detected": EndReason.ERROR,
    "concurrency_limit_reached": EndReason.ERROR,
    "no_concurrency_fallback": EndReason.ERROR,
    "no_valid_payment": EndReason.ERROR,
    "budget_reached": EndReason.ERROR,
    "credit_exhausted": EndReason.ERROR,
    "network_blocked": EndReason.ERROR,
}

_NEVER_HELD = {EndReason.NO_ANSWER, EndReason.BUSY, EndReason.ERROR}
# The status of a failed call, by its end reason.
_UNHELD: dict[EndReason | None, Status] = {
    EndReason.NO_ANSWER: Status.NO_ANSWER,
    EndReason.BUSY: Status.NO_ANSWER,
    EndReason.API_ENDED: Status.CANCELLED,
}

_SPEAKERS: dict[str | None, tuple[Role, int | None, Visibility]] = {
    "agent": (Role.ASSISTANT, 0, Visibility.PUBLIC),
    "user": (Role.USER, 1, Visibility.PUBLIC),
    "dtmf": (Role.USER, 1, Visibility.PUBLIC),
    "tool_call_invocation": (Role.ASSISTANT, 0, Visibility.PUBLIC),
    "tool_call_result": (Role.TOOL, None, Visibility.PUBLIC),
    "node_transition": (Role.SYSTEM, None, Visibility.INTERNAL),
    "state_transition": (Role.SYSTEM, None, Visibility.INTERNAL),
    "injected": (Role.SYSTEM, None, Visibility.INTERNAL),
    "sms": (Role.SYSTEM, None, Visibility.PUBLIC),  # the sender is not said
}
_STEP = (
    "former_node_id",
    "former_node_name",
    "new_node_id",
    "new_node_name",
    "transition_type",
    "former_state_name",
    "new_state_name",
)

# All parties mixed, each on its own channel, and both again without personal data.
_RECORDINGS = [
    "recording_url",
    "recording_multi_channel_url",
    "scrubbed_recording_url",
    "scrubbed_recording_multi_channel_url",
]

# Members without a field, kept under Retell's own names.
_KEPT = (
    "call_type",
    "chat_type",
    "metadata",
    "retell_llm_dynamic_variables",
    "collected_dynamic_variables",
    "custom_attributes",
    "agent_tag",
    "data_storage_setting",
    "opt_out_sensitive_data_storage",
    "opt_in_signed_url",
    "transfer_destination",
    "transfer_end_timestamp",
    "call_cost",
    "chat_cost",
    "latency",
    "llm_token_usage",
)

_NOTHING: tuple[Any, ...] = (None, "", [], {})


def normalize(
    body: bytes | msgspec.Raw,
    *,
    is_whole: bool = False,
    is_over: bool = False,
    is_delivered: bool = False,
    present: datetime | None = None,
) -> Conversation:
    """Read a call or chat: a row of a list or, with `is_whole`, a complete one.

    With `is_over` it has ended, whatever its status says; with `is_delivered` it may lack members that `get` returns.
    `present` is when Retell sent it.
    """
    issues = Issues()
    sent = decode(body, CALL, issues)
    id = text(sent.call_id) or text(sent.chat_id)
    if id is None:
        raise PayloadError("the answer has no id of a call or chat")
    status, end_reason, is_assumed = _outcome(sent, is_over=is_over)

    started_at = instant(sent.start_timestamp, "start_timestamp", issues, per_second=1000)
    ended_at = instant(sent.end_timestamp, "end_timestamp", issues, per_second=1000)
    ended_at = drop_if_before(ended_at, started_at, "end_timestamp", issues)
    spanned = (ended_at - started_at).total_seconds() if started_at and ended_at else None
    duration = spanned if sent.duration_ms is None else in_seconds(sent.duration_ms, 0.001, spanned)

    agent = Agent(id=text(sent.agent_id), name=text(sent.agent_name), version=_version(sent))
    direction = DIRECTIONS.get(sent.direction or "", Direction.UNKNOWN)
    participants = _participants(sent, agent, direction)
    backchannels: list[int] = []
    transcript, is_parsed = _transcript(sent, started_at, participants, backchannels, issues)
    is_early = is_too_early(transcript, duration, ended_at, present)

    has_words = any(turn.words for turn in transcript or ())
    derived = {
        "status": is_assumed,
        "duration": duration is not None and sent.duration_ms is None,
        "transcript": is_parsed,
        "transcript.start": has_words or any(turn.timestamp and turn.start is not None for turn in transcript or ()),
        "transcript.duration": has_words,
    }
    analysis = sent.call_analysis or sent.chat_analysis or SentAnalysis()
    recorded = _recorded(sent)
    links = {"log": sent.public_log_url, "knowledge_base": sent.knowledge_base_retrieved_contents_url}
    carrier = sent.telephony_identifier.twilio_call_sid if sent.telephony_identifier else None
    return Conversation(
        provider="retell",
        id=id,
        status=status,
        provider_status=sent.call_status or sent.chat_status,
        channel=_CHANNELS.get(sent.call_type or sent.chat_type or "", Channel.UNKNOWN),
        direction=direction,
        agent=unless_empty(agent),
        participants=tuple(participants),
        started_at=started_at,
        ended_at=ended_at,
        duration=duration,
        end_reason=end_reason,
        provider_end_reason=text(sent.disconnection_reason),
        transcript=None if is_early else transcript,
        transcript_state=_transcript_state(
            sent, status, transcript, is_whole=is_whole, is_delivered=is_delivered, is_early=is_early
        ),
        summary=analysis.call_summary or analysis.chat_summary or None,
        analysis=_analysis(analysis),
        recordings=tuple(filter(None, [signed_recording(url, name, issues) for name, url in recorded.items()])),
        cost=_cost(sent, issues),
        metadata=_metadata(sent, analysis, direction, list(recorded))
        | ({"backchannels": backchannels} if backchannels else {})
        | ({} if transcript else _integrations(sent)),
        links=without_empty(links),
        related_ids=ids_of({"twilio": carrier}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(body),
    )


def _outcome(sent: Call, *, is_over: bool) -> tuple[Status, EndReason | None, bool]:
    """Return the status, the end reason, and whether the status was concluded from other members."""
    word = sent.call_status or sent.chat_status
    told = status = _STATUSES.get(word or "", Status.UNKNOWN)
    end_reason = _end_reason(sent.disconnection_reason)
    analysis = sent.call_analysis or sent.chat_analysis
    status = concluded(status, word, end_reason, sent.end_timestamp, sent.duration_ms, analysis)
    if status is not told and end_reason in _NEVER_HELD:
        status = Status.FAILED
    if is_over and not status.is_finished:
        status = Status.ENDED
    is_assumed = status is not told
    return _UNHELD.get(end_reason, status) if status is Status.FAILED else status, end_reason, is_assumed


def _end_reason(word: str | None) -> EndReason | None:
    if not word:
        return None
    # New ones are added every few months; errors have a common prefix.
    return _END_REASONS.get(word) or (EndReason.ERROR if word.startswith("error_") else EndReason.UNKNOWN)


def _version(sent: Call) -> str | None:
    return text(sent.version if sent.agent_version is None else sent.agent_version)


def _participants(sent: Call, agent: Agent, direction: Direction) -> Participants:
    ours, theirs = None, None
    if direction is Direction.INBOUND:
        ours, theirs = sent.to_number, sent.from_number
    elif direction is Direction.OUTBOUND:
        ours, theirs = sent.from_number, sent.to_number
    participants = Participants.of(agent, agent_phone=text(ours), customer_phone=text(theirs))
    if target := sent.transfer_destination:  # it may be a SIP address
        phone = target if target.startswith("+") else None
        participants.append(Participant(kind=ParticipantKind.HUMAN_AGENT, phone=phone))
    return participants


def _transcript_state(
    sent: Call,
    status: Status,
    transcript: tuple[TranscriptTurn, ...] | None,
    *,
    is_whole: bool,
    is_delivered: bool,
    is_early: bool,
) -> TranscriptState:
    if transcript is None and not is_whole:
        return TranscriptState.NOT_LOADED
    if not status.is_finished:
        return TranscriptState.PENDING
    if transcript is not None:
        return TranscriptState.PENDING if is_early else TranscriptState.AVAILABLE
    was_held = status is Status.ENDED or bool(sent.duration_ms)
    is_withheld = sent.data_storage_setting == "basic_attributes_only" or sent.opt_out_sensitive_data_storage
    # The analysis is made from the transcript, so none comes later; but a delivery may lack either.
    is_analyzed = (sent.call_analysis is not None or sent.chat_analysis is not None) and not is_delivered
    is_late = was_held and not is_withheld and not is_analyzed
    return TranscriptState.PENDING if is_late else TranscriptState.UNAVAILABLE


_SPEECH = {"agent", "user", "transfer_target"}


def _transcript(
    sent: Call,
    started_at: datetime | None,
    participants: Participants,
    backchannels: list[int],
    issues: list[Issue],
) -> tuple[tuple[TranscriptTurn, ...] | None, bool]:
    """Return the turns from the fullest of the lists that may hold them, and whether plain text was parsed."""
    place, items = _fullest(sent, issues)
    parsed: list[Item] = []
    if sent.transcript and not any(item is not None and item.role in _SPEECH and item.content for item in items):
        parsed = [Item(role=who, content=said) for who, said in utterances(sent.transcript, agent="agent", user="user")]
    if not items and not parsed:
        whole = (sent.transcript_with_tool_calls, sent.message_with_tool_calls, sent.transcript)
        return (None if all(one is None for one in whole) else ()), False
    parts: list[_Part] = [(place, [*items, *parsed] if parsed else items)]
    every = parts[0][1]
    if any(map(sent.__getattribute__, _BESIDE)):
        parts = [*_beside(sent, _BEFORE, issues), *parts, *_beside(sent, _AFTER, issues)]
        every = [item for _, part in parts for item in part]
    found = turns(every, started_at, participants, backchannels)
    if len(found) < len(every):
        for name, part in parts:
            issues.extend(Issue(f"{name}[{position}]", "null") for position, item in enumerate(part) if item is None)
    return found, bool(parsed)


# Tools that integrations used before and after a session; without personal data if only that was kept.
_BEFORE, _AFTER = (
    tuple(
        f"{kept}{when}_session_{what}_with_tool_calls"
        for kept in ("", "scrubbed_")
        for what in ("transcript", "message")
    )
    for when in ("pre", "post")
)


def _integrations(sent: Call) -> dict[str, Any]:
    """Return the tools that integrations used around a session without a transcript."""
    held = {name: getattr(sent, name) for name in _BESIDE}
    return {name: msgspec.json.decode(raw) for name, raw in held.items() if raw and bytes(raw) not in {b"null", b"[]"}}


_Part = tuple[str, Sequence[Item | None]]


_BESIDE = (*_BEFORE, *_AFTER)


def _beside(sent: Call, names: Sequence[str], issues: list[Issue]) -> list[_Part]:
    found = ((name, _items_at(sent, name, issues)) for name in names if getattr(sent, name))
    return [(name, items) for name, items in found if items][:1]


def _fullest(sent: Call, issues: list[Issue]) -> _Part:
    for place in _TRANSCRIPTS:
        items = _items_at(sent, place, issues)
        if items:
            return place, items
    return "transcript", ()


# The fullest first; those after the first two are decoded only if needed.
_TRANSCRIPTS = (
    "transcript_with_tool_calls",
    "message_with_tool_calls",
    "scrubbed_transcript_with_tool_calls",
    "transcript_object",
)


def _items_at(sent: Call, place: str, issues: list[Issue]) -> Sequence[Item | None] | None:
    held: Sequence[Item | None] | msgspec.Raw | None = getattr(sent, place)
    return decode_at(place, held, _items, issues) if isinstance(held, msgspec.Raw) else held


def turns(
    items: Iterable[Item | None],
    started_at: datetime | None,
    participants: Participants,
    backchannels: list[int],
) -> tuple[TranscriptTurn, ...]:
    """Read the entries of a transcript, except nulls.

    New speakers are added to `participants`, and the positions of turns that only acknowledge to `backchannels`.
    """
    found: list[TranscriptTurn] = []
    began = None if started_at is None else started_at.timestamp()
    for item in items:
        if item is None:
            continue
        role, participant, visibility = _SPEAKERS.get(item.role) or (
            *unknown_speaker(item.role, participants),
            Visibility.PUBLIC,
        )
        remarks = item.metadata
        if remarks is not None and isinstance(remarks, Remarks) and remarks.is_backchannel:
            backchannels.append(len(found))
        said, start, duration = item.content or "", item.time_sec, None
        moment, result = None, None
        words: tuple[Word, ...] = ()
        calls: tuple[ToolCall, ...] = ()
        if item.words:
            words = _timed(item.words)
            start, duration = _span(item.words)
        elif item.role == "tool_call_invocation":
            calls = (ToolCall(id=text(item.tool_call_id), name=item.name, arguments=item.arguments),)
        elif role is Role.TOOL:
            said, result = "", _tool_result(item)
        elif not said:
            said = _unsaid(item)
        if item.created_timestamp is not None:
            moment = item.created_timestamp / per_second_of(item.created_timestamp, 1000)
            if start is None and began is not None and moment >= began:
                start = round(moment - began, 3)
        found.append(
            TranscriptTurn(
                index=len(found),
                role=role,
                text=said,
                start=start,
                duration=duration,
                timestamp=moment,
                participant=participant,
                tool_calls=calls,
                tool_result=result,
                words=words,
                visibility=visibility,
                provider_id=None if item.message_id is None else text(item.message_id),
            )
        )
    return tuple(found)


def _timed(sent: Sequence[SentWord | None]) -> tuple[Word, ...]:
    words: list[Word] = []
    for word in sent:
        if word is not None:
            # Not rounded: that would take longer than the rest of the work for a word.
            start, end = word.start, word.end
            duration = None if start is None or end is None or end < start else end - start
            words.append(Word(text=word.word or "", start=start, duration=duration))
    return tuple(words)


def _span(words: Sequence[SentWord | None]) -> tuple[float | None, float | None]:
    """Return start and duration of the utterance."""
    first, last = words[0], words[-1]
    start, end = first.start if first else None, last.end if last else None
    return start, None if start is None or end is None or end < start else end - start


def _tool_result(item: Item) -> ToolResult:
    is_error = None if item.successful is None else not item.successful
    return ToolResult(call_id=text(item.tool_call_id), content=item.content, is_error=is_error)


def _unsaid(item: Item) -> str:
    """Return the text of an entry without words: a key that was pressed, or a step in the agent's flow as JSON."""
    if item.digit is not None:
        return str(item.digit)
    step = {name: value for name in _STEP if (value := getattr(item, name)) is not None}
    return msgspec.json.encode(step).decode() if step else ""


def _analysis(sent: SentAnalysis) -> Analysis | None:
    collected = sent.custom_analysis_data
    return unless_empty(
        Analysis(
            success=sent.chat_successful if sent.call_successful is None else sent.call_successful,
            sentiment=None if sent.user_sentiment == "Unknown" else text(sent.user_sentiment),
            collected=collected if isinstance(collected, dict) else None,
        )
    )


def _recorded(sent: Call) -> dict[str, str]:
    return {name: url for name in _RECORDINGS if (url := getattr(sent, name))}


def _cost(sent: Call, issues: list[Issue]) -> Cost | None:
    place, held = ("chat_cost", sent.chat_cost) if sent.call_cost is None else ("call_cost", sent.call_cost)
    return cost(members_of(held).get("combined_cost"), f"{place}.combined_cost", issues, per_unit=100)


def _metadata(sent: Call, analysis: SentAnalysis, direction: Direction, recorded: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {name: getattr(sent, name) for name in _KEPT}
    told["in_voicemail"] = analysis.in_voicemail
    if not isinstance(analysis.custom_analysis_data, dict):
        told["custom_analysis_data"] = analysis.custom_analysis_data
    if direction is Direction.UNKNOWN:
        told |= {name: getattr(sent, name) for name in ("direction", "from_number", "to_number")}
    if recorded != _RECORDINGS[:1]:
        told["recordings"] = recorded  # in the order of `Conversation.recordings`
    return {name: value for name, value in told.items() if value not in _NOTHING}
