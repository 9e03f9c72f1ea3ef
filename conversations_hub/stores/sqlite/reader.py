"""What is in a store: conversations by name and by filter, and turns by what was said in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from heapq import merge
from itertools import chain, groupby, islice
from math import inf
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec

from ...adapters import load
from ...errors import InvalidRefError, NotFoundError
from ...instants import check_span
from ...refs import Ref, Target
from ...schema import Conversation, Recording, Role, Status
from ..erasure import Person, Receipt
from ..filters import Filters
from ..reader import Found, Hit
from ..status import StoreStatus
from ..untrusted import instant_of
from .connection import connect, has_index, using
from .erasure import Plan, named, older
from .query import Query, parsed, snippet
from .status import status
from .tables import CONVERSATION, PARTICIPANT, RECORDING, TURN, conversation_of, instant_text, recording_of
from .writer import Writer

__all__ = ["SQLiteReader"]

T = TypeVar("T")

_AT_A_TIME: Final = 100  # conversations read together
_MOST_HINTS: Final = 20  # words that are counted where nothing is found


class SQLiteReader:
    """A store's file, to read from; any number of readers may do so while a sync writes. To be closed, or `with`.

    It reads at once and waits for the disk: in an event loop call it through `asyncio.to_thread`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._asked: dict[str, Query] = {}
        self._open()

    def _open(self) -> None:
        self._connection = connect(self.path)
        try:
            is_indexed = has_index(self._connection)
        except BaseException:
            self._connection.close()
            raise
        if is_indexed:
            self._source, self._match, self._order = _INDEXED, "turns_text MATCH ?", "turns_text.rank"
        else:
            # In builds of SQLite that have no index: slowly, and the newest first.
            self._source, self._match, self._order = _UNINDEXED, "holds(turns.text, ?)", "at DESC, turns.key"
            self._connection.create_function("holds", 2, self._holds)

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
            with using(self.path):
                return choose(self._connection).receipt(self.path, None)
        self._connection.close()  # the file is written anew
        try:
            with using(self.path), closing(Writer(self.path, {})) as writer:
                folder = None if recordings is None else Path(recordings)
                return writer.erase(choose, folder, now or datetime.now(UTC))
        finally:
            self._open()

    def accounts(self) -> list[str]:
        """Return the accounts there are, as "provider/account"."""
        found = set(self._ask("SELECT account FROM accounts", (), _text))
        for provider in self._each(_NEXT_PROVIDER):
            found.update(f"{provider}/{account}" for account in self._each(_NEXT_ACCOUNT, provider))
        return sorted(found)

    def _each(self, question: str, *values: str) -> Iterator[str]:
        """Yield each value there is, asked for by the one before it: DISTINCT may read all that lie between."""
        last: str | None = ""
        while last is not None:
            [last] = self._ask(question, (*values, last), _text_or_none)
            if last is not None:
                yield last

    def status(self) -> StoreStatus:
        """Return how the store stands, account by account."""
        with using(self.path):
            return status(partial(self._ask, make=tuple))

    def get(self, ref: str) -> Conversation:
        """Return one conversation; raise `NotFoundError` where it is not there."""
        parsed = Ref.parse(ref)
        target = parsed.target
        # In no order: an index that has one would be read until the id turns up.
        rows = self._rows(_equal(provider=target.provider, account=target.account, id=parsed.id), limit=2)
        found = [self._whole(row) for row in rows]
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
        wanted = Filters.of(targets, since, until, status=status, agent=agent)
        condition = _all(_before(until), _equal(status=wanted.status, agent_id=agent))
        spans: list[_Condition] = [("", [])]
        if since is not None:  # two questions: one for both would read all that lies between
            spans = [("at >= ?", [instant_text(since)]), ("at = ''", [])]
        # And one for each target: no index has those of several in one order.
        owners = [_is_of(target) for target in wanted.targets] or [("", [])]
        found = (self._newest_first([_all(one, condition, span) for one in owners], limit) for span in spans)
        return islice(chain.from_iterable(found), limit)

    def recordings(
        self, *targets: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Recording, int, datetime | None]]:
        """Yield the recordings of those conversations, the newest first.

        Each comes with its position in its conversation, and with when that was made, else when it started.
        """
        where, values = _narrowed(Filters.of(targets, since, until))
        return self._ask(
            "SELECT provider, account, id, at, position,"
            f" {', '.join(f'recordings.{name}' for name in RECORDING)}"
            " FROM recordings JOIN conversations ON conversations.key = recordings.conversation"
            f" WHERE {where or '1'}"
            " ORDER BY at DESC, conversation, position",
            values,
            _recording,
        )

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
        """Return the turns in which all the words were said, the best match first, from the one at `offset`.

        Words count in any form of case and accent; `"in quotes"` they count as they follow each other, and with a star
        at the end as a beginning: `refund*`. `OR` between two makes one of them enough, `NOT` or a dash before one
        leaves out the turns in which it stands.

        With `anywhere` the words may stand in different turns of one conversation, each turn that has one of them is a
        hit, and what is left out are conversations. The other filters are those of `hub.list`, `status` and `agent`
        among them; `role` is of who said the words.

        Raises:
            InvalidRefError: These are more words than can be looked for at once.
        """
        wanted = Filters.of(targets, since, until, status=status, agent=agent, role=role)
        query = parsed(words)
        if not query:
            hint = "there are only words to leave out" if query.unwanted else "there is no word to find"
            return Found(hits=[], total=0, hint=hint)
        narrowed = _all(_narrowed(wanted), _equal(role=wanted.role, status=wanted.status, agent_id=agent))
        asked = _all(self._anywhere(query, wanted.role) if anywhere else self._said(query), narrowed)
        where, values = asked
        question = f"SELECT {_FOUND}, turns.text{self._source} WHERE {where} ORDER BY {self._order} LIMIT ? OFFSET ?"
        hits = list(self._ask(question, (*values, limit, offset), partial(_hit, query)))
        total = offset + len(hits) if 0 < len(hits) < limit else self._count(asked)
        return Found(hits=hits, total=total, hint=None if total else self._hint(query, narrowed, anywhere=anywhere))

    def _said(self, query: Query) -> _Condition:
        """Return the condition that a turn says it."""
        expression = query.expression()
        self._asked[expression] = query
        return self._match, [expression]

    def _holds(self, text: str, expression: str) -> bool:
        return self._asked[expression].holds(text)

    def _anywhere(self, query: Query, role: Role | None) -> _Condition:
        """Return the condition that a turn says some of it, in a conversation that says all of it."""
        conditions = [self._said(Query((tuple(term for terms in query.wanted for term in terms),)))]
        for terms, is_in in [*((terms, "IN") for terms in query.wanted), (query.unwanted, "NOT IN")]:
            if terms:
                where, values = _all(self._said(Query((terms,))), _equal(role=role))
                said_in = f"SELECT turns.conversation{self._source} WHERE {where}"
                conditions.append((f"turns.conversation {is_in} ({said_in})", values))
        return _all(*conditions)

    def _count(self, condition: _Condition) -> int:
        where, values = condition
        # The index alone counts what is not narrowed, without a look at each turn.
        source = " FROM turns_text" if where == "turns_text MATCH ?" else self._source
        [count] = self._ask(f"SELECT count(*){source} WHERE {where}", values, itemgetter(0))
        return int(count)

    def _hint(self, query: Query, narrowed: _Condition, *, anywhere: bool) -> str:
        terms = [term for terms in query.wanted for term in terms][:_MOST_HINTS]
        alone = {term.said: self._count(_all(self._said(Query(((term,),))), narrowed)) for term in terms}
        if len(alone) == 1 and not query.unwanted:
            return f"nobody said {terms[0].said}"
        each = ", ".join(f"{said} in {count or 'no'} turn{'s' * (count != 1)}" for said, count in alone.items())
        further = "" if anywhere or not all(alone.values()) else "; they may stand in different turns of a conversation"
        return f"nobody said all of that in one {'conversation' if anywhere else 'turn'}. By itself: {each}{further}"

    def _newest_first(self, conditions: Sequence[_Condition], limit: int | None) -> Iterator[Conversation]:
        """Yield what meets one of the conditions, once each."""
        found = [self._rows(condition, limit, "ORDER BY at DESC, key DESC") for condition in conditions]
        for _, alike in groupby(merge(*found, key=_AGE, reverse=True), key=_AGE):
            yield self._whole(next(alike))

    def _rows(self, condition: _Condition, limit: int | None, order: str = "") -> Iterator[Sequence[Any]]:
        where, values = condition
        question = f"SELECT {_ROW} FROM conversations WHERE {where or '1'} {order} LIMIT ?"
        return self._ask(question, (*values, -1 if limit is None else limit), _aged)

    def _whole(self, row: Sequence[Any]) -> Conversation:
        _, key, *columns = row
        with using(self.path):
            return conversation_of(columns, *(self._parts(table, names, key) for table, names in _PARTS))

    def _parts(self, table: str, names: Sequence[str], key: int) -> list[Sequence[Any]]:
        question = f"SELECT {', '.join(names)} FROM {table} WHERE conversation = ? ORDER BY position"
        return [_finite(row) for row in self._connection.execute(question, (key,)).fetchall()]

    def _ask(self, question: str, values: Sequence[Any], make: Callable[[Sequence[Any]], T]) -> Iterator[T]:
        """Yield what is made of each row. Whatever is wrong with one is a `StoreError`."""
        with using(self.path):
            for row in self._connection.execute(question, values):
                yield make(_finite(row))


_NEXT_PROVIDER: Final = "SELECT min(provider) FROM conversations WHERE provider > ?"
_NEXT_ACCOUNT: Final = "SELECT min(account) FROM conversations WHERE provider = ? AND account > ?"
_ROW: Final = ", ".join(("at", "key", *CONVERSATION))
_AGE: Final = itemgetter(0, 1)  # of a row
_PARTS: Final = (("turns", TURN), ("participants", PARTICIPANT), ("recordings", RECORDING))
_FOUND: Final = "provider, account, id, at, title, turns.position, role, start"
_UNINDEXED: Final = " FROM turns JOIN conversations ON conversations.key = turns.conversation"
_INDEXED: Final = (
    " FROM turns_text JOIN turns ON turns.key = turns_text.rowid"
    " JOIN conversations ON conversations.key = turns.conversation"
)

_Condition = tuple[str, list[Any]]  # of a statement, and the values for its marks


def _all(*conditions: _Condition) -> _Condition:
    told = [where for where, _ in conditions if where]
    return " AND ".join(told), [value for _, values in conditions for value in values]


def _equal(**columns: str | None) -> _Condition:
    told = {name: str(value) for name, value in columns.items() if value is not None}
    return " AND ".join(f"{name} = ?" for name in told), list(told.values())


def _narrowed(wanted: Filters) -> _Condition:
    """Return the condition of targets and span."""
    named = [_is_of(target) for target in wanted.targets]
    owners = f"({' OR '.join(where for where, _ in named)})" if named else ""
    since: _Condition = ("", [])
    if wanted.since is not None:  # like `hub.list`: what has no instant is in every span
        since = ("(at >= ? OR at = '')", [instant_text(wanted.since)])
    return _all((owners, [value for _, values in named for value in values]), since, _before(wanted.until))


def _before(until: datetime | None) -> _Condition:
    return ("", []) if until is None else ("at < ?", [instant_text(until)])


def _is_of(target: Target) -> _Condition:
    conditions: list[str] = ["provider = ?"]
    values: list[Any] = [target.provider]
    if target.account is not None:
        conditions.append("account = ?")
        values.append(target.account)
    if target.resource is not None:
        adapter = load(target.provider)
        if target.resource == adapter.main:
            prefixes = [prefix for name in adapter.resources for prefix in adapter.id_prefixes(name)]
            conditions += ["substr(id, 1, ?) <> ?"] * len(prefixes)
        else:
            prefixes = [*adapter.id_prefixes(target.resource)]
            conditions.append(f"({' OR '.join(['substr(id, 1, ?) = ?'] * len(prefixes))})")
        values += [part for prefix in prefixes for part in (len(prefix), prefix)]
    return " AND ".join(conditions), values


# what a row is read as; `UNREADABLE` where it holds something else


def _finite(row: Sequence[Any]) -> Sequence[Any]:
    if inf in row or -inf in row:  # SQLite holds such numbers, JSON has no word for them
        raise ValueError
    return row


def _text(row: Sequence[Any]) -> str:
    [text] = row
    return msgspec.convert(text, str)


def _text_or_none(row: Sequence[Any]) -> str | None:
    [text] = row
    return msgspec.convert(text, str | None)


def _aged(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row that begins with what conversations are sorted by."""
    msgspec.convert(row[:2], tuple[str, int])
    return row


def _recording(row: Sequence[Any]) -> tuple[Recording, int, datetime | None]:
    provider, account, id, made_at, position, *columns = row
    at = instant_of(made_at) if made_at else None
    return recording_of(_ref(provider, account, id), columns), msgspec.convert(position, int), at


def _hit(query: Query, row: Sequence[Any]) -> Hit:
    provider, account, id, created_at, title, position, role, start, text = row
    return msgspec.convert(
        {
            "ref": _ref(provider, account, id),
            "created_at": created_at or None,
            "title": title,
            "position": position,
            "role": role,
            "start": start,
            "snippet": snippet(text, query),
        },
        Hit,
    )


def _ref(provider: str, account: str, id: str) -> str:
    return f"{provider}:{id}" if account == "default" else f"{provider}/{account}:{id}"
