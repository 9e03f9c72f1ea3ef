"""The cues of subtitles: what was said, by whom, and when; and a conversation made of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final, Literal, NamedTuple

from ..errors import FormatError
from ..schema import Conversation, Participant, Role, Status, TranscriptState, TranscriptTurn, Word
from ._format import NoOptions
from ._said import NAMES, SaidOptions, said, speaker

__all__ = ["WRITTEN", "Cue", "CueOptions", "conversation_of", "cues", "is_estimated", "milliseconds", "one_line"]

WRITTEN: Final = frozenset(
    {"transcript", *(f"transcript.{name}" for name in ("index", "role", "text", "start", "duration", "timestamp"))}
)
"""The fields that subtitles hold."""


class CueOptions(NoOptions, frozen=True, kw_only=True):
    """How turns become cues, and cues become turns."""

    policy: Literal["speech_rate"] | None = None
    """What a turn without a time gets: one from the usual rate of speech; None: it is refused."""
    roles: dict[str, Role] = {}
    """When reading: the roles of the speakers, by name. Others are `unknown`, except for `User` and `Agent`."""


class Cue(NamedTuple):
    """One cue; the times are milliseconds."""

    start: int
    end: int
    name: str
    text: str
    """On one line when it was written here."""
    words: tuple[Word, ...] = ()


def cues(conversation: Conversation, options: CueOptions, lost: Counter[str]) -> Iterator[Cue]:
    """Yield a cue for each turn that was said, in order.

    A turn without a duration ends where the next begins, or after the time that its text takes to be said.

    Raises:
        FormatError: nothing was said, or a turn has no time and there is no policy.
    """
    turns = [turn for turn in said(conversation, _PUBLIC, lost) if _is_spoken(turn)]
    if not turns:
        raise FormatError("nothing was said")
    starts = [_start(conversation, turn) for turn in turns]
    if options.policy is None and None in starts:
        raise FormatError("a turn has no time: only policy=speech_rate makes one up", provider=conversation.provider)
    begin = end = 0
    for turn, start, following in zip(turns, starts, [*starts[1:], None], strict=True):
        begin = max(begin, end if start is None else start)
        text = one_line(turn.text)
        if (length := _milliseconds(turn.duration)) is not None:
            end = begin + length
        else:
            end = begin + max(_SHORTEST, len(text) * 1000 // _CHARACTERS_PER_SECOND)
            if following is not None:
                end = min(end, following)
        end = max(end, begin + 1)
        yield Cue(begin, end, one_line(speaker(conversation, turn)), text, turn.words)


_PUBLIC: Final = SaidOptions()
_SHORTEST: Final = 1000
_CHARACTERS_PER_SECOND: Final = 15
_LATEST: Final = 1e9  # seconds


def _is_spoken(turn: TranscriptTurn) -> bool:
    return turn.role is not Role.TOOL and bool(turn.text) and not turn.text.isspace()


def is_estimated(conversation: Conversation) -> bool:
    """Whether a turn that was said has no time."""
    turns = filter(_is_spoken, said(conversation, _PUBLIC, Counter()))
    return any(_start(conversation, turn) is None for turn in turns)


def _start(conversation: Conversation, turn: TranscriptTurn) -> int | None:
    if turn.start is None and turn.timestamp is not None and conversation.started_at is not None:
        return _milliseconds(turn.timestamp - conversation.started_at.timestamp())
    return _milliseconds(turn.start)


def _milliseconds(seconds: float | None) -> int | None:
    """Return milliseconds, 0 for a time before the start, and None for what is no time."""
    if seconds is None or not math.isfinite(seconds) or seconds > _LATEST:
        return None
    return max(round(seconds * 1000), 0)


_BREAKS: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def one_line(text: str) -> str:
    """Return text with spaces in place of line breaks, and without any around it."""
    return (_BREAKS.sub(" ", text) if _BREAKS.search(text) else text).strip()


_TIME: Final = re.compile(r"(?:(\d{1,9}):)?([0-5]\d):([0-5]\d)[.,](\d{3})")


def milliseconds(time: str) -> int | None:
    """Read a time such as `00:00:01.500`, also with a comma; None if it is none."""
    if not (found := _TIME.fullmatch(time)):
        return None
    hours, minutes, seconds, rest = (int(digits or 0) for digits in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


_ROLES: Final = {name: role for role, name in NAMES.items()}


def conversation_of(provider: str, data: bytes, found: Iterable[Cue], options: CueOptions) -> Conversation:
    """Return a conversation with a turn for each cue; its id is made of the bytes it was read from."""
    people: dict[str, int] = {}
    turns: list[TranscriptTurn] = []
    for index, cue in enumerate(found):
        is_named = bool(cue.name) and (cue.name not in _ROLES or cue.name in options.roles)
        turn = TranscriptTurn(
            index=index,
            role=options.roles.get(cue.name) or _ROLES.get(cue.name, Role.UNKNOWN),
            text=cue.text,
            start=cue.start / 1000,
            duration=(cue.end - cue.start) / 1000,
            participant=people.setdefault(cue.name, len(people)) if is_named else None,
        )
        turns.append(turn)
    return Conversation(
        provider=provider,
        id=sha256(data).hexdigest()[:32],
        status=Status.ENDED,
        participants=tuple(Participant(name=name) for name in people),
        transcript=tuple(turns),
        transcript_state=TranscriptState.AVAILABLE,
    )
