"""Anam: GET /v1/sessions, numbered pages, no known order; the transcript is a resource of its own.

A session has two documented shapes, an old and a new one, and both are read. It has no reliable status: whether it is
over is seen by its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import compress
from typing import Any
from urllib.parse import quote

import msgspec

from ..account import Account
from ..adapter import Adapter, Coverage, Query, RawPage
from ..errors import ForbiddenError, HubError, NotFoundError, PayloadError
from ..policy import sent_at
from ..reading.json import decode
from ..reading.lifecycle import concluded, is_too_early, may_still_come
from ..reading.paging import read_numbers
from ..reading.participants import Participants, Speakers, unknown_speaker
from ..reading.refusals import provider_error, read_or_raise, words_or_body
from ..reading.values import (
    AnyJson,
    Id,
    Instant,
    Issues,
    Seconds,
    drop_if_before,
    in_seconds,
    instant,
    noted,
    text,
    timestamp,
    unless_empty,
    without_empty,
)
from ..schema import (
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
    TranscriptState,
    TranscriptTurn,
)
from ..signing import bearer
from ..wire import Flow, Request, Response

__all__ = ["ADAPTER", "get", "list_page", "normalize", "recording", "refusal"]

# what Anam sends


class _Config(msgspec.Struct, rename="camel"):
    """The persona as it was configured for one session."""

    type: str | None = None
    name: str | None = None
    language_code: str | None = None
    max_session_length_seconds: Seconds | None = None
    zero_data_retention: bool | None = None
    metadata: AnyJson = None


class _Session(msgspec.Struct, rename="camel"):
    id: Id
    client_label: Id | None = None
    persona_id: Id | None = None
    persona_name: str | None = None
    persona_config: _Config | None = None
    status: str | None = None
    exit_status: str | None = None
    start_time: Instant = None
    end_time: Instant = None
    duration_ms: Seconds | None = None
    session_length_ms: Seconds | None = None
    created_at: Instant = None
    updated_at: Instant = None
    engine_host: str | None = None
    engine_protocol: str | None = None
    engine_version: Id | None = None
    client_metadata: AnyJson = None
    api_key_id: Id | None = None
    organization_id: Id | None = None
    tool_calls: AnyJson = None


class _Message(msgspec.Struct, rename="camel", gc=False):
    role: str | None = None
    message: str | None = None
    timestamp: Instant = None
    speaking_duration_seconds: Seconds | None = None
    was_interrupted: bool | None = None


class _Transcript(msgspec.Struct, rename="camel"):
    persona_name: str | None = None
    transcripts_enabled: bool | None = None
    messages: list[_Message | None] | None = None


class _Whole(msgspec.Struct):
    """The answers about one session, as `raw` keeps them."""

    session: _Session
    transcript: _Transcript


class _Meta(msgspec.Struct, rename="camel"):
    last_page: float | None = None
    next: AnyJson = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    meta: _Meta | None = None


class _Recording(msgspec.Struct, rename="camel"):
    recording_url: str | None = None


_session = msgspec.json.Decoder(_Session, strict=False)
_transcript = msgspec.json.Decoder(_Transcript, strict=False)
_page = msgspec.json.Decoder(_Page, strict=False)
_recording = msgspec.json.Decoder(_Recording, strict=False)

_LEFT_TO_RAW = {
    "*personaConfig.*": "how the persona is configured, not what was said",
    "transcript.sessionId": "the session has the same member",
    "transcript.startTime": "the session has the same member",
    "transcript.endTime": "the session has the same member",
    "transcript.durationMs": "the session has the same member",
    "transcript.totalMessages": "the number of messages",
}

# what it means

_SPEAKERS: Speakers = {"user": (Role.USER, 1), "persona": (Role.ASSISTANT, 0)}

# How long a session without an end may run, unless its persona says; our choice, the maximum is not documented.
_LONGEST = timedelta(days=1)


def normalize(body: bytes | msgspec.Raw, *, present: datetime | None = None) -> Conversation:
    """Read a session as a list has it; `present` is when it was sent."""
    issues = Issues()
    return _read(decode(body, _session, issues), None, body, present, issues)


def _read(
    sent: _Session,
    told: _Transcript | None,
    raw: bytes | msgspec.Raw,
    present: datetime | None,
    issues: list[Issue],
) -> Conversation:
    """Read a session and its transcript; with the latter, `raw` is an object of both."""
    place = "" if told is None else "session."
    config = sent.persona_config or _Config()
    created_at = instant(sent.created_at, f"{place}createdAt", issues)
    started_at = instant(sent.start_time, f"{place}startTime", issues)
    end = f"{place}endTime"
    ended_at = drop_if_before(instant(sent.end_time, end, issues), started_at or created_at, end, issues)
    updated_at = instant(sent.updated_at, f"{place}updatedAt", issues)
    # https://anam.ai/docs/api-reference/sessions/get-session
    # The reason `CLOSED_BY_ENGINE` includes normal ends by the user, so no reason says why a session ended.
    status = concluded(Status.UNKNOWN, sent.status, ended_at, sent.exit_status)
    if status is Status.UNKNOWN and _may_run(started_at or created_at, config, present):
        status = Status.IN_PROGRESS

    span = (ended_at - started_at).total_seconds() if started_at and ended_at else None
    length = sent.duration_ms if sent.session_length_ms is None else sent.session_length_ms
    duration = span if length is None else in_seconds(length, 0.001, span)

    name = text(sent.persona_name) or text(told.persona_name if told else None) or text(config.name)
    agent = Agent(id=text(sent.persona_id), name=name)
    participants = Participants.of(agent)
    turns = _turns(told.messages, started_at, participants, issues) if told and told.messages is not None else None
    state = TranscriptState.NOT_LOADED
    if told is not None:
        is_early = is_too_early(turns, duration, ended_at, present)
        state = _transcript_state(told, turns, is_over=_is_past(status, present) and not is_early)
    is_recorded = status.is_finished and not config.zero_data_retention
    derived = {
        "status": status is not Status.UNKNOWN,
        "direction": True,
        "duration": duration is not None and length is None,
        "transcript.start": any(turn.start is not None for turn in turns or ()),
    }
    return Conversation(
        provider="anam",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        channel=Channel.VIDEO,
        direction=Direction.INBOUND,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        updated_at=updated_at,
        duration=duration,
        end_reason=EndReason.UNKNOWN if sent.exit_status else None,
        provider_end_reason=text(sent.exit_status),
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        recordings=(_recording_of(str(sent.id)),) if is_recorded else (),
        language=text(config.language_code),
        metadata=_metadata(sent, config),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(raw),
    )


def _may_run(since: datetime | None, config: _Config, present: datetime | None) -> bool:
    """Whether a session without an end may still run: not if it began longer ago than it may last."""
    if since is None or present is None:
        return False
    longest = config.max_session_length_seconds
    return present - since <= (_LONGEST if longest is None else timedelta(seconds=longest))


def _is_past(status: Status, present: datetime | None) -> bool:
    """Whether a session is over, or began too long ago to run."""
    return status.is_finished or (status is Status.UNKNOWN and present is not None)


def _transcript_state(told: _Transcript, turns: Sequence[TranscriptTurn] | None, *, is_over: bool) -> TranscriptState:
    if told.transcripts_enabled is False and not turns:
        return TranscriptState.UNAVAILABLE
    if not is_over:
        return TranscriptState.PENDING
    return TranscriptState.UNAVAILABLE if turns is None else TranscriptState.AVAILABLE


def _turns(
    messages: Sequence[_Message | None], started_at: datetime | None, participants: Participants, issues: list[Issue]
) -> tuple[TranscriptTurn, ...]:
    turns: list[TranscriptTurn] = []
    began = started_at.timestamp() if started_at else None
    for position, message in enumerate(messages):
        if message is None:
            issues.append(Issue(f"transcript.messages[{position}]", "null"))
            continue
        moment = None
        if message.timestamp is not None:  # it may be null, so turns are never sorted by it
            moment = timestamp(message.timestamp, f"transcript.messages[{position}].timestamp", issues)
        role, participant = _SPEAKERS.get(message.role) or unknown_speaker(message.role, participants)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=message.message or "",
                # In whole microseconds: further digits of large floats are noise.
                start=None if moment is None or began is None or moment < began else round(moment - began, 6),
                duration=message.speaking_duration_seconds,
                timestamp=moment,
                participant=participant,
                interrupted=message.was_interrupted,
            )
        )
    return tuple(turns)


def _recording_of(id: str) -> Recording:
    # Sessions are recorded unless their start says otherwise; without a recording, this is a 404.
    location = f"/v1/sessions/{quote(id, safe='')}/recording"
    return Recording(location=location, access=RecordingAccess.PROVIDER_KEY)


def _metadata(sent: _Session, config: _Config) -> dict[str, Any]:
    told = {
        "clientLabel": sent.client_label,
        "clientMetadata": sent.client_metadata,
        "apiKeyId": sent.api_key_id,
        "organizationId": sent.organization_id,
        "engineHost": sent.engine_host,
        "engineProtocol": sent.engine_protocol,
        "engineVersion": sent.engine_version,
        "sessionType": config.type,
        "maxSessionLengthSeconds": config.max_session_length_seconds,
        "zeroDataRetention": config.zero_data_retention,
        "personaMetadata": config.metadata,
        # Their members are not documented, so they are no turns.
        "toolCalls": sent.tool_calls,
    }
    return without_empty(told)


# how to ask

_LARGEST_PAGE = 100
_CURSOR = re.compile(r"([1-9][0-9]{0,8})")


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is its number."""
    [page] = read_numbers(cursor, _CURSOR, "Anam", "the number of a page") if cursor else (1,)
    asked = {"page": page, "perPage": min(query.page_size or _LARGEST_PAGE, _LARGEST_PAGE)}
    # A session of a persona that was configured on the spot has no persona's id, so this filter leaves it out.
    narrowed = {"personaId": query.agent} if query.agent else {}
    # https://anam.ai/docs/api-reference/sessions/list-sessions
    reply = yield Request("GET", "/v1/sessions", {**query.options, **narrowed, **asked}, reads=_page)
    listed = decode(reply.body, _page, [])
    if listed.data is None:
        raise PayloadError("the answer has no list of sessions")
    return RawPage(
        rows=listed.data,
        normalize=partial(normalize, present=sent_at(reply.headers)),
        cursor=str(page + 1) if listed.data and _has_more(listed.meta, page) else None,
    )


def _has_more(meta: _Meta | None, page: int) -> bool:
    """Whether there may be another page; without a word about it the walk ends at an empty page."""
    if meta is None or (meta.last_page is None and meta.next is None):
        return meta is None
    return meta.next is not None or (meta.last_page is not None and page < meta.last_page)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a session with its transcript."""
    issues = Issues()
    # https://anam.ai/docs/api-reference/sessions/get-session
    reply = yield Request("GET", "/v1/sessions/{id}", ids={"id": id}, reads=_session)
    present = sent_at(reply.headers)
    session = decode(reply.body, _session, issues)
    try:
        # https://docs.anam.ai/api-reference/get-session-transcript
        said = yield Request("GET", "/v1/sessions/{id}/transcript", ids={"id": id}, reads=_transcript)
    except (ForbiddenError, NotFoundError) as error:
        found = _read(session, None, reply.body, present, issues)
        return msgspec.structs.replace(found, transcript_state=_why_missing(error, session, found, present))
    issues = Issues([Issue(f"session.{misfit.place}", misfit.reason) for misfit in issues])
    misfits: list[Issue] = []
    told = read_or_raise(said, lambda body: decode(body, _transcript, misfits))
    issues += [Issue(f"transcript.{misfit.place}", misfit.reason) for misfit in misfits]
    raw = msgspec.json.encode({"session": msgspec.Raw(reply.body), "transcript": msgspec.Raw(said.body)})
    return _read(session, told, raw, present, issues)


def _why_missing(error: HubError, session: _Session, found: Conversation, present: datetime | None) -> TranscriptState:
    """Return why there is no transcript: the session exists, so a 404 is about the transcript."""
    if isinstance(error, ForbiddenError):
        return TranscriptState.RESTRICTED
    if not _is_past(found.status, present):
        return TranscriptState.PENDING
    is_kept = not (session.persona_config and session.persona_config.zero_data_retention)
    is_due = is_kept and may_still_come(found.ended_at or found.updated_at or found.started_at, present)
    return TranscriptState.PENDING if is_due else TranscriptState.UNAVAILABLE


def recording(_account: Account, recording: Recording) -> Flow[str]:
    """Ask for the URL of a recording; it is valid for an hour."""
    # https://docs.anam.ai/api-reference/get-session-recording
    reply = yield Request("GET", recording.location)
    url = read_or_raise(reply, lambda body: decode(body, _recording)).recording_url
    if not url:
        raise NotFoundError("Anam has no recording of this session, or not yet")
    return url


def refusal(response: Response) -> HubError:
    """Read a refusal; its body is not documented. An id that is no UUID is a bad request, and names no session."""
    words = words_or_body(response)
    is_unknown = response.status == 400 and "session ID" in (words or "")
    return provider_error(response, words, NotFoundError if is_unknown else None)


ADAPTER = Adapter(
    name="anam",
    base_url="https://api.anam.ai",
    docs="https://anam.ai/docs/api-reference/sessions/list-sessions",
    sign=bearer,
    refusal=refusal,
    main="sessions",
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    counted=True,
    get=get,
    recording=recording,
    complete_lists=False,
    # Of the customer's own model: its address and encrypted credentials.
    secret_fields=frozenset({"encrypted_secret", "llmConfig", "secret_iv", "sessionToken"}),
    filters=("agent",),
    shows=("interruptions", "recording"),
    support="specification",
    coverage=Coverage(read=30, members=35),
    payloads=(_Whole, _Session),
    left_to_raw=_LEFT_TO_RAW,
    notes=(
        "There is no reliable status: a session is over when it has an end.",
        "Sessions of a persona that was made for one session have no agent id, so a filter by agent misses them.",
        "The URL of a recording is valid for an hour. `hub.download` asks for a new one.",
    ),
)
