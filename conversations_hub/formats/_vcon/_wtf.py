"""What was said and when, in the World Transcription Format of the IETF's vCon drafts, and transcripts like it.

https://datatracker.ietf.org/doc/draft-howe-vcon-wtf-extension/, which still changes; only what is written and read here
depends on it. It repeats the words of the dialogs, so whoever redacts those has to redact these.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import isfinite
from typing import Any, Final, NamedTuple

import msgspec

from ...reading.values import members_of
from ...schema import Conversation, TranscriptTurn, Word
from .._instants import EPOCH, text_of

__all__ = ["NAME", "SCHEMA", "Heard", "Transcription", "heard", "transcription"]

NAME: Final = "wtf_transcription"
"""Of the extension, and of the type of its analyses."""
SCHEMA: Final = "https://datatracker.ietf.org/doc/draft-howe-vcon-wtf-extension/"
_UNDETERMINED: Final = "und"
"""The language tag for a language that nobody told."""

# writing


class Heard(NamedTuple):
    """A turn that was said, and the party who said it."""

    turn: TranscriptTurn
    party: int


def transcription(one: Conversation, said: Sequence[Heard], assumed: float | None) -> dict[str, Any] | None:
    """Return the transcription; None if it lacks the times or the confidence of a turn.

    `assumed` is the confidence of what has none.
    """
    segments: list[dict[str, Any]] = []
    words: list[dict[str, Any]] = []
    for turn, party in said:
        segment = _span(len(segments), turn, assumed)
        if segment is None:
            return None
        segment["speaker"] = party
        if own := _words(len(words), turn, party, assumed):
            segment["words"] = [word["id"] for word in own]
            words += own
        segments.append(segment)
    confidence = _mean(segments)
    duration = _duration(one, segments)
    created_at, processed_at = _instants(one)
    found: dict[str, Any] = {
        "transcript": {
            "text": " ".join(segment["text"] for segment in segments),
            "language": one.language if one.language and len(one.language) > 1 else _UNDETERMINED,
            "duration": duration,
            "confidence": confidence,
        },
        "segments": segments,
        "metadata": {
            "created_at": text_of(created_at),
            "processed_at": text_of(processed_at),
            "provider": one.provider,
            "model": "unknown",  # no provider tells which one heard this
            "audio": {"duration": duration},
            # Not as a warning in `quality`: that also has to tell how good the sound was, which nobody measured.
            "options": {} if assumed is None else {"assume_confidence": assumed},
        },
    }
    if words:
        found["words"] = words
    found["speakers"] = _speakers(one, segments)
    return found


def _span(id: int, said: TranscriptTurn | Word, assumed: float | None) -> dict[str, Any] | None:
    """Return a segment or a word; None if it lacks its times or its confidence."""
    start, length = said.start, said.duration
    confidence = assumed if said.confidence is None else said.confidence
    if start is None or length is None or confidence is None:
        return None
    if not (start >= 0 and isfinite(start + length) and 0 <= confidence <= 1):
        return None
    begin, end = round(start, 6), round(start + length, 6)
    if end <= begin:
        return None
    return {"id": id, "start": begin, "end": end, "text": said.text.strip(), "confidence": confidence}


def _words(first: int, turn: TranscriptTurn, party: int, assumed: float | None) -> list[dict[str, Any]]:
    """Return the words of a turn; an empty list if one of them lacks a time or a confidence."""
    found: list[dict[str, Any]] = []
    for id, word in enumerate(turn.words, first):
        span = _span(id, word, assumed)
        if span is None:
            return []
        found.append({**span, "speaker": party})
    return found


def _mean(segments: Sequence[dict[str, Any]]) -> float:
    total: float = sum(segment["confidence"] for segment in segments)
    return min(total / len(segments), 1.0)


def _duration(one: Conversation, segments: Sequence[dict[str, Any]]) -> float:
    last: float = max(segment["end"] for segment in segments)
    told = one.duration
    return told if told is not None and isfinite(told) and told >= last else last


def _instants(one: Conversation) -> tuple[datetime, datetime]:
    """Return the first and the last instant that a conversation tells."""
    told = [one.created_at, one.started_at, one.ended_at, one.updated_at]
    known = [instant for instant in told if instant is not None] or [EPOCH]
    return known[0], max(known)


def _speakers(one: Conversation, segments: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    parties: list[int] = [segment["speaker"] for segment in segments]
    for party in dict.fromkeys(parties):
        own = [segment for segment in segments if segment["speaker"] == party]
        name = one.participants[party].name if party < len(one.participants) else None
        found[str(party)] = {
            "id": party,
            "label": name or f"Speaker {party}",
            "segments": [segment["id"] for segment in own],
            "total_time": round(sum(segment["end"] - segment["start"] for segment in own), 6),
            "confidence": _mean(own),
        }
    return found


# reading


class _Spoken(msgspec.Struct, frozen=True, kw_only=True):
    text: str = ""
    transcript: str = ""
    """What some name the text."""
    start: float | None = None
    end: float | None = None
    confidence: float | None = None
    speaker: int | str | None = None
    words: msgspec.Raw = msgspec.Raw()
    """Places in `words` of the transcription; elsewhere, the words themselves."""


class _Results(msgspec.Struct, frozen=True, kw_only=True):
    utterances: list[_Spoken] = []


class _Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """Segments as WTF and Whisper have them, or utterances as Deepgram has them."""

    transcript: Any = None
    segments: list[_Spoken] = []
    words: list[_Spoken] = []
    results: _Results = _Results()
    language: Any = None


class Transcription(NamedTuple):
    """What was read of a transcript."""

    turns: tuple[TranscriptTurn, ...]
    """Without roles: `participant` is the party."""
    language: str | None


def heard(body: bytes, names: Sequence[str | None]) -> Transcription | None:
    """Read a transcript; None if it has no segments. `names` are those of the parties."""
    try:
        found = msgspec.json.decode(body, type=_Transcript)
    except msgspec.ValidationError:
        return None
    segments = found.segments or found.results.utterances
    if not segments:
        return None
    turns = tuple(_turn(index, one, found.words, names) for index, one in enumerate(segments))
    language = members_of(found.transcript).get("language") or found.language
    return Transcription(turns, language if isinstance(language, str) and language != _UNDETERMINED else None)


def _turn(index: int, one: _Spoken, words: Sequence[_Spoken], names: Sequence[str | None]) -> TranscriptTurn:
    return TranscriptTurn(
        index=index,
        text=_text(one),
        start=one.start,
        duration=_length(one),
        confidence=one.confidence,
        participant=_party(one.speaker, names),
        words=tuple(
            Word(text=_text(word), start=word.start, duration=_length(word), confidence=word.confidence)
            for word in _own(one, words)
        ),
    )


def _text(one: _Spoken) -> str:
    return (one.text or one.transcript).strip()


def _length(one: _Spoken) -> float | None:
    return None if one.start is None or one.end is None else round(one.end - one.start, 6)


def _party(speaker: int | str | None, names: Sequence[str | None]) -> int | None:
    if isinstance(speaker, int):
        return speaker if 0 <= speaker < len(names) else None
    return names.index(speaker) if speaker and speaker in names else None


def _own(one: _Spoken, words: Sequence[_Spoken]) -> Sequence[_Spoken]:
    """Return the words of a segment, if it names them by their places."""
    if not words:
        return ()
    try:
        places = msgspec.json.decode(one.words, type=list[int])
    except msgspec.MsgspecError:
        return ()
    return [words[place] for place in places if 0 <= place < len(words)]
