"""The status of a JSONL store: from its journal, or from its manifest if there is no journal."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ..._files.atomic import FileOps
from ..._files.opening import open_plain
from ..._files.presence import exists
from ...errors import StoreError
from .._status import AccountStatus, StoreStatus
from .._untrusted import lines_of, reading
from ._journal import Journal, JournalState, Manifest

__all__ = ["status"]


def status(path: str | Path) -> StoreStatus:
    """Return the status of a JSONL store.

    Raises:
        StoreError: there is no such store, or it cannot be read.
    """
    path = Path(path)
    journal, manifest = (path.with_name(f"{path.name}{end}") for end in (".journal", ".manifest.json"))
    try:
        if exists(journal):
            with reading(journal):
                return _of_journal(Journal(journal, FileOps(), open_plain))
        if exists(manifest):
            with reading(manifest), os.fdopen(open_plain(manifest), "rb") as file:
                return _of_manifest(msgspec.json.decode(b"".join(lines_of(file)), type=Manifest))
        reason = f"neither {journal.name} nor {manifest.name} exists"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise StoreError(f"{path}: {reason}")


def _of_journal(journal: Journal) -> StoreStatus:
    known = JournalState()
    for line in journal.lines():
        known.take(line)
    not_loaded = known.missing({})
    accounts: list[AccountStatus] = []
    for account in sorted(known.progress):
        went = known.progress[account]
        failing = [kept.failing_since for kept in known.unsettled(account).values() if kept.failing_since is not None]
        failed_ever = not_loaded[account].not_loaded if account in not_loaded else 0
        accounts.append(
            AccountStatus(
                where=account,
                conversations=known.conversations[account],
                newest=went.high_watermark,
                covered=went.covered,
                is_under_way=went.in_progress is not None,
                pending=len(known.unsettled(account)) - len(failing),
                failing=len(failing),
                failing_since=min(failing, default=None),
                given_up=failed_ever - len(failing),
            )
        )
    return StoreStatus.of(accounts)


def _of_manifest(manifest: Manifest) -> StoreStatus:
    return StoreStatus.of(
        AccountStatus(
            where=account,
            conversations=total.conversations,
            covered=total.window,
            failing=manifest.missing[account].not_loaded if account in manifest.missing else 0,
        )
        for account, total in manifest.accounts.items()
    )
