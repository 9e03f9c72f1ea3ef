"""Erasing: whose conversations, what must not come back, and the receipt of it."""

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

from ..errors import InvalidRefError
from ..files.recordings import files_of
from ..schema import Conversation

__all__ = ["Erasable", "Person", "Receipt", "is_mentioned", "remove_recordings", "takes_part", "tombstone"]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whose conversations are looked for; what is not given does not count. Never shown, and never kept."""

    phone: str | None = None
    """In any spelling; at least seven digits. A number with and one without its country code are the same."""
    email: str | None = None
    participant: str | None = None
    """A participant's id, as the provider has it."""

    def __post_init__(self) -> None:
        if self.phone is not None and len(_digits(self.phone)) < _LEAST_DIGITS:
            raise InvalidRefError(f"a phone number to erase has at least {_LEAST_DIGITS} digits")
        if self.email is not None and not re.fullmatch(r"[^\s@]+@[^\s@]+", self.email):
            raise InvalidRefError("an e-mail address to erase looks like name@example.com")

    def __repr__(self) -> str:
        return "Person(…)"

    def is_in(self, value: Any) -> bool:
        """Whether a text, or anywhere in a value as JSON has it, holds the number or the address."""
        left: list[Any] = [value]  # it may be nested deeply
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
                case int(number) if number < _LONGEST:  # of longer ones Python refuses to make a text
                    left.append(str(number))
                case _:
                    pass
        return False

    def _is_in_text(self, text: str) -> bool:
        if text[:1] in ("{", "["):  # arguments and results of tools are JSON in a text, whose escapes would hide it
            with suppress(msgspec.DecodeError, RecursionError):
                return self.is_in(msgspec.json.decode(text))
        texts = (text, unquote(text)) if "%" in text else (text,)
        return any(map(self._is_spelled_in, texts))

    def _is_spelled_in(self, text: str) -> bool:
        if self.email is not None and _standing_alone(self.email).search(text):
            return True
        return self.phone is not None and any(_is_same_number(self.phone, one) for one in _NUMBER.findall(text))

    def is_participant(self, id: str | None) -> bool:
        """Whether it is the participant's id."""
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
    """A store's file that conversations can be taken out of."""

    def erase(
        self, *refs: str, person: Person | None = None, recordings: Path | None = None, dry_run: bool = False
    ) -> Receipt:
        """Take conversations out for good: those named, and all of a person; with `dry_run` only say which."""
        ...

    def prune(self, before: datetime, *, recordings: Path | None = None, dry_run: bool = False) -> Receipt:
        """Take out, as `erase` does, what was before an instant."""
        ...


def takes_part(person: Person, one: Conversation) -> bool:
    """Whether somebody is a participant of a conversation, or the data about it says so."""
    for participant in one.participants:
        told = (participant.id, participant.name, participant.phone)
        if person.is_participant(participant.id) or person.is_in(told):
            return True
    collected = one.analysis.collected if one.analysis is not None else None
    agent = one.agent.name if one.agent is not None else None
    texts = (one.title, one.summary, agent, one.provider_end_reason)
    return person.is_in((*texts, one.metadata, collected, one.tags, one.links, one.related_ids))


def is_mentioned(person: Person, one: Conversation) -> bool:
    """Whether somebody's number or address was said in a conversation, or given to a tool."""
    return any(
        person.is_in(turn.text) or person.is_in(msgspec.to_builtins((turn.tool_calls, turn.tool_result)))
        for turn in one.transcript or ()
    )


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased, or would be: proof for those who asked."""

    store: str
    erased_at: datetime | None
    """UTC; None where nothing was done yet."""
    conversations: tuple[str, ...]
    """The refs of those that were erased."""
    recordings: tuple[str, ...] = ()
    """The files that were removed."""
    at_providers: dict[str, str] = {}
    """By ref: `deleted`, or why it was not."""
    mentioned: tuple[str, ...] = ()
    """The refs of other conversations in which the number or address was said; they are left as they are."""

    @property
    def complete(self) -> bool:
        """Whether everything is gone that was to be."""
        return self.erased_at is not None and all(outcome == "deleted" for outcome in self.at_providers.values())


def tombstone(salt: bytes, account: str, id: str) -> bytes:
    """Return what tells that a conversation was erased, to those who know which one it was."""
    return sha256(salt + f"{account}:{id}".encode(errors="surrogatepass")).digest()[:16]


def remove_recordings(folder: Path, refs: Sequence[str]) -> list[str]:
    """Remove the files of these conversations from a folder that `sync --recordings` filled, and return their names."""
    removed: list[str] = []
    for path in (path for ref in refs for path in files_of(folder, ref)):
        path.unlink(missing_ok=True)
        removed.append(str(path.relative_to(folder)))
    return removed
