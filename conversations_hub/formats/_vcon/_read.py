"""A vCon → a conversation: one of ours exactly, another as well as it can be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from ...errors import FormatError
from ...schema import Conversation, Issue, Participant, TranscriptTurn
from ._foreign import foreign, kind_of, turns_of
from ._own import CONVERSATION, TURNS, Facts, TurnFacts
from ._parts import Analysis, Dialog, Vcon, json_of, text_body
from ._trace import SCHEMA, Entry, read_entries, with_entries
from ._wtf import NAME as WTF

__all__ = ["load"]

_UNDERSTOOD: Final = frozenset({"cc", "agent_session", WTF})
_decoder: Final = msgspec.json.Decoder(Vcon)
_LONGEST_SHOWN: Final = 40


def load(data: bytes, _options: object) -> Conversation:
    """Return the conversation of a vCon."""
    vcon = _decoder.decode(data)
    if vcon.ciphertext:
        raise FormatError("it is encrypted: decrypt it first")
    if vcon.payload and vcon.signatures:
        raise FormatError("it is signed: check its signature, and take the vCon out of it first")
    for name in (*vcon.critical, *vcon.must_support):
        if name not in _UNDERSTOOD:
            raise FormatError(f"it needs the extension {name[:_LONGEST_SHOWN]!a}, which is not known here")
    by_schema = {one.schema: one for one in vcon.analysis}
    if (own := by_schema.get(CONVERSATION)) is None:
        return foreign(vcon)
    facts = msgspec.json.decode(json_of(own), type=Facts)
    return _ours(vcon, facts, by_schema)


def _ours(vcon: Vcon, facts: Facts, by_schema: dict[str | None, Analysis]) -> Conversation:
    by_type = {one.type: one for one in vcon.analysis}
    issues: list[Issue] = []
    turns: tuple[TranscriptTurn, ...] | None = None
    if (analysis := by_schema.get(TURNS)) is not None:
        trace = by_schema.get(SCHEMA)
        entries = [] if trace is None else read_entries(json_of(trace))
        told = msgspec.json.decode(json_of(analysis), type=list[TurnFacts])
        turns = tuple(_turn(number, one, vcon.dialog, entries, issues) for number, one in enumerate(told))
    elif any(dialog.type == "text" for dialog in vcon.dialog):
        turns = turns_of(vcon, issues).turns
    kept = [one for one in vcon.attachments if one.purpose == "source_record"]
    return msgspec.structs.replace(
        facts.to_conversation(_text(by_type, "sentiment")),
        title=vcon.subject,
        participants=tuple(map(_participant, vcon.parties[: facts.participants])),
        created_at=_instant(vcon.created_at) if facts.has_created_at else None,
        updated_at=_instant(vcon.updated_at),
        transcript=turns,
        summary=_text(by_type, "summary"),
        issues=(*facts.issues, *issues),
        raw=json_of(kept[0]) if kept else None,
    )


def _turn(
    number: int, told: TurnFacts, dialogs: Sequence[Dialog], entries: Sequence[Entry], issues: list[Issue]
) -> TranscriptTurn:
    place = f"turns[{number}]"
    text = ""
    if told.dialog is not None:
        dialog = _at(dialogs, told.dialog, f"{place}.dialog", issues)
        text = (dialog and text_body(dialog)) or ""
    own = [_at(entries, at, f"{place}.trace", issues) for at in told.trace]
    return with_entries(told.to_turn(text), [entry for entry in own if entry is not None])


def _at(parts: Sequence[Any], at: int, place: str, issues: list[Issue]) -> Any:
    if 0 <= at < len(parts):
        return parts[at]
    issues.append(Issue(place, "there is no such part"))
    return None


def _participant(party: Any) -> Participant:
    return Participant(kind=kind_of(party), id=party.uuid, name=party.name, phone=party.tel)


def _text(by_type: dict[str | None, Analysis], kind: str) -> str | None:
    found = by_type.get(kind)
    return None if found is None else text_body(found)


def _instant(text: str | float | None) -> datetime | None:
    return None if text is None else msgspec.convert(text, datetime)
