"""Conversations as a source of dlt, which loads them into warehouses and lakes. It needs the extra `dlt`.

    import dlt
    from conversations_hub.engines import Source
    from conversations_hub.engines.dlt import conversations

    pipeline = dlt.pipeline("conversations", destination="duckdb", dataset_name="calls")
    pipeline.run(conversations(Source(accounts="accounts.toml"), since=datetime(2026, 1, 1, tzinfo=UTC)))

Each run begins a little before the end of the pipeline's last run, and merges by (provider, account, id). That end is
the `until` of the run. `dlt.sources.incremental` would go by the newest row, and lose conversations whose instant is
only known once their details are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, Final

import msgspec

from ..errors import ConfigurationError
from ..schema import Conversation
from ..sync._accounts import accounts_of
from ._partitions import Source, plan
from ._reading import OnBad, read
from ._rows import row

__all__ = ["conversations"]

_TYPES: Final = {
    "provider": "text",
    "account": "text",
    "id": "text",
    "day": "text",
    "status": "text",
    "created_at": "timestamp",
    "started_at": "timestamp",
    "duration": "double",
    "transcript_state": "text",
    "turns": "bigint",
    "document": "json",
    "content": "text",
}
_UNTIL: Final = "until"  # the name in the state of a resource


def conversations(
    source: Source,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    step: timedelta = timedelta(days=7),
    lag: timedelta = timedelta(days=1),
    on_bad: OnBad = "raise",
) -> Any:
    """Return a dlt source with one resource for each account, which all load into the table `conversations`.

    Args:
        source: where the accounts are.
        since: start of the first run, as an aware datetime; None for everything.
        until: end of this run, as an aware datetime; None for now.
        step: the longest window.
        lag: how far before its last end a run begins, because conversations turn up and change late.
        on_bad: what to do about a conversation that cannot be read, as in `read`.

    Raises:
        ConfigurationError: no accounts, or not these; or the extra is not installed.
    """
    dlt = _dlt()
    end = until or datetime.now(UTC)

    def load(where: str) -> Any:
        def rows() -> Iterator[dict[str, Any]]:
            state: dict[str, str] = dlt.current.resource_state()
            begin = since
            if _UNTIL in state:
                again = datetime.fromisoformat(state[_UNTIL]) - lag
                begin = again if since is None else max(since, again)
            # Where a later end was read before, there is nothing new.
            for partition in plan(replace(source, targets=(where,)), begin, max(end, begin or end), step):
                for conversation in read(partition, on_bad=on_bad):
                    yield _columns(conversation)
            # Only now, and never the instant of a row: rows may lie outside of what was asked for.
            state[_UNTIL] = max(state.get(_UNTIL, ""), end.astimezone(UTC).isoformat())

        return dlt.resource(
            rows,
            name=where,
            table_name="conversations",
            write_disposition="merge",
            primary_key=("provider", "account", "id"),
            columns={name: {"data_type": kind} for name, kind in _TYPES.items()},
            max_table_nesting=0,
        )

    def accounts() -> list[Any]:
        return [load(where) for where in accounts_of(source.hub(), source.targets)]

    return dlt.source(accounts, name="conversations_hub")()


def _columns(conversation: Conversation) -> dict[str, Any]:
    found = row(conversation)._asdict()
    return found | {"document": msgspec.json.decode(found["document"])}


def _dlt() -> Any:
    try:
        return import_module("dlt")
    except ImportError:
        pass
    raise ConfigurationError("a source of dlt needs an extra: pip install 'conversations-hub[dlt]'")
