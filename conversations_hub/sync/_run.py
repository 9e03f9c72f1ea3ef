"""Copy every conversation into a store exactly once, keep it current, and report what is missing.

    from conversations_hub.stores.sqlite import SQLiteStore

    store = SQLiteStore("conversations.db")
    async with Hub.from_env(profile="bulk") as hub:
        report = await sync(hub, store, since=datetime.now(UTC) - timedelta(days=90))

A run may be killed at any moment: the next one resumes where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from .._concurrency import run_all
from .._instants import check_span
from .._transport import Clock
from ..hub import Hub
from ..redaction._redactors import Redact, as_sequence, uncounted
from ..stores._store import Store, made_with, terms_of
from ._account import AccountSync
from ._accounts import accounts_of
from ._options import SyncOptions
from ._report import AccountSyncReport, SyncReport

__all__ = ["sync"]


async def sync(
    hub: Hub,
    store: Store,
    *targets: str,
    since: datetime | None = None,
    until: datetime | None = None,
    verify: bool = True,
    patience: timedelta = timedelta(days=7),
    lookback: timedelta | None = None,
    again: bool = False,
    all_pending: bool = True,
    redact: Redact | Sequence[Redact] = (),
    report: SyncReport | None = None,
    clock: Clock | None = None,
) -> SyncReport:
    """Bring a store up to date with every account of the hub, or with those named, and return the report.

    An account that fails does not stop the others. Whatever ends its sync early, what arrived until then is committed,
    and the next run resumes from there.

    Args:
        hub: best made with `profile="bulk"`; with `keep_raw=True` the store also keeps the providers' JSON.
        store: the store to fill; it is opened here, and closed.
        *targets: "tavus" for every Tavus account, "tavus/eu" for one; none for all.
        since: start of the span, inclusive, as an aware datetime; None for everything.
        until: end of the span, exclusive, as an aware datetime; None for now.
        verify: walk each list again until nothing new turns up, because a list loses rows if others are deleted
            meanwhile.
        patience: how long after its end a conversation is fetched again for what was not ready, and how long after
            their first failure details are retried.
        lookback: how far before the end of earlier runs the lists are walked again, because conversations turn up and
            change there late; None for the adapter's default, a day for most.
        again: walk the whole span and fetch everything in it, whatever earlier runs stored, and compare.
        all_pending: fetch everything again that is not settled yet. False, for runs that follow each other closely:
            only what has become half as old again since the last run, counted from its end.
        redact: the redactors to apply to each conversation before it is stored, in this order.
        report: is updated during the run, for progress displays.
        clock: the source of time, for tests.

    Raises:
        StoreError: the store cannot be written: the disk is full, the file belongs to another user, or another sync is
            running on it.
        ConfigurationError: the hub does not have this provider or account.
        InvalidRefError: a malformed target or span, or a target that names only part of an account.
    """
    check_span(since, until)
    clock = clock or Clock()
    redactors = as_sequence(redact)
    options = SyncOptions(
        since=since,
        until=until or clock.now(),
        verify=verify,
        patience=patience,
        lookback=lookback,
        again=again,
        all_pending=all_pending,
        redact=redactors,
        redact_rows=uncounted(redactors),
    )
    report = report or SyncReport()
    report.accounts[:] = map(AccountSyncReport, accounts_of(hub, targets))
    try:
        asked = terms_of((account.where for account in report.accounts), since, until, clock.now())
        await store.open(asked | made_with(redactors, keeps_raw=hub.keep_raw))
        pulls = (AccountSync(hub, store, options, account, clock).run() for account in report.accounts)
        await run_all(pulls, hub.accounts_at_once)
        if all(account.ended for account in report.accounts):
            await store.finish({account.where: account.bad for account in report.accounts if account.bad})
    finally:
        for one in redactors:
            report.redacted.update(getattr(one, "counts", {}))
        await store.close()
    return report
