"""Rows, complete conversations and failed calls of ElevenLabs as conversations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from ...reading.json import decode, try_decode_any
from ...reading.lifecycle import concluded, is_too_early
from ...reading.money import cost
from ...reading.participants import Participants
from ...reading.plain_text import utterances
from ...reading.values import (
    ABSENT,
    DIRECTIONS,
    AnyJson,
    Id,
    Issues,
    add_seconds,
    drop_if_before,
    ids_of,
    instant,
    members_of,
    noted,
    number,
    text,
    text_at,
    unless_empty,
    without_empty,
)
from ...schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Recording,
    RecordingAccess,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from . import _payload as payload
from ._transcript import index_of_agent, is_handed_over, turns

# what it means

STATUSES = {
    "initiated": Status.QUEUED,
    "in-progress": Status.IN_PROGRESS,
    "processing": Status.PROCESSING,
    "done": Status.ENDED,
    "failed": Status.FAILED,
}
_IN_VAIN = {Status.FAILED, Status.NO_ANSWER}
_NOT_YET = {Status.QUEUED, Status.RINGING}

# https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks
_FAILURES = {
    "busy": (Status.NO_ANSWER, EndReason.BUSY),
    "no-answer": (Status.NO_ANSWER, EndReason.NO_ANSWER),
}
_FAILED = (Status.FAILED, EndReason.UNKNOWN)

# The result of a call in the telephone network; "answered" adds nothing to the other members.
# https://elevenlabs.io/docs/api-reference/conversations/get
_Result = tuple[Status, EndReason]
_CALL_RESULTS: dict[str, _Result] = {
    "busy": (Status.NO_ANSWER, EndReason.BUSY),
    "no_answer": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "failed": (Status.FAILED, EndReason.ERROR),
    "voicemail": (Status.ENDED, EndReason.VOICEMAIL),
}

# Undocumented free text: these words are from customers' own records, in lower case.
_END_REASONS = {
    "voicemail_detection tool": EndReason.VOICEMAIL,
    "end_call tool": EndReason.AGENT_ENDED,
    "remote party": EndReason.CUSTOMER_ENDED,
    "client disconnected": EndReason.CUSTOMER_ENDED,
    "seconds of silence": EndReason.SILENCE,
    "maximum duration": EndReason.MAX_DURATION,
    "quota limit": EndReason.ERROR,
    "generation failed": EndReason.ERROR,
}

_VERDICTS = {"success": True, "failure": False}

# https://elevenlabs.io/docs/api-reference/conversations/list
_SOURCES = {
    "twilio": Channel.PHONE,
    "sip_trunk": Channel.PHONE,
    "exotel": Channel.PHONE,
    "genesys": Channel.PHONE,
    "genesys_bot_connector": Channel.PHONE,
    "avaya": Channel.PHONE,
    "audiocodes": Channel.PHONE,
    "twilio_sms": Channel.SMS,
    "whatsapp": Channel.CHAT,
    "zendesk_integration": Channel.CHAT,
    "slack_integration": Channel.CHAT,
    "telegram_integration": Channel.CHAT,
    "intercom_integration": Channel.CHAT,
    "freshdesk_integration": Channel.CHAT,
    "salesforce_integration": Channel.CHAT,
    "widget": Channel.WEB,
    "js_sdk": Channel.WEB,
    "react_sdk": Channel.WEB,
    "template_preview": Channel.WEB,
}


def normalize(body: bytes | msgspec.Raw, *, is_over: bool = False, present: datetime | None = None) -> Conversation:
    """Read a conversation as ElevenLabs sends it: a row of a list, a complete one, or a call that could not be placed.

    With `is_over`, one with an unknown status has ended; `present` is when ElevenLabs sent it.
    """
    issues = Issues()
    sent = decode(body, payload.conversation, issues)
    if sent.transcript is msgspec.UNSET:
        told = sent.metadata or decode(body, payload.metadata, issues)
        judged = sent.analysis or decode(body, payload.analysis, issues)
    else:
        told, judged = sent.metadata or payload.Metadata(), sent.analysis or payload.Analysis()

    line = told.line
    channel, is_channel_told = _channel(sent, told)
    direction = DIRECTIONS.get(line.direction or sent.direction or "", Direction.UNKNOWN)
    is_opened = direction is Direction.UNKNOWN and line.opening_message is not None
    direction = Direction.OUTBOUND if is_opened else direction
    result = _CALL_RESULTS.get(line.call_result or "")
    status, is_concluded = _status(sent, told, result, direction, is_over=is_over)
    agent = Agent(id=text(sent.agent_id), name=text(sent.agent_name), version=text(sent.version_id))
    participants = _participants(sent, line, agent)

    place = "metadata." if sent.metadata else ""
    created_at = instant(told.start_time_unix_secs, f"{place}start_time_unix_secs", issues)
    accepted_at = instant(told.accepted_time_unix_secs, f"{place}accepted_time_unix_secs", issues)
    accepted_at = drop_if_before(accepted_at, created_at, f"{place}accepted_time_unix_secs", issues)
    started_at = accepted_at or (created_at if _has_begun(status, told) else None)
    has_ended = status.is_finished or status is Status.PROCESSING
    duration = told.call_duration_secs if has_ended or told.call_duration_secs else None  # 0 while it runs
    ended_at = add_seconds(started_at, duration, f"{place}call_duration_secs", issues) if has_ended else None

    estimated: list[str] = []
    found = _turns(sent, participants, (accepted_at, created_at), estimated, issues)
    is_early = is_too_early(found, duration, ended_at, present)
    transcript, transcript_state = _transcript(sent, told, status, found, is_early=is_early)
    was_handed_over = has_ended and is_handed_over(participants)
    last_words = text(sent.failure_reason) or text(told.termination_reason) or text_at(told.error, "reason")
    if has_ended and result and not last_words:
        last_words = line.call_result
    derived = {
        "status": bool(sent.failure_reason) or is_concluded,
        "channel": channel is not Channel.UNKNOWN and not is_channel_told,
        "direction": is_opened,
        "created_at": created_at is not None,
        "ended_at": ended_at is not None,
        "end_reason": was_handed_over,
    }
    return Conversation(
        provider="elevenlabs",
        id=str(sent.conversation_id),
        status=status,
        provider_status=sent.status,
        title=text(judged.call_summary_title),
        channel=channel,
        direction=direction,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        duration=duration,
        end_reason=EndReason.TRANSFERRED
        if was_handed_over
        else _end_reason(sent, told, result if has_ended else None, status, last_words),
        provider_end_reason=last_words,
        transcript=transcript,
        transcript_state=transcript_state,
        summary=text(judged.transcript_summary),
        analysis=_analysis(sent, judged),
        recordings=(_recording(str(sent.conversation_id)),) if sent.has_audio else (),
        # `cost` is not money: it counts credits.
        # https://elevenlabs.io/docs/api-reference/conversations/get
        cost=cost(told.cost_fiat, f"{place}cost_fiat", issues)
        or cost(told.cost, f"{place}cost", issues, unit="credits"),
        language=text(told.main_language),
        tags=tuple([str(tag) for tag in sent.tag_ids or () if tag is not None]),
        metadata=_metadata(sent, told, line, judged, issues),
        links=_links(told),
        related_ids=_related_ids(told, line),
        estimated=(*[name for name, is_derived in derived.items() if is_derived], *estimated),
        issues=noted(issues),
        raw=bytes(body),
    )


def _channel(sent: payload.Conversation, told: payload.Metadata) -> tuple[Channel, bool]:
    """Return the channel, and whether ElevenLabs says it."""
    if told.phone_call:
        return Channel.PHONE, True
    if told.sms:
        return Channel.SMS, True
    if told.whatsapp or told.text_only:
        return Channel.CHAT, True
    if found := _SOURCES.get(told.conversation_initiation_source or ""):
        return found, True
    if sent.direction or sent.failure_reason:  # only calls have a direction, or can fail to be placed
        return Channel.PHONE, False
    return Channel.UNKNOWN if sent.transcript is msgspec.UNSET else Channel.WEB, False


def _status(
    sent: payload.Conversation, told: payload.Metadata, result: _Result | None, direction: Direction, *, is_over: bool
) -> tuple[Status, bool]:
    """Return the status, and whether it was concluded from other members."""
    if sent.failure_reason:
        return _FAILURES.get(sent.failure_reason, _FAILED)[0], False
    status = STATUSES.get(sent.status or "", Status.UNKNOWN)
    if status is Status.UNKNOWN:
        has_length = sent.transcript is not msgspec.UNSET and told.call_duration_secs
        signs = (is_over, told.termination_reason, told.error, has_length, sent.analysis, result)
        known = concluded(status, sent.status, *signs)
        return _with_result(known, result), known is not status
    if status.is_finished:
        return _with_result(status, result), False
    return Status.RINGING if status is Status.QUEUED and direction is Direction.OUTBOUND else status, False


def _with_result(status: Status, result: _Result | None) -> Status:
    """Return the status, refined by the result of a call: an unanswered one did not just end, a voicemail may fail."""
    return result[0] if result and result[0] is not Status.ENDED and status.is_finished else status


def _participants(sent: payload.Conversation, line: payload.Line, agent: Agent) -> Participants:
    recipient = line.recipient or payload.Recipient()
    participants = Participants.of(
        agent,
        agent_phone=text(line.agent_number) or text(line.agent_phone_number),
        customer_id=text(sent.user_id)
        or text(sent.client.user_id)
        or text(line.whatsapp_user_id)
        or text(recipient.bsuid),
        customer_phone=text(line.external_number) or text(line.sms_user_phone_number) or text(recipient.phone),
    )
    for visited in filter(None, sent.visited_agents or ()):
        index_of_agent(visited.agent_id, participants)
    return participants


def _turns(
    sent: payload.Conversation,
    participants: Participants,
    began: Sequence[datetime | None],
    estimated: list[str],
    issues: list[Issue],
) -> tuple[TranscriptTurn, ...]:
    if not isinstance(sent.transcript, str):
        return turns(sent.entries, participants, began, estimated, issues)
    told = utterances(sent.transcript, agent="agent", user="user")
    parsed = [payload.Turn(role=who, message=said) for who, said in told]
    estimated += ["transcript"] * bool(parsed)
    return turns(parsed, participants, began, estimated, issues)


def _transcript(
    sent: payload.Conversation,
    told: payload.Metadata,
    status: Status,
    found: tuple[TranscriptTurn, ...],
    *,
    is_early: bool,
) -> tuple[tuple[TranscriptTurn, ...] | None, TranscriptState]:
    if sent.transcript is msgspec.UNSET:
        return None, TranscriptState.NOT_LOADED
    if not found and _is_forgotten(told):
        return None, TranscriptState.UNAVAILABLE
    if not status.is_finished:
        return found or None, TranscriptState.PENDING  # the turns may be incomplete
    if status is Status.ENDED and is_early:
        return None, TranscriptState.PENDING  # it took time, so its turns may still come
    # If it ended well without turns, nothing was said.
    if found or (sent.transcript is not None and status is Status.ENDED):
        return found, TranscriptState.AVAILABLE
    return None, TranscriptState.UNAVAILABLE


def _is_forgotten(told: payload.Metadata) -> bool:
    """Whether the transcript was deleted, or never stored."""
    # https://elevenlabs.io/docs/eleven-agents/customization/privacy/retention
    deleted_at = members_of(told.deletion_settings).get("deleted_transcript_at_time_unix_secs")
    features = told.features_usage or payload.Features()
    return bool(deleted_at is not None or features.pii_zrm_workspace or features.pii_zrm_agent)


def _has_begun(status: Status, told: payload.Metadata) -> bool:
    return bool(told.call_duration_secs) if status in _IN_VAIN else status not in _NOT_YET


def _end_reason(
    sent: payload.Conversation,
    told: payload.Metadata,
    result: _Result | None,
    status: Status,
    last_words: str | None,
) -> EndReason | None:
    if sent.failure_reason:
        return _FAILURES.get(sent.failure_reason, _FAILED)[1]
    if result and result[1] is not EndReason.ERROR:
        return result[1]
    if not (last_words or told.error or result):
        return None
    words = (last_words or "").lower()
    for part, reason in _END_REASONS.items():
        if part in words:
            return reason
    return EndReason.ERROR if status is Status.FAILED or told.error else EndReason.UNKNOWN


def _analysis(sent: payload.Conversation, judged: payload.Analysis) -> Analysis | None:
    mood = members_of(sent.sentiment_analysis)
    criteria = members_of(judged.evaluation_criteria_results)
    marks: dict[str, Any] = {"call_success_score": judged.call_success_score, **mood}
    for name, result in criteria.items():
        marks[name] = members_of(result).get("score")
    scores = {name: score for name, mark in marks.items() if mark is not None and (score := number(mark)) is not None}
    gathered = judged.data_collection_results
    collected = {
        # Now and then the value is not wrapped in an object.
        name: members_of(result).get("value", result)
        for name, result in members_of(gathered).items()
    }
    return unless_empty(
        Analysis(
            success=_VERDICTS.get(judged.call_successful or ""),
            sentiment=text_at(mood, "overall_label"),
            scores=scores or None,
            collected=collected if isinstance(gathered, dict) else None,
        )
    )


def _recording(id: str) -> Recording:
    # https://elevenlabs.io/docs/api-reference/conversations/get-audio
    location = f"/v1/convai/conversations/{quote(id, safe='')}/audio"
    return Recording(location=location, access=RecordingAccess.PROVIDER_KEY, media_type="audio/mpeg")


def _credits(told: payload.Metadata, issues: list[Issue]) -> AnyJson:
    """Return the credits, if the cost is in money."""
    if told.cost_fiat in ABSENT or told.cost in ABSENT:
        return None
    found: AnyJson = try_decode_any(told.cost)
    if found is None:
        issues.append(Issue("metadata.cost", "not a number"))
    return found


def _metadata(
    sent: payload.Conversation,
    told: payload.Metadata,
    line: payload.Line,
    judged: payload.Analysis,
    issues: list[Issue],
) -> dict[str, Any]:
    found = {
        "conversation_initiation_source": told.conversation_initiation_source,
        "conversation_product": sent.conversation_product,
        "environment": sent.environment,
        "branch_id": sent.branch_id,
        "initiator_id": told.initiator_id,
        "authorization_method": told.authorization_method,
        "timezone": told.timezone,
        "carrier": line.type,
        "phone_number_id": line.phone_number_id or line.whatsapp_phone_number_id,
        "sip_headers": line.sip_header_dynamic_variables,
        "direction": None if sent.direction in DIRECTIONS else sent.direction,
        "message_count": sent.message_count,
        "user_message_count": sent.user_message_count,
        "agent_message_count": sent.agent_message_count,
        "queue_wait_secs": told.queue_wait_secs,
        "call_result": line.call_result,
        "opening_message": line.opening_message,
        "call_permission_request": line.call_permission_request,
        "campaign": told.batch_call.campaign if told.batch_call else None,
        "tool_names": sent.tool_names,
        "rating": sent.rating,
        "call_successful": None if judged.call_successful in _VERDICTS else judged.call_successful,
        "evaluation_criteria_results": judged.evaluation_criteria_results,
        "scoped_analysis": judged.scoped,
        "feedback": told.feedback,
        "warnings": told.warnings,
        "error": told.error,
        "failure": {"type": told.type, "body": told.body} if told.type or told.body else None,
        "credits": _credits(told, issues),
        "deletion_settings": told.deletion_settings,
        "async_delivery": told.async_metadata,
        "dynamic_variables": sent.client.dynamic_variables,
        "conversation_config_override": sent.client.conversation_config_override,
        "files": _files(sent),
    }
    return without_empty(found)


def _files(sent: payload.Conversation) -> list[dict[str, Any]] | None:
    found = [
        {"position": position, **msgspec.to_builtins(file)}
        for position, entry in enumerate(sent.entries)
        if entry is not None and (entry.file_input is not None or entry.file_inputs is not None)
        # The former is the first of the latter, which older conversations lack.
        for file in entry.file_inputs or [entry.file_input]
        if file is not None
    ]
    return found or None


def _links(told: payload.Metadata) -> dict[str, str]:
    link = text_at(told.async_metadata, "external_link")
    return {text_at(told.async_metadata, "external_system") or "external": link} if link else {}


def _related_ids(told: payload.Metadata, line: payload.Line) -> dict[str, str]:
    batch = told.batch_call or payload.Batch()
    found: dict[str, Id | None] = {
        "call_sid": line.call_sid or text_at(told.body, "CallSid") or text_at(told.body, "call_sid"),
        "call_id": line.call_id,
        "stream_sid": line.stream_sid,
        "batch_call": batch.batch_call_id,
        "batch_call_recipient": batch.batch_call_recipient_id,
    }
    if told.async_metadata:
        platform = members_of(told.async_metadata).get("platform_metadata")
        found["integration_trigger"] = text_at(told.async_metadata, "integration_trigger_id")
        found |= {"ticket": text_at(platform, "ticket_id"), "thread": text_at(platform, "thread_id")}
    return ids_of(found)
