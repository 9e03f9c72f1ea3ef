"""What a conversation of Chatwoot means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import msgspec

from ...reading.json import decode
from ...reading.lifecycle import concluded, may_still_come
from ...reading.participants import Participants, unknown_speaker
from ...reading.recordings import signed_recording
from ...reading.values import (
    AnyJson,
    Instant,
    Issues,
    drop_if_before,
    ids_of,
    instant,
    members_of,
    noted,
    number,
    text,
    text_at,
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
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ._payload import Message, MessagePage, Person, Sent

__all__ = ["normalize", "read"]

_sent = msgspec.json.Decoder(Sent, strict=False)

# https://github.com/chatwoot/chatwoot, swagger/paths/application/conversation
_STATUSES = {
    "open": Status.IN_PROGRESS,
    "pending": Status.IN_PROGRESS,
    "snoozed": Status.IN_PROGRESS,
    "resolved": Status.ENDED,
}
_CHANNELS = {
    "Email": Channel.EMAIL,
    "Sms": Channel.SMS,
    "TwilioSms": Channel.SMS,
    "Voice": Channel.PHONE,
    **dict.fromkeys(
        ("Api", "FacebookPage", "Instagram", "Line", "Telegram", "Tiktok", "TwitterProfile", "WebWidget", "Whatsapp"),
        Channel.CHAT,
    ),
}
# Numbers in the API, words in webhooks.
_MESSAGE_TYPES = {0: "incoming", 1: "outgoing", 2: "activity", 3: "template"}
_BOTS = {"agentbot", "captainassistant", "captain"}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a conversation as Chatwoot lists it, without its messages."""
    issues = Issues()
    sent = decode(body, _sent, issues)
    return read(sent, bytes(body), issues)


def read(
    sent: Sent,
    raw: bytes,
    issues: Issues,
    pages: Sequence[MessagePage] | None = None,
    *,
    place: str = "",
    present: datetime | None = None,
) -> Conversation:
    """Read a conversation and the pages of its messages, if they were read; `place` is its place in `raw`."""
    created_at = _moment(sent.created_at, f"{place}created_at", issues)
    active_at = _moment(sent.last_activity_at, f"{place}last_activity_at", issues)
    changed_at = _moment(sent.updated_at, f"{place}updated_at", issues)
    status = concluded(_STATUSES.get(sent.status or "", Status.UNKNOWN), sent.status)
    ended_at = None
    if status is Status.ENDED:
        ended_at = drop_if_before(active_at, created_at, f"{place}last_activity_at", issues)
    placed = None if pages is None else _in_order(pages, issues)
    messages = [message for message, _ in placed or ()]
    meta = sent.meta
    customer = (meta.sender if meta else None) or Person()
    bot = next((one.sender for one in messages if one.sender is not None and _is_bot(one)), None) or Person()
    agent = Agent(id=text(bot.id), name=bot.name)
    participants = Participants.of(
        agent,
        customer_id=text(customer.id),
        customer_name=text(customer.name),
        customer_phone=text(customer.phone_number),
    )
    if meta and meta.assignee and (meta.assignee.id is not None or meta.assignee.name):
        _teammate(meta.assignee, participants)
    turns = (
        None
        if placed is None
        else tuple(_turns(placed, created_at, customer=customer, agent=agent, participants=participants, issues=issues))
    )
    state = TranscriptState.NOT_LOADED
    if turns is not None:
        # An open conversation has all that was written so far; of one in which nobody wrote, more is to come.
        is_silent = all(turn.role is Role.SYSTEM for turn in turns)
        is_early = not status.is_finished or may_still_come(ended_at, present)
        state = TranscriptState.PENDING if is_silent and is_early else TranscriptState.AVAILABLE
    first = next((turn.role for turn in turns or () if turn.role not in {Role.SYSTEM, Role.UNKNOWN}), None)
    analysis = Analysis(scores=_scores(messages) or None)
    derived = {
        "direction": first is not None,
        "ended_at": ended_at is not None,
        "transcript.start": any(turn.start is not None for turn in turns or ()),
    }
    additional = members_of(sent.additional_attributes)
    return Conversation(
        provider="chatwoot",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        title=text_at(additional, "mail_subject"),
        channel=_channel((meta.channel if meta else None) or sent.channel),
        direction=Direction.UNKNOWN
        if first is None
        else Direction.INBOUND
        if first is Role.USER
        else Direction.OUTBOUND,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=created_at,
        ended_at=ended_at,
        updated_at=max(filter(None, (changed_at, active_at)), default=None),
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        analysis=unless_empty(analysis),
        recordings=tuple(_recordings(placed or (), issues)),
        language=text_at(additional, "conversation_language"),
        tags=tuple(label for label in sent.labels or () if label),
        metadata=_metadata(sent, customer, messages),
        related_ids=ids_of(
            {"uuid": sent.uuid, "account": sent.account_id, "inbox": sent.inbox_id, "contact": customer.identifier}
        ),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=raw,
    )


def _moment(value: Instant, place: str, issues: list[Issue]) -> datetime | None:
    return instant(value or None, place, issues)  # 0: never


def _channel(word: str | None) -> Channel:
    return _CHANNELS.get((word or "").removeprefix("Channel::"), Channel.UNKNOWN)


# what was said

_Placed = tuple[Message, str]


def _in_order(pages: Sequence[MessagePage], issues: Issues) -> list[_Placed]:
    """Return the messages of all pages with their places, each once, the oldest first: ids grow."""
    found: list[_Placed] = []
    seen: set[str] = set()
    for number_, page in enumerate(pages):
        for position, message in enumerate(page.payload or ()):
            place = f"messages[{number_}].payload[{position}]"
            if message is None:
                issues.append(Issue(place, "null"))
            elif message.id is None or str(message.id) not in seen:
                found.append((message, place))
                seen.add(str(message.id))
    return sorted(found, key=_id_of) if all(isinstance(message.id, int) for message, _ in found) else found


def _id_of(placed: _Placed) -> int:
    id = placed[0].id
    return id if isinstance(id, int) else 0


def _sender_of(message: Message) -> str:
    word = message.sender_type or (message.sender.type if message.sender else None) or ""
    return word.lower().replace("::", "").replace("_", "")


def _is_bot(message: Message) -> bool:
    return _sender_of(message) in _BOTS


def _kind_of(message: Message) -> str | None:
    word = message.message_type
    if isinstance(word, int):
        return _MESSAGE_TYPES.get(word, str(word))
    return _MESSAGE_TYPES[int(word)] if word in {"0", "1", "2", "3"} else word


def _turns(
    placed: Sequence[_Placed],
    created_at: datetime | None,
    *,
    customer: Person,
    agent: Agent,
    participants: Participants,
    issues: Issues,
) -> Iterator[TranscriptTurn]:
    began = None if created_at is None else created_at.timestamp()
    for index, (message, place) in enumerate(placed):
        kind = _kind_of(message)
        moment = timestamp(message.created_at or None, f"{place}.created_at", issues)
        role, participant = _speaker(message, kind, customer, agent, participants)
        is_deleted = members_of(message.content_attributes).get("deleted") is True
        yield TranscriptTurn(
            index=index,
            role=role,
            text="" if is_deleted else message.content or "",
            start=None if began is None or moment is None or moment < began else round(moment - began, 6),
            timestamp=moment,
            participant=participant,
            visibility=Visibility.INTERNAL if message.private or kind == "activity" else Visibility.PUBLIC,
            provider_id=text(message.id),
        )


def _speaker(
    message: Message, kind: str | None, customer: Person, agent: Agent, participants: Participants
) -> tuple[Role, int | None]:
    sender, who = message.sender, _sender_of(message)
    if kind == "activity":
        return Role.SYSTEM, None
    if kind == "incoming" or who == "contact":
        if sender is None or sender.id is None or customer.id is None or sender.id == customer.id:
            return Role.USER, 1
        return Role.USER, participants.index_of(
            Participant(kind=ParticipantKind.CUSTOMER, id=text(sender.id), name=text(sender.name))
        )
    if kind in {"outgoing", "template"}:
        if _is_bot(message):
            if sender is None or text(sender.id) == agent.id:
                return Role.ASSISTANT, 0
            other = Participant(kind=ParticipantKind.AI_AGENT, id=text(sender.id), name=text(sender.name))
            return Role.ASSISTANT, participants.index_of(other)
        if who == "user":
            return Role.HUMAN_AGENT, participants.human_agent() if sender is None else _teammate(sender, participants)
        # Automations, campaigns and greetings have no sender.
        return (Role.ASSISTANT, None) if not who else unknown_speaker(who, participants)
    return unknown_speaker(kind, participants)


def _teammate(person: Person, participants: Participants) -> int:
    return participants.index_of(
        Participant(kind=ParticipantKind.HUMAN_AGENT, id=text(person.id), name=text(person.name))
    )


# the rest


def _scores(messages: Sequence[Message]) -> dict[str, float]:
    """Return the rating that the customer gave in a survey, if the last one was answered."""
    for message in reversed(messages):
        rating = number(members_of(members_of(_submitted(message)).get("csat_survey_response")).get("rating"))
        if message.content_type == "input_csat" and rating is not None:
            return {"csat": rating}
    return {}


def _submitted(message: Message) -> AnyJson:
    """Return what the customer filled in."""
    values: AnyJson = members_of(message.content_attributes).get("submitted_values")
    return values


def _recordings(placed: Sequence[_Placed], issues: list[Issue]) -> Iterator[Recording]:
    """Return the recordings of calls; other sound is a message."""
    for message, place in placed:
        for number_, file in enumerate(message.attachments or ()):
            if message.content_type == "voice_call" and file and file.file_type == "audio":
                found = signed_recording(file.data_url, f"{place}.attachments[{number_}].data_url", issues)
                if found is not None:
                    yield found


def _never(value: AnyJson) -> AnyJson:
    """Return an instant, or None where 0 stands for it."""
    return value or None


def _metadata(sent: Sent, customer: Person, messages: Sequence[Message]) -> dict[str, Any]:
    assignee = sent.meta.assignee if sent.meta else None
    team = sent.meta.team if sent.meta else None
    files = [file for message in messages for file in message.attachments or () if file is not None]
    forms = {str(message.id): _submitted(message) for message in messages}
    attached = [
        without_empty(
            {
                "type": file.file_type,
                "extension": file.extension,
                "size": file.file_size,
                "title": file.fallback_title,
            }
        )
        for file in files
    ]
    return without_empty(
        {
            "channel": (sent.meta.channel if sent.meta else None) or sent.channel,
            "priority": sent.priority,
            "first_reply_created_at": _never(sent.first_reply_created_at),
            "waiting_since": _never(sent.waiting_since),
            "snoozed_until": _never(sent.snoozed_until),
            "custom_attributes": sent.custom_attributes,
            "additional_attributes": sent.additional_attributes,
            "customer_email": customer.email,
            "customer_attributes": customer.custom_attributes,
            "assignee": assignee.name if assignee else None,
            "assignee_email": assignee.email if assignee else None,
            "team": team.name if team else None,
            "sla_policy_id": sent.sla_policy_id,
            "applied_sla": sent.applied_sla,
            "sla_events": sent.sla_events,
            "submitted": {id: values for id, values in forms.items() if values is not None} or None,
            "attachments": attached or None,
        }
    )
