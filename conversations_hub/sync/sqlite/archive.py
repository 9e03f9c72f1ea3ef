"""What is in a store: conversations by name and by filter, and turns by what was said in them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from ...errors import InvalidRefError, NotFoundError, StoreError
from ...hub.instants import check_span
from ...hub.refs import Ref, Target
from ...schema import Conversation, Recording, Role, Status
from .connection import connected, has_index
from .erasure import Person, Plan, Receipt, named, older
from .tables import CONVERSATION, PARTICIPANT, RECORDING, TURN, conversation_of, instant_text, recording_of
from .writer import Writer

__all__ = ["Archive", "Hit"]

_AT_A_TIME: Final = 100  # conversations read together
_SNIPPET: Final = 16  # words


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A turn in which the words were found."""

    ref: str
    """The conversation, as `hub.get` takes it."""
    created_at: datetime | None
    """When the conversation was made, else when it started, UTC."""
    title: str | None
    position: int
    """Of the turn in its conversation, from 0."""
    role: Role
    start: float | None
    """Seconds from the conversation's start."""
    snippet: str
    """What was said around the words, which stand in brackets."""


class Archive:
    """A store's file, to read from; any number of readers may do so while a sync writes. To be closed, or `with`.

    It reads at once and waits for the disk: in an event loop call it through `asyncio.to_thread`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._connection = connected(self.path)
        self._has_index = has_index(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def erase(
        self,
        *refs: str,
        person: Person | None = None,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """Take conversations out for good: those named, and all of a person; with `dry_run` only say which.

        They are gone from the tables, the search index and the bytes of the file, which is written anew, and no sync
        brings them back. With `recordings`, the folder that `sync --recordings` filled, their files are removed too.
        Whoever reads meanwhile must have ended; copies and backups are yours to look after.

        Raises:
            StoreError: a sync is at work on the store, somebody reads it, or there is no room to write it anew.
            InvalidRefError: a malformed ref, or one that several accounts have.
        """
        return self._erased(partial(named, refs=refs, person=person), recordings, dry_run=dry_run, now=now)

    def prune(
        self,
        before: datetime,
        *,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """Take out, as `erase` does, what was before an instant; what has none stays."""
        check_span(before, None)
        return self._erased(partial(older, than=before), recordings, dry_run=dry_run, now=now)

    def _erased(
        self,
        choose: Callable[[sqlite3.Connection], Plan],
        recordings: str | Path | None,
        *,
        dry_run: bool,
        now: datetime | None,
    ) -> Receipt:
        if dry_run:
            return choose(self._connection).receipt(self.path, None)
        self._connection.close()  # the file is written anew
        try:
            writer = Writer(self.path, {})
            try:
                folder = None if recordings is None else Path(recordings)
                return writer.erase(choose, folder, now or datetime.now(UTC))
            finally:
                writer.close()
        except (sqlite3.Error, OSError) as error:
            reason = str(error)
        finally:
            self._connection = connected(self.path)
        raise StoreError(f"{self.path}: {reason}")

    def get(self, ref: str) -> Conversation:
        """Return one conversation; raise `NotFoundError` where it is not there."""
        parsed = Ref.parse(ref)
        target = parsed.target
        condition, values = "provider = ? AND id = ?", [target.provider, parsed.id]
        if target.account is not None:
            condition, values = f"{condition} AND account = ?", [*values, target.account]
        found = list(self._conversations([condition], values, limit=2))
        if len(found) > 1:
            raise InvalidRefError(
                f"{target.provider} has that id in several accounts: say which, as provider/account:id"
            )
        if not found:
            raise NotFoundError("no such conversation in the store", provider=target.provider, account=target.account)
        return found[0]

    def conversations(
        self,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Conversation]:
        """Yield conversations, the newest first; one without an instant lies in every span, as in `hub.list`."""
        check_span(since, until)
        conditions, values = _narrowed(targets, None, until)
        for name, value in (("status", status), ("agent_id", agent)):
            if value is not None:
                conditions.append(f"{name} = ?")
                values.append(value)
        spans: list[tuple[str, list[Any]]] = [("1", [])]
        if since is not None:  # two questions: one for both would read all that lies between
            spans = [("at >= ?", [instant_text(since)]), ("at = ''", [])]
        found = (self._conversations([*conditions, span], [*values, *more], limit) for span, more in spans)
        return islice(chain.from_iterable(found), limit)

    def recordings(
        self, *targets: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Recording, int, datetime | None]]:
        """Yield the recordings of those conversations, the newest first.

        Each comes with its position in its conversation, and with when that was made, else when it started.
        """
        conditions, values = _narrowed(targets, since, until)
        rows = self._ask(
            "SELECT provider, account, id, at, position,"
            f" {', '.join(f'recordings.{name}' for name in RECORDING)}"
            " FROM recordings JOIN conversations ON conversations.key = recordings.conversation"
            f" WHERE {' AND '.join(conditions) or '1'}"
            " ORDER BY at DESC, conversation, position",
            values,
        )
        for provider, account, id, made_at, position, *columns in rows:
            at = datetime.fromisoformat(made_at) if made_at else None
            yield recording_of(_ref(provider, account, id), columns), position, at

    def search(
        self,
        words: str,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        role: Role | str | None = None,
        limit: int = 20,
    ) -> list[Hit]:
        """Return the turns in which all the words were said, the best match first.

        Words count in any form of case and accent; `"in quotes"` they count as they follow each other, and with a star
        at the end as a beginning: `refund*`.
        """
        conditions, values = _narrowed(targets, since, until)
        if role is not None:
            conditions.append("role = ?")
            values.append(Role(role).value)
        terms = _TERM.findall(words)
        if not terms:
            return []
        ask = self._search_index if self._has_index else self._search_text
        return [_hit(row) for row in ask(terms, conditions, values, limit)]

    def _search_index(
        self, terms: Sequence[tuple[str, str, str]], conditions: Sequence[str], values: Sequence[Any], limit: int
    ) -> Iterator[Sequence[Any]]:
        wanted = " ".join(f'"{(phrase or word)}"{star}' for phrase, word, star in terms)
        where = " AND ".join(("turns_text MATCH ?", *conditions))
        return self._ask(
            f"SELECT {_FOUND}, snippet(turns_text, 0, '[', ']', '…', {_SNIPPET}) FROM turns_text"
            " JOIN turns ON turns.key = turns_text.rowid JOIN conversations ON conversations.key = turns.conversation"
            f" WHERE {where} ORDER BY turns_text.rank LIMIT ?",
            (wanted, *values, limit),
        )

    def _search_text(
        self, terms: Sequence[tuple[str, str, str]], conditions: Sequence[str], values: Sequence[Any], limit: int
    ) -> Iterator[Sequence[Any]]:
        """Search without an index, in builds of SQLite that have none: slowly, and the newest first."""
        said = [f"%{_LIKE.sub(_ESCAPED, phrase or word)}%" for phrase, word, _ in terms]
        where = " AND ".join((*("text LIKE ? ESCAPE '\\'" for _ in said), *conditions))
        return self._ask(
            f"SELECT {_FOUND}, substr(text, 1, 200) FROM turns"
            f" JOIN conversations ON conversations.key = turns.conversation WHERE {where}"
            " ORDER BY at DESC LIMIT ?",
            (*said, *values, limit),
        )

    def _conversations(
        self, conditions: Sequence[str], values: Sequence[Any], limit: int | None
    ) -> Iterator[Conversation]:
        names = ", ".join(CONVERSATION)
        rows = self._ask(
            f"SELECT key, {names} FROM conversations WHERE {' AND '.join(conditions) or '1'}"
            " ORDER BY at DESC, key DESC LIMIT ?",
            (*values, -1 if limit is None else limit),
        )
        for key, *columns in rows:
            parts = (self._parts(table, names, key) for table, names in _PARTS)
            yield conversation_of(columns, *parts)

    def _parts(self, table: str, names: Sequence[str], key: int) -> list[Sequence[Any]]:
        question = f"SELECT {', '.join(names)} FROM {table} WHERE conversation = ? ORDER BY position"
        return list(self._ask(question, (key,)))

    def _ask(self, question: str, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
        try:
            yield from self._connection.execute(question, values)
        except sqlite3.Error as error:
            reason = f"{self.path}: {error}"
        else:
            return
        raise StoreError(reason)


_PARTS: Final = (("turns", TURN), ("participants", PARTICIPANT), ("recordings", RECORDING))
_FOUND: Final = "provider, account, id, at, title, turns.position, role, start"

# A phrase in quotes, or a word; what else stands between words is no part of any.
_TERM: Final = re.compile(r'"([^"\0]+)"|([^\s"*\0]+)(\*?)')
_LIKE: Final = re.compile(r"[\\%_]")
_ESCAPED: Final = r"\\\g<0>"


def _narrowed(targets: Sequence[str], since: datetime | None, until: datetime | None) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if targets:
        named: list[str] = []
        for target in map(Target.parse, targets):
            named.append("provider = ?" if target.account is None else "provider = ? AND account = ?")
            values += [part for part in target if part is not None]
        conditions.append(f"({' OR '.join(named)})")
    check_span(since, until)
    if since is not None:
        conditions.append("(at >= ? OR at = '')")  # like `hub.list`: what has no instant is in every span
        values.append(instant_text(since))
    if until is not None:
        conditions.append("at < ?")
        values.append(instant_text(until))
    return conditions, values


def _hit(row: Sequence[Any]) -> Hit:
    provider, account, id, created_at, title, position, role, start, snippet = row
    return msgspec.convert(
        {
            "ref": _ref(provider, account, id),
            "created_at": created_at or None,
            "title": title,
            "position": position,
            "role": role,
            "start": start,
            "snippet": snippet,
        },
        Hit,
    )


def _ref(provider: str, account: str, id: str) -> str:
    return f"{provider}:{id}" if account == "default" else f"{provider}/{account}:{id}"
