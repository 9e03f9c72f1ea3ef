"""Read a SQLite store: conversations by ref and by filter, and turns by their words."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from functools import partial
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

import msgspec

from ..._instants import check_span
from ..._refs import Ref, ref_of
from ...metrics import Summary
from ...metrics._groups import check_keys
from ...metrics._summary import SUMMARIZED, check_metrics
from ...metrics._summary import narrowed as only
from ...schema import Conversation, Recording, Role, Status
from .._changes import Change, Identity, Position, changes_since, end_of_changes
from .._conditions import Condition, all_of, equal
from .._counts import counts
from .._erasure import Person, Receipt
from .._filters import Filters, check_counted
from .._hits import check_stars, hint, hit_of, nothing_asked, paged_hit_of
from .._newest_first import newest_first, page_of, pieces, walked
from .._pages import StorePage, read_place
from .._query import Query, parsed
from .._reader import EVERYTHING, Found, HitPage, NewestStats, only_one
from .._status import StoreStatus
from .._untrusted import instant_of
from ._connection import connect, has_index, using
from ._dialect import DIALECT
from ._erasure import Plan, digest_of, named, older
from ._finding import Source, containing, find
from ._fts5 import expression
from ._pages import SHOWN, row_of
from ._stats import KEPT, Stats
from ._status import status
from ._tables import CONVERSATION, RECORDING, recording_of
from ._whole import finite, with_parts
from ._writer import Writer

__all__ = ["SQLiteReader"]

T = TypeVar("T")


class SQLiteReader:
    """Reads a store's file, also while a sync writes; any number of readers may. Close it, or use it with `with`.

    Its methods block while they wait for the disk: in an event loop, call them through `asyncio.to_thread`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path)
        self._asked: dict[str, Query] = {}
        self._open()

    def _open(self) -> None:
        self._connection = connect(self.path)
        try:
            is_indexed = has_index(self._connection)
        except BaseException:
            self._connection.close()
            raise
        self._turns = _INDEXED if is_indexed else _UNINDEXED
        if not is_indexed:
            self._connection.create_function("holds", 2, self._holds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def erase(
        self,
        *refs: str,
        person: Person | None = None,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """Erase the named conversations and all of a person, permanently; with `dry_run` only return which.

        They are removed from the tables, the search index and the bytes of the file, which is rewritten, and no sync
        brings them back. With `recordings`, the folder filled by `sync --recordings`, their files are removed too.
        Other readers must be closed first. Copies and backups are not touched: erasing them is up to you.

        Raises:
            StoreError: a sync is running on the store, another reader is open, or there is no room to rewrite it.
            InvalidRefError: a malformed ref, or one that several accounts have.
        """
        return self._erase(partial(named, refs=refs, person=person), recordings, dry_run=dry_run, now=now)

    def prune(
        self,
        before: datetime,
        *,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """Erase, as `erase` does, the conversations from before an aware instant; those without one stay."""
        check_span(before, None)
        return self._erase(partial(older, than=before), recordings, dry_run=dry_run, now=now)

    def _erase(
        self,
        choose: Callable[[sqlite3.Connection], Plan],
        recordings: str | Path | None,
        *,
        dry_run: bool,
        now: datetime | None,
    ) -> Receipt:
        if dry_run:
            with using(self.path):
                return choose(self._connection).receipt(self.path, None)
        self._connection.close()  # the file is rewritten
        try:
            with using(self.path), closing(Writer(self.path, {})) as writer:
                folder = None if recordings is None else Path(recordings)
                return writer.erase(choose, folder, now or datetime.now(UTC))
        finally:
            self._open()

    def accounts(self) -> list[str]:
        """Return the accounts in the store, as "provider/account"."""
        found = set(self._ask("SELECT account FROM accounts", (), _text))
        for provider in self._each(_NEXT_PROVIDER):
            found.update(f"{provider}/{account}" for account in self._each(_NEXT_ACCOUNT, provider))
        return sorted(found)

    def _each(self, question: str, *values: str) -> Iterator[str]:
        """Yield each distinct value, by a query for the next one: DISTINCT may read all rows between them."""
        last: str | None = ""
        while last is not None:
            [last] = self._ask(question, (*values, last), _text_or_none)
            if last is not None:
                yield last

    def status(self) -> StoreStatus:
        """Return the status of the store, account by account."""
        with using(self.path):
            return status(partial(self._ask, make=tuple))

    def get(self, ref: str) -> Conversation:
        """Return one conversation.

        Raises:
            NotFoundError: the store does not have it.
            InvalidRefError: a malformed ref, or one that several accounts have.
        """
        parsed = Ref.parse(ref)
        target = parsed.target
        # Not sorted: SQLite would read the index that is sorted until the id turns up.
        where, values = equal(provider=target.provider, account=target.account, id=parsed.id)
        found = [*map(self._whole, self._in_order(f"SELECT {_ROW} FROM conversations WHERE {where} LIMIT 2", values))]
        return only_one(found, parsed)

    def conversations(
        self,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Conversation]:
        """Yield conversations, newest first; one without an instant lies in every span, as in `hub.list`."""
        wanted = Filters.of(targets, since, until, status=status, agent=agent)
        rows = newest_first(self._in_order, DIALECT, _ROW, wanted, limit=limit)
        return map(self._whole, rows)

    def page(self, wanted: Filters = EVERYTHING, *, limit: int = 50, cursor: str | None = None) -> StorePage:
        """See `StoreReader.page`."""
        after = None if cursor is None else read_place(cursor, int)
        with using(self.path):
            said = self._containing(wanted)
            rows, following = page_of(self._in_order, DIALECT, SHOWN, wanted, said, limit=limit, after=after)
            return StorePage(rows=tuple(map(row_of, rows)), cursor=following)

    def walk(self, wanted: Filters = EVERYTHING) -> Iterator[Conversation]:
        """See `StoreReader.walk`."""
        return map(self._whole, walked(self._in_order, DIALECT, _ROW, wanted, self._containing(wanted)))

    def counts(self, by: str, wanted: Filters = EVERYTHING, *, most: int = 50) -> dict[str, int]:
        """See `StoreReader.counts`."""
        check_counted(by)
        with using(self.path):
            return counts(self._listed, DIALECT, by, wanted, self._containing(wanted), most=most)

    def revision(self) -> int:
        """See `StoreReader.revision`."""
        return self._identity().revision

    def interrupt(self) -> None:
        """See `StoreReader.interrupt`."""
        self._connection.interrupt()

    def stats(
        self,
        *targets: str,
        by: Sequence[str] = ("provider",),
        metrics: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        timezone: tzinfo = UTC,
    ) -> list[Summary]:
        """Summarize what conversations measure, group by group, in the order of the keys.

        The summaries are those of `metrics.summarize`. What is measured is kept in the table `measures`, so that each
        conversation is measured once for each content that it has. Partial summaries by these keys are kept in the
        table `rollups`. Nothing is kept while a sync writes the store, nor where we may not write.

        `targets`, `since`, `until`, `status` and `agent` are as in `conversations`, and `by` and `timezone` as in
        `summarize`. `metrics` names those of `METRICS` to summarize; percentiles stand for their latency, and none for
        all.

        Raises:
            InvalidRefError: a malformed argument, or no such key or metric.
        """
        wanted = Filters.of(targets, since, until, status=status, agent=agent)
        condition = DIALECT.chosen(wanted)
        names = check_metrics(metrics)
        asked = Stats(self._connection, self._read, by=check_keys(by), metrics=names, zone=timezone)
        with using(self.path):
            asked.add_all(condition, self.path)
            return [only(summary, names) for summary in asked.summaries()]

    def newest_stats(
        self, wanted: Filters, by: Sequence[str] = ("provider",), *, goes_on: Callable[[], bool]
    ) -> NewestStats:
        """See `StoreReader.newest_stats`. What is kept in the table `measures` is read, and nothing is added to it."""
        asked = Stats(self._connection, self._read, by=check_keys(by), metrics=SUMMARIZED, zone=UTC)
        with using(self.path):
            said = self._containing(wanted)
            rows = pieces(self._in_order, DIALECT, asked.columns, wanted, said, joined=KEPT)
            oldest, is_all = asked.add_newest(rows, goes_on)
            return NewestStats(summaries=asked.summaries(), oldest=oldest, is_all=is_all)

    def recordings(
        self, *targets: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Recording, int, datetime | None]]:
        """Yield the recordings of the matching conversations, newest first.

        Each comes with its position in its conversation, and with when the conversation was created, else when it
        started, UTC.
        """
        where, values = DIALECT.narrowed(Filters.of(targets, since, until))
        return self._ask(
            "SELECT provider, account, id, at, position,"
            f" {', '.join(f'recordings.{name}' for name in RECORDING)}"
            " FROM recordings JOIN conversations ON conversations.key = recordings.conversation"
            f" WHERE {where or '1'}"
            " ORDER BY at DESC, conversation, position",
            values,
            _recording,
        )

    def changes(self, cursor: str | None = None) -> Iterator[Change]:
        """See `ChangeReader.changes`."""
        return changes_since(cursor, self._identity, self._written, self._erasures)

    def end_of_changes(self) -> str:
        """See `ChangeReader.end_of_changes`."""
        return end_of_changes(self._identity())

    def _identity(self) -> Identity:
        with using(self.path):
            return Identity(*self._connection.execute(_IDENTITY).fetchone())

    def digest(self, ref: str) -> str:
        """See `ChangeReader.digest`."""
        parsed = Ref.parse(ref)
        account = parsed.target.account or "default"
        with using(self.path):
            return digest_of(self._connection, f"{parsed.target.provider}/{account}", parsed.id).hex()

    def _written(self, after: Position, newest: int) -> Iterator[tuple[Position, Change]]:
        revision, key = after.revision, after.key
        # In pieces, so that no reader holds up a writer.
        while rows := [*self._ask(_CHANGED, (revision, key, newest), tuple)]:
            for revision, *row in rows:
                key = row[1]
                yield Position.written(revision, key), Change(cursor="", conversation=self._whole(row))

    def _erasures(self, after: Position, newest: int) -> Iterator[tuple[Position, Change]]:
        for revision, digest in [*self._ask(_ERASED, (after.revision, after.digest, newest), tuple)]:
            yield Position.erased(revision, digest), Change(cursor="", erased=digest.hex())

    def search(
        self,
        words: str,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        role: Role | str | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        anywhere: bool = False,
        limit: int = 20,
        offset: int = 0,
    ) -> Found:
        """Return the turns that contain all the words, best match first, starting at `offset`.

        Words match in any case, with or without accents. `"quoted words"` must follow each other, and a star at the end
        matches all words that start like this: `refund*`. `OR` between two words makes one of them enough; `NOT` or a
        dash before a word leaves out the turns that contain it.

        With `anywhere` the words may be in different turns of one conversation, each turn with one of them is a hit,
        and `NOT` leaves out whole conversations. `since`, `until`, `status` and `agent` filter as in `hub.list`; `role`
        is the role of the speaker.

        Raises:
            InvalidRefError: a malformed argument, or too many words for one search.
        """
        wanted = Filters.of(targets, since, until, status=status, agent=agent, role=role)
        query = parsed(words)
        if not query:
            return nothing_asked(query)
        chosen = all_of(DIALECT.narrowed(wanted), equal(role=wanted.role, status=wanted.status, agent_id=agent))
        asked = all_of(self._anywhere(query, wanted.role) if anywhere else self._said(query), chosen)
        where, values = asked
        order = self._turns.rank or "at DESC, turns.key"
        question = f"SELECT {_FOUND}{self._turns.tables} WHERE {where} ORDER BY {order} LIMIT ? OFFSET ?"
        hits = list(self._ask(question, (*values, limit, offset), partial(hit_of, query)))
        total = offset + len(hits) if 0 < len(hits) < limit else self._count(asked)
        if total:
            return Found(hits=hits, total=total)

        def count(alone: Query) -> int:
            return self._count(all_of(self._said(alone), chosen))

        return Found(hits=[], total=0, hint=hint(query, count, anywhere=anywhere))

    def find(
        self,
        words: str,
        wanted: Filters = EVERYTHING,
        *,
        order: Literal["newest", "best"] = "newest",
        limit: int = 20,
        cursor: str | None = None,
        marks: tuple[str, str] = ("[", "]"),
        alter: Callable[[str], str] | None = None,
    ) -> HitPage:
        """Return a page of the turns that contain all the words, at a cost that many matches do not raise.

        Words are those of `search`, with at least three letters before a star. "newest" begins with what was stored
        last; "best" ranks the newest 2,000 matches, and has no further pages. `marks` stand around matches; if they
        are in a text, a space stands there instead. `alter` changes a turn's text before its snippet is taken.

        Raises:
            InvalidRefError: a damaged cursor, too few letters before a star, or too many words for one search.
        """
        query = parsed(words)
        check_stars(query)
        if not query:
            return HitPage(hits=(), cursor=None)
        asked = (_FOUND, self._said(query))
        hit = partial(paged_hit_of, query, marks, alter)
        with using(self.path):
            chosen = all_of(DIALECT.chosen(wanted), self._containing(wanted), equal(role=wanted.role))
            return find(self._listed, self._turns, asked, chosen, order=order, limit=limit, cursor=cursor, hit=hit)

    def _containing(self, wanted: Filters) -> Condition:
        """Return the condition that a turn of a conversation has the words."""
        if wanted.words is None:
            return "", []
        query = parsed(wanted.words)
        check_stars(query)
        if not query:
            return "0", []
        return containing(self._listed, self._turns, all_of(self._said(query), equal(role=wanted.role)))

    def _said(self, query: Query) -> Condition:
        """Return the condition that a turn matches."""
        asked = expression(query)
        self._asked[asked] = query
        return self._turns.match, [asked]

    def _holds(self, text: str, asked: str) -> bool:
        return self._asked[asked].holds(text)

    def _anywhere(self, query: Query, role: Role | None) -> Condition:
        """Return the condition that a turn contains some of the words, in a conversation that contains all of them."""
        conditions = [self._said(Query((tuple(term for terms in query.wanted for term in terms),)))]
        for terms, is_in in [*((terms, "IN") for terms in query.wanted), (query.unwanted, "NOT IN")]:
            if terms:
                where, values = all_of(self._said(Query((terms,))), equal(role=role))
                said_in = f"SELECT turns.conversation{self._turns.tables} WHERE {where}"
                conditions.append((f"turns.conversation {is_in} ({said_in})", values))
        return all_of(*conditions)

    def _count(self, condition: Condition) -> int:
        where, values = condition
        # Without filters the index alone can count, without reading each turn.
        source = " FROM turns_text" if where == "turns_text MATCH ?" else self._turns.tables
        [count] = self._ask(f"SELECT count(*){source} WHERE {where}", values, itemgetter(0))
        return int(count)

    def _in_order(self, question: str, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
        return self._ask(question, values, _aged)

    def _listed(self, question: str, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
        return self._ask(question, values, tuple)

    def _read(self, row: Sequence[Any]) -> Conversation:
        return self._whole(_aged(finite(row)))

    def _whole(self, row: Sequence[Any]) -> Conversation:
        _, key, *columns = row
        with using(self.path):
            return with_parts(self._connection, key, columns)

    def _ask(self, question: str, values: Sequence[Any], make: Callable[[Sequence[Any]], T]) -> Iterator[T]:
        """Yield the result of `make` for each row; raise `StoreError` for anything wrong with one."""
        with using(self.path):
            for row in self._connection.execute(question, values):
                yield make(finite(row))


_IDENTITY: Final = (
    "SELECT (SELECT value FROM store WHERE name = 'salt'), (SELECT value FROM store WHERE name = 'revision')"
)
_NEXT_PROVIDER: Final = "SELECT min(provider) FROM conversations WHERE provider > ?"
_NEXT_ACCOUNT: Final = "SELECT min(account) FROM conversations WHERE provider = ? AND account > ?"
_ROW: Final = ", ".join(("at", "key", *CONVERSATION))
_CHANGED: Final = (
    f"SELECT revision, {_ROW} FROM conversations WHERE (revision, key) > (?, ?) AND revision <= ?"
    " ORDER BY revision, key LIMIT 100"
)
_ERASED: Final = (
    "SELECT revision, digest FROM erased WHERE (revision, digest) > (?, ?) AND revision <= ? ORDER BY revision, digest"
)
_FOUND: Final = "provider, account, id, at, title, turns.position, role, start, turns.text"
_INDEXED: Final = Source(
    turns=" FROM turns_text JOIN turns ON turns.key = turns_text.rowid",
    match="turns_text MATCH ?",
    key="turns_text.rowid",
    rank="turns_text.rank",
)
# For builds of SQLite without full-text search: slow, and newest first.
_UNINDEXED: Final = Source(turns=" FROM turns", match="holds(turns.text, ?)", key="turns.key", rank=None)

# how rows are read; invalid values raise one of `UNREADABLE`


def _text(row: Sequence[Any]) -> str:
    [text] = row
    return msgspec.convert(text, str)


def _text_or_none(row: Sequence[Any]) -> str | None:
    [text] = row
    return msgspec.convert(text, str | None)


def _aged(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row, after checking the values that conversations are sorted by."""
    msgspec.convert(row[:2], tuple[str, int])
    return row


def _recording(row: Sequence[Any]) -> tuple[Recording, int, datetime | None]:
    provider, account, id, made_at, position, *columns = row
    at = instant_of(made_at) if made_at else None
    return recording_of(ref_of(provider, account, id), columns), msgspec.convert(position, int), at
