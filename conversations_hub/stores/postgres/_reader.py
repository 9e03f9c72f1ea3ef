"""Read a Postgres store: conversations by ref and by filter, and turns by their words; and erase from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from heapq import nlargest
from itertools import chain, count, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

import msgspec

from ..._instants import check_span
from ..._refs import Ref
from ..._sortable import instant_text
from ...errors import StoreError
from ...metrics import Summary, summarize
from ...metrics._summary import check_metrics, narrowed
from ...schema import Conversation, Recording, Role, Status
from .._changes import Change, Identity, Position, changes_since, end_of_changes
from .._conditions import Condition, all_of
from .._counts import counts
from .._erasure import Person, Receipt, remove_recordings, tombstone
from .._filters import Filters, check_counted
from .._hits import check_stars, hint, hit_of, nothing_asked, paged_hit_of
from .._newest_first import page_of, walked
from .._pages import Row, StorePage, read_place
from .._query import Query, parsed
from .._reader import EVERYTHING, Found, HitPage, NewestStats, only_one
from .._status import StoreStatus
from .._untrusted import conversation_in, decompress
from ._address import Address
from ._connection import using
from ._dialect import DIALECT
from ._door import Door
from ._erasure import Name, erase, named, of_person, older
from ._finding import Heard, Place, Turn, best_first, may_hold, places_after, turns_in
from ._status import status

__all__ = ["PostgresReader"]

T = TypeVar("T", Conversation, Heard)


class PostgresReader:
    """Reads a store, also while others write; any number of readers may. Close it, or use it with `with`.

    Its methods block while they wait for the server: in an event loop, call them through `asyncio.to_thread`. Each
    statement sees what was committed before it; its connection only reads.

    Args:
        address: Where the store is, or its URL.
    """

    def __init__(self, address: Address | str) -> None:
        self.address: Final = Address(address) if isinstance(address, str) else address
        self._door = Door(self.address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """See `StoreReader.close`."""
        self._door.close()

    # what is there

    def accounts(self) -> list[str]:
        """See `StoreReader.accounts`."""
        found = {account for (account,) in self._ask("SELECT account FROM accounts WHERE progress IS NOT NULL", ())}
        last: str | None = ""
        while last is not None:  # a query for the next one: DISTINCT reads all rows between them
            [(last,)] = self._ask("SELECT min(account) FROM conversations WHERE account > ?", (last,))
            found.update([] if last is None else [last])
        return sorted(found)

    def status(self) -> StoreStatus:
        """See `StoreReader.status`."""
        return self._door.ask(status)

    def revision(self) -> int:
        """See `StoreReader.revision`."""
        return self._identity().revision

    def interrupt(self) -> None:
        """See `StoreReader.interrupt`. The server ends the statement."""
        self._door.interrupt()

    # conversations

    def get(self, ref: str) -> Conversation:
        """See `StoreReader.get`."""
        parsed = Ref.parse(ref)
        target = parsed.target
        where, values = all_of(DIALECT.owner(target.provider, target.account), ("id = ?", [parsed.id]))
        rows = [*self._ask(f"SELECT {_ROW} FROM conversations WHERE {where} LIMIT 2", values)]
        return self._whole(only_one(rows, parsed))

    def conversations(
        self,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Conversation]:
        """See `StoreReader.conversations`."""
        wanted = Filters.of(targets, since, until, status=status, agent=agent)
        return map(self._whole, walked(self._in_order, DIALECT, _ROW, wanted, limit=limit))

    def page(self, wanted: Filters = EVERYTHING, *, limit: int = 50, cursor: str | None = None) -> StorePage:
        """See `StoreReader.page`."""
        after = None if cursor is None else read_place(cursor, int)
        said = self._containing(wanted)
        rows, following = page_of(self._in_order, DIALECT, _WITHOUT_RAW, wanted, said, limit=limit, after=after)
        return StorePage(rows=tuple(Row.of(self._whole(row)) for row in rows), cursor=following)

    def walk(self, wanted: Filters = EVERYTHING) -> Iterator[Conversation]:
        """See `StoreReader.walk`."""
        return map(self._whole, walked(self._in_order, DIALECT, _ROW, wanted, self._containing(wanted)))

    def counts(self, by: str, wanted: Filters = EVERYTHING, *, most: int = 50) -> dict[str, int]:
        """See `StoreReader.counts`."""
        check_counted(by)
        said = self._containing(wanted)
        with using(self.address):
            return counts(self._ask, DIALECT, by, wanted, said, most=most)

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
        """See `StoreReader.stats`: the conversations are measured as they are read."""
        names = check_metrics(metrics)
        found = self._without_raw(Filters.of(targets, since, until, status=status, agent=agent))
        return [narrowed(summary, names) for summary in summarize(found, by, timezone=timezone)]

    def newest_stats(
        self, wanted: Filters, by: Sequence[str] = ("provider",), *, goes_on: Callable[[], bool]
    ) -> NewestStats:
        """See `StoreReader.newest_stats`: the conversations are measured as they are read."""
        return NewestStats.of(self._without_raw(wanted, self._containing(wanted)), by, goes_on)

    def recordings(
        self, *targets: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Recording, int, datetime | None]]:
        """See `StoreReader.recordings`."""
        for one in self._without_raw(Filters.of(targets, since, until), ("recordings > 0", [])):
            for position, recording in enumerate(one.recordings):
                yield recording, position, one.created_at or one.started_at

    # changes

    def changes(self, cursor: str | None = None) -> Iterator[Change]:
        """See `ChangeReader.changes`."""
        return changes_since(cursor, self._identity, self._written, self._erasures)

    def end_of_changes(self) -> str:
        """See `ChangeReader.end_of_changes`."""
        return end_of_changes(self._identity())

    def digest(self, ref: str) -> str:
        """See `ChangeReader.digest`."""
        parsed = Ref.parse(ref)
        account = f"{parsed.target.provider}/{parsed.target.account or 'default'}"
        return tombstone(self._identity().salt, account, parsed.id).hex()

    def _identity(self) -> Identity:
        [row] = self._ask("SELECT salt, revision FROM store", ())
        with using(self.address):
            return Identity(*msgspec.convert(tuple(row), tuple[bytes, int]))

    def _written(self, after: Position, newest: int) -> Iterator[tuple[Position, Change]]:
        revision, key = after.revision, after.key
        while rows := [*self._ask(_CHANGED, (revision, revision, key, newest))]:
            for revision, *row in rows:
                key = row[1]
                yield Position.written(revision, key), Change(cursor="", conversation=self._whole(row))

    def _erasures(self, after: Position, newest: int) -> Iterator[tuple[Position, Change]]:
        for revision, digest in self._ask(_ERASED, (after.revision, after.revision, after.digest, newest)):
            yield Position.erased(revision, digest), Change(cursor="", erased=digest.hex())

    # search

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
        """See `StoreReader.search`. It opens every conversation that may have the words; `find` opens a page of them.

        Best are the turns of which the words are most.
        """
        wanted = Filters.of(targets, since, until, status=status, agent=agent, role=role)
        query = parsed(words)
        if not query:
            return nothing_asked(query)
        total = count()
        turns = (turn for turn, _ in zip(self._turns(query, wanted, anywhere=anywhere), total, strict=False))
        best = nlargest(offset + limit, ((query.density(turn.turn.text), turn.place, turn) for turn in turns))
        deque(turns, maxlen=0)
        hits = [hit_of(query, turn.row) for _, _, turn in best[offset:]]
        if known := next(total):
            return Found(hits=hits, total=known)

        def alone(query: Query) -> int:
            return sum(1 for _ in self._turns(query, wanted))

        return Found(hits=[], total=0, hint=hint(query, alone, anywhere=anywhere))

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
        """See `StoreReader.find`."""
        query = parsed(words)
        check_stars(query)
        if not query:
            return HitPage(hits=(), cursor=None)
        after = None if cursor is None else Place.read(cursor)
        turns = self._turns(query, wanted, after=after)
        hit = partial(paged_hit_of, query, marks, alter)
        if order == "best":
            best = best_first(islice(turns, _RANKED), query)
            return HitPage(hits=tuple(hit(turn.row) for turn in best[:limit]), cursor=None)
        found = [*islice(turns, limit + 1)]
        more = len(found) > limit
        hits = tuple(hit(turn.row) for turn in found[:limit])
        return HitPage(hits=hits, cursor=str(found[limit - 1].place) if more else None)

    def _containing(self, wanted: Filters) -> Condition:
        """Return the condition that a turn of a conversation has the words, which only the documents tell for sure."""
        if wanted.words is None:
            return "", []
        query = parsed(wanted.words)
        check_stars(query)
        found = self._turns(query, wanted) if query else ()
        return "key = ANY(?)", [[*{turn.place.key for turn in found}]]

    def _turns(
        self, query: Query, wanted: Filters, *, anywhere: bool = False, after: Place | None = None
    ) -> Iterator[Turn]:
        return turns_in(self._candidates(query, wanted, after), query, wanted.role, anywhere=anywhere, after=after)

    def _candidates(self, query: Query, wanted: Filters, after: Place | None) -> Iterator[tuple[int, int, Heard]]:
        """Yield the conversations that may have the words, last stored first, each after its batch and key."""
        chosen = all_of(may_hold(query), DIALECT.chosen(wanted))
        place = places_after(after)
        while True:
            where, values = all_of(chosen, place)
            rows = [
                *self._ask(
                    f"SELECT batch, key, account, id, document FROM conversations WHERE {where} {_LAST_FIRST}", values
                )
            ]
            if not rows:
                return
            with using(self.address):
                for batch, key, account, id, document in rows:
                    yield batch, key, self._checked(Heard.of(document), account, id)
            place = ("(batch, key) < (?, ?)", [*rows[-1][:2]])

    # erasure

    def erase(
        self,
        *refs: str,
        person: Person | None = None,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """See `StoreReader.erase`. All accounts that are written meanwhile wait for it, for a moment.

        Postgres frees the space of what was deleted with the next VACUUM, and overwrites it later. Its log, replicas,
        copies and backups are not touched: erasing them is up to you.
        """
        taking, mentioning = list[Name](), list[Name]()
        if refs:
            taking += self._door.ask(lambda connection: named(connection, refs))
        if person is not None:
            found, mentioning = self._door.ask(lambda connection: of_person(connection, person))
            taking += found
        return self._erase([*dict.fromkeys(taking)], mentioning, recordings, dry_run=dry_run, now=now)

    def prune(
        self,
        before: datetime,
        *,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """See `StoreReader.prune`."""
        check_span(before, None)
        found = self._door.ask(lambda connection: older(connection, before))
        return self._erase(found, (), recordings, dry_run=dry_run, now=now)

    def _erase(
        self,
        names: Sequence[Name],
        mentioning: Sequence[Name],
        recordings: str | Path | None,
        *,
        dry_run: bool,
        now: datetime | None,
    ) -> Receipt:
        refs = tuple(name.ref for name in names)
        mentioned = tuple(name.ref for name in mentioning if name not in names)
        receipt = Receipt(store=str(self.address), erased_at=None, conversations=refs, mentioned=mentioned)
        if dry_run:
            return receipt
        files = [] if recordings is None else remove_recordings(Path(recordings), refs)
        at = now or datetime.now(UTC)
        if names:
            self._door.change(lambda connection: erase(connection, names, at))
        return msgspec.structs.replace(receipt, erased_at=at, recordings=tuple(files))

    # rows

    def _ask(self, question: str, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """Yield the rows that a query finds; its placeholders are question marks."""
        first, *rest = question.split("?")
        numbered = "".join(chain([first], (f"${number}{part}" for number, part in enumerate(rest, 1))))
        return map(tuple, self._door.ask(lambda connection: connection.fetch(numbered, *values)))

    def _in_order(self, question: str, values: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """Yield rows whose first column is an instant, as a text that sorts; it is empty if there is none."""
        with using(self.address):
            for at, *columns in self._ask(question, values):
                yield instant_text(at) if at.tzinfo else "", *columns  # minus infinity has no time zone

    def _without_raw(self, wanted: Filters, also: Condition = ("", [])) -> Iterator[Conversation]:
        return map(self._whole, walked(self._in_order, DIALECT, _WITHOUT_RAW, wanted, also))

    def _whole(self, row: Sequence[Any]) -> Conversation:
        """Return the conversation of a row of `_ROW`, or of `_WITHOUT_RAW`."""
        _, _, account, id, document, *raw = row
        with using(self.address):
            one = conversation_in(decompress(document))
            if raw and raw[0] is not None:
                one = msgspec.structs.replace(one, raw=decompress(raw[0]))
        return self._checked(one, account, id)

    def _checked(self, one: T, account: str, id: str) -> T:
        """Return a conversation that its row names alike; raise `StoreError` for another."""
        if (f"{one.provider}/{one.account}", one.id) != (account, id):
            raise StoreError(f"{self.address}: a row and its document are of two conversations")
        return one


_RANKED: Final = 2000  # turns; to rank all of a common word takes long
_WITHOUT_RAW: Final = "at, key, account, id, document"
_ROW: Final = f"{_WITHOUT_RAW}, raw"
_LAST_FIRST: Final = "ORDER BY batch DESC, key DESC LIMIT 50"
_CHANGED: Final = (
    f"SELECT revision, {_ROW} FROM commits JOIN conversations USING (batch)"
    " WHERE revision >= ? AND (revision, key) > (?, ?) AND revision <= ? ORDER BY revision, key LIMIT 100"
)
_ERASED: Final = (
    "SELECT revision, digest FROM commits JOIN erased USING (batch)"
    " WHERE revision >= ? AND (revision, digest) > (?, ?) AND revision <= ? ORDER BY revision, digest"
)
