"""Erasing: conversations out of a store, for good, and with a receipt.

What is erased stands nowhere in the file any more, no sync brings it back, and nothing that is kept tells who it was.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from ...errors import InvalidRefError
from ...hub.refs import Ref
from ..recordings import files_of
from .tables import instant_text

__all__ = ["Person", "Plan", "Receipt", "clean", "digest_of", "erase", "named", "older", "remove_recordings"]


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

    def is_in(self, text: str | None) -> bool:
        """Whether a text holds the number or the address."""
        if not text:
            return False
        if self.email is not None and _standing_alone(self.email).search(text):
            return True
        return self.phone is not None and any(_is_same_number(self.phone, one) for one in _NUMBER.findall(text))

    def is_participant(self, id: str | None) -> bool:
        """Whether it is the participant's id."""
        return self.participant is not None and id == self.participant


_LEAST_DIGITS: Final = 7
_NUMBER: Final = re.compile(r"\+?\d(?:[\s().\-/\u00a0]{0,3}\d){6,17}")


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal()).removeprefix("00")


def _is_same_number(one: str, other: str) -> bool:
    short, long = sorted((_digits(one).lstrip("0"), _digits(other).lstrip("0")), key=len)
    return len(short) >= _LEAST_DIGITS and long.endswith(short)


def _standing_alone(address: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w-]|\.\w)", re.IGNORECASE)


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


class Plan(msgspec.Struct, frozen=True):
    """What is to be erased."""

    keys: dict[int, str]
    """The refs of the conversations, by key."""
    mentioned: tuple[str, ...] = ()

    def receipt(self, store: Path, erased_at: datetime | None, recordings: Sequence[str] = ()) -> Receipt:
        """Return what to tell of it, before it is done or after."""
        return Receipt(
            store=str(store),
            erased_at=erased_at,
            conversations=tuple(self.keys.values()),
            recordings=tuple(recordings),
            mentioned=self.mentioned,
        )


_TOLD: Final = (
    "title",
    "summary",
    "metadata",
    "collected",
    "tags",
    "links",
    "related_ids",
    "agent_name",
    "provider_end_reason",
)


def named(connection: sqlite3.Connection, refs: Sequence[str], person: Person | None) -> Plan:
    """Choose conversations by ref, and all of a person: where the person takes part, or the data about it says so."""
    keys: dict[int, str] = {}
    for ref in map(Ref.parse, refs):
        target = ref.target
        rows = list(
            connection.execute(
                "SELECT key, ref FROM conversations WHERE provider = ? AND id = ? AND account = coalesce(?, account)",
                (target.provider, ref.id, target.account),
            )
        )
        if len(rows) > 1:
            raise InvalidRefError(f"{target.provider} has that id in several accounts: say which")
        keys |= rows
    if person is not None:
        connection.create_function("is_in", 1, person.is_in, deterministic=True)
        connection.create_function("is_participant", 1, person.is_participant, deterministic=True)
        keys |= connection.execute(
            "SELECT key, ref FROM participants JOIN conversations ON key = conversation"
            " WHERE is_participant(participant_id) OR is_in(participant_id) OR is_in(name) OR is_in(phone)"
        )
        keys |= connection.execute(
            f"SELECT key, ref FROM conversations WHERE {' OR '.join(f'is_in({name})' for name in _TOLD)}"
        )
    return Plan(keys, tuple(_mentions(connection, keys)) if person is not None else ())


def older(connection: sqlite3.Connection, than: datetime) -> Plan:
    """Choose conversations that were before an instant; those without any are left."""
    question = "SELECT key, ref FROM conversations WHERE at < ? AND at <> ''"
    return Plan(dict(connection.execute(question, (instant_text(than),)).fetchall()))


def _mentions(connection: sqlite3.Connection, besides: dict[int, str]) -> Iterator[str]:
    rows = connection.execute(
        "SELECT DISTINCT conversations.key, ref FROM turns JOIN conversations ON conversations.key = conversation"
        " WHERE is_in(text) OR is_in(tool_calls) OR is_in(tool_result)"
    )
    yield from (ref for key, ref in rows if key not in besides)


def erase(connection: sqlite3.Connection, keys: Mapping[int, str], now: datetime, revision: int) -> None:
    """Delete conversations, and note that they are not to come back; in a transaction of the caller's.

    Until `clean` was called their bytes stand in the file.
    """
    for key in keys:
        provider, account, id = connection.execute(
            "SELECT provider, account, id FROM conversations WHERE key = ?", (key,)
        ).fetchone()
        digest = digest_of(connection, f"{provider}/{account}", id)
        connection.execute("INSERT OR IGNORE INTO erased VALUES (?, ?, ?)", (digest, instant_text(now), revision))
        connection.execute("DELETE FROM conversations WHERE key = ?", (key,))
    for table in ("turns", "participants", "recordings", "remembered", "measures"):  # whatever others left behind
        connection.execute(f"DELETE FROM {table} WHERE conversation NOT IN (SELECT key FROM conversations)")
    connection.execute("INSERT OR REPLACE INTO store VALUES ('unclean', 1)")


def digest_of(connection: sqlite3.Connection, account: str, id: str) -> bytes:
    """Return what tells that a conversation was erased, to those who know which one it was."""
    (salt,) = connection.execute("SELECT value FROM store WHERE name = 'salt'").fetchone()
    return sha256(salt + f"{account}:{id}".encode(errors="surrogatepass")).digest()[:16]


def clean(connection: sqlite3.Connection, *, with_index: bool) -> None:
    """Write the file anew, without what was deleted; the index keeps words of it until it is merged."""
    if with_index:
        connection.execute("INSERT INTO turns_text (turns_text) VALUES ('optimize')")
    connection.execute("VACUUM")
    connection.execute("DELETE FROM store WHERE name = 'unclean'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def remove_recordings(folder: Path, refs: Sequence[str]) -> list[str]:
    """Remove the files of these conversations from a folder that `sync --recordings` filled, and return their names."""
    removed: list[str] = []
    for path in (path for ref in refs for path in files_of(folder, ref)):
        path.unlink(missing_ok=True)
        removed.append(str(path.relative_to(folder)))
    return removed
