"""Conversations as a source of Apache Spark, in batches and streams. It needs the extra `spark` and Java 17.

    from conversations_hub.engines.spark import Conversations

    spark.dataSource.register(Conversations)
    frame = spark.read.format("conversations").options(accounts="accounts.toml", since="90d").load()

Options, all of them texts: `accounts`, `targets` (with commas between them), `redact` and `limiter` as in
`conversations_hub.engines.Source`; `since`, `until` and `step` as in `plan`, as instants and spans such as
`2026-11-20`, `90d` or `12h`; `on_bad` as in `read`. Options never hold a key: workers find the accounts by themselves.

A stream, `spark.readStream.format("conversations")`, reads what is older than `settle` (an hour), when transcripts and
analyses are there as a rule. With each step it reads again what is older by each of the spans in `reread` (`24h`), for
what came late; an empty text reads nothing again. A row may come more than once, so merge it by its key.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .._instants import parse_instant, parse_span
from ..errors import InvalidRefError
from ..sync._windows import STEP
from ._partitions import Partition, Source, plan
from ._reading import OnBad, read
from ._rows import Row, row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class DataSource: ...

    class DataSourceReader: ...

    class DataSourceStreamReader: ...

    class InputPartition:
        def __init__(self, value: Any) -> None:
            self.value = value

    class _Filter(Protocol):
        attribute: tuple[str, ...]
        value: Any

else:
    try:
        from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceStreamReader, InputPartition
    except ImportError:  # without Spark nothing registers it
        from dataclasses import make_dataclass

        DataSource = DataSourceReader = DataSourceStreamReader = object
        InputPartition = make_dataclass("InputPartition", ["value"])

__all__ = ["SCHEMA", "Conversations"]

SCHEMA: Final = (
    "provider string, account string, id string, day string, status string, created_at timestamp, started_at timestamp,"
    " duration double, transcript_state string, turns int, document string, content string"
)
"""The columns, as `conversations_hub.engines.COLUMNS`; (provider, account, id) is the key."""

_OVERLAP: Final = timedelta(minutes=15)  # for what appears in a list a little late
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OPTIONS: Final = frozenset(
    {"accounts", "targets", "redact", "limiter", "since", "until", "step", "on_bad", "settle", "reread"}
)


class Conversations(DataSource):
    """The source `conversations`: `spark.dataSource.register(Conversations)`."""

    def __init__(self, options: MutableMapping[str, str]) -> None:
        self.options = options

    @classmethod
    def name(cls) -> str:
        """Return the name for `format(…)`."""
        return "conversations"

    def schema(self) -> str:
        """Return the columns."""
        return SCHEMA

    def reader(self, schema: object) -> _Reader:  # noqa: ARG002  (Spark passes it by name)
        """Return what reads a batch."""
        return _Reader(_Asked.of(self.options, datetime.now(UTC)))

    def streamReader(self, schema: object) -> _Stream:  # noqa: ARG002, N802  (Spark's names)
        """Return what reads a stream."""
        return _Stream(_Asked.of(self.options, datetime.now(UTC)))


@dataclass(frozen=True)
class _Asked:
    """What the options ask for."""

    source: Source
    since: datetime | None
    until: datetime
    step: timedelta
    on_bad: OnBad
    settle: timedelta
    reread: tuple[timedelta, ...]

    @classmethod
    def of(cls, options: Mapping[str, str], now: datetime) -> _Asked:
        """Read the options; raise `InvalidRefError` for one that is unknown or malformed."""
        told = {name.lower(): text for name, text in options.items()}
        if strangers := told.keys() - _OPTIONS:
            raise InvalidRefError(f"unknown options: {', '.join(sorted(strangers))}; use {', '.join(sorted(_OPTIONS))}")
        on_bad = told.get("on_bad", "raise")
        if on_bad not in {"raise", "count"}:
            raise InvalidRefError("on_bad must be raise or count")
        return cls(
            source=Source(
                accounts=told.get("accounts", "env"),
                targets=_parts(told.get("targets", "")),
                redact=told.get("redact"),
                limiter=told.get("limiter"),
            ),
            since=parse_instant(told["since"], now) if "since" in told else None,
            until=parse_instant(told["until"], now) if "until" in told else now,
            step=parse_span(told["step"]) if "step" in told else STEP,
            on_bad="count" if on_bad == "count" else "raise",
            settle=parse_span(told.get("settle", "1h")),
            reread=tuple(map(parse_span, _parts(told.get("reread", "24h")))),
        )


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


class _Reader(DataSourceReader):
    """Reads a batch: a task for each partition that the filters leave."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._only: dict[str, frozenset[str]] = {}  # the values that filters leave of a column

    def pushFilters(self, filters: Sequence[_Filter]) -> Iterable[_Filter]:  # noqa: N802  (Spark's name)
        """Ask for less because of filters on provider, account and `created_at`, which Spark checks all the same."""
        for each in filters:
            kind, column = type(each).__name__, ".".join(each.attribute)
            value: Any = getattr(each, "value", None)
            if column in {"provider", "account"} and kind in {"EqualTo", "EqualNullSafe", "In"}:
                values = frozenset[str](value if kind == "In" else (value,))
                self._only[column] = self._only.get(column, values) & values
            elif column == "created_at" and isinstance(value, datetime) and value.tzinfo is not None:
                self._narrow(kind, value)
        # A filter that was applied once more than necessary costs little; Spark may also ask again.
        return filters

    def _narrow(self, kind: str, bound: datetime) -> None:
        """Narrow the span: a row without `created_at` fails any comparison with it."""
        since, until = self._asked.since, self._asked.until
        if kind in {"EqualTo", "GreaterThan", "GreaterThanOrEqual"}:
            since = bound if since is None else max(since, bound)
        if kind in {"EqualTo", "LessThan", "LessThanOrEqual"}:
            until = min(until, bound + timedelta(microseconds=1))
        self._asked = replace(self._asked, since=since, until=until)

    def partitions(self) -> list[InputPartition]:
        """Return what the tasks read."""
        asked = self._asked
        if asked.since is not None and asked.since >= asked.until:
            return []
        return _inputs(filter(self._wants, plan(asked.source, asked.since, asked.until, asked.step)))

    def _wants(self, partition: Partition) -> bool:
        provider, _, account = partition.where.partition("/")
        return _leaves(self._only.get("provider"), provider) and _leaves(self._only.get("account"), account)

    def read(self, partition: InputPartition) -> Iterator[Row]:
        """Yield the rows of a partition."""
        return map(row, read(partition.value, on_bad=self._asked.on_bad))


def _leaves(values: Collection[str] | None, value: str) -> bool:
    return values is None or value in values


class _Stream(DataSourceStreamReader):
    """Reads a stream; its offset is the instant up to which lists were read."""

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked

    def initialOffset(self) -> dict[str, str]:  # noqa: N802  (Spark's name)
        """Return where a stream without a checkpoint begins: at `since`, or with what settles from now on."""
        return {"until": (self._asked.since or self._asked.until - self._asked.settle).isoformat()}

    def latestOffset(self, start: Mapping[str, str], limit: object) -> dict[str, str]:  # noqa: ARG002, N802
        """Return up to when conversations have settled."""
        return self.offset_at(start, datetime.now(UTC))

    def offset_at(self, start: Mapping[str, str], now: datetime) -> dict[str, str]:
        """Return the latest offset at an instant, which is never before the last one, whatever the clock says."""
        return {"until": max(now - self._asked.settle, datetime.fromisoformat(start["until"])).isoformat()}

    def partitions(self, start: Mapping[str, str], end: Mapping[str, str]) -> list[InputPartition]:
        """Return what the tasks read of a step, and of what is read again."""
        since, until = (datetime.fromisoformat(offset["until"]) for offset in (start, end))
        if since >= until:
            return []
        found = self._plan(since, until)
        for ago in self._asked.reread:
            # What has no instant is the same in every span.
            found += [each for each in self._plan(since - ago, until - ago) if not each.rest]
        return _inputs(found)

    def _plan(self, since: datetime, until: datetime) -> list[Partition]:
        since = max(since - _OVERLAP, self._asked.since or _FIRST)
        return plan(self._asked.source, since, until, self._asked.step) if since < until else []

    def read(self, partition: InputPartition) -> Iterator[Row]:
        """Yield the rows of a partition."""
        return map(row, read(partition.value, on_bad=self._asked.on_bad))

    def commit(self, end: Mapping[str, str]) -> None:
        """Do nothing: the offset is in Spark's checkpoint."""


def _inputs(partitions: Iterable[Partition]) -> list[InputPartition]:
    return [InputPartition(partition) for partition in partitions]
