"""Summarize what the conversations of a store measure: from what is kept of them, and by measuring what is lacking."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ...metrics import Summary, measure
from ...metrics import merge as added
from ...metrics._groups import SPANS
from ...metrics._summary import SUMMARIZED
from ...schema import Conversation
from .._conditions import Condition
from .._untrusted import instant_of
from ._measures import keep, measures_row, row_version
from ._parts import Alike, Group, Labels, Part, part_of
from ._rollups import Rollups, span_of
from ._tables import CONVERSATION

__all__ = ["KEPT", "Stats"]

_Row = Sequence[Any]
_Group = tuple[str | None, ...]

_AT_ONCE: Final = 20_000  # rows in memory
_MEASURED_AT_ONCE: Final = 500  # conversations, so that a stopped run has kept most of its work
_FIRST: Final = ("at", "key", "latencies", "cost")
_AT, _KEY, _CELL, _AMOUNT, _REST = range(len(_FIRST) + 1)
_LEAST_PER_GROUP: Final = 64
"""Conversations of a block, on average; with fewer, the partial summaries are as long as all rows."""
_ALIKE: Final = ("provider", "version", "basis", "cost_unit", "success", "sentiment")
"""Columns in which very many rows are alike, as they are in those of the keys."""
KEPT: Final = (
    " LEFT JOIN remembered ON remembered.conversation = key"
    " LEFT JOIN measures ON measures.conversation = key AND measures.content_print = remembered.content_print"
)
"""What joins each conversation with what is kept of it, if that is of the content that is stored."""


class Stats:
    """Summaries of conversations by some keys.

    Args:
        connection: A connection to the store.
        read: Makes a conversation of its columns.
        by: The keys of the groups.
        metrics: The metrics, under their names in summaries; what is measured anew has all of them.
        zone: Where days, weeks and months begin.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        read: Callable[[_Row], Conversation],
        *,
        by: Sequence[str],
        metrics: Sequence[str],
        zone: tzinfo,
    ) -> None:
        self._connection = connection
        self._read = read
        self._by = by
        self._metrics = metrics
        self._zone = zone
        self._is_utc = zone.utcoffset(None) == timedelta()
        self._groups: dict[_Group, Group] = {}
        self._kept_in: Path | None = None  # as long as anything can be kept
        self._named = lru_cache(maxsize=4096)(self._group_of)
        self._shared = lru_cache(maxsize=4096)(self._shared_in)
        self._version_of = lru_cache(row_version)

    @property
    def columns(self) -> str:
        """The columns of a row, in SQL, of `conversations` joined with `KEPT`."""
        return self._columns("at")

    def _columns(self, at: str) -> str:
        # Each column takes its time, so those in which rows are alike are one.
        alike = ", ".join((*_ALIKE, *map(self._column, self._by)))
        return ", ".join((at, *_FIRST[1:], f"json_array({alike})"))

    def summaries(self) -> list[Summary]:
        """Return the summaries of all that was added, in the order of the keys."""
        groups = self._groups.items()
        return [*added(one.summary(dict(zip(self._by, group, strict=True))) for group, one in groups)]

    def add_all(self, condition: Condition, path: Path) -> None:
        """Add all conversations that meet a condition; keep what is measured, if the store can be written now."""
        self._kept_in = path
        where, values = condition
        if not where and (self._is_utc or SPANS.keys().isdisjoint(self._by)):
            self._add_blocks()
            return
        stale: list[_Row] = []
        rows = self._rows(where or "1", values)
        while some := rows.fetchmany(_AT_ONCE):
            fresh, others = self._fresh_and_stale(some)
            self._add(self._parts(fresh, self._metrics))
            stale += others
        for begin in range(0, len(stale), _MEASURED_AT_ONCE):  # once all is read: nothing can be kept meanwhile
            self._add(self._parts(self._measured(stale[begin : begin + _MEASURED_AT_ONCE]), self._metrics))

    def add_newest(self, pieces: Iterable[Sequence[_Row]], goes_on: Callable[[], bool]) -> tuple[datetime | None, bool]:
        """Add rows while `goes_on`, the newest first; keep nothing.

        Return when the oldest began that was added and has an instant, and whether all were added.
        """
        waiting: list[_Row] = []
        is_all = True
        oldest: str | None = None
        for rows in pieces:
            stale = self._whole(self._fresh_and_stale(rows)[1])
            number = 0
            for row in rows if stale or goes_on() else ():
                if row[_KEY] not in stale:
                    waiting.append(row)
                elif goes_on():
                    waiting.append(_with(row, self._measure(row, *stale[row[_KEY]])))
                else:
                    break
                oldest = row[_AT] or oldest
                number += 1
            if len(waiting) >= _AT_ONCE:
                self._add(self._parts(waiting, self._metrics))
                waiting = []
            is_all = number == len(rows)
            if not is_all:
                break
        self._add(self._parts(waiting, self._metrics))
        return (None if oldest is None else instant_of(oldest)), is_all

    # what is in the store

    def _rows(self, where: str, values: Sequence[Any]) -> sqlite3.Cursor:
        columns = self._columns("NULL")  # an instant that nobody asks for takes its time, too
        return self._connection.execute(f"SELECT {columns} FROM conversations{KEPT} WHERE {where}", values)

    def _add_blocks(self) -> None:
        """Add everything, block by block, and keep the partial summaries of each."""
        rollups = Rollups(self._connection, self._by, self._version_of)
        block = rollups.block_after(None)
        while block is not None:
            parts = rollups.parts(block)
            self._add(self._parts_of(block, rollups) if parts is None else parts)
            block = rollups.block_after(block)

    def _parts_of(self, block: int, rollups: Rollups) -> Mapping[_Group, Part]:
        revision = rollups.revision()
        rows, stale = self._fresh_and_stale(self._rows("key BETWEEN ? AND ?", span_of(block)).fetchall())
        for begin in range(0, len(stale), _MEASURED_AT_ONCE):
            rows += self._measured(stale[begin : begin + _MEASURED_AT_ONCE])
        if self._kept_in is None:
            return self._parts(rows, self._metrics)
        parts = self._parts(rows, SUMMARIZED)
        if len(rows) >= _LEAST_PER_GROUP * len(parts):
            providers = {self._shared(each).provider for each in {row[_REST] for row in rows}}
            if not rollups.keep(self._kept_in, block, parts, providers, revision):
                self._kept_in = None
        return parts

    def _fresh_and_stale(self, rows: Sequence[_Row]) -> tuple[list[_Row], list[_Row]]:
        """Return those of which is kept what they measure by the present definitions, and the others."""
        is_fresh = {each: self._shared(each).is_fresh for each in {row[_REST] for row in rows}}
        if all(is_fresh.values()):
            return [*rows], []
        return [row for row in rows if is_fresh[row[_REST]]], [row for row in rows if not is_fresh[row[_REST]]]

    def _measured(self, rows: Sequence[_Row]) -> list[_Row]:
        """Return rows with what their conversations measure now, and keep it."""
        found: list[_Row] = []
        kept: list[tuple[Any, ...]] = []
        whole = self._whole(rows)
        for row in rows:
            if row[_KEY] not in whole:  # somebody has erased it
                continue
            content, one = whole[row[_KEY]]
            measures = self._measure(row, content, one)
            found.append(_with(row, measures))
            if content is not None:
                kept.append(measures)
        if self._kept_in is not None and kept and not keep(self._kept_in, kept):
            self._kept_in = None
        return found

    def _measure(self, row: _Row, content: object, one: Conversation) -> tuple[Any, ...]:
        return measures_row(row[_KEY], self._version_of(one.provider), content, measure(one))

    def _whole(self, rows: Sequence[_Row]) -> dict[int, tuple[object, Conversation]]:
        """Return conversations by their keys, each with what is remembered of its content."""
        keys = [row[_KEY] for row in rows]
        question = (
            f"SELECT content_print, at, key, {', '.join(CONVERSATION)} FROM conversations"
            f" LEFT JOIN remembered ON conversation = key WHERE key IN ({', '.join('?' * len(keys))})"
        )
        found = self._connection.execute(question, keys) if keys else ()
        return {row[1]: (content, self._read(row)) for content, *row in found}

    # partial summaries

    def _parts(self, rows: Sequence[_Row], metrics: Sequence[str]) -> dict[_Group, Part]:
        """Return the partial summaries of rows, by group; all of them say what is measured."""
        alike: defaultdict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            alike[row[_REST]].append(row)
        together: defaultdict[_Group, list[Alike]] = defaultdict(list)
        for each, members in alike.items():
            shared = self._shared(each)
            cells, amounts = [row[_CELL] for row in members], [row[_AMOUNT] for row in members]
            together[shared.group].append(Alike(shared.labels, cells, amounts))
        return {group: part_of(some, metrics) for group, some in together.items()}

    def _add(self, parts: Mapping[_Group, Part]) -> None:
        for group, part in parts.items():
            if group not in self._groups:
                self._groups[group] = Group(self._metrics)
            self._groups[group].add(part)

    def _shared_in(self, document: str) -> _Shared:
        provider, version, basis, unit, success, sentiment, *cells = msgspec.json.decode(document, type=list[Any])
        provider = msgspec.convert(provider, str)
        is_fresh = bool(version == self._version_of(provider))
        return _Shared(provider, is_fresh, self._named(*cells), Labels(basis, unit, success, sentiment))

    # the groups of rows

    def _column(self, key: str) -> str:
        if key not in SPANS:
            return "agent_id" if key == "agent" else key
        # There are fewer days than instants, but where they begin is only known in UTC.
        return "nullif(day, '')" if self._is_utc else "nullif(at, '')"

    def _group_of(self, *told: object) -> _Group:
        cells = msgspec.convert(told, tuple[str | None, ...])
        rest = _MIDNIGHT if self._is_utc else ""
        return tuple(
            SPANS[key](instant_of(cell + rest), self._zone) if cell is not None and key in SPANS else cell
            for key, cell in zip(self._by, cells, strict=True)
        )


class _Shared(NamedTuple):
    """What the last column of many rows says, which is the same text in all of them."""

    provider: str
    is_fresh: bool
    """Whether what is kept was measured by the present definitions."""
    group: _Group
    labels: Labels


def _with(row: _Row, measures: Sequence[Any]) -> _Row:
    """Return a row with what its conversation measures now."""
    _, version, *_ = measures
    basis, _, cell = measures[-3:]
    provider, _, _, *others = msgspec.json.decode(row[_REST], type=list[Any])
    rest = msgspec.json.encode([provider, version, basis, *others]).decode()
    return (row[_AT], row[_KEY], cell, row[_AMOUNT], rest)


_MIDNIGHT: Final = "T00:00:00Z"
