"""All conversations of all accounts into a store, each exactly once, kept fresh, and with a word for what is missing.

    from conversations_hub.stores.sqlite import SQLiteStore

    store = SQLiteStore("conversations.db")
    async with Hub.from_env(profile="bulk") as hub:
        report = await sync(hub, store, since=datetime.now(UTC) - timedelta(days=90))

A run may be killed at any instant: the next one goes on where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..concurrency import run_all
from ..hub import Hub
from ..instants import check_span
from ..redaction.redactors import Redact, as_sequence, describe, uncounted
from ..stores.store import Store, terms_of
from ..transport import Clock
from .account import AccountSync
from .accounts import accounts_of
from .options import SyncOptions
from .report import AccountSyncReport, SyncReport

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
    redact: Redact | Sequence[Redact] = (),
    report: SyncReport | None = None,
    clock: Clock | None = None,
) -> SyncReport:
    """Bring a store up to date with every account of the hub, or with those named, and say how it went.

    An account that fails stops no other. Whatever ends it early, what came until then is committed, and the next run
    goes on from there.

    Args:
        hub: made with `profile="bulk"`, best; with `keep_raw=True` the store keeps the providers' JSON as well.
        store: where to; it is opened here, and closed.
        *targets: "tavus" for every Tavus account, "tavus/eu" for one; none for all.
        since: the first instant that counts, aware; None for all there is.
        until: the first instant that no longer counts, aware; None for now.
        verify: walk each list again until nothing new turns up, for lists lose rows when others are deleted meanwhile.
        patience: how long after its end a conversation is looked at again for what was not ready, and how long after
            their first failure details are asked for.
        lookback: how far behind the end of what earlier runs walked the lists are walked again, for conversations
            turn up and change there late; None for what the adapter says, a day for most.
        again: walk all of the span and fetch everything in it, whatever earlier runs did, and compare.
        redact: what to do to each conversation before it is stored, one after the other.
        report: is filled while it goes on, for those who want to watch.
        clock: time, for tests.

    Raises:
        StoreError: it cannot be kept: the disk is full, somebody else's file, another sync is at work.
        ConfigurationError: a provider or account this hub does not have.
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
        redact=redactors,
        redact_rows=uncounted(redactors),
    )
    report = report or SyncReport()
    report.accounts[:] = map(AccountSyncReport, accounts_of(hub, targets))
    try:
        asked = terms_of((account.where for account in report.accounts), since, until, clock.now())
        await store.open(asked | {"redacted": describe(redactors), "raw": "kept" if hub.keep_raw else "none"})
        pulls = (AccountSync(hub, store, options, account, clock).run() for account in report.accounts)
        await run_all(pulls, hub.accounts_at_once)
        if all(account.ended for account in report.accounts):
            await store.finish({account.where: account.bad for account in report.accounts if account.bad})
    finally:
        for one in redactors:
            report.redacted.update(getattr(one, "counts", {}))
        await store.close()
    return report
