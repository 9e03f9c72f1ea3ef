"""LiveAvatar: GET /v1/sessions, one list of active and one of historic sessions, numbered pages, no known order.

The transcript is a resource of its own, read by windows of time. Sessions in LITE mode have none, because the customer
runs the conversation. No answer names the avatar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import compress
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from ..account import Account
from ..adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ..errors import ForbiddenError, NotFoundError, PaginationError, PayloadError, RejectedError, UnsupportedError
from ..policy import sent_at
from ..reading.json import decode, try_decode
from ..reading.lifecycle import is_too_early, may_still_come
from ..reading.money import cost
from ..reading.paging import invalid_cursor
from ..reading.participants import Participants, Speakers, unknown_speaker
from ..reading.refusals import provider_error, words_of
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
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ..secret import Secret
from ..signing import header
from ..wire import Flow, Request, Response

__all__ = ["ADAPTER", "delete", "end", "get", "list_page", "normalize", "start"]

_T = TypeVar("_T")

# what LiveAvatar sends


class _Session(msgspec.Struct):
    id: Id
    created_at: Instant = None
    updated_at: Instant = None
    end_at: Instant = None
    end_reason: str | None = None
    duration: Seconds | None = None
    credits_consumed: msgspec.Raw = msgspec.Raw()
    mode: str | None = None
    source: str | None = None
    is_sandbox: bool | None = None


class _Entry(msgspec.Struct, gc=False, frozen=True):
    role: str | None = None
    transcript: str | None = None
    absolute_timestamp: Instant = None
    relative_timestamp: Seconds | None = None


class _Window(msgspec.Struct):
    """The part of a transcript that begins at an instant."""

    session_active: bool | None = None
    next_timestamp: Annotated[float, msgspec.Meta(gt=-1e17, lt=1e17)] | None = None
    transcript_data: list[_Entry | None] | None = None


class _Rows(msgspec.Struct):
    results: list[msgspec.Raw]
    count: float | None = None
    next: AnyJson = None


class _Token(msgspec.Struct):
    session_token: Id


class _Room(msgspec.Struct):
    session_id: Id
    livekit_url: str | None = None
    livekit_client_token: str | None = None
    max_session_duration: Seconds | None = None


class _Envelope(msgspec.Struct, Generic[_T]):
    data: _T | None = None


class _Code(msgspec.Struct):
    code: float | None = None
    data: AnyJson = None


class _Whole(msgspec.Struct):
    """The answers about one session, as `raw` keeps them."""

    session: _Envelope[_Session]
    transcript: list[_Envelope[_Window]]


class _Begun(msgspec.Struct):
    """The answers to a start, as `raw` keeps them."""

    token: _Envelope[_Token]
    session: _Envelope[_Room]


_row = msgspec.json.Decoder(_Session, strict=False)
_session = msgspec.json.Decoder(_Envelope[_Session], strict=False)
_window = msgspec.json.Decoder(_Envelope[_Window], strict=False)
_rows = msgspec.json.Decoder(_Envelope[_Rows], strict=False)
_token = msgspec.json.Decoder(_Envelope[_Token], strict=False)
_room = msgspec.json.Decoder(_Envelope[_Room], strict=False)
_code = msgspec.json.Decoder(_Code, strict=False)

_LEFT_TO_RAW = {
    **dict.fromkeys(("code", "*.code"), "about the answer: read only if it has no data"),
    **dict.fromkeys(("message", "*.message"), "about the answer: read only if it has no data"),
    "token.data.session_id": "the session has the same member",
    "session.data.livekit_agent_token": "for the customer's own agent in the room",
    "session.data.ws_url": "for the customer's own agent in the room",
}

# what it means

_SPEAKERS: Speakers = {"user": (Role.USER, 1), "avatar": (Role.ASSISTANT, 0)}

# https://docs.liveavatar.com/openapi.json
_END_REASONS = {
    "USER_CLOSED": EndReason.CUSTOMER_ENDED,
    "USER_DISCONNECTED": EndReason.CUSTOMER_ENDED,
    "AGENT_HANG_UP": EndReason.AGENT_ENDED,
    "IDLE_TIMEOUT": EndReason.SILENCE,
    "MAX_DURATION_REACHED": EndReason.MAX_DURATION,
    "NO_CREDITS": EndReason.ERROR,
    "SERVER_ERROR": EndReason.ERROR,
    "ZOMBIE_SESSION_REAP": EndReason.ERROR,
    "AVATAR_DELETED": EndReason.ERROR,
}

_ACTIVE, _HISTORIC = "active", "historic"
_WITHOUT_TRANSCRIPT = "LITE"

# Older sessions have no transcript; the page says only that it came at the end of 2025.
# https://docs.liveavatar.com/changelog
_TRANSCRIPTS_SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def normalize(body: bytes | msgspec.Raw, *, listed: str | None = None, agent: str | None = None) -> Conversation:
    """Read a row of the list `listed`, "active" or "historic"; `agent` is the avatar that was asked for."""
    issues = Issues()
    return _read(decode(body, _row, issues), body, issues, listed=listed, agent=agent)


def _read(
    sent: _Session,
    raw: bytes | msgspec.Raw,
    issues: list[Issue],
    *,
    place: str = "",
    listed: str | None = None,
    agent: str | None = None,
    windows: Sequence[_Window] = (),
) -> Conversation:
    """Read a session; `place` is its place in `raw`, which has its transcript too if there are windows."""
    created_at = instant(sent.created_at, f"{place}created_at", issues)
    end = f"{place}end_at"
    ended_at = drop_if_before(instant(sent.end_at, end, issues), created_at, end, issues)
    is_over = listed == _HISTORIC
    if listed is None:
        is_over = bool(sent.end_at or sent.end_reason or (windows and windows[-1].session_active is False))
    status = Status.IN_PROGRESS
    if is_over:
        status = Status.FAILED if sent.end_reason == "SERVER_ERROR" else Status.ENDED

    span = (ended_at - created_at).total_seconds() if ended_at and created_at else None
    # No unit is documented; all other spans of this API are in seconds.
    duration = None if sent.duration is None else in_seconds(sent.duration, 1.0, span)

    held_by = Agent(id=agent)
    participants = Participants.of(held_by)
    turns = _turns(windows, created_at, participants, issues) if windows else None
    state = TranscriptState.NOT_LOADED
    if sent.mode == _WITHOUT_TRANSCRIPT:
        state = TranscriptState.UNAVAILABLE
    derived = {
        "status": listed is None,
        "provider_status": listed is None,
        "direction": True,
        "agent": agent is not None,
        "started_at": created_at is not None,
    }
    return Conversation(
        provider="liveavatar",
        id=str(sent.id),
        status=status,
        provider_status=listed or (_HISTORIC if is_over else _ACTIVE),
        channel=Channel.VIDEO,
        direction=Direction.INBOUND,
        agent=unless_empty(held_by),
        participants=tuple(participants),
        created_at=created_at,
        started_at=created_at,
        ended_at=ended_at,
        updated_at=instant(sent.updated_at, f"{place}updated_at", issues),
        duration=duration,
        end_reason=_END_REASONS.get(sent.end_reason, EndReason.UNKNOWN) if sent.end_reason else None,
        provider_end_reason=sent.end_reason or None,
        transcript=turns or None,
        transcript_state=state,
        cost=cost(sent.credits_consumed, f"{place}credits_consumed", issues, unit="credits"),
        metadata=without_empty({"mode": sent.mode, "source": sent.source, "is_sandbox": sent.is_sandbox}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(raw),
    )


def _turns(
    windows: Sequence[_Window], created_at: datetime | None, participants: Participants, issues: list[Issue]
) -> tuple[TranscriptTurn, ...]:
    turns: list[TranscriptTurn] = []
    for place, entry in _entries(windows):
        if entry is None:
            issues.append(Issue(place, "null"))
            continue
        role, participant = _SPEAKERS.get(entry.role) or unknown_speaker(entry.role, participants)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=entry.transcript or "",
                start=entry.relative_timestamp,
                timestamp=timestamp(entry.absolute_timestamp, f"{place}.absolute_timestamp", issues),
                participant=participant,
            )
        )
    if _is_in_milliseconds(turns, created_at):
        turns = [
            turn if turn.start is None else msgspec.structs.replace(turn, start=turn.start / 1000) for turn in turns
        ]
    return tuple(turns)


def _entries(windows: Sequence[_Window]) -> Iterator[tuple[str, _Entry | None]]:
    """Yield the entries with their places; one that an earlier window has too is left out."""
    seen: set[_Entry | None] = set()
    for number, window in enumerate(windows):
        entries = window.transcript_data or ()
        for position, entry in enumerate(entries):
            if entry is None or entry not in seen:
                yield f"transcript[{number}].data.transcript_data[{position}]", entry
        seen.update(entries)


def _is_in_milliseconds(turns: Sequence[TranscriptTurn], created_at: datetime | None) -> bool:
    """Whether the starts are in milliseconds: no unit is documented, but the last one agrees with its instant."""
    last = next((turn for turn in reversed(turns) if turn.start is not None and turn.timestamp is not None), None)
    if created_at is None or last is None or last.start is None or last.timestamp is None:
        return False
    passed = last.timestamp - created_at.timestamp()
    return abs(last.start / 1000 - passed) < abs(last.start - passed)


# how to ask

_LARGEST_PAGE = 100
_CURSOR = re.compile(r"(active|historic):([1-9][0-9]{0,8}):([0-9]{1,12})")
_LISTS: Mapping[Status | None, tuple[str, ...]] = {
    Status.IN_PROGRESS: (_ACTIVE,),
    Status.ENDED: (_HISTORIC,),
    Status.FAILED: (_HISTORIC,),
}


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is "list:page:rows seen". The agent is an avatar.

    Active sessions come first: one that ends meanwhile is then listed twice, not missed.
    """
    lists = _LISTS.get(query.status, (_ACTIVE, _HISTORIC))
    listed, page, seen = _read_cursor(cursor) if cursor else (lists[0], 1, 0)
    size = min(query.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
    narrowed = {"avatar_id": query.agent} if query.agent else {}
    asked = {**query.options, **narrowed, "type": listed, "page": page, "page_size": size}
    # https://docs.liveavatar.com/api-reference/sessions/list-sessions
    reply = yield Request("GET", "/v1/sessions", asked, reads=_rows)
    rows = _opened(reply, _rows, [])
    seen += len(rows.results)
    # What `next` looks like is not documented, so pages are counted.
    has_more = bool(rows.results) and (bool(rows.next) or (rows.count is not None and seen < rows.count))
    following = f"{listed}:{page + 1}:{seen}" if has_more else None
    if not has_more and listed != lists[-1]:
        following = f"{lists[-1]}:1:0"
    return RawPage(rows=rows.results, normalize=partial(normalize, listed=listed, agent=query.agent), cursor=following)


def _read_cursor(cursor: str) -> tuple[str, int, int]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise invalid_cursor("LiveAvatar", "list:page:rows seen")
    listed, page, seen = found.groups()
    return listed, int(page), int(seen)


def _opened(reply: Response, decoder: msgspec.json.Decoder[_Envelope[_T]], issues: list[Issue]) -> _T:
    """Return the data in an answer; one without data is a refusal, even under HTTP 200."""
    data = decode(reply.body, decoder, issues).data
    if data is None:
        _check(reply)
        raise PayloadError("the answer has no data")
    return data


# The specification says 100, the vendor's own web SDK accepts only 1000.
# https://github.com/heygen-com/liveavatar-web-sdk
_SUCCESS = (None, 100, 1000)


def _check(reply: Response) -> None:
    """Raise the refusal that a 2xx answer without data is, unless its code means success."""
    sent = try_decode(reply.body, _code) or _Code()
    if sent.data is None and sent.code not in _SUCCESS:
        raise provider_error(reply, words_of(reply), RejectedError)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a session with its transcript; one in LITE mode has none, so it is not asked for."""
    misfits: list[Issue] = []
    ids = {"id": id}
    # https://docs.liveavatar.com/openapi.json
    reply = yield Request("GET", "/v1/sessions/{id}", ids=ids, reads=_session)
    session = _opened(reply, _session, misfits)
    present = sent_at(reply.headers)
    if session.mode == _WITHOUT_TRANSCRIPT:
        return _read(session, reply.body, misfits, place="data.")
    try:
        bodies, windows, issues = yield from _windows(ids)
    except ForbiddenError:
        found = _read(session, reply.body, misfits, place="data.")
        return msgspec.structs.replace(found, transcript_state=TranscriptState.RESTRICTED)
    except NotFoundError:
        return _without_transcript(_read(session, reply.body, misfits, place="data."), present)
    raw = msgspec.json.encode({"session": msgspec.Raw(reply.body), "transcript": bodies})
    issues = Issues([*(Issue(f"session.{misfit.place}", misfit.reason) for misfit in misfits), *issues])
    found = _read(session, raw, issues, place="session.data.", windows=windows)
    if not found.is_finished or is_too_early(found.transcript, found.duration, found.ended_at, present):
        return msgspec.structs.replace(found, transcript_state=TranscriptState.PENDING)
    if not found.transcript and not _may_have_one(found):
        return msgspec.structs.replace(found, transcript_state=TranscriptState.UNAVAILABLE)
    said = found.transcript or ()
    return msgspec.structs.replace(found, transcript=said, transcript_state=TranscriptState.AVAILABLE)


def _without_transcript(found: Conversation, present: datetime | None) -> Conversation:
    is_due = not found.is_finished or (_may_have_one(found) and may_still_come(found.ended_at, present))
    state = TranscriptState.PENDING if is_due else TranscriptState.UNAVAILABLE
    return msgspec.structs.replace(found, transcript_state=state)


def _may_have_one(found: Conversation) -> bool:
    return found.created_at is None or found.created_at >= _TRANSCRIPTS_SINCE


# Windows of an ended session that may be without news one after the other, before nothing more is expected.
_SILENT = 3


def _windows(ids: Mapping[str, str]) -> Flow[tuple[list[msgspec.Raw], list[_Window], list[Issue]]]:
    """Get all windows of a transcript: their bodies, what is in them, and what could not be read.

    The provider names where the next window begins. For a session that runs, that may be the present, so the first
    window without news is its last.
    """
    bodies: list[msgspec.Raw] = []
    windows: list[_Window] = []
    issues = Issues()
    seen: set[_Entry | None] = set()
    start: int | None = None
    silent = 0
    while True:
        asked = {"start_timestamp": start}
        # https://docs.liveavatar.com/openapi.json
        reply = yield Request("GET", "/v1/sessions/{id}/transcript", asked, ids, reads=_window)
        misfits: list[Issue] = []
        window = _opened(reply, _window, misfits)
        if any(misfit.place == "data.next_timestamp" for misfit in misfits):
            raise PaginationError("the provider says that there is more of the transcript, but not where")
        issues += [Issue(f"transcript[{len(windows)}].{misfit.place}", misfit.reason) for misfit in misfits]
        bodies.append(msgspec.Raw(reply.body))
        windows.append(window)
        said = {*(window.transcript_data or ())}
        silent = 0 if said - seen else silent + 1
        seen |= said
        following = window.next_timestamp
        is_over = silent > (0 if window.session_active else _SILENT)
        if is_over or following is None or (start is not None and following <= start):
            return bodies, windows, issues
        start = int(following)


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Open a session with an avatar, `agent`, in FULL mode unless the option `mode` says otherwise."""
    if wanted.to is not None:
        raise UnsupportedError("LiveAvatar places no calls: omit `to`, and share the room")
    body = {"mode": "FULL", **wanted.options, **({"avatar_id": wanted.agent} if wanted.agent else {})}
    # https://docs.liveavatar.com/api-reference/sessions/create-session-token
    reply = yield Request("POST", "/v1/sessions/token", body=msgspec.json.encode(body))
    token = _opened(reply, _token, []).session_token
    # https://docs.liveavatar.com/api-reference/sessions/start-session
    begun = yield Request("POST", "/v1/sessions/start", headers={"Authorization": f"Bearer {token}"})
    room = _opened(begun, _room, [])
    raw = msgspec.json.encode({"token": msgspec.Raw(reply.body), "session": msgspec.Raw(begun.body)})
    conversation = _read(_Session(id=room.session_id, mode=str(body["mode"])), raw, [], agent=wanted.agent)
    longest = without_empty({"max_session_duration": room.max_session_duration})
    return Started(
        conversation=msgspec.structs.replace(conversation, metadata={**conversation.metadata, **longest}),
        join_url=room.livekit_url,
        token=Secret(room.livekit_client_token) if room.livekit_client_token else None,
    )


def end(_account: Account, id: str) -> Flow[None]:
    """Stop a session."""
    # https://docs.liveavatar.com/reference/stop_session_v1_sessions_stop_post
    body = msgspec.json.encode({"session_id": id})
    _check((yield Request("POST", "/v1/sessions/stop", body=body, json=False)))


def delete(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete irrevocably what was said in a session; the session itself stays in the list."""
    # https://docs.liveavatar.com/api-reference/sessions/delete-session-events
    _check((yield Request("DELETE", "/v1/sessions/{id}/events", ids={"id": id}, json=False)))


ADAPTER = Adapter(
    name="liveavatar",
    base_url="https://api.liveavatar.com",
    docs="https://docs.liveavatar.com/api-reference/sessions/list-sessions",
    sign=header("X-API-KEY"),
    main="sessions",
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    counted=True,
    get=get,
    start=start,
    end=end,
    delete=delete,
    complete_lists=False,
    secret_fields=frozenset({"livekit_agent_token", "livekit_client_token", "session_token"}),
    filters=("status", "agent"),
    support="specification",
    coverage=Coverage(read=42, members=48),
    payloads=(_Session, _Envelope[_Session], _Whole, _Begun),
    left_to_raw=_LEFT_TO_RAW,
    notes=(
        "Sessions in LITE mode have no transcript, because your own program runs the conversation.",
        "`delete` removes what was said; the session itself stays in the list.",
        "No answer names the avatar of a session.",
    ),
)
