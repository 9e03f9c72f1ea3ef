"""The calls of Bland AI as conversations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import compress
from operator import attrgetter, ge
from typing import Any
from urllib.parse import quote

import msgspec

from ...errors import PayloadError
from ...reading.json import decode
from ...reading.lifecycle import concluded
from ...reading.money import cost
from ...reading.participants import Participants, unknown_speaker
from ...reading.plain_text import utterances
from ...reading.values import (
    Issues,
    add_seconds,
    drop_if_before,
    in_seconds,
    instant,
    is_believable,
    noted,
    seconds,
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
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ._payload import CALL, CORRECTION, Call, Leg, Row, Segment, Told, tags_in

# what it means

# https://docs.bland.ai/api-v1/get/calls-id
_STATUSES = {
    "queued": Status.QUEUED,
    "in-progress": Status.IN_PROGRESS,
    "completed": Status.ENDED,
    "failed": Status.FAILED,
    "busy": Status.FAILED,
    "no-answer": Status.NO_ANSWER,
    "canceled": Status.CANCELLED,
}
_QUEUE_STATUSES = {
    "new": Status.QUEUED,
    "queued": Status.QUEUED,
    "allocated": Status.QUEUED,
    "started": Status.IN_PROGRESS,
    "complete": Status.ENDED,
    "completed": Status.ENDED,
    "pre_queue_error": Status.FAILED,
    "queue_error": Status.FAILED,
    "call_error": Status.FAILED,
    "complete_error": Status.ENDED,  # the call itself was over; a webhook may have failed
}
_RUNNING = {Status.QUEUED, Status.IN_PROGRESS}
_HELD = {Status.IN_PROGRESS, Status.ENDED}
_UNHELD = {
    Status.FAILED: EndReason.ERROR,
    Status.NO_ANSWER: EndReason.NO_ANSWER,
    Status.CANCELLED: EndReason.CANCELLED,
}
_HUNG_UP_BY = {"USER": EndReason.CUSTOMER_ENDED, "ASSISTANT": EndReason.AGENT_ENDED}

_Speaker = tuple[Role, int | None, Visibility]
_SPEAKERS: dict[str | None, _Speaker] = {
    "user": (Role.USER, 1, Visibility.PUBLIC),
    "assistant": (Role.ASSISTANT, 0, Visibility.PUBLIC),
    "robot": (Role.ASSISTANT, 0, Visibility.PUBLIC),
    "agent-action": (Role.SYSTEM, None, Visibility.INTERNAL),
}


def normalize(
    body: bytes | msgspec.Raw, *, is_whole: bool = False, is_delivered: bool = False, correction: bytes | None = None
) -> Conversation:
    """Read a call: a row of a list or, with `is_whole`, a complete one.

    With `is_delivered` the call is over, and may lack members that `get` returns. `correction` is the answer with its
    corrected transcript.
    """
    issues = Issues()
    sent = decode(body, CALL, issues)
    id = text(sent.call_id) or text(sent.c_id)
    if id is None:
        raise PayloadError("the answer has no id of a call")
    if correction is not None:
        sent.corrected_transcript = _corrected(correction, issues)
    status, is_concluded = _status(sent, is_over=is_delivered)
    legs = _legs(sent)
    took_over = _took_over(sent, legs)
    end_reason, provider_end_reason = _ending(sent, status, took_over)

    created_at = instant(sent.created_at, "created_at", issues)
    connected_at = instant(sent.started_at, "started_at", issues)
    # Not for a row, which may not say whether the call took place.
    started_at = connected_at or (created_at if is_whole and status in _HELD else None)
    end_at = instant(sent.end_at, "end_at", issues)
    duration = _duration(sent, (end_at - started_at).total_seconds() if started_at and end_at else None, issues)
    ended_at = _ended_at(status, end_at, add_seconds(started_at, duration, "corrected_duration", issues))
    ended_at = drop_if_before(ended_at, started_at, "end_at", issues)

    agent = Agent(id=text(sent.pathway_id) or text(sent.persona_id), version=text(sent.pathway_version))
    participants = _participants(sent, agent, took_over)
    rows, is_parsed = _rows(sent)
    turns = tuple(_turns(sent, rows, started_at, participants, issues))
    derived = {
        "status": is_concluded,
        "started_at": started_at is not connected_at,
        "ended_at": ended_at is not None and ended_at is not end_at,
        "transcript": is_parsed,
        "transcript.start": not sent.corrected_transcript and any(turn.start is not None for turn in turns),
    }
    call = Conversation(
        provider="bland",
        id=id,
        status=status,
        provider_status=sent.status or sent.queue_status or None,
        channel=Channel.PHONE,
        direction=_direction(sent),
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        duration=duration,
        end_reason=end_reason,
        provider_end_reason=provider_end_reason,
        transcript=turns or None,
        transcript_state=_transcript_state(sent, status, turns, is_whole=is_whole, is_delivered=is_delivered),
        summary=sent.summary or None,
        analysis=_analysis(sent),
        recordings=_recordings(sent, id, issues),
        cost=cost(sent.price, "price", issues),
        language=text_at(sent.variables, "language"),
        tags=tags_in(sent.pathway_tags),
        metadata=_metadata(sent, turns),
        related_ids=_related_ids(legs) if legs else {},
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(body),
    )
    return call if correction is None else _beside(call, correction)


_CORRECTED = "corrected_transcript"


def _corrected(correction: bytes, issues: list[Issue]) -> list[Segment | None] | None:
    """Return the corrected transcript, to be put into the call, where deliveries have it."""
    misfits: list[Issue] = []
    corrected = decode(correction, CORRECTION, misfits).corrected
    issues += [Issue(misfit.place.replace("corrected", _CORRECTED, 1), misfit.reason) for misfit in misfits]
    return corrected


def _beside(call: Conversation, correction: bytes) -> Conversation:
    """Return a call with both answers as its raw, and with the places of its issues in there."""
    raw = msgspec.json.encode({"call": msgspec.Raw(call.raw or b"null"), "corrected": msgspec.Raw(correction)})
    issues: list[Issue] = []
    for issue in call.issues:
        is_corrected = issue.place.startswith(_CORRECTED)
        place = issue.place.replace(_CORRECTED, "corrected.corrected", 1) if is_corrected else f"call.{issue.place}"
        issues.append(Issue(place, issue.reason))
    return msgspec.structs.replace(call, raw=raw, issues=tuple(issues))


def _status(sent: Call, *, is_over: bool) -> tuple[Status, bool]:
    """Return the status, and whether it was concluded from other members."""
    told = _told_status(sent)
    # A call has a length once it is over; but beside an unknown status the length may mean something else.
    has_length = not sent.status and sent.corrected_duration not in _NO_LENGTH
    status = concluded(told, sent.status, is_over, sent.call_ended_by, has_length)
    return status, status is not told


_NO_LENGTH = (None, "", "0", 0)


def _told_status(sent: Call) -> Status:
    if sent.status in _STATUSES:
        return _STATUSES[sent.status]
    status = _QUEUE_STATUSES.get(sent.queue_status or "", Status.UNKNOWN)
    # If they differ, `completed` is newer.
    # https://docs.bland.ai/api-v1/get/calls-id
    if sent.completed and status is not Status.FAILED:
        status = Status.ENDED
    elif sent.completed is False and (status is Status.ENDED or not sent.queue_status):
        status = Status.IN_PROGRESS
    return Status.NO_ANSWER if status is Status.ENDED and sent.answered_by == "no-answer" else status


def _ending(sent: Call, status: Status, took_over: Sequence[str]) -> tuple[EndReason | None, str | None]:
    # An error message alone is not a failure: successful calls may have one.
    # https://docs.bland.ai/tutorials/post-call-webhooks
    if status in _UNHELD:
        reason = EndReason.BUSY if sent.status == "busy" else _UNHELD[status]
        word = sent.answered_by if status is Status.NO_ANSWER else sent.queue_status
        return reason, sent.error_message or sent.status or word
    if status is not Status.ENDED:
        return None, None
    if sent.answered_by == "voicemail":
        return EndReason.VOICEMAIL, sent.answered_by
    if took_over:
        return EndReason.TRANSFERRED, sent.call_ended_by or None
    if sent.call_ended_by:
        return _HUNG_UP_BY.get(sent.call_ended_by, EndReason.UNKNOWN), sent.call_ended_by
    return None, None


def _duration(sent: Call, between: float | None, issues: list[Issue]) -> float | None:
    """Return the length as sent; `between` is the time from start to end, and the end may only be a limit."""
    span = seconds(sent.corrected_duration, "corrected_duration", issues)
    if span is not None:
        return span
    # https://docs.bland.ai/api-v1/get/calls-id
    minutes = seconds(sent.call_length, "call_length", issues)
    return None if minutes is None else in_seconds(minutes, 60.0, between)


# Seconds by which the end may differ from start plus length, since `started_at` may be when it began to ring.
_EARLIEST, _LATEST = -2.0, 60.0


def _ended_at(status: Status, sent: datetime | None, counted: datetime | None) -> datetime | None:
    """Return the end as sent, unless it is far off: before the actual end, it is when the longest call would end."""
    # https://docs.bland.ai/api-v1/get/calls-id
    if status in _RUNNING or status is Status.UNKNOWN:
        return None
    if sent is None or counted is None:
        return counted or (sent if status is Status.ENDED else None)
    return sent if _EARLIEST <= (sent - counted).total_seconds() <= _LATEST else counted


def _direction(sent: Call) -> Direction:
    if sent.inbound is None:
        return Direction.UNKNOWN
    return Direction.INBOUND if sent.inbound else Direction.OUTBOUND


def _participants(sent: Call, agent: Agent, took_over: Sequence[str]) -> Participants:
    agents = customers = None
    if sent.inbound is not None:
        agents, customers = (sent.to, sent.from_) if sent.inbound else (sent.from_, sent.to)
    participants = Participants.of(agent, agent_phone=text(agents), customer_phone=text(customers))
    if sent.is_proxy_agent_call:  # the call to a human who is to take over is separate
        participants[1] = Participant(kind=ParticipantKind.HUMAN_AGENT, phone=text(customers))
    for phone in took_over:
        participants.index_of(Participant(kind=ParticipantKind.HUMAN_AGENT, phone=phone))
    return participants


def _legs(sent: Call) -> list[Leg]:
    calls = sent.warm_transfer_call.proxy_agent_calls if sent.warm_transfer_call else None
    return [leg for leg in calls if leg is not None] if calls else []


def _took_over(sent: Call, legs: Sequence[Leg]) -> list[str]:
    """Return the numbers of the humans to whom the call was transferred."""
    numbers = [sent.transferred_to, *[leg.phone_number for leg in legs if leg.state == "MERGED"]]
    return [phone for number in numbers if (phone := text(number))]


def _related_ids(legs: Sequence[Leg]) -> dict[str, str]:
    ids = filter(None, [text(leg.call_id) for leg in legs])
    return {f"proxy_agent_call_{place}": id for place, id in enumerate(ids, start=1)}


def _rows(sent: Call) -> tuple[Sequence[Row | None], bool]:
    """Return the rows of the transcript, and whether they were parsed from plain text."""
    noted = sent.transcripts
    plain = noted if isinstance(noted, str) else sent.concatenated_transcript
    rows = noted if isinstance(noted, list) else []
    if sent.corrected_transcript or not plain or any(row is not None and row.user in _SPEECH for row in rows):
        return rows, False
    told = utterances(plain, agent="assistant", user="user", labels={word: word for word in _SPEAKERS if word})
    parsed = [Row(user=who, text=said) for who, said in told]
    return parsed or rows, bool(parsed)


_SPEECH = {"user", "assistant", "robot"}


def _turns(
    sent: Call,
    rows: Sequence[Row | None],
    started_at: datetime | None,
    participants: Participants,
    issues: list[Issue],
) -> list[TranscriptTurn]:
    turns: list[TranscriptTurn] = []
    if sent.corrected_transcript:
        # It differs from the rows in number, order and words, so the two are never combined.
        turns += _heard(sent.corrected_transcript, _CORRECTED, participants, issues)
    elif rows:
        turns += _noted(rows, started_at, participants, issues)
    if turns and sent.post_transfer_transcript and sent.transfer_offset_seconds is not None:
        place, offset = "post_transfer_transcript", sent.transfer_offset_seconds
        turns += _heard(sent.post_transfer_transcript, place, participants, issues, first=len(turns), offset=offset)
    return turns


def _noted(
    rows: Sequence[Row | None], started_at: datetime | None, participants: Participants, issues: list[Issue]
) -> list[TranscriptTurn]:
    """Return the turns that were noted during the call."""
    turns: list[TranscriptTurn] = []
    speakers = _speakers(participants)
    for said_at, row in _in_order(rows, issues):
        role, participant, visibility = speakers.get(row.user) or (
            *unknown_speaker(row.user, participants),
            Visibility.PUBLIC,
        )
        start = timestamp = None
        if said_at is not None:
            timestamp = said_at.timestamp()
            if started_at is not None and said_at >= started_at:
                start = (said_at - started_at).total_seconds()
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=row.text or "",
                start=start,
                timestamp=timestamp,
                participant=participant,
                visibility=visibility,
                provider_id=None if row.id is None else str(row.id),
            )
        )
    return turns


def _in_order(rows: Sequence[Row | None], issues: list[Issue]) -> Iterable[tuple[datetime | None, Row]]:
    """Return the rows with their instants in chronological order, in which they may not be sent."""
    noted = [row for row in rows if row is not None]
    if len(noted) < len(rows):
        issues.extend(Issue(f"transcripts[{position}]", "null") for position, row in enumerate(rows) if row is None)
    try:
        moments = [datetime.fromisoformat(row.created_at or "") for row in noted]
    except ValueError:
        moments = []
    if not moments or not _are_instants(moments):
        places = ((f"transcripts[{position}].created_at", row) for position, row in enumerate(rows) if row is not None)
        return [(instant(row.created_at, place, issues), row) for place, row in places]
    told: Iterable[tuple[datetime, Row]] = zip(moments, noted, strict=True)
    if any(map(ge, moments, moments[1:])):
        told = sorted(told, key=_moment_and_id)
    return told


def _are_instants(moments: Sequence[datetime]) -> bool:
    zones = {moment.tzinfo for moment in moments}
    years = attrgetter("year")
    return None not in zones and is_believable(min(moments, key=years)) and is_believable(max(moments, key=years))


def _moment_and_id(told: tuple[datetime, Row]) -> tuple[datetime, int]:
    moment, row = told
    return moment, row.id if isinstance(row.id, int) else 0


def _heard(
    segments: Sequence[Segment | None],
    place: str,
    participants: Participants,
    issues: list[Issue],
    *,
    first: int = 0,
    offset: float = 0.0,
) -> list[TranscriptTurn]:
    """Return the turns that were transcribed from the recording; `offset` is where it starts, in seconds."""
    turns: list[TranscriptTurn] = []
    speakers = _speakers(participants)
    for position, segment in enumerate(segments):
        if segment is None:
            issues.append(Issue(f"{place}[{position}]", "null"))
            continue
        start, end = segment.start, segment.end
        label = segment.speaker_label
        role, participant = speakers[label][:2] if label in speakers else unknown_speaker(label, participants)
        turns.append(
            TranscriptTurn(
                index=first + len(turns),
                role=role,
                text=segment.text or "",
                start=None if start is None else round(offset + start, 6),
                duration=None if start is None or end is None or end < start else round(end - start, 6),
                participant=participant,
                confidence=segment.confidence,
            )
        )
    return turns


def _speakers(participants: Sequence[Participant]) -> Mapping[str | None, _Speaker]:
    """Return the speakers by Bland's word; in the call to a human who is to take over, the user is that human."""
    # https://docs.bland.ai/api-v1/get/calls-corrected-transcript
    is_to_a_human = participants[1].kind is ParticipantKind.HUMAN_AGENT
    return {**_SPEAKERS, "user": (Role.HUMAN_AGENT, 1, Visibility.PUBLIC)} if is_to_a_human else _SPEAKERS


def _transcript_state(
    sent: Call, status: Status, turns: tuple[TranscriptTurn, ...], *, is_whole: bool, is_delivered: bool
) -> TranscriptState:
    if turns:
        return TranscriptState.PENDING if status in _RUNNING else TranscriptState.AVAILABLE
    if not is_whole:
        return TranscriptState.NOT_LOADED
    if is_delivered and sent.transcripts is None and status not in _UNHELD:
        return TranscriptState.PENDING  # some deliveries lack it
    # A call that has just ended has neither length nor price; one with either and without words was silent.
    is_settled = sent.corrected_duration is not None or bytes(sent.price) not in {b"", b"null", b'""'}
    is_over = status in _UNHELD or (status is Status.ENDED and is_settled)
    return TranscriptState.UNAVAILABLE if is_over else TranscriptState.PENDING


def _analysis(sent: Call) -> Analysis | None:
    if sent.analysis is None and sent.dispositions is None and not sent.citations and not sent.disposition_tag:
        return None
    cited = sent.citations or {}
    if isinstance(cited, list):
        cited = {citation.variable_name: citation.value for citation in cited if citation and citation.variable_name}
    collected: dict[str, Any] = {}
    for name, value in (("analysis", sent.analysis), ("dispositions", sent.dispositions), ("citations", cited)):
        collected |= value if isinstance(value, dict) else {name: value}
    collected["disposition_tag"] = sent.disposition_tag
    return unless_empty(Analysis(collected=without_empty(collected) or None))


def _recordings(sent: Call, id: str, issues: list[Issue]) -> tuple[Recording, ...]:
    if not sent.recording_url:
        return ()
    # https://docs.bland.ai/api-v1/get/calls-id-recording
    location = f"/v1/recordings/{quote(id, safe='')}"
    expires_at = instant(sent.recording_expiration, "recording_expiration", issues)
    return (Recording(location=location, access=RecordingAccess.PROVIDER_KEY, expires_at=expires_at),)


def _metadata(sent: Call, turns: tuple[TranscriptTurn, ...]) -> dict[str, Any]:
    found = {name: getattr(sent, name) for name in Told.__struct_fields__}
    # Under its own key, since the customer chooses the names in it.
    found["custom"] = sent.metadata
    if sent.inbound is None:  # then it is unknown which number is whose
        found |= {"from": sent.from_, "to": sent.to}
    if sent.warm_transfer_call:
        found["warm_transfer_call"] = msgspec.to_builtins(sent.warm_transfer_call)
    if sent.corrected_transcript and isinstance(sent.transcripts, list) and sent.transcripts:
        found["live_transcript"] = msgspec.to_builtins(sent.transcripts)
    if sent.post_transfer_transcript and not (turns and sent.transfer_offset_seconds is not None):
        found["post_transfer_transcript"] = msgspec.to_builtins(sent.post_transfer_transcript)
    return without_empty(found)
