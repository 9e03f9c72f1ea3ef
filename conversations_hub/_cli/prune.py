"""`prune`: erase old conversations from a store."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ..stores._erasure import Receipt
from ..stores._reader import StoreReader
from ..stores._url import StoreURL
from .erase import erase_from

__all__ = ["run"]


def run(
    *,
    keep: datetime,
    store: StoreURL,
    recordings: Path | None,
    inbox: Path | None,
    dry_run: bool,
    yes: bool,
    receipt: Path | None,
    as_json: bool,
) -> bool:
    """Erase conversations from before an instant, and return whether all of them are gone."""

    def prune(reader: StoreReader, *, dry_run: bool) -> Receipt:
        return reader.prune(keep, recordings=recordings, dry_run=dry_run)

    return erase_from(store, prune, inbox=inbox, dry_run=dry_run, yes=yes, receipt=receipt, as_json=as_json)
