"""Voiceable: GET /conversations, paging undocumented; only `get` is sure to return the transcript.

A service in front of ElevenLabs. Its documentation and its own front end name almost every member differently. Both
vocabularies are read, and that of ElevenLabs, since Voiceable may pass its members through.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from ..account import Account
from ..adapter import Adapter, Query, RawPage
from ..errors import AuthError, HubError, OutageError, PaginationError, PayloadError, for_status
from ..policy import sent_at
from ..reading.json import decode, try_decode, try_decode_any
from ..reading.lifecycle import concluded, is_too_early
from ..reading.money import cost
from ..reading.offsets import rebased
from ..reading.participants import Participants, Speakers, unknown_speaker
from ..reading.plain_text import utterances
from ..reading.refusals import provider_error, words_of
from ..reading.values import (
    DIRECTIONS,
    AnyJson,
    Id,
    Instant,
    Issues,
    Number,
    Seconds,
    add_seconds,
    enclosed,
    instant,
    json_text,
    members_of,
    noted,
    number,
    seconds,
    text,
    text_at,
    timestamp,
    unless_empty,
    without_empty,
)
from ..schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Cost,
    Direction,
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
from ..signing import header
from ..wire import Flow, Request, Response

__all__ = ["ADAPTER", "get", "list_page", "normalize", "refusal"]

# what Voiceable sends


class _ToolCall(msgspec.Struct):
    request_id: Id | None = None
    tool_name: str | None = None
    params_as_json: Any = None


class _ToolResult(msgspec.Struct):
    request_id: Id | None = None
    result_value: Any = None
    is_error: bool | None = None


# The documentation has content and timestamp, the front end message and time_in_call_secs, ElevenLabs the rest.
class _Turn(msgspec.Struct, gc=False):
    role: str | None = None
    content: str | None = None
    message: str | None = None
    timestamp: Instant = None
    time_in_call_secs: Seconds | None = None
    interrupted: bool | None = None
    tool_calls: list[_ToolCall | None] | None = None
    tool_results: list[_ToolResult | None] | None = None
    conversation_turn_metrics: AnyJson = None


class _Conversation(msgspec.Struct):
    conversation_id: Id | None = None
    id: Id | None = None
    agent_id: Id | None = None
    agent_name: str | None = None
    user_id: Id | None = None
    direction: str | None = None
    status: str | None = None
    call_successful: str | None = None
    created_at: Instant = None
    date: Instant = None
    duration: Number = None
    summary: str | None = None
    transcript: list[_Turn | None] | str | None = None
    metadata: AnyJson = None
    outcome: AnyJson = None
    cost: AnyJson = None
    messages: AnyJson = None
    has_audio: AnyJson = None


class _Position(msgspec.Struct):
    next_cursor: Id | None = None
    has_more: bool | None = None


class _Rows(_Position):
    conversations: list[msgspec.Raw] | None = None
    items: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None


class _Answer(_Position):
    status: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")
    cursor: Id | None = None
    pagination: _Position | None = None
    meta: _Position | None = None


_conversation = msgspec.json.Decoder(_Conversation, strict=False)
_answer = msgspec.json.Decoder(_Answer, strict=False)
_rows = msgspec.json.Decoder(list[msgspec.Raw] | _Rows | None, strict=False)

_SCALARS = (str, int, float)


def _member(sent: AnyJson, name: str) -> Number:
    value = sent.get(name) if isinstance(sent, dict) else None
    return value if isinstance(value, _SCALARS) else None


# what it means

# Only `completed` is documented; the others are those of ElevenLabs, which the front end shows.
# https://docs.voiceable.dev/api-reference/conversations/get-conversation
_STATUSES = {
    "initiated": Status.QUEUED,
    "active": Status.IN_PROGRESS,
    "in-progress": Status.IN_PROGRESS,
    "in_progress": Status.IN_PROGRESS,
    "processing": Status.PROCESSING,
    "completed": Status.ENDED,
    "done": Status.ENDED,
    "failed": Status.FAILED,
}

_VERDICTS = {"success": True, "failure": False}

_SPEAKERS: Speakers = {
    "user": (Role.USER, 1),
    "assistant": (Role.ASSISTANT, 0),
    "agent": (Role.ASSISTANT, 0),
    "system": (Role.SYSTEM, None),
    "tool": (Role.TOOL, None),
}

# The metadata is that of ElevenLabs: the front end takes the length of a call from it.
# https://github.com/voiceabledev/voiceable-client/blob/013cede36af0a1f48e669c2afd4627ec7715a810/src/lib/api.ts
_START = "start_time_unix_secs"
_LENGTH = "call_duration_secs"

# An epoch, or a date with time and zone in ISO 8601 or RFC 1123; any other `date` is text for people.
_WHOLE_INSTANT = re.compile(
    r"\d{9,}(\.\d+)?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*(Z|[+-]\d\d:?\d\d)"
    r"|([A-Z][a-z]{2}, )?\d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d(:\d\d)? (GMT|UTC|[+-]\d{4})"
)


def normalize(body: bytes | msgspec.Raw, *, is_whole: bool = False, present: datetime | None = None) -> Conversation:
    """Read a conversation: a row of a list or, with `is_whole`, a complete one; `present` is when it was sent."""
    issues = Issues()
    sent = decode(body, _conversation, issues)
    id = text(sent.conversation_id) or text(sent.id)
    if id is None:
        raise PayloadError("the answer has no id of a conversation")
    told = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    # A conversation with a verdict is over; that others are "In Progress", as the front end shows them, is a guess.
    status = concluded(told, sent.status, sent.call_successful in _VERDICTS, sent.outcome)

    # Documented as the instant "when conversation started".
    # https://docs.voiceable.dev/api-reference/conversations/get-conversation
    created_at = instant(sent.created_at, "created_at", issues)
    told_at = created_at or instant(_member(sent.metadata, _START), f"metadata.{_START}", issues)
    dated_at = None
    if told_at is None and sent.date and _WHOLE_INSTANT.fullmatch(str(sent.date)):
        dated_at = instant(sent.date, "date", issues)
    started_at = told_at or dated_at
    duration = _duration(sent, issues)
    is_over = status.is_finished or status is Status.PROCESSING
    ended_at = add_seconds(started_at, duration, "duration", issues) if is_over else None

    agent = Agent(id=text(sent.agent_id), name=text(sent.agent_name))
    participants = Participants.of(agent, customer_id=text(sent.user_id))
    transcript, is_counted = None, False
    entries, is_parsed = sent.transcript, isinstance(sent.transcript, str)
    if isinstance(entries, str):
        said_by = utterances(entries, agent="agent", user="user")
        entries = [_Turn(role=who, content=said) for who, said in said_by]
    if entries:  # an empty one says no more than a missing one
        began = None if started_at is None else started_at.timestamp()
        transcript, is_counted = _turns(entries, began, participants, issues)

    is_early = is_too_early(transcript, duration, ended_at, present)
    estimated = (
        "status" if status is not told else None,
        "channel" if sent.direction else None,
        "started_at" if dated_at else None,
        "ended_at" if ended_at else None,
        "transcript" if transcript and is_parsed else None,
        "transcript.start" if is_counted else None,
    )
    return Conversation(
        provider="voiceable",
        id=id,
        status=status,
        provider_status=sent.status,
        # Only calls have a direction.
        channel=Channel.PHONE if sent.direction else Channel.UNKNOWN,
        direction=DIRECTIONS.get(sent.direction or "", Direction.UNKNOWN),
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        duration=duration,
        transcript=transcript,
        transcript_state=_transcript_state(transcript, status, is_whole=is_whole, is_early=is_early),
        summary=text(sent.summary) or text_at(sent.metadata, "summary"),
        analysis=_analysis(sent),
        recordings=(_recording(id),) if status.is_finished else (),
        cost=_cost(sent.cost, issues),
        metadata=_metadata(sent, id),
        # The ids of conversations, unlike those of agents, are those of ElevenLabs.
        related_ids={"elevenlabs": id} if id.startswith("conv_") else {},
        estimated=tuple(filter(None, estimated)),
        issues=noted(issues),
        raw=bytes(body),
    )


def _duration(sent: _Conversation, issues: list[Issue]) -> float | None:
    told = (
        ("metadata.duration", _member(sent.metadata, "duration")),
        (f"metadata.{_LENGTH}", _member(sent.metadata, _LENGTH)),
        ("duration", sent.duration),
        ("outcome.duration_seconds", _member(sent.outcome, "duration_seconds")),
    )
    for place, span in told:
        duration = seconds(span, place, issues)
        if duration is not None:
            return duration
    return None


def _transcript_state(
    transcript: tuple[TranscriptTurn, ...] | None, status: Status, *, is_whole: bool, is_early: bool
) -> TranscriptState:
    if transcript is not None:
        return TranscriptState.AVAILABLE
    if not is_whole:
        return TranscriptState.NOT_LOADED
    # A conversation that took time and has no turns may get them later.
    is_due = not status.is_finished or (status is Status.ENDED and is_early)
    return TranscriptState.PENDING if is_due else TranscriptState.UNAVAILABLE


def _turns(
    entries: Sequence[_Turn | None], began: float | None, participants: Participants, issues: list[Issue]
) -> tuple[tuple[TranscriptTurn, ...], bool]:
    """Return the turns, and whether the start of any was computed from its instant."""
    turns: list[TranscriptTurn] = []
    unread: list[Issue] = []  # places are added at the end: for every turn, that would take a tenth of the time
    is_counted = False
    for position, entry in enumerate(entries):
        if entry is None:
            issues.append(Issue(f"transcript[{position}]", "null"))
            continue
        role, participant = _SPEAKERS.get(entry.role) or unknown_speaker(entry.role, participants)
        start, moment = entry.time_in_call_secs, None
        if entry.timestamp is not None:
            moment = timestamp(entry.timestamp, "", unread)
            if moment is None:
                issues.append(Issue(f"transcript[{position}].timestamp", unread.pop().reason))
            elif start is None and began is not None and moment >= began:
                start = moment - began
                if not start.is_integer():
                    start = round(start, 6)  # what is left of large floats is noise further on
                is_counted = True
        said = entry.content or entry.message or ""
        calls = tuple(map(_tool_call, filter(None, entry.tool_calls))) if entry.tool_calls else ()
        results = tuple(map(_tool_result, filter(None, entry.tool_results))) if entry.tool_results else ()
        if said or calls or not results:
            turns.append(
                TranscriptTurn(
                    index=len(turns),
                    role=role,
                    text=said,
                    start=start,
                    timestamp=moment,
                    participant=participant,
                    interrupted=entry.interrupted,
                    tool_calls=calls,
                    metrics=_metrics(entry.conversation_turn_metrics) if entry.conversation_turn_metrics else None,
                )
            )
        # An entry may hold the answers of several tools; a turn holds one.
        for result in results:
            turns.append(
                TranscriptTurn(index=len(turns), role=Role.TOOL, start=start, timestamp=moment, tool_result=result)
            )
    moved = rebased(turns)
    return moved or tuple(turns), is_counted or moved is not None


def _tool_call(sent: _ToolCall) -> ToolCall:
    return ToolCall(id=text(sent.request_id), name=sent.tool_name, arguments=json_text(sent.params_as_json))


def _tool_result(sent: _ToolResult) -> ToolResult:
    return ToolResult(call_id=text(sent.request_id), content=json_text(sent.result_value), is_error=sent.is_error)


def _metrics(sent: AnyJson) -> dict[str, float] | None:
    # The specification has them below `metrics`, the examples do not.
    # https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks
    named: AnyJson = sent.get("metrics", sent) if isinstance(sent, dict) else None
    if not isinstance(named, dict):
        return None
    elapsed = {name: number(_member(metric, "elapsed_time")) for name, metric in named.items()}
    return {name: span for name, span in elapsed.items() if span is not None} or None


def _analysis(sent: _Conversation) -> Analysis | None:
    success = _VERDICTS.get(sent.call_successful or "")
    if success is None:
        success = _VERDICTS.get(text_at(sent.outcome, "outcome") or "")
    sentiment = text_at(sent.outcome, "sentiment")
    confidence = number(_member(sent.outcome, "confidence_score"))
    scores = None if confidence is None else {"confidence_score": confidence}
    return unless_empty(Analysis(success=success, sentiment=sentiment, scores=scores))


def _recording(id: str) -> Recording:
    # Whatever `has_audio` says: it was found to be wrong, and the front end ignores it. Without audio this is a 404.
    # https://github.com/voiceabledev/voiceable-client/blob/452210d/src/lib/api.ts
    return Recording(location=f"/conversations/{quote(id, safe='')}/audio", access=RecordingAccess.PROVIDER_KEY)


def _cost(sent: AnyJson, issues: list[Issue]) -> Cost | None:
    if isinstance(sent, dict) and "amount_cents" in sent:
        return cost(sent["amount_cents"], "cost.amount_cents", issues, per_unit=100)
    if sent is not None:
        issues.append(Issue("cost", "not an amount in cents"))
    return None


def _metadata(sent: _Conversation, id: str) -> dict[str, Any]:
    told = {
        "id": None if text(sent.id) == id else sent.id,
        "direction": None if sent.direction in DIRECTIONS else sent.direction,
        "date": sent.date,
        "call_successful": sent.call_successful,
        "messages": sent.messages,
        "has_audio": sent.has_audio,
        "outcome": sent.outcome,
        "metadata": None if isinstance(sent.metadata, dict) else sent.metadata,
    }
    attached = members_of(sent.metadata)
    return {**without_empty(told), **attached}


# how to ask

_LARGEST_PAGE = 100
_DEFAULT_PAGE = 30

_old_cursor = msgspec.json.Decoder(tuple[int, str])


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is Voiceable's own."""
    size = min(query.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
    if cursor and (old := try_decode(cursor, _old_cursor)):  # until 0.3 with a page size before it
        _, cursor = old
    # Whether the bounds are inclusive is not documented, so they are a little wide. `call_successful` cannot filter by
    # status: it says how a conversation went, not where it stands.
    filters = {
        "agent_id": query.agent,
        "call_start_after_unix": math.floor(query.since.timestamp()) - 1 if query.since else None,
        "call_start_before_unix": math.ceil(query.until.timestamp()) if query.until else None,
        "page_size": size,
        "cursor": cursor or None,
    }
    asked = {"summary_mode": "include", **query.options, **without_empty(filters)}
    # https://docs.voiceable.dev/api-reference/conversations/list-conversations
    reply = yield Request("GET", "/conversations", asked, reads=_answer)
    answer = _opened(reply)
    listed = decode(answer.data, _rows)
    rows = _first_list(listed)

    # The answer is not documented, so a next page is looked for everywhere. The front end once read `cursor`.
    # https://github.com/voiceabledev/voiceable-client/blob/013cede36af0a1f48e669c2afd4627ec7715a810/src/lib/api.ts
    places = filter(None, (listed if isinstance(listed, _Rows) else None, answer, answer.pagination, answer.meta))
    told = [(text(place.next_cursor), place.has_more) for place in places]
    following = next((next_cursor for next_cursor, _ in told if next_cursor), text(answer.cursor))
    has_more = next((has_more for _, has_more in told if has_more is not None), None)
    if has_more and not following:
        raise PaginationError("the provider says that there are more rows, but not where")
    # Without a next page, a page of the requested size, or of the default size, may be complete or cut.
    is_suspect = not (following or cursor) and has_more is None and (len(rows) >= size or len(rows) == _DEFAULT_PAGE)
    return RawPage(
        rows=rows,
        normalize=normalize,
        cursor=following if has_more is not False else None,
        warning=f"possibly truncated: {len(rows)} conversations and no next page" if is_suspect else None,
    )


def _first_list(listed: list[msgspec.Raw] | _Rows | None) -> list[msgspec.Raw]:
    if isinstance(listed, _Rows):
        lists = (listed.conversations, listed.items, listed.data)
        listed = next((rows for rows in lists if rows is not None), None)
    if listed is None:
        raise PayloadError("the answer has no list of conversations")
    return listed


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its transcript."""
    # https://docs.voiceable.dev/api-reference/conversations/get-conversation
    reply = yield Request("GET", "/conversations/{id}", ids={"id": id}, reads=_answer)
    return enclosed(normalize(_opened(reply).data, is_whole=True, present=sent_at(reply.headers)), "data", reply.body)


def _opened(reply: Response) -> _Answer:
    # Under HTTP 200 the envelope may still report an error.
    answer = decode(reply.body, _answer)
    if _code(try_decode_any(answer.status)) >= 400:
        raise refusal(reply)
    return answer


def _code(status: AnyJson) -> int:
    code = str(_member(status, "code"))
    return int(code) if len(code) == 3 and code.isdecimal() else 0


_API_KEY = re.compile("api[ _-]?key", re.IGNORECASE)


def refusal(response: Response) -> HubError:
    """Read a refusal; a missing key has status 400, and not every 401 is about the account's key."""
    status = members_of(try_decode_any(response.body)).get("status")
    words = text_at(status, "message") or words_of(response)
    # The HTTP status comes first: the envelope's code counts only under HTTP 200.
    code = max(response.status, _code(status)) if response.ok else response.status
    # https://docs.voiceable.dev/api-reference/introduction
    if code == 401 or (code == 400 and _API_KEY.search(words or "")):
        # "Invalid ElevenLabs API key." is a fault of the provider that its people must fix: retrying does not help.
        if "elevenlabs" in (words or "").lower():
            return provider_error(response, words, OutageError, retryable=False)
        return provider_error(response, words, AuthError)
    return provider_error(response, words, for_status(code))


ADAPTER = Adapter(
    name="voiceable",
    # The documented URL is a placeholder, https://api.example.com/api/v1; this is the one that the front end uses.
    # https://github.com/voiceabledev/voiceable-client/blob/452210d/src/lib/api.ts
    base_url="https://api.voiceable.dev/voiceable-api",
    docs="https://docs.voiceable.dev/api-reference/introduction",
    sign=header("X-API-Key"),
    refusal=refusal,
    list_page=list_page,
    normalize=normalize,
    get=get,
    # Rows may hold a transcript, but this is not documented.
    complete_lists=False,
    filters=("since", "until", "agent"),
    shows=("tool calls", "interruptions", "recording"),
    support="inferred",
    payloads=(_Conversation, _Answer),
    notes=(
        (
            "Voiceable works on top of ElevenLabs. If both are accounts of yours, you get the same conversation from "
            "each, under two refs."
        ),
        "Paging is not documented. If a list may have been cut, `walk.report` says so.",
        (
            "The address of the API is taken from the provider's own web page, because the documentation names none "
            "that works."
        ),
    ),
)
