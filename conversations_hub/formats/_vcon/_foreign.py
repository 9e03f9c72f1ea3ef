"""What others wrote as a vCon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from ...errors import FormatError
from ...reading.json import try_decode_any
from ...reading.values import instant
from ...schema import (
    Analysis as Assessment,
)
from ...schema import (
    Conversation,
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
)
from ._parts import Analysis, Attachment, Party, Vcon, json_of, party_of, text_body
from ._wtf import NAME as WTF
from ._wtf import Transcription, heard

__all__ = ["foreign", "kind_of", "turns_of"]

_KINDS: Final = {
    "agent": ParticipantKind.HUMAN_AGENT,
    "customer": ParticipantKind.CUSTOMER,
    "caller": ParticipantKind.CUSTOMER,
    "user": ParticipantKind.CUSTOMER,
    "contact": ParticipantKind.CUSTOMER,
    "supervisor": ParticipantKind.SUPERVISOR,
}
_ROLES: Final = {
    ParticipantKind.AI_AGENT: Role.ASSISTANT,
    ParticipantKind.HUMAN_AGENT: Role.HUMAN_AGENT,
    ParticipantKind.CUSTOMER: Role.USER,
}
_STATUSES: Final = {"no-answer": Status.NO_ANSWER, "busy": Status.NO_ANSWER, "voicemail-no-message": Status.NO_ANSWER}
_REASONS: Final = {
    "no-answer": EndReason.NO_ANSWER,
    "busy": EndReason.BUSY,
    "voicemail-no-message": EndReason.VOICEMAIL,
}
_LARGEST_KEPT: Final = 64 * 1024  # bytes of an analysis


def kind_of(party: Party) -> ParticipantKind:
    """Return the kind of a party, by what is said of it alone."""
    if party.type == "bot" or "agent_session" in (party.meta or {}):
        return ParticipantKind.SYSTEM if party.role == "system" else ParticipantKind.AI_AGENT
    return _KINDS.get(party.role or "", ParticipantKind.UNKNOWN)


def foreign(vcon: Vcon) -> Conversation:
    """Return the conversation of a vCon that others wrote. No URL in it is followed."""
    if not vcon.uuid:
        raise FormatError("it is no vCon: it has no uuid")
    issues: list[Issue] = []
    turns, language = turns_of(vcon, issues)
    incomplete = next((one for one in vcon.dialog if one.type == "incomplete"), None) if not turns else None
    disposition = (incomplete and incomplete.disposition) or ""
    reason = _REASONS.get(disposition)
    if any(one.type == "transfer" for one in vcon.dialog):
        reason = EndReason.TRANSFERRED
    sentiment = _first_text(vcon, "sentiment")
    metadata: dict[str, Any] = {}
    if others := [*_others(vcon)]:
        metadata["vcon.analysis"] = others
    related: dict[str, str] = {}
    if vcon.redacted:
        metadata["vcon.redacted"] = vcon.redacted
        if isinstance(original := vcon.redacted.get("uuid"), str):
            related["redacted_from"] = original
    return Conversation(
        provider="vcon",
        id=vcon.uuid,
        status=Status.ENDED if incomplete is None else _STATUSES.get(disposition, Status.FAILED),
        title=vcon.subject,
        participants=tuple(map(_participant, vcon.parties, _kinds(vcon))),
        created_at=instant(vcon.created_at, "created_at", issues),
        started_at=_begin(vcon),
        updated_at=instant(vcon.updated_at, "updated_at", issues),
        end_reason=reason,
        transcript=turns or None,
        transcript_state=TranscriptState.AVAILABLE if turns else TranscriptState.UNAVAILABLE,
        summary=_first_text(vcon, "summary"),
        analysis=None if sentiment is None else Assessment(sentiment=sentiment),
        language=language,
        recordings=tuple(_recordings(vcon, issues)),
        metadata=metadata,
        related_ids=related,
        issues=tuple(issues),
    )


def _kinds(vcon: Vcon) -> list[ParticipantKind]:
    """Return the kind of each party; a person whose role is not told talks to the only bot as its customer."""
    kinds = [kind_of(party) for party in vcon.parties]
    if kinds.count(ParticipantKind.AI_AGENT) == 1:
        for at, party in enumerate(vcon.parties):
            if party.type == "person" and not party.role and kinds[at] is ParticipantKind.UNKNOWN:
                kinds[at] = ParticipantKind.CUSTOMER
    return kinds


def _participant(party: Party, kind: ParticipantKind) -> Participant:
    phone = None if party.tel is None else party.tel.removeprefix("tel:")
    return Participant(kind=kind, id=party.uuid, name=party.name or party.mailto, phone=phone)


def _begin(vcon: Vcon) -> datetime | None:
    unread: list[Issue] = []
    starts = [instant(one.start, "", unread) for one in vcon.dialog]
    return min((one for one in starts if one is not None), default=None)


# turns


def turns_of(vcon: Vcon, issues: list[Issue]) -> Transcription:
    """Return a turn for each text dialog; if there are none, those of a transcript, and its language."""
    kinds = _kinds(vcon)
    begin = _begin(vcon)
    turns: list[TranscriptTurn] = []
    for at, dialog in enumerate(vcon.dialog):
        if dialog.type != "text" or (text := text_body(dialog)) is None:
            continue
        moment = instant(dialog.start, f"dialog[{at}].start", issues)
        party = party_of(dialog)
        if party is not None and not 0 <= party < len(kinds):
            issues.append(Issue(f"dialog[{at}].parties", "there is no such part"))
            party = None
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=_role(party, kinds),
                text=text,
                start=None if moment is None or begin is None else (moment - begin) / timedelta(seconds=1),
                duration=dialog.duration,
                participant=party,
            )
        )
    return Transcription(tuple(turns), None) if turns else _of_transcript(vcon, kinds)


def _of_transcript(vcon: Vcon, kinds: list[ParticipantKind]) -> Transcription:
    names = [party.name for party in vcon.parties]
    for part in _transcripts(vcon):
        body = json_of(part)
        if not body.lstrip().startswith(b"{"):
            if text := text_body(part):
                return Transcription((TranscriptTurn(index=0, text=text),), None)
        elif found := heard(body, names):
            turns = (msgspec.structs.replace(turn, role=_role(turn.participant, kinds)) for turn in found.turns)
            return Transcription(tuple(turns), found.language)
    return Transcription((), None)


def _role(party: int | None, kinds: list[ParticipantKind]) -> Role:
    return Role.UNKNOWN if party is None else _ROLES.get(kinds[party], Role.UNKNOWN)


def _transcripts(vcon: Vcon) -> Iterator[Analysis | Attachment]:
    """Yield the normalized transcripts first."""
    yield from (one for one in vcon.analysis if one.type == WTF)
    yield from (one for one in vcon.attachments if WTF in {one.purpose, one.type})
    # The second is what the library `vcon` calls it.
    yield from (one for one in vcon.analysis if one.type in {"transcript", "transcription"})


# the rest


def _first_text(vcon: Vcon, kind: str) -> str | None:
    return next((text_body(one) for one in vcon.analysis if one.type == kind), None)


def _others(vcon: Vcon) -> Iterator[dict[str, Any]]:
    for one in vcon.analysis:
        if one.type not in {"summary", "sentiment"}:
            told = {"type": one.type, "vendor": one.vendor, "schema": one.schema}
            found = {name: value for name, value in told.items() if value is not None}
            if one.body and len(bytes(one.body)) <= _LARGEST_KEPT:
                found["body"] = try_decode_any(one.body)
            yield found


def _recordings(vcon: Vcon, issues: list[Issue]) -> Iterator[Recording]:
    for at, dialog in enumerate(vcon.dialog):
        if dialog.type == "recording" and dialog.url:
            media = dialog.mediatype or dialog.mimetype
            access = RecordingAccess.SIGNED_URL
            yield Recording(location=dialog.url, access=access, media_type=media, duration=dialog.duration)
        elif dialog.type == "recording" and dialog.body:
            issues.append(Issue(f"dialog[{at}].body", "a recording inside of the file is not kept"))
