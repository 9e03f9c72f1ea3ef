"""A conversation → a vCon 0.4.0, which passes the schema of the drafts and the stricter library `vcon`."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..._scrub.signatures import without_signatures
from ...schema import (
    Conversation,
    EndReason,
    Participant,
    ParticipantKind,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from .._instants import EPOCH, after, microseconds, text_of, text_of_microseconds
from ._own import CONVERSATION, TURNS, Facts, TurnFacts
from ._trace import SCHEMA, entries_of, record
from ._uuid import uuid_of
from ._wtf import NAME as WTF
from ._wtf import SCHEMA as WTF_SCHEMA
from ._wtf import Heard, transcription

if TYPE_CHECKING:
    from . import VconOptions

__all__ = ["dump"]

_encoder: Final = msgspec.json.Encoder()


def dump(conversation: Conversation, options: VconOptions, lost: Counter[str]) -> bytes:
    """Return a vCon and a line break."""
    one = without_signatures(conversation)
    if one is not conversation and one.recordings != conversation.recordings:
        lost["URL signatures"] += 1
    begin = one.started_at or one.created_at or EPOCH
    parties = _Parties(one)
    dialogs, entries, turns = _spoken(one, microseconds(begin), parties, lost)
    has_texts = bool(dialogs)
    start = text_of(begin)
    if not has_texts and (disposition := _disposition(one)) is not None:
        dialogs.append({"type": "incomplete", "start": start, "parties": parties.all, "disposition": disposition})
    dialogs += _recordings(one, start, parties, options)
    if has_texts:
        dialogs += _transfer(one, dialogs[-1]["start"], parties)
    if dialogs:
        dialogs[0]["interaction_id"] = one.id
    heard = _heard(one, parties, options, lost) if options.wtf else None
    extensions = ["cc", *(["agent_session"] if entries else []), *([WTF] if heard else [])]
    found: dict[str, Any] = {
        "vcon": options.version,
        "uuid": uuid_of(one, options.domain),
        "extensions": extensions,
        "created_at": text_of(one.created_at or one.started_at or EPOCH),
    }
    if one.updated_at is not None:
        found["updated_at"] = text_of(one.updated_at)
    if one.title is not None:
        found["subject"] = one.title
    found["parties"] = parties.written
    found["dialog"] = dialogs
    found["analysis"] = _analyses(one, [*range(len(dialogs))], entries, turns, heard)
    if options.raw and one.raw is not None:
        found["attachments"] = [_source(one.raw, start)]
    return _encoder.encode(found) + b"\n"


# parties

_AS_PARTY: Final[dict[ParticipantKind, dict[str, str]]] = {
    ParticipantKind.CUSTOMER: {"type": "person", "role": "customer"},
    ParticipantKind.AI_AGENT: {"type": "bot", "role": "agent"},
    ParticipantKind.HUMAN_AGENT: {"type": "person", "role": "agent"},
    ParticipantKind.SUPERVISOR: {"type": "person", "role": "supervisor"},
    ParticipantKind.SYSTEM: {"type": "bot", "role": "system"},
    ParticipantKind.UNKNOWN: {},
}
_KINDS: Final = {
    Role.USER: ParticipantKind.CUSTOMER,
    Role.ASSISTANT: ParticipantKind.AI_AGENT,
    Role.HUMAN_AGENT: ParticipantKind.HUMAN_AGENT,
}


class _Parties:
    """The parties: the participants in their order, and speakers that none of them stands for."""

    def __init__(self, one: Conversation) -> None:
        self._participants = one.participants
        self._others: dict[Role, int] = {}
        self.written = [_party(each) for each in one.participants]
        self.all = [*range(len(one.participants))]

    def speaking(self, turn: TranscriptTurn) -> int:
        at = turn.participant
        return at if at is not None and 0 <= at < len(self._participants) else self.having(turn.role)

    def having(self, role: Role) -> int:
        """Return the party that has a role; if there is none, one is added."""
        if (known := self._others.get(role)) is not None:
            return known
        kind = _KINDS.get(role, ParticipantKind.UNKNOWN)
        found = None if kind is ParticipantKind.UNKNOWN else _first(self._participants, kind)
        if found is None:
            found = len(self.written)
            self.written.append(dict(_AS_PARTY[kind]))
        self._others[role] = found
        return found


def _party(one: Participant) -> dict[str, str]:
    told = {"name": one.name, "tel": one.phone, "uuid": one.id}
    return _AS_PARTY[one.kind] | {name: value for name, value in told.items() if value is not None}


def _first(participants: Sequence[Participant], kind: ParticipantKind) -> int | None:
    return next((at for at, one in enumerate(participants) if one.kind is kind), None)


# dialogs


def _spoken(
    one: Conversation, begin: int, parties: _Parties, lost: Counter[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[TurnFacts]]:
    """Return a dialog for each turn that was said, the entries of the trace, and the facts of all turns."""
    dialogs: list[dict[str, Any]] = []
    entries: list[dict[str, Any]] = []
    turns: list[TurnFacts] = []
    last = begin
    for turn in one.transcript or ():
        known = _instant(turn, begin, lost)
        last = last if known is None else known
        is_said = _is_said(turn)
        if is_said:
            dialogs.append(_dialog(one, turn, text_of_microseconds(last), parties.speaking(turn)))
        before = len(entries)
        if not is_said or turn.tool_calls or turn.tool_result:
            timestamp = None if known is None else text_of_microseconds(known)
            entries += entries_of(turn, timestamp, with_text=not is_said)
        turns.append(TurnFacts.of(turn, len(dialogs) - 1 if is_said else None, (*range(before, len(entries)),)))
    return dialogs, entries, turns


def _heard(one: Conversation, parties: _Parties, options: VconOptions, lost: Counter[str]) -> dict[str, Any] | None:
    """Return the transcript in WTF; count it as lost where a turn lacks what it needs."""
    said = [Heard(turn, parties.speaking(turn)) for turn in one.transcript or () if _is_said(turn)]
    found = transcription(one, said, options.assume_confidence) if said else None
    if said and found is None:
        lost["WTF transcripts of turns without times or confidence"] += 1
    return found


def _is_said(turn: TranscriptTurn) -> bool:
    is_spoken = turn.role is not Role.SYSTEM and turn.role is not Role.TOOL
    return is_spoken and turn.visibility is Visibility.PUBLIC and bool(turn.text)


def _dialog(one: Conversation, turn: TranscriptTurn, start: str, party: int) -> dict[str, Any]:
    dialog: dict[str, Any] = {"type": "text", "start": start}
    if turn.duration is not None and turn.duration >= 0 and isfinite(turn.duration):
        dialog["duration"] = turn.duration
    dialog["parties"] = [party]
    dialog["mediatype"] = "text/plain"
    dialog["encoding"] = "none"
    dialog["body"] = turn.text
    dialog["application"] = one.provider
    dialog["message_id"] = f"{one.id}#{turn.index}"
    return dialog


def _instant(turn: TranscriptTurn, begin: int, lost: Counter[str]) -> int | None:
    found = None
    if turn.start is not None:
        found = after(begin, turn.start)
    elif turn.timestamp is not None:
        found = after(0, turn.timestamp)
    else:
        return None
    if found is None:
        lost["instants outside of the calendar"] += 1
    return found


_NEVER_HELD: Final = {
    EndReason.NO_ANSWER: "no-answer",
    EndReason.BUSY: "busy",
    EndReason.VOICEMAIL: "voicemail-no-message",
}
_NOT_LOADED: Final = frozenset(
    {TranscriptState.PENDING, TranscriptState.NOT_LOADED, TranscriptState.RESTRICTED, TranscriptState.TRUNCATED}
)


def _disposition(one: Conversation) -> str | None:
    """Return why no conversation was held; None if one was held, or may have been."""
    if (told := _NEVER_HELD.get(one.end_reason or EndReason.UNKNOWN)) is not None:
        return told
    if one.status is Status.NO_ANSWER:
        return "no-answer"
    if one.transcript_state in _NOT_LOADED:  # something may have been said
        return None
    is_hung_up = one.end_reason is EndReason.CANCELLED or one.end_reason is EndReason.CUSTOMER_ENDED
    if one.status is Status.CANCELLED:
        return "hung-up"
    return ("hung-up" if is_hung_up else "failed") if one.status is Status.FAILED else None


_MEDIA_TYPES: Final = {
    "m4a": "audio/x-m4a",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "wav": "audio/x-wav",
    "webm": "video/webm",
}
"""By the ending of a name, for recordings of which the provider does not tell it."""


def _recordings(one: Conversation, start: str, parties: _Parties, options: VconOptions) -> list[dict[str, Any]]:
    """Return the recordings whose content is known: a URL alone may show something else tomorrow."""
    hashes = {location.partition("?")[0]: hashed for location, hashed in options.recordings.items()}
    dialogs: list[dict[str, Any]] = []
    for recording in one.recordings:
        place = recording.location.partition("?")[0]
        hashed = hashes.get(place)
        if hashed is None or not place.startswith("https://"):
            continue
        token = urlsafe_b64encode(bytes.fromhex(hashed)).rstrip(b"=").decode()
        dialog: dict[str, Any] = {"type": "recording", "start": start, "parties": parties.all, "url": place}
        if recording.duration is not None and recording.duration >= 0 and isfinite(recording.duration):
            dialog["duration"] = recording.duration
        if (media := recording.media_type or _MEDIA_TYPES.get(place.rpartition(".")[2].lower())) is not None:
            dialog["mediatype"] = media
        dialogs.append({**dialog, "content_hash": f"sha512-{token}"})
    return dialogs


def _transfer(one: Conversation, last: str, parties: _Parties) -> list[dict[str, Any]]:
    target = _first(one.participants, ParticipantKind.HUMAN_AGENT)
    if one.end_reason is not EndReason.TRANSFERRED or target is None:
        return []
    dialog: dict[str, Any] = {"type": "transfer", "start": last if one.ended_at is None else text_of(one.ended_at)}
    dialog |= {"transferor": parties.having(Role.ASSISTANT), "transferee": parties.having(Role.USER)}
    return [{**dialog, "transfer_target": target, "original": 0}]


# analyses and attachments


def _analyses(
    one: Conversation,
    dialogs: list[int],
    entries: list[dict[str, Any]],
    turns: list[TurnFacts],
    heard: dict[str, Any] | None,
) -> list[dict[str, Any]]:
    def analysis(kind: str, body: object, schema: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = {"type": kind, "dialog": dialogs, "vendor": one.provider}
        if schema is None:
            return {**found, "mediatype": "text/plain", "encoding": "none", "body": body}
        return {**found, "schema": schema, "mediatype": "application/json", "encoding": "json", "body": body}

    found: list[dict[str, Any]] = []
    if one.summary is not None:
        found.append(analysis("summary", one.summary))
    if one.analysis is not None and one.analysis.sentiment is not None:
        found.append(analysis("sentiment", one.analysis.sentiment))
    if one.transcript is not None:
        found.append(analysis("transcript", turns, TURNS))
    if heard:
        found.append(analysis(WTF, heard, WTF_SCHEMA))
    if entries:
        found.append(analysis("agent_trace", record(one, entries), SCHEMA))
    found.append(analysis("report", Facts.of(one), CONVERSATION))
    return found


def _source(raw: bytes, start: str) -> dict[str, Any]:
    found: dict[str, Any] = {"purpose": "source_record", "start": start, "party": 0, "dialog": 0}
    found["mediatype"] = "application/json"
    # Base64, so that it is read back byte for byte.
    return {**found, "encoding": "base64url", "body": urlsafe_b64encode(raw).rstrip(b"=").decode()}
