"""Erasure: whose conversations to erase, how to keep them from coming back, and the receipt."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Protocol, cast
from unicodedata import decimal
from urllib.parse import unquote

import msgspec

from .._files.recordings import files_of
from ..errors import InvalidRefError
from ..schema import Conversation

__all__ = ["Erasable", "Person", "Receipt", "is_mentioned", "remove_recordings", "takes_part", "tombstone"]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person whose conversations to find; a field that is None matches nothing. Never shown and never stored.

    Raises `InvalidRefError` for a phone number that is too short, and for text that is not an e-mail address.
    """

    phone: str | None = None
    """In any spelling, with at least seven digits. A number matches with and without its country code."""
    email: str | None = None
    participant: str | None = None
    """The provider's id of a participant."""

    def __post_init__(self) -> None:
        if self.phone is not None and len(_digits(self.phone)) < _LEAST_DIGITS:
            raise InvalidRefError(f"a phone number to erase needs at least {_LEAST_DIGITS} digits")
        if self.email is not None and not re.fullmatch(r"[^\s@]+@[^\s@]+", self.email):
            raise InvalidRefError("an e-mail address to erase has the form name@example.com")

    def __repr__(self) -> str:
        return "Person(…)"

    def is_in(self, value: Any) -> bool:
        """Whether a text, or a JSON value at any depth, contains the number or the address."""
        left: list[Any] = [value]  # not recursive: the value may be nested deeply
        while left:
            one = left.pop()
            match one:
                case str():
                    if self._is_in_text(one):
                        return True
                case dict():
                    members = cast("dict[str, Any]", one)
                    left += (*members, *members.values())
                case list() | tuple():
                    left += cast("Sequence[Any]", one)
                case int(number) if number < _LONGEST:  # Python refuses to convert very long ones to text
                    left.append(str(number))
                case _:
                    pass
        return False

    def _is_in_text(self, text: str) -> bool:
        if text[:1] in ("{", "["):  # tool arguments and results are JSON in a text, whose escapes could hide a match
            with suppress(msgspec.DecodeError, RecursionError):
                return self.is_in(msgspec.json.decode(text))
        texts = (text, unquote(text)) if "%" in text else (text,)
        return any(map(self._is_spelled_in, texts))

    def _is_spelled_in(self, text: str) -> bool:
        if self.email is not None and _standing_alone(self.email).search(text):
            return True
        return self.phone is not None and any(_is_same_number(self.phone, one) for one in _NUMBER.findall(text))

    def is_participant(self, id: str | None) -> bool:
        """Whether the id is that of the participant."""
        return self.participant is not None and id == self.participant


_LEAST_DIGITS: Final = 7
_LONGEST: Final = 10**20
_NUMBER: Final = re.compile(r"\+?\d(?:[\s().\-/\u00a0]{0,3}\d){6,17}")


def _digits(text: str) -> str:
    return "".join(f"{decimal(character)}" for character in text if character.isdecimal()).removeprefix("00")


def _is_same_number(one: str, other: str) -> bool:
    short, long = sorted((_digits(one).lstrip("0"), _digits(other).lstrip("0")), key=len)
    return len(short) >= _LEAST_DIGITS and long.endswith(short)


def _standing_alone(address: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w-]|\.\w)", re.IGNORECASE)


class Erasable(Protocol):
    """A store that conversations can be erased from."""

    def erase(
        self, *refs: str, person: Person | None = None, recordings: Path | None = None, dry_run: bool = False
    ) -> Receipt:
        """Erase the named conversations and all of a person, permanently; with `dry_run` only return which."""
        ...

    def prune(self, before: datetime, *, recordings: Path | None = None, dry_run: bool = False) -> Receipt:
        """Erase, as `erase` does, the conversations from before an aware instant."""
        ...


def takes_part(person: Person, one: Conversation) -> bool:
    """Whether a person is a participant of a conversation, or its metadata contains the number or the address."""
    for participant in one.participants:
        known = (participant.id, participant.name, participant.phone)
        if person.is_participant(participant.id) or person.is_in(known):
            return True
    collected = one.analysis.collected if one.analysis is not None else None
    agent = one.agent.name if one.agent is not None else None
    texts = (one.title, one.summary, agent, one.provider_end_reason)
    return person.is_in((*texts, one.metadata, collected, one.tags, one.links, one.related_ids))


def is_mentioned(person: Person, one: Conversation) -> bool:
    """Whether a person's number or address is in a turn of a conversation, or in a tool call or its result."""
    return any(
        person.is_in(turn.text) or person.is_in(msgspec.to_builtins((turn.tool_calls, turn.tool_result)))
        for turn in one.transcript or ()
    )


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, or would be: proof for the person who asked."""

    store: str
    erased_at: datetime | None
    """UTC; None if nothing is erased yet."""
    conversations: tuple[str, ...]
    """The refs of the erased conversations."""
    recordings: tuple[str, ...] = ()
    """The removed files, relative to their folder."""
    at_providers: dict[str, str] = {}
    """By ref: `deleted`, or why it was not deleted."""
    mentioned: tuple[str, ...] = ()
    """The refs of other conversations that mention the number or address; they are left unchanged."""

    @property
    def complete(self) -> bool:
        """Whether everything that was to be erased is gone."""
        return self.erased_at is not None and all(outcome == "deleted" for outcome in self.at_providers.values())


def tombstone(salt: bytes, account: str, id: str) -> bytes:
    """Return a digest that marks a conversation as erased, and identifies it only to those who know its id."""
    return sha256(salt + f"{account}:{id}".encode(errors="surrogatepass")).digest()[:16]


def remove_recordings(folder: Path, refs: Sequence[str]) -> list[str]:
    """Remove the files of these conversations from a folder filled by `sync --recordings`; return their paths in it."""
    removed: list[str] = []
    for path in (path for ref in refs for path in files_of(folder, ref)):
        path.unlink(missing_ok=True)
        removed.append(str(path.relative_to(folder)))
    return removed
