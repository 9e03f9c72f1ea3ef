"""Synthflow's chats: GET /chat, paged by cursor; what is written is in the record of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import compress
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Query, RawPage, Resource, Start, Started
from ...errors import InvalidRefError, PaginationError, PayloadError, UnsupportedError
from ...reading.json import decode
from ...reading.participants import Participants
from ...reading.refusals import read_or_raise
from ...reading.values import Issues, instant, noted, text, timestamp, unless_empty, without_empty
from ...schema import (
    Agent,
    Channel,
    Conversation,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ...wire import Flow, QueryValue, Request
from ._conversation import turns_in
from ._payload import CHATS_LEFT, Answered, Chat, Entry, GotChat, ListedChats, Spoken

__all__ = ["CHATS", "normalize"]

_row = msgspec.json.Decoder(Chat, strict=False)
_got = msgspec.json.Decoder(GotChat, strict=False)
_listed = msgspec.json.Decoder(ListedChats, strict=False)
_answered = msgspec.json.Decoder(Answered, strict=False)

# what it means

_STATUSES = {"ongoing": Status.IN_PROGRESS, "completed": Status.ENDED, "cancelled": Status.CANCELLED}
_CUSTOMER = "user"


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a row of the list."""
    issues = Issues()
    return _read(decode(body, _row, issues), body, issues)


def _read(sent: Chat, raw: bytes | msgspec.Raw, issues: list[Issue], *, place: str = "") -> Conversation:
    status = _STATUSES.get(sent.chat_status or "", Status.UNKNOWN)
    entries = [] if sent.conversation_history is msgspec.UNSET else sent.conversation_history or []
    first = next((one.agent_id for one in entries if one and one.agent_id not in {None, "", _CUSTOMER}), None)
    agent = Agent(id=text(first))
    participants = Participants.of(agent)
    turns: tuple[TranscriptTurn, ...] | None = None
    if sent.conversation_history is not msgspec.UNSET:
        turns = tuple(_turns(sent, entries, participants, issues, place))
        if not turns:
            turns, speakers_known = turns_in(sent.transcript, participants)
            if turns and not speakers_known:
                issues.append(Issue(f"{place}transcript", "names no speakers"))
    moments = [turn.timestamp for turn in turns or () if turn.timestamp is not None]
    updated_at = instant(max(moments), "", []) if moments else None
    state = TranscriptState.NOT_LOADED
    if turns is not None:
        state = TranscriptState.PENDING if status is Status.IN_PROGRESS else TranscriptState.AVAILABLE
    derived = {"agent": first is not None, "updated_at": updated_at is not None}
    return Conversation(
        provider="synthflow",
        id=str(sent.chat_id),
        status=status,
        provider_status=sent.chat_status,
        channel=Channel.CHAT,
        agent=unless_empty(agent),
        participants=tuple(participants),
        started_at=instant(sent.start_timestamp, f"{place}start_timestamp", issues),
        updated_at=updated_at,
        end_reason=EndReason.CANCELLED if status is Status.CANCELLED else None,
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(raw),
    )


def _turns(
    sent: Chat, entries: list[Entry | None], participants: Participants, issues: list[Issue], place: str
) -> Iterator[TranscriptTurn]:
    number = 0
    first = sent.initial_message
    # Whether the history begins with it is not documented.
    if first and first.agent_message and first.agent_message not in {one.message for one in entries[:2] if one}:
        moment = timestamp(first.timestamp, f"{place}initial_message.timestamp", issues)
        yield TranscriptTurn(index=0, role=Role.ASSISTANT, text=first.agent_message, timestamp=moment, participant=0)
        number = 1
    for position, entry in enumerate(entries):
        at = f"{place}conversation_history[{position}]"
        if entry is None:
            issues.append(Issue(at, "null"))
            continue
        role, participant = _speaker(entry, participants)
        moment = timestamp(entry.timestamp, f"{at}.timestamp", issues)
        yield TranscriptTurn(
            index=number, role=role, text=entry.message or "", timestamp=moment, participant=participant
        )
        number += 1


def _speaker(entry: Entry, participants: Participants) -> tuple[Role, int | None]:
    id = text(entry.agent_id)
    if id is None:
        return Role.UNKNOWN, None
    if id == _CUSTOMER:
        return Role.USER, 1
    if id == participants[0].id:
        return Role.ASSISTANT, 0
    return Role.ASSISTANT, participants.index_of(Participant(kind=ParticipantKind.AI_AGENT, id=id))


# how to ask

# Our choice: the default is 10, and the maximum is not documented.
_PAGE_SIZE = 100


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of chats; a cursor is Synthflow's own."""
    narrowed = {"agent_id": query.agent} if query.agent else {}
    size = query.page_size or _PAGE_SIZE
    asked: dict[str, QueryValue] = {**query.options, **narrowed, "limit": size, "cursor": cursor}
    # https://docs.synthflow.ai/api-reference/platform-api/chat
    reply = yield Request("GET", "/chat", asked, reads=_listed)
    page = read_or_raise(reply, lambda body: decode(body, _listed, [])).response
    if page is None or page.chats is None:
        raise PayloadError("the answer has no list of chats")
    if page.has_more and not page.next_cursor:
        raise PaginationError("the provider says that there are more rows, but not where")
    has_more = bool(page.chats) and page.has_more is not False
    return RawPage(rows=page.chats, normalize=normalize, cursor=page.next_cursor or None if has_more else None)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a chat with its messages."""
    # https://docs.synthflow.ai/api-reference/platform-api/chat
    reply = yield Request("GET", "/chat/{id}", ids={"id": id}, reads=_got)
    return read_or_raise(reply, _got_chat)


def _got_chat(body: bytes) -> Conversation:
    issues = Issues()
    sent = decode(body, _got, issues).response
    if sent.conversation_history is msgspec.UNSET:
        sent.conversation_history = None
    return _read(sent, body, issues, place="response.")


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Open a chat with an agent; the caller chooses its id, a UUID, in the option `chat_id`."""
    if wanted.to is not None:
        raise UnsupportedError("a chat goes out to nobody: omit `to`, and talk to the agent with `send`")
    body = dict(wanted.options)
    id = body.pop("chat_id", None)
    if not isinstance(id, str):
        raise UnsupportedError("the id of a chat is the caller's choice: give a new UUID in the option `chat_id`")
    body |= without_empty({"model_id": wanted.agent})
    # https://docs.synthflow.ai/api-reference/platform-api/chat
    reply = yield Request("POST", "/chat/{id}", ids={"id": id}, body=msgspec.json.encode(body))
    issues = Issues()
    said = read_or_raise(reply, lambda body: decode(body, _answered, issues)).response or Spoken()
    started_at = instant(said.timestamp, "response.timestamp", issues)
    told = _read(Chat(chat_id=id, chat_status="ongoing"), reply.body, issues)
    agent = Agent(id=wanted.agent)
    return Started(
        conversation=msgspec.structs.replace(
            told,
            provider_status=None,
            agent=unless_empty(agent),
            participants=tuple(Participants.of(agent)),
            started_at=started_at,
            transcript=(_answer(said, started_at),) if said.agent_message else None,
            transcript_state=TranscriptState.PENDING,
            estimated=("status", "started_at"),
        )
    )


def _answer(said: Spoken, at: datetime | None) -> TranscriptTurn:
    moment = None if at is None else at.timestamp()
    return TranscriptTurn(index=0, role=Role.ASSISTANT, text=said.agent_message or "", timestamp=moment, participant=0)


def send(_account: Account, id: str, words: str) -> Flow[TranscriptTurn]:
    """Write to a chat and return the agent's answer."""
    body = msgspec.json.encode({"message": words})
    # https://docs.synthflow.ai/api-reference/platform-api/chat
    reply = yield Request("POST", "/chat/{id}/messages", ids={"id": id}, body=body)
    said = read_or_raise(reply, lambda body: decode(body, _answered, [])).response
    if said is None:
        raise PayloadError("the answer has no message")
    return _answer(said, instant(said.timestamp, "timestamp", []))


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a chat."""
    if options:
        raise InvalidRefError("deleting a chat takes no options")
    # https://docs.synthflow.ai/api-reference/platform-api/chat
    yield Request("DELETE", "/chat/{id}", ids={"id": id}, json=False)


CHATS = Resource(
    list_page=list_page,
    normalize=normalize,
    page_size=_PAGE_SIZE,
    get=get,
    start=start,
    send=send,
    delete=delete,
    complete_lists=False,
    filters=("agent",),
    payloads=(Chat, GotChat, Answered),
    left_to_raw=CHATS_LEFT,
)
