"""Bland's text conversations, by SMS, RCS, WhatsApp or iMessage: GET /v1/sms/conversations, by page, oldest first.

Only `get` returns the messages. The API belongs to the larger plans; for others it is refused, or empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Query, RawPage, Resource
from ...errors import InvalidRefError, PaginationError, PayloadError
from ...reading.json import decode
from ...reading.paging import read_numbers
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.refusals import read_or_raise
from ...reading.values import (
    AnyJson,
    Id,
    Instant,
    Issues,
    drop_if_before,
    instant,
    noted,
    text,
    timestamp,
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
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ...wire import Flow, Request
from ._payload import tags_in
from ._refusal import words

# what Bland sends


class _Message(msgspec.Struct, gc=False):
    id: Id | None = None
    created_at: Instant = None
    message: str | None = None
    sender: str | None = None
    status: str | None = None
    error_code: Id | None = None


class _Told(msgspec.Struct):
    """Members that no field of a conversation has a place for."""

    user_id: Id | None = None
    inbound_id: Id | None = None
    effective_channel: str | None = None
    current_node_id: Id | None = None
    pathway_id: Id | None = None
    message_count: float | None = None
    last_message_at: str | None = None
    last_message_timestamp: str | None = None
    human_handoff_at: str | None = None
    human_handoff_reason: str | None = None
    human_handoff_metadata: AnyJson = None
    convo_pathways: AnyJson = None
    variables: AnyJson = None


class _Text(_Told):
    id: Id | None = None
    created_at: Instant = None
    updated_at: Instant = None
    timed_out_at: Instant = None
    is_active: bool | None = None
    user_number: Id | None = None
    agent_number: Id | None = None
    curr_pathway_id: Id | None = None
    curr_pathway_version: Id | None = None
    messages: list[_Message | None] | None = None
    summary: str | None = None
    citation_variables: AnyJson = None
    disposition_tag: str | None = None
    disposition_logs: AnyJson = None
    pathway_tags: list[AnyJson] | None = None
    metadata: AnyJson = None


class _Whole(msgspec.Struct):
    data: _Text | None = None


class _Pagination(msgspec.Struct, rename="camel"):
    total_pages: float | None = None
    current_page: float | None = None


class _Extra(msgspec.Struct):
    pagination: _Pagination | None = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    extra: _Extra | None = None


_text = msgspec.json.Decoder(_Text, strict=False)
_whole = msgspec.json.Decoder(_Whole, strict=False)
_page = msgspec.json.Decoder(_Page, strict=False)

_LEFT_TO_RAW = {
    "last_message": "part of the transcript, which `get` returns",
    "errors": "about the request; null if it succeeded",
    "*messages[].from": "the sender's number; sender says who it is",
    "*messages[].to": "the recipient's number",
    "*messages[].attachments*": "a turn has a place for text only",
    "*messages[].app_card*": "a turn has a place for text only",
    "*messages[].status": "the state of delivery; undelivered messages are in the metadata",
    "*disposition_logs[].*": "how an outcome was looked for; the outcome itself is collected",
}

# what it means

# https://docs.bland.ai/api-v1/get/sms-conversations-id
_CHANNELS = {"sms": Channel.SMS, "rcs": Channel.SMS, "whatsapp": Channel.CHAT, "imessage": Channel.CHAT}
_SPEAKERS: Speakers = {"USER": (Role.USER, 1), "AGENT": (Role.ASSISTANT, 0)}

# If the agent writes first, this precedes it, with the user as its sender.
_CONNECTED = "<Call Connected>"
_UNDELIVERED = {"failed", "undelivered"}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a row of the list, which has no messages."""
    issues = Issues()
    return _conversation(decode(body, _text, issues), "", bytes(body), issues, is_whole=False)


def _got(body: bytes) -> Conversation:
    issues = Issues()
    sent = decode(body, _whole, issues).data
    if sent is None:
        raise PayloadError("the answer has no conversation")
    return _conversation(sent, "data.", body, issues, is_whole=True)


def _conversation(sent: _Text, place: str, raw: bytes, issues: list[Issue], *, is_whole: bool) -> Conversation:
    id = text(sent.id)
    if id is None:
        raise PayloadError("the answer has no id of a conversation")
    created_at = instant(sent.created_at, f"{place}created_at", issues)
    timed_out_at = instant(sent.timed_out_at, f"{place}timed_out_at", issues)
    timed_out_at = drop_if_before(timed_out_at, created_at, f"{place}timed_out_at", issues)
    status = Status.ENDED if timed_out_at else _STATUSES.get(sent.is_active, Status.UNKNOWN)
    agent = Agent(id=text(sent.curr_pathway_id) or text(sent.pathway_id), version=text(sent.curr_pathway_version))
    participants = Participants.of(agent, agent_phone=text(sent.agent_number), customer_phone=text(sent.user_number))
    turns = tuple(_turns(sent.messages or (), f"{place}messages", participants, issues))
    direction = _direction(turns)
    derived = {"direction": direction is not Direction.UNKNOWN}
    return Conversation(
        provider="bland",
        id=id,
        status=status,
        channel=_CHANNELS.get(sent.effective_channel or "", Channel.UNKNOWN),
        direction=direction,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        ended_at=timed_out_at,
        updated_at=instant(sent.updated_at, f"{place}updated_at", issues),
        end_reason=EndReason.SILENCE if timed_out_at else None,
        transcript=turns or None,
        transcript_state=_transcript_state(turns, status, is_whole=is_whole),
        summary=sent.summary or None,
        analysis=_analysis(sent),
        tags=tags_in(sent.pathway_tags),
        metadata=_metadata(sent),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(raw),
    )


_STATUSES = {True: Status.IN_PROGRESS, False: Status.ENDED, None: Status.UNKNOWN}


def _turns(
    messages: Sequence[_Message | None], place: str, participants: Participants, issues: list[Issue]
) -> list[TranscriptTurn]:
    found: list[TranscriptTurn] = []
    for position, entry in enumerate(messages):
        if entry is None:
            issues.append(Issue(f"{place}[{position}]", "null"))
            continue
        role, participant = _speaker(entry, participants)
        found.append(
            TranscriptTurn(
                index=len(found),
                role=role,
                text=entry.message or "",
                timestamp=timestamp(entry.created_at, f"{place}[{position}].created_at", issues),
                participant=participant,
                visibility=Visibility.INTERNAL if role is Role.SYSTEM else Visibility.PUBLIC,
                provider_id=text(entry.id),
            )
        )
    return found


def _speaker(entry: _Message, participants: Participants) -> tuple[Role, int | None]:
    if entry.message == _CONNECTED:
        return Role.SYSTEM, None
    # https://docs.bland.ai/api-v1/post/sms-conversations-messages
    if entry.sender == "HUMAN":
        return Role.HUMAN_AGENT, participants.index_of(Participant(kind=ParticipantKind.HUMAN_AGENT))
    return _SPEAKERS.get(entry.sender) or unknown_speaker(entry.sender, participants)


def _direction(turns: Sequence[TranscriptTurn]) -> Direction:
    """Return the direction by who wrote first: unlike calls, texts do not say it."""
    first = next((turn.role for turn in turns if turn.role is not Role.SYSTEM), None)
    if first is Role.USER:
        return Direction.INBOUND
    return Direction.OUTBOUND if first is Role.ASSISTANT else Direction.UNKNOWN


def _transcript_state(turns: Sequence[TranscriptTurn], status: Status, *, is_whole: bool) -> TranscriptState:
    if not is_whole:
        return TranscriptState.NOT_LOADED
    if status is not Status.ENDED:
        return TranscriptState.PENDING  # more messages may come
    return TranscriptState.AVAILABLE if turns else TranscriptState.UNAVAILABLE  # the messages may have been deleted


def _analysis(sent: _Text) -> Analysis | None:
    collected: dict[str, Any] = {}
    logs: list[AnyJson] = sent.disposition_logs if isinstance(sent.disposition_logs, list) else []
    for log in reversed(logs):  # newest first, and the newest counts
        result = log.get("result") if isinstance(log, dict) else None
        collected |= result if isinstance(result, dict) else {}
    cited = sent.citation_variables
    collected |= cited if isinstance(cited, dict) else {"citation_variables": cited}
    collected["disposition_tag"] = sent.disposition_tag
    return unless_empty(Analysis(collected=without_empty(collected) or None))


def _metadata(sent: _Text) -> dict[str, Any]:
    found = {name: getattr(sent, name) for name in _Told.__struct_fields__}
    # Under its own key, since the customer chooses the names in it.
    found["custom"] = sent.metadata
    found["undelivered"] = [
        {"id": entry.id, "status": entry.status, "error_code": entry.error_code}
        for entry in sent.messages or ()
        if entry is not None and (entry.status in _UNDELIVERED or entry.error_code is not None)
    ] or None
    return without_empty(found)


# how to ask

# The default is 25; the maximum is not documented.
# https://docs.bland.ai/api-v1/get/sms-conversations
_PAGE_SIZE = 100
_CURSOR = re.compile(r"([1-9][0-9]{0,8})(?::[1-9][0-9]{0,2})?")  # until 0.3 with a page size after it


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is the number of a page. `options` may hold more `filters`, as a list."""
    (page,) = read_numbers(cursor, _CURSOR, "Bland", "the number of a page") if cursor else (1,)
    asked: dict[str, Any] = {
        # With the oldest first, new rows do not move the others.
        "sortBy": "created_at",
        "sortDir": "desc" if query.newest_first else "asc",
        **query.options,
        "filters": _filters(query),
        "page": page,
        "pageSize": min(query.page_size or _PAGE_SIZE, _PAGE_SIZE),
    }
    reply = yield Request("GET", "/v1/sms/conversations", asked, reads=_page)
    rows, told = read_or_raise(reply, _rows, words)
    if told.current_page is not None and told.current_page != page:
        raise PaginationError(f"page {page} was requested, but page {told.current_page:.0f} was returned")
    is_last = not rows if told.total_pages is None else page >= told.total_pages
    return RawPage(rows=rows, normalize=normalize, cursor=None if is_last else str(page + 1))


def _filters(query: Query) -> str | None:
    others = query.options.get("filters", [])
    if not isinstance(others, list):
        raise InvalidRefError("filters must be a list of objects with field, operator and value")
    bounds = (("gte", query.since), ("lt", query.until))
    window = [
        {"field": "created_at", "operator": operator, "value": moment.isoformat()}
        for operator, moment in bounds
        if moment is not None
    ]
    return msgspec.json.encode([*others, *window]).decode() if others or window else None


def _rows(body: bytes) -> tuple[list[msgspec.Raw], _Pagination]:
    page = decode(body, _page, [])
    if page.data is None:
        raise PayloadError("the answer has no list of conversations")
    return page.data, (page.extra.pagination if page.extra else None) or _Pagination()


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a text conversation with its messages; deleted ones are missing."""
    # https://docs.bland.ai/api-v1/get/sms-conversations-id
    reply = yield Request("GET", "/v1/sms/conversations/{id}", ids={"id": id}, reads=_whole)
    return read_or_raise(reply, _got, words)


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a text conversation with all its messages and analyses."""
    if options:
        raise InvalidRefError("deleting a text conversation takes no options")
    # https://docs.bland.ai/api-v1/delete/sms-conversations
    yield Request("DELETE", "/v1/sms/conversations/{id}", ids={"id": id}, json=False)


TEXTS = Resource(
    list_page=list_page,
    normalize=normalize,
    page_size=_PAGE_SIZE,
    newest_first=True,
    counted=True,
    get=get,
    delete=delete,
    complete_lists=False,
    filters=("since", "until"),
    payloads=(_Text, _Whole),
    left_to_raw=_LEFT_TO_RAW,
)
