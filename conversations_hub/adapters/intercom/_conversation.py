"""What a conversation of Intercom means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import msgspec

from ...reading.json import decode
from ...reading.lifecycle import concluded, may_still_come
from ...reading.markup import plain_text
from ...reading.participants import Participants, unknown_speaker
from ...reading.values import (
    DIRECTIONS,
    AnyJson,
    Issues,
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
    Issue,
    Participant,
    ParticipantKind,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ._calls import joined, length, recordings, spoken
from ._payload import Call, FinCall, Message, Part, Sent, Writer

__all__ = ["is_phone", "normalize", "read"]

_sent = msgspec.json.Decoder(Sent, strict=False)

# https://github.com/intercom/Intercom-OpenAPI, descriptions/2.16/api.intercom.io.yaml
_STATUSES = {"open": Status.IN_PROGRESS, "snoozed": Status.IN_PROGRESS, "closed": Status.ENDED}
_CHANNELS = {
    "phone_call": Channel.PHONE,
    "phone_switch": Channel.PHONE,
    "email": Channel.EMAIL,
    "sms": Channel.SMS,
    "conversation": Channel.CHAT,
    "facebook": Channel.CHAT,
    "instagram": Channel.CHAT,
    "messenger": Channel.CHAT,
    "push": Channel.CHAT,
    "twitter": Channel.CHAT,
    "whatsapp": Channel.CHAT,
}
_DIRECTIONS = {
    "customer_initiated": Direction.INBOUND,
    "admin_initiated": Direction.OUTBOUND,
    "operator_initiated": Direction.OUTBOUND,
    "campaigns_initiated": Direction.OUTBOUND,
    "automated": Direction.OUTBOUND,
}
_RESOLVED = {
    "assumed_resolution": True,
    "confirmed_resolution": True,
    "escalated": False,
    "negative_feedback": False,
    "procedure_handoff": False,
}
_CUSTOMERS = {"user", "lead", "contact", "visitor"}
_TEAMMATES = {"admin", "team"}
_MESSAGES = {"comment", "note", "quick_reply"}
_MOST_PARTS = 500
"""A conversation with more comes without its oldest."""


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a conversation as Intercom lists it, without its parts."""
    issues = Issues()
    sent = decode(body, _sent, issues)
    return read(sent, bytes(body), issues, state=TranscriptState.NOT_LOADED)


def is_phone(sent: Sent) -> bool:
    """Whether phone calls belong to a conversation."""
    return _channel(sent) is Channel.PHONE


def read(
    sent: Sent,
    raw: bytes,
    issues: Issues,
    calls: Sequence[Call | None] = (),
    *,
    fin_calls: Sequence[FinCall | None] = (),
    place: str = "",
    state: TranscriptState | None = None,
    present: datetime | None = None,
) -> Conversation:
    """Read a conversation; `place` is its place in `raw`.

    A `state` says why there is no transcript; otherwise it is complete, cut, or not there yet at `present`.
    """
    calls = joined(calls, fin_calls)
    created_at = instant(sent.created_at, f"{place}created_at", issues)
    known = _STATUSES.get(sent.state or "", Status.UNKNOWN)
    status = concluded(known, sent.state, sent.open is False)
    if status is Status.UNKNOWN and sent.state is None and sent.open:
        status = Status.IN_PROGRESS
    statistics, fin = members_of(sent.statistics), members_of(sent.ai_agent)
    ended_at = None
    if status is Status.ENDED:
        there = f"{place}statistics.last_close_at"
        ended_at = drop_if_before(_moment(statistics.get("last_close_at"), there, issues), created_at, there, issues)
    source = sent.source or Message()
    parts = sent.conversation_parts.conversation_parts or () if sent.conversation_parts else ()
    cast = _Cast(sent, source, parts, text_at(fin, "source_title"), calls)
    # A call opens with nothing written; another message without words was redacted, or is a file.
    is_opened = bool(source.body) or (source.author is not None and not is_phone(sent))
    turns: tuple[TranscriptTurn, ...] | None = None
    if state is None:
        turns = _turns(
            source, parts, calls, is_opened=is_opened, cast=cast, created_at=created_at, place=place, issues=issues
        )
        state = _state(sent, parts, status, ended_at or instant(sent.updated_at, "", []), present)
    analysis = _analysis(sent, fin)
    duration = length(calls, issues)
    derived = {
        "status": status is not known,
        "duration": duration is not None,
        "transcript.start": any(turn.start is not None for turn in turns or ()),
        "transcript.timestamp": bool(turns) and is_opened,
        "analysis.success": analysis.success is not None,
    }
    references = {one.type: one.id for one in sent.external_references or () if one is not None and one.type}
    contact = next((one for one in _contacts(sent) if one.external_id is not None), None)
    return Conversation(
        provider="intercom",
        id=str(sent.id),
        status=status,
        provider_status=sent.state,
        title=text(sent.title) or text(plain_text(source.subject or "")),
        channel=_channel(sent),
        direction=_direction(source, calls),
        agent=unless_empty(cast.agent),
        participants=tuple(cast.participants),
        created_at=created_at,
        started_at=created_at,
        ended_at=ended_at,
        updated_at=instant(sent.updated_at, f"{place}updated_at", issues),
        duration=duration,
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        summary="\n".join(one.call_summary for one in fin_calls if one is not None and one.call_summary) or None,
        analysis=unless_empty(analysis),
        recordings=tuple(recordings(calls)),
        tags=tuple(one.name for one in (sent.tags.tags if sent.tags else None) or () if one and one.name),
        metadata=_metadata(sent, source, parts, calls, fin_calls),
        links=without_empty({"source": source.url}),
        related_ids=ids_of({**references, "source": source.id, "contact_external_id": contact and contact.external_id}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=raw,
    )


def _moment(value: AnyJson, place: str, issues: list[Issue]) -> datetime | None:
    return None if isinstance(value, bool | dict | list) else instant(value, place, issues)


def _channel(sent: Sent) -> Channel:
    words = (
        sent.source and sent.source.type,
        sent.channel and sent.channel.current,
        sent.channel and sent.channel.initial,
    )
    return next((_CHANNELS[word] for word in words if word in _CHANNELS), Channel.UNKNOWN)


def _direction(source: Message, calls: Sequence[Call | None]) -> Direction:
    found = _DIRECTIONS.get(source.delivered_as or "", Direction.UNKNOWN)
    called = next((DIRECTIONS[one.direction] for one in calls if one and one.direction in DIRECTIONS), found)
    return called if found is Direction.UNKNOWN else found


def _contacts(sent: Sent) -> list[Any]:
    return [one for one in (sent.contacts.contacts if sent.contacts else None) or () if one is not None]


def _state(
    sent: Sent, parts: Sequence[Part | None], status: Status, last: datetime | None, present: datetime | None
) -> TranscriptState:
    # To close a conversation adds a part, so without any they may still come.
    if not parts and status is Status.ENDED and may_still_come(last, present):
        return TranscriptState.PENDING
    counts = [sent.conversation_parts.total_count if sent.conversation_parts else None]
    if len(parts) >= _MOST_PARTS:
        counts.append(number(members_of(sent.statistics).get("count_conversation_parts")))
    is_cut = any(count is not None and count > len(parts) for count in counts)
    return TranscriptState.TRUNCATED if is_cut else TranscriptState.AVAILABLE


# who took part


class _Cast:
    """The participants of a conversation: Fin, the customer, and all others."""

    def __init__(
        self,
        sent: Sent,
        source: Message,
        parts: Sequence[Part | None],
        title: str | None,
        calls: Sequence[Call | None],
    ) -> None:
        writers = [source.author, *(part.author for part in parts if part is not None)]
        known = [writer for writer in writers if writer is not None]
        self._names = {str(writer.id): writer.name for writer in known if writer.id is not None and writer.name}
        fin = next((writer for writer in known if writer.from_ai_agent), None)
        if fin is None and sent.ai_agent_participated:  # older versions do not mark Fin's own messages
            fin = next((writer for writer in known if writer.type == "bot"), None)
        self._fin = fin.id if fin else None
        self.agent = Agent(id=text(self._fin), name=title or (fin.name if fin else None))
        ids = [str(one.id) for one in _contacts(sent) if one.id is not None]
        ids += [str(one.id) for one in known if one.type in _CUSTOMERS and one.id is not None]
        first, *others = [*dict.fromkeys(ids)] or [""]
        self._customer = first
        self.participants = Participants.of(
            self.agent,
            customer_id=first or None,
            customer_name=self._names.get(first),
            customer_phone=next((one.phone for one in calls if one and one.phone), None),
        )
        for other in others:
            self._add(ParticipantKind.CUSTOMER, other)
        for mate in (sent.teammates.teammates if sent.teammates else None) or ():
            if mate is not None and mate.id is not None:
                self._add(ParticipantKind.HUMAN_AGENT, str(mate.id))

    def role_of(self, writer: Writer | None) -> tuple[Role, int | None]:
        """Return role and position of the author of a message."""
        if writer is None:
            return Role.UNKNOWN, None
        id = text(writer.id)
        # Fin also writes in the name of a teammate.
        if writer.from_ai_agent or (id is not None and id == text(self._fin)):
            return Role.ASSISTANT, 0
        if writer.type in _CUSTOMERS:
            is_first = id is None or id == self._customer
            return Role.USER, 1 if is_first else self._add(ParticipantKind.CUSTOMER, id)
        if writer.type in _TEAMMATES:
            return Role.HUMAN_AGENT, self._add(ParticipantKind.HUMAN_AGENT, id, writer.name)
        if writer.type == "bot":
            return Role.ASSISTANT, self._add(ParticipantKind.AI_AGENT, id, writer.name)
        return unknown_speaker(writer.type, self.participants)

    def _add(self, kind: ParticipantKind, id: str | None, name: str | None = None) -> int:
        return self.participants.index_of(Participant(kind=kind, id=id, name=self._names.get(id or "", name)))


# what was said


def _turns(
    source: Message,
    parts: Sequence[Part | None],
    calls: Sequence[Call | None],
    *,
    is_opened: bool,
    cast: _Cast,
    created_at: datetime | None,
    place: str,
    issues: Issues,
) -> tuple[TranscriptTurn, ...]:
    began = None if created_at is None else created_at.timestamp()
    turns: list[TranscriptTurn] = []
    if is_opened:
        role, participant = cast.role_of(source.author)
        turns.append(
            TranscriptTurn(
                index=0,
                role=role,
                text=plain_text(source.body or ""),
                start=None if began is None else 0.0,
                timestamp=began,
                participant=participant,
                provider_id=text(source.id),
            )
        )
    written: list[TranscriptTurn] = []
    for position, part in enumerate(parts):
        if part is None:
            issues.append(Issue(f"{place}conversation_parts.conversation_parts[{position}]", "null"))
            continue
        moment = part.created_at
        start = None if began is None or moment is None or moment < began else round(moment - began, 6)
        written.append(msgspec.structs.replace(_turn(part, cast), start=start, timestamp=moment))
    said = spoken(calls, cast.participants)
    for turn in written:
        # What was said in a call belongs where the call began.
        while said and turn.timestamp is not None and (said[0][0] or math.inf) <= turn.timestamp:
            turns += said.pop(0)[1]
        turns.append(turn)
    for _, heard in said:
        turns += heard
    return tuple([msgspec.structs.replace(turn, index=index) for index, turn in enumerate(turns)])


def _turn(part: Part, cast: _Cast) -> TranscriptTurn:
    role, participant = cast.role_of(part.author)
    kind, id = part.part_type, text(part.id)
    action = members_of(members_of(part.event_details).get("action"))
    if part.body or kind in _MESSAGES or kind is None:
        visibility = Visibility.INTERNAL if kind == "note" else Visibility.PUBLIC
        said = plain_text(part.body or "")
        return TranscriptTurn(
            index=0, role=role, text=said, participant=participant, visibility=visibility, provider_id=id
        )
    if kind == "custom_action_started":
        call = ToolCall(name=text_at(action, "name"))
        return TranscriptTurn(index=0, role=Role.ASSISTANT, participant=participant, tool_calls=(call,), provider_id=id)
    if kind == "custom_action_finished":
        word = text_at(action, "result")
        result = ToolResult(content=word, is_error=None if word is None else word != "success")
        return TranscriptTurn(index=0, role=Role.TOOL, participant=participant, tool_result=result, provider_id=id)
    return TranscriptTurn(
        index=0,
        role=Role.SYSTEM,
        text=": ".join([kind, *_words_in(part.event_details)]),
        participant=participant,
        visibility=Visibility.INTERNAL,
        provider_id=id,
    )


def _words_in(details: AnyJson) -> Iterator[str]:
    for inner in members_of(details).values():
        if isinstance(inner, str) and inner:
            yield inner
        yield from (word for word in members_of(inner).values() if isinstance(word, str) and word)


# the rest


def _analysis(sent: Sent, fin: dict[str, Any]) -> Analysis:
    cards = [members_of(card) for card in (sent.scorecards if isinstance(sent.scorecards, list) else ())]
    rated = {
        "rating": number(members_of(sent.conversation_rating).get("rating")),
        "ai_agent_rating": number(fin.get("rating")),
        **{text_at(card, "name") or "scorecard": number(card.get("score")) for card in cards},
    }
    collected = members_of(members_of(sent.sales_agent).get("collected_data"))
    return Analysis(
        success=_RESOLVED.get(text_at(fin, "resolution_state") or ""),
        scores=without_empty(rated) or None,
        collected=collected or None,
    )


_KEPT = (
    *("waiting_since", "snoozed_until", "open", "priority", "admin_assignee_id", "team_assignee_id", "company"),
    *("conversation_rating", "custom_attributes", "sla_applied", "statistics", "linked_objects"),
    *("ai_agent_participated", "ai_agent", "sales_agent", "monitor_evaluations", "scorecards"),
)


def _metadata(
    sent: Sent,
    source: Message,
    parts: Sequence[Part | None],
    calls: Sequence[Call | None],
    fin_calls: Sequence[FinCall | None],
) -> dict[str, Any]:
    written = [(source.author, source.attachments), *((part.author, part.attachments) for part in parts if part)]
    emails = {str(who.id): who.email for who, _ in written if who and who.email and who.id is not None}
    files = [file for _, attached in written for file in attached or () if file is not None]
    told = {name: getattr(sent, name) for name in _KEPT}
    return without_empty(told) | without_empty(
        {
            "source_type": source.type,
            "delivered_as": source.delivered_as,
            "subject": source.subject if text(sent.title) else None,
            "recipients": source.recipients,
            "reply_to": source.reply_to,
            "channel": sent.channel and (sent.channel.current or sent.channel.initial),
            "emails": emails or None,
            "attachments": [without_empty({"name": one.name, "type": one.content_type}) for one in files] or None,
            "fin_calls": [
                without_empty({"id": text(one.id), "external_id": text(one.external_call_id), "intent": one.intent})
                for one in fin_calls
                if one is not None
            ]
            or None,
            "calls": [
                without_empty(
                    {
                        "id": text(call.id),
                        "state": call.state,
                        "type": call.call_type,
                        "ended_reason": call.ended_reason,
                        "initiated_at": call.initiated_at,
                        "answered_at": call.answered_at,
                        "ended_at": call.ended_at,
                        "transcript_status": call.transcript_status,
                    }
                )
                for call in calls
                if call is not None
            ]
            or None,
        }
    )
