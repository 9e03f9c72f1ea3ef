"""Twilio Conversations: threads of messages among several people and programs, over text and chat channels.

Who is who is not told: people with an address of their own write to the company, identities write from its software.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Any
from urllib.parse import urlencode

import msgspec

from ...account import Account
from ...adapter import Query, RawPage, Start, Started
from ...errors import PayloadError, UnsupportedError
from ...policy import sent_at
from ...reading.json import decode, try_decode_any
from ...reading.lifecycle import concluded, may_still_come
from ...reading.participants import Participants, unknown_speaker
from ...reading.refusals import read_or_raise
from ...reading.values import (
    AnyJson,
    Id,
    Instant,
    Issues,
    drop_if_before,
    ids_of,
    instant,
    noted,
    text,
    timestamp,
    without_empty,
)
from ...schema import (
    Agent,
    Channel,
    Conversation,
    Issue,
    Participant,
    ParticipantKind,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ...wire import Flow, Request
from ._paging import Meta, all_pages, asked_for, following

__all__ = [
    "LEFT_TO_RAW",
    "PAGE_SIZE",
    "Thread",
    "Whole",
    "delete",
    "end",
    "get",
    "list_page",
    "normalize",
    "read",
    "send",
]

# what Twilio sends


class Timers(msgspec.Struct):
    """When a thread changes its state by itself."""

    date_inactive: Instant = None
    date_closed: Instant = None


class Thread(msgspec.Struct):
    """A conversation."""

    sid: Id
    friendly_name: str | None = None
    unique_name: Id | None = None
    state: str | None = None
    attributes: str | None = None
    date_created: Instant = None
    date_updated: Instant = None
    timers: Timers | None = None
    chat_service_sid: Id | None = None
    messaging_service_sid: Id | None = None


class Binding(msgspec.Struct):
    """The address that a participant writes from, and ours that they write to."""

    type: str | None = None
    address: str | None = None
    proxy_address: str | None = None


class Member(msgspec.Struct):
    """A participant."""

    sid: Id | None = None
    identity: str | None = None
    messaging_binding: Binding | None = None


class Medium(msgspec.Struct):
    """A file in a message."""

    sid: Id | None = None
    size: AnyJson = None
    content_type: str | None = None
    filename: str | None = None


class Message(msgspec.Struct):
    """A message."""

    sid: Id | None = None
    author: str | None = None
    participant_sid: Id | None = None
    body: str | None = None
    media: list[Medium | None] | None = None
    date_created: Instant = None


class Members(msgspec.Struct):
    """One page of participants."""

    participants: list[Member | None] | None = None
    meta: Meta | None = None


class Messages(msgspec.Struct):
    """One page of messages."""

    messages: list[Message | None] | None = None
    meta: Meta | None = None


class Whole(msgspec.Struct):
    """What `get` reads: a thread with the pages of its participants and of its messages."""

    conversation: Thread
    participants: list[Members]
    messages: list[Messages]


class Page(msgspec.Struct):
    """One page of the list."""

    conversations: list[msgspec.Raw] | None = None
    meta: Meta | None = None


_thread = msgspec.json.Decoder(Thread, strict=False)
_members = msgspec.json.Decoder(Members, strict=False)
_messages = msgspec.json.Decoder(Messages, strict=False)
_message = msgspec.json.Decoder(Message, strict=False)
_page = msgspec.json.Decoder(Page, strict=False)

_ABOUT_PAGES = "where pages are, not what was said"
_ACCOUNT = "the account itself"
_LINKS = "an address of the API"

LEFT_TO_RAW = {
    "*meta.*": _ABOUT_PAGES,
    "*account_sid": _ACCOUNT,
    "*url": _LINKS,
    "*links": _LINKS,
    "*links.*": _LINKS,
    "*bindings": "settings of its channels",
    "*bindings.*": "settings of its channels",
    "*conversation_sid": "the conversation's own id",
    "participants[].participants[].attributes": "what the customer's program noted about a participant",
    "participants[].participants[].role_sid": "a permission",
    "participants[].participants[].last_read_message_index": "what was read, not what was said",
    "participants[].participants[].last_read_timestamp": "what was read, not what was said",
    "participants[].participants[].date_created": "when somebody was added",
    "participants[].participants[].date_updated": "when somebody was changed",
    "participants[].participants[].messaging_binding.projected_address": "our own address in a group",
    "participants[].participants[].messaging_binding.name": "a label of the address",
    "participants[].participants[].messaging_binding.level": "a recipient's place in an e-mail",
    "messages[].messages[].index": "the position, in which they come",
    "messages[].messages[].attributes": "what the customer's program noted about a message",
    "messages[].messages[].date_updated": "when a message was changed",
    "messages[].messages[].delivery": "how far a message came, not what was said",
    "messages[].messages[].delivery.*": "how far a message came, not what was said",
    "messages[].messages[].content_sid": "a template",
    "messages[].messages[].media[].category": "a kind of file, which its type says too",
}

# what it means

# https://www.twilio.com/docs/conversations/api/conversation-resource
_STATUSES = {
    "initializing": Status.QUEUED,
    "active": Status.IN_PROGRESS,
    # It becomes active again with the next message.
    "inactive": Status.IN_PROGRESS,
    "closed": Status.ENDED,
}
_CHANNELS = {"sms": Channel.SMS, "rcs": Channel.SMS, "email": Channel.EMAIL}
_SYSTEM = "system"
"""The author of messages that name none."""


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a conversation as Twilio sends it, in a list or alone; its messages are another resource."""
    issues = Issues()
    sent = decode(body, _thread, issues)
    return read(sent, bytes(body), issues)


def read(
    sent: Thread,
    raw: bytes,
    issues: Issues,
    members: Sequence[Members] | None = None,
    messages: Sequence[Messages] | None = None,
    *,
    present: datetime | None = None,
) -> Conversation:
    """Read a conversation with its participants and its messages; `present` is when it was sent."""
    place = "" if messages is None else "conversation."
    created_at = instant(sent.date_created, f"{place}date_created", issues)
    updated_at = instant(sent.date_updated, f"{place}date_updated", issues)
    known = _STATUSES.get(sent.state or "", Status.UNKNOWN)
    status = concluded(known, sent.state)
    ended_at = _end(sent, updated_at, f"{place}timers.date_closed", issues) if status is Status.ENDED else None
    ended_at = drop_if_before(ended_at, created_at, f"{place}date_updated", issues)

    people = _People([one for page in members or () for one in page.participants or () if one is not None])
    zero = None if created_at is None else created_at.timestamp()
    turns = None if messages is None else tuple(_turns(messages, people, zero, issues))
    state = _transcript_state(status, turns, ended_at, present)
    derived = {
        "status": status is not known,
        "channel": people.channel is Channel.CHAT,
        "started_at": created_at is not None,
        "ended_at": ended_at is not None,
        "transcript.role": bool(turns),
        "transcript.start": any(turn.start is not None for turn in turns or ()),
    }
    return Conversation(
        provider="twilio",
        id=str(sent.sid),
        status=status,
        provider_status=sent.state,
        title=text(sent.friendly_name),
        channel=Channel.UNKNOWN if members is None else people.channel,
        participants=tuple(people.participants),
        created_at=created_at,
        started_at=created_at,
        ended_at=ended_at,
        updated_at=updated_at,
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        metadata=_metadata(sent, messages or ()),
        related_ids=ids_of(
            {
                "unique_name": sent.unique_name,
                "chat_service_sid": sent.chat_service_sid,
                "messaging_service_sid": sent.messaging_service_sid,
            }
        ),
        estimated=tuple(compress(derived, derived.values())) if members is not None else _of_row(derived),
        issues=noted(issues),
        raw=raw,
    )


def _of_row(derived: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple(name for name, is_derived in derived.items() if is_derived and name != "channel")


def _end(sent: Thread, updated_at: datetime | None, place: str, issues: list[Issue]) -> datetime | None:
    """Return when it was closed: by its timer, unless it was closed before that."""
    timed = instant(sent.timers.date_closed, place, issues) if sent.timers else None
    return min(filter(None, (timed, updated_at)), default=None)


def _transcript_state(
    status: Status, turns: Sequence[TranscriptTurn] | None, ended_at: datetime | None, present: datetime | None
) -> TranscriptState:
    if turns is None:
        return TranscriptState.NOT_LOADED
    # An open thread holds everything written so far. If nobody has written yet, somebody may still do so.
    is_silent = all(turn.role is Role.SYSTEM for turn in turns)
    is_early = not status.is_finished or may_still_come(ended_at, present)
    return TranscriptState.PENDING if is_silent and is_early else TranscriptState.AVAILABLE


class _People:
    """The participants, and who wrote a message."""

    def __init__(self, members: Sequence[Member]) -> None:
        bound = [one for one in members if one.messaging_binding is not None]
        first = (bound[0].messaging_binding if bound else None) or Binding()
        self.channel = _CHANNELS.get(first.type or "", Channel.CHAT)
        self.participants = Participants.of(
            Agent(),
            agent_phone=_phone(first.proxy_address),
            customer_id=text(bound[0].sid) if bound else None,
            customer_phone=_phone(first.address),
        )
        self._known: dict[str, tuple[Role, int | None]] = {}
        for one in members:
            self._add(one, is_first=bool(bound) and one is bound[0], has_addresses=bool(bound))

    def _add(self, one: Member, *, is_first: bool, has_addresses: bool) -> None:
        binding = one.messaging_binding
        if binding is not None:
            role, kind = Role.USER, ParticipantKind.CUSTOMER
        elif has_addresses:
            # The API does not say whether it is a program or a person.
            role, kind = Role.ASSISTANT, ParticipantKind.UNKNOWN
        else:
            # In a chat without addresses, customers are identities too.
            role, kind = Role.UNKNOWN, ParticipantKind.UNKNOWN
        phone = _phone(binding.address) if binding is not None else None
        who = Participant(kind=kind, id=text(one.sid), name=one.identity, phone=phone)
        place = 1 if is_first else self.participants.index_of(who)
        for name in (one.sid, one.identity, binding and binding.address):
            if name is not None and name != "":
                self._known[str(name)] = role, place

    def author_of(self, message: Message) -> tuple[Role, int | None]:
        """Return the role and the position of who wrote a message."""
        for name in (message.participant_sid, message.author):
            if name is not None and str(name) in self._known:
                return self._known[str(name)]
        if message.author == _SYSTEM:
            return Role.SYSTEM, None
        return unknown_speaker(message.author, self.participants)


def _phone(address: str | None) -> str | None:
    """Return a number without the name of its channel, as in `whatsapp:+1…`."""
    return text(address.rpartition(":")[2]) if address else None


def _turns(
    pages: Sequence[Messages], people: _People, zero: float | None, issues: list[Issue]
) -> Iterator[TranscriptTurn]:
    index = 0
    for number, page in enumerate(pages):
        for position, message in enumerate(page.messages or ()):
            place = f"messages[{number}].messages[{position}]"
            if message is None:
                issues.append(Issue(place, "null"))
                continue
            moment = timestamp(message.date_created, f"{place}.date_created", issues)
            role, participant = people.author_of(message)
            yield TranscriptTurn(
                index=index,
                role=role,
                text=message.body or "",
                start=None if zero is None or moment is None or moment < zero else round(moment - zero, 6),
                timestamp=moment,
                participant=participant,
                provider_id=text(message.sid),
            )
            index += 1


def _metadata(sent: Thread, pages: Sequence[Messages]) -> dict[str, Any]:
    said = [message for page in pages for message in page.messages or () if message is not None]
    files = [
        {"message": str(message.sid), **without_empty(msgspec.to_builtins(medium))}
        for message in said
        for medium in message.media or ()
        if medium is not None
    ]
    attributes = try_decode_any(sent.attributes) if sent.attributes else None
    inactive = sent.timers.date_inactive if sent.timers else None
    return without_empty(
        {
            # Text that holds JSON, or what once was JSON.
            "attributes": (sent.attributes if attributes is None else attributes) or None,
            "date_inactive": inactive,
            "date_closed": sent.timers.date_closed if sent.timers else None,
            "media": files or None,
        }
    )


# how to ask

PAGE_SIZE = 100
_STATES = {Status.ENDED: "closed"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_TICK = timedelta(microseconds=1)
_EARLIEST = "2000-01-01T00:00:00Z"


def _place(account: Account, id: str | None = None) -> tuple[str, dict[str, str]]:
    """Return the path of the list, or of one conversation, and the ids in it; a service has its own."""
    # https://www.twilio.com/docs/conversations/api/service-resource
    service = account.settings.get("service_sid")
    path = "/v1/Conversations" if service is None else "/v1/Services/{service}/Conversations"
    ids = {} if service is None else {"service": service.reveal()}
    return (path, ids) if id is None else (f"{path}/{{id}}", {**ids, "id": id})


def list_page(account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is the query of its URL. The list is narrowed by whole days; the hub checks the rows."""
    # With a date, the newest come first.
    earliest = _EARLIEST if query.newest_first else None
    told = {
        "StartDate": f"{query.since.astimezone(UTC):%Y-%m-%d}T00:00:00Z" if query.since else earliest,
        "EndDate": f"{(query.until - _TICK).astimezone(UTC):%Y-%m-%d}T23:59:59Z" if query.until else None,
        "State": _STATES.get(query.status) if query.status else None,
        "PageSize": query.page_size or PAGE_SIZE,
    }
    # https://www.twilio.com/docs/conversations/api/conversation-resource#read-multiple-conversation-resources
    path, ids = _place(account)
    reply = yield Request("GET", path, asked_for(query, told, cursor), ids, reads=_page)
    page = read_or_raise(reply, lambda body: decode(body, _page, []))
    if page.conversations is None:
        raise PayloadError("the answer has no list of conversations")
    return RawPage(rows=page.conversations, normalize=normalize, cursor=following(page.meta))


def get(account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its participants and its messages, the oldest first."""
    path, ids = _place(account, id)
    # https://www.twilio.com/docs/conversations/api/conversation-resource
    reply = yield Request("GET", path, ids=ids, reads=_thread)
    misfits: list[Issue] = []
    sent = read_or_raise(reply, lambda body: decode(body, _thread, misfits))
    issues = Issues([Issue(f"conversation.{one.place}", one.reason) for one in misfits])
    asked = {"PageSize": PAGE_SIZE}
    # https://www.twilio.com/docs/conversations/api/conversation-participant-resource
    who = Request("GET", f"{path}/Participants", asked, ids, reads=_members)
    people, members, wrong = yield from all_pages(who, _members, "participants")
    issues += wrong
    # https://www.twilio.com/docs/conversations/api/conversation-message-resource
    what = Request("GET", f"{path}/Messages", {"Order": "asc", **asked}, ids, reads=_messages)
    bodies, messages, wrong = yield from all_pages(what, _messages, "messages")
    issues += wrong
    raw = msgspec.json.encode({"conversation": msgspec.Raw(reply.body), "participants": people, "messages": bodies})
    return read(sent, raw, issues, members, messages, present=sent_at(reply.headers))


def _form(fields: Mapping[str, Any]) -> bytes:
    return urlencode(without_empty(fields)).encode()


def start(account: Account, wanted: Start) -> Flow[Started]:
    """Create a conversation; the options are the provider's own, such as `FriendlyName`."""
    if wanted.to is not None:
        raise UnsupportedError("Twilio adds participants to a conversation that is there: omit `to`")
    # https://www.twilio.com/docs/conversations/api/conversation-resource#create-a-conversation
    path, ids = _place(account)
    reply = yield Request("POST", path, ids=ids, headers=_FORM, body=_form(wanted.options))
    return Started(conversation=read_or_raise(reply, normalize))


def end(account: Account, id: str) -> Flow[None]:
    """Close a conversation; it cannot be opened again."""
    # https://www.twilio.com/docs/conversations/api/conversation-resource#update-conversation
    path, ids = _place(account, id)
    yield Request("POST", path, ids=ids, headers=_FORM, body=_form({"State": "closed"}), safe=True)


def delete(account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete a conversation with its messages."""
    # https://www.twilio.com/docs/conversations/api/conversation-resource#delete-a-conversation-resource
    path, ids = _place(account, id)
    yield Request("DELETE", path, ids=ids, json=False)


def send(account: Account, id: str, words: str) -> Flow[TranscriptTurn]:
    """Write a message as the system, and return it: nobody answers at once."""
    # https://www.twilio.com/docs/conversations/api/conversation-message-resource#create-a-conversation-message
    path, ids = _place(account, id)
    reply = yield Request("POST", f"{path}/Messages", ids=ids, headers=_FORM, body=_form({"Body": words}))
    sent = read_or_raise(reply, lambda body: decode(body, _message, []))
    return TranscriptTurn(
        index=0,
        role=Role.SYSTEM if sent.author in {_SYSTEM, None} else Role.UNKNOWN,
        text=sent.body or "",
        timestamp=timestamp(sent.date_created, "date_created", []),
        provider_id=text(sent.sid),
    )
