"""Synthflow's calls as ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import msgspec

from ...reading.lifecycle import concluded, is_too_early
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.plain_text import utterances
from ...reading.recordings import signed_recording
from ...reading.values import (
    DIRECTIONS,
    AnyJson,
    Instant,
    add_seconds,
    drop_if_before,
    ids_of,
    in_seconds,
    instant,
    members_of,
    noted,
    seconds,
    text,
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
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ._payload import Call

__all__ = ["read", "turns_in"]

# https://docs.synthflow.ai/api-reference/platform-api/calls/get-phone-call
_STATUSES = {
    "pending": Status.QUEUED,
    "registered": Status.QUEUED,
    "paused": Status.QUEUED,
    "ringing": Status.RINGING,
    "in-progress": Status.IN_PROGRESS,
    "completed": Status.ENDED,
    "left_voicemail": Status.ENDED,
    "hangup_on_voicemail": Status.ENDED,
    "no-answer": Status.NO_ANSWER,
    "busy": Status.NO_ANSWER,
    "failed": Status.FAILED,
    "spam": Status.FAILED,
    "canceled": Status.CANCELLED,
    "user-canceled": Status.CANCELLED,
}
# Webhooks and older calls have other words: https://docs.synthflow.ai/about-webhooks
_END_REASONS = {
    "agent_ended_call": EndReason.AGENT_ENDED,
    "agent_goodbye": EndReason.AGENT_ENDED,
    "custom_end_call": EndReason.AGENT_ENDED,
    "human_ended_call": EndReason.CUSTOMER_ENDED,
    "human_goodbye": EndReason.CUSTOMER_ENDED,
    "human_pick_up_cut_off": EndReason.CUSTOMER_ENDED,
    "voicemail": EndReason.VOICEMAIL,
    "voicemail_cut_off": EndReason.VOICEMAIL,
    "voicemail_message_left": EndReason.VOICEMAIL,
    "user_canceled": EndReason.CANCELLED,
    "timeout": EndReason.MAX_DURATION,
    "max_duration": EndReason.MAX_DURATION,
    "error": EndReason.ERROR,
}
_BY_STATUS = {
    "no-answer": EndReason.NO_ANSWER,
    "busy": EndReason.BUSY,
    "failed": EndReason.ERROR,
    "canceled": EndReason.CANCELLED,
    "user-canceled": EndReason.CANCELLED,
    "left_voicemail": EndReason.VOICEMAIL,
    "hangup_on_voicemail": EndReason.VOICEMAIL,
}

_SPEAKERS: Speakers = {"bot": (Role.ASSISTANT, 0), "human": (Role.USER, 1)}
_MILLISECONDS = 1000


def read(
    sent: Call,
    raw: bytes | msgspec.Raw,
    issues: list[Issue],
    *,
    place: str = "",
    present: datetime | None = None,
    analysis: AnyJson = None,
) -> Conversation:
    """Read a call; `place` is its place in `raw`, `present` when it was sent, `analysis` what a webhook adds."""
    word = sent.status or sent.call_status
    known = _STATUSES.get(word or "", Status.UNKNOWN)
    status = concluded(known, word, sent.end_call_reason)

    # In REST these are milliseconds; of a call that was not taken, it is when that was due.
    due_at = instant(sent.start_time, f"{place}start_time", issues, per_second=_MILLISECONDS)
    connected_at = _instant(sent.telephony_start, f"{place}telephony_start", issues)
    started_at = connected_at or (due_at if _was_taken(sent, status) else None)
    hung_up_at = drop_if_before(
        _instant(sent.telephony_end, f"{place}telephony_end", issues), started_at, f"{place}telephony_end", issues
    )
    ended_at = hung_up_at
    if ended_at is None and status.is_finished:
        ended_at = add_seconds(started_at, sent.duration, f"{place}duration", issues)

    direction = DIRECTIONS.get(sent.type_of_call or "", Direction.UNKNOWN)
    agent = Agent(id=text(sent.model_id))
    participants = _participants(sent, agent, direction)
    turns, speakers_known = turns_in(sent.transcript, participants)
    if turns and not speakers_known:
        issues.append(Issue(f"{place}transcript", "names no speakers"))
    state = _transcript_state(sent, status, turns, ended_at, present)
    reason, provider_reason = _end_reason(sent, word) if status.is_finished else (None, None)
    judged = _analysis(sent, members_of(analysis))
    derived = {
        "status": status is not known,
        "started_at": started_at is not None and connected_at is None,
        "ended_at": ended_at is not None and hung_up_at is None,
        "analysis.success": judged is not None and judged.success is not None,
    }
    return Conversation(
        provider="synthflow",
        id=str(sent.call_id),
        status=status,
        provider_status=word,
        channel=Channel.PHONE,
        direction=direction,
        agent=unless_empty(agent),
        participants=tuple(participants),
        started_at=started_at,
        ended_at=ended_at,
        duration=sent.duration,
        end_reason=reason,
        provider_end_reason=provider_reason,
        transcript=turns or None,
        transcript_state=state,
        summary=_summary(members_of(analysis)),
        analysis=judged and unless_empty(judged),
        recordings=_recordings(sent, place, issues),
        tags=tuple([str(label) for label in sent.labels or () if label is not None and label != ""]),
        metadata=_metadata(sent, None if started_at == due_at else due_at),
        related_ids=ids_of({"external_id": sent.external_id}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(raw),
    )


def _was_taken(sent: Call, status: Status) -> bool:
    if sent.duration is None:
        return status in {Status.IN_PROGRESS, Status.ENDED}
    return sent.duration > 0 or status is Status.IN_PROGRESS


_SHORTEST_INSTANT = 12  # characters; rows may have the date alone


def _instant(value: Instant, place: str, issues: list[Issue]) -> datetime | None:
    if isinstance(value, str) and len(value) < _SHORTEST_INSTANT:
        return None
    return instant(value, place, issues)


def _participants(sent: Call, agent: Agent, direction: Direction) -> Participants:
    ours, theirs = sent.phone_number_from, sent.phone_number_to
    if direction is Direction.INBOUND:
        ours, theirs = theirs, ours
    elif direction is Direction.UNKNOWN:
        ours = theirs = None
    return Participants.of(
        agent,
        agent_phone=text(sent.agent_phone_number) or text(ours),
        customer_name=text(sent.lead_name) or text(sent.name),
        customer_phone=text(sent.lead_phone_number) or text(theirs),
    )


def turns_in(plain: str | None, participants: Participants) -> tuple[tuple[TranscriptTurn, ...], bool]:
    """Return the turns of a transcript that is one text, and whether it names the speakers."""
    turns: list[TranscriptTurn] = []
    said = [one for one in utterances(plain or "", agent="bot", user="human") if one[1]]
    for who, words in said:
        role, participant = _SPEAKERS.get(who) or unknown_speaker(who, participants)
        turns.append(TranscriptTurn(index=len(turns), role=role, text=words, participant=participant))
    return tuple(turns), any(who is not None for who, _ in said)


def _transcript_state(
    sent: Call,
    status: Status,
    turns: Sequence[TranscriptTurn],
    ended_at: datetime | None,
    present: datetime | None,
) -> TranscriptState:
    if not status.is_finished and not (turns and status is Status.UNKNOWN):
        return TranscriptState.PENDING
    if turns:
        return TranscriptState.AVAILABLE
    # There is none where the agent keeps none.
    is_early = is_too_early(turns, sent.duration, ended_at, present)
    return TranscriptState.PENDING if is_early else TranscriptState.UNAVAILABLE


def _end_reason(sent: Call, word: str | None) -> tuple[EndReason | None, str | None]:
    """Return why it ended, and the provider's word; a word that says nothing leaves it to the status."""
    told = text(sent.end_call_reason)
    if told is None and sent.error_message in _END_REASONS:
        told = sent.error_message  # where webhooks may have it
    by_status, by_word = _BY_STATUS.get(word or ""), _END_REASONS.get(told or "")
    # What nobody answered may have run into a time limit too.
    found = by_status if by_status in _UNANSWERED else by_word or by_status
    return found or (EndReason.UNKNOWN if told else None), told


_UNANSWERED = {EndReason.NO_ANSWER, EndReason.BUSY}


_VERDICTS = {"true": True, "false": False}
_NO_TEXT = {*_VERDICTS, "partial", "not_applicable", "null"}


def _summary(analysis: Mapping[str, Any]) -> str | None:
    # It may be a verdict on the summary instead of the summary.
    told: Any = analysis.get("call_summary")
    return told if isinstance(told, str) and told and told.lower() not in _NO_TEXT else None


def _analysis(sent: Call, analysis: Mapping[str, Any]) -> Analysis | None:
    judged = sent.judge_results
    told = {
        **(members_of(judged) if isinstance(judged, dict) else without_empty({"judge_results": judged})),
        **analysis,
        **_collected(sent.collected_variables),
    }
    sentiment: Any = told.get("user_sentiment")
    goal: Any = told.get("goal")
    if not told:
        return None
    return Analysis(
        success=_VERDICTS.get(goal.lower()) if isinstance(goal, str) else goal if isinstance(goal, bool) else None,
        sentiment=sentiment if isinstance(sentiment, str) and sentiment else None,
        collected=told,
    )


def _collected(variables: AnyJson) -> dict[str, dict[str, Any]]:
    """Return the values of the variables that were collected, by agent and name."""
    found = {agent: _values(named) for agent, named in members_of(variables).items()}
    return {agent: values for agent, values in found.items() if values}


def _values(named: AnyJson) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, sent in members_of(named).items():
        one = members_of(sent)
        if one.get("collected") is not False:
            values[name] = one.get("value", sent)
    return values


def _recordings(sent: Call, place: str, issues: list[Issue]) -> tuple[Recording, ...]:
    if not sent.recording_url:
        return ()
    length = seconds(sent.recording_duration, f"{place}recording_duration", issues) if sent.recording_duration else None
    lasted = None if length is None else in_seconds(length, 1.0, sent.duration)
    found = signed_recording(sent.recording_url, f"{place}recording_url", issues, duration=lasted)
    return () if found is None else (found,)


def _metadata(sent: Call, due_at: datetime | None) -> dict[str, Any]:
    told = {
        "start_time": due_at and due_at.isoformat(),
        "custom_end_call_reason": sent.custom_end_call_reason,
        "telephony_duration": sent.telephony_duration,
        "telephony_ringing_duration": sent.telephony_ringing_duration,
        "telephony_hangup": sent.telephony_hangup,
        "telephony_disconnect_reason": sent.telephony_disconnect_reason,
        "executed_actions": sent.executed_actions,
        "agents_used": sent.agents_used,
        "deployment_type": sent.deployment_type,
        "prompt_variables": sent.prompt_variables,
        "campaign_type": sent.campaign_type,
        "timezone": sent.timezone,
        "error_message": sent.error_message,
    }
    return without_empty(told)
