"""`erase` and `prune`: conversations out of a store for good, and the receipt of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import click
import msgspec

from ..errors import HubError, StoreError, UnsupportedError
from ..files.atomic import Files
from ..files.opening import check_plain, own_path
from ..stores.erasure import Erasable, Person, Receipt
from .accounts import Accounts
from .asking import asking
from .places import Place
from .terminal import escaped, write_json

__all__ = ["delete_at_providers", "erased_from", "run_erase", "run_prune"]

_MOST_SHOWN = 20


def run_erase(
    refs: tuple[str, ...],
    place: Place,
    *,
    phone: str | None,
    email: str | None,
    participant: str | None,
    recordings: Path | None,
    at_provider: bool,
    dry_run: bool,
    sure: bool,
    receipt: Path | None,
    as_json: bool,
    accounts: Accounts,
) -> bool:
    """Erase conversations, and say whether everything is gone that was to be."""
    person = None
    if phone or email or participant:
        person = Person(phone=phone, email=email, participant=participant)
    if not refs and person is None:
        raise click.UsageError("say what to erase: a REF, --phone, --email or --participant")

    def erased(archive: Erasable, *, dry_run: bool) -> Receipt:
        return archive.erase(*refs, person=person, recordings=recordings, dry_run=dry_run)

    def at_providers(planned: Receipt) -> dict[str, str]:
        return asyncio.run(delete_at_providers(planned.conversations, accounts)) if at_provider else {}

    return _run(place, erased, at_providers, dry_run=dry_run, sure=sure, receipt=receipt, as_json=as_json)


def run_prune(
    place: Place,
    before: datetime,
    *,
    recordings: Path | None,
    dry_run: bool,
    sure: bool,
    receipt: Path | None,
    as_json: bool,
) -> bool:
    """Erase what was before an instant, and say whether all of it is gone."""

    def pruned(archive: Erasable, *, dry_run: bool) -> Receipt:
        return archive.prune(before, recordings=recordings, dry_run=dry_run)

    return _run(place, pruned, lambda _: {}, dry_run=dry_run, sure=sure, receipt=receipt, as_json=as_json)


def erased_from(place: Place, erase: Callable[[Erasable], Receipt]) -> Receipt:
    """Erase from a store, and write the tables of a Parquet store anew."""
    if place.kind == "jsonl":
        from ..stores.jsonl.reader import JSONLReader  # noqa: PLC0415

        return erase(JSONLReader(place.path))
    from ..stores.sqlite.reader import SQLiteReader  # noqa: PLC0415

    with SQLiteReader(place.database) as archive:
        receipt = erase(archive)
        if place.kind == "parquet" and receipt.erased_at is not None and receipt.conversations:
            from ..stores.parquet import export_parquet  # noqa: PLC0415

            export_parquet(archive.conversations(), place.path, overwrite=True)
    return receipt


def _run(
    place: Place,
    erase: Callable[..., Receipt],
    at_providers: Callable[[Receipt], dict[str, str]],
    *,
    dry_run: bool,
    sure: bool,
    receipt: Path | None,
    as_json: bool,
) -> bool:
    found = erased_from(place, partial(erase, dry_run=True))
    if not dry_run and found.conversations:
        if not sure:
            _show(found)
            click.confirm(f"Erase {_count(found)} for good?", abort=True, err=True)
        outcomes = at_providers(found)
        found = msgspec.structs.replace(erased_from(place, partial(erase, dry_run=False)), at_providers=outcomes)
    if as_json:
        write_json(msgspec.json.encode(found))
    else:
        _show(found)
    if receipt is not None and not dry_run:
        try:
            check_plain(receipt)
            Files().replace(own_path(receipt), [msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"])
        except OSError as error:
            raise StoreError(f"{receipt}: {error.strerror}; what was to be erased is erased") from None
    return dry_run or not found.conversations or found.complete


def _count(receipt: Receipt) -> str:
    return f"{len(receipt.conversations):,} conversation{'' if len(receipt.conversations) == 1 else 's'}"


def _show(receipt: Receipt) -> None:
    done = receipt.erased_at is not None
    click.echo(f"{'erased' if done else 'to be erased'}: {_count(receipt)} in {receipt.store}", err=True)
    for ref in receipt.conversations[:_MOST_SHOWN]:
        outcome = receipt.at_providers.get(ref)
        click.echo(f"  {escaped(ref)}{'' if outcome is None else f'  at the provider: {escaped(outcome)}'}", err=True)
    if len(receipt.conversations) > _MOST_SHOWN:
        click.echo(f"  and {len(receipt.conversations) - _MOST_SHOWN:,} more", err=True)
    if receipt.recordings:
        click.echo(f"  {len(receipt.recordings):,} files of recordings were removed", err=True)
    if receipt.mentioned:
        refs = ", ".join(map(escaped, receipt.mentioned[:_MOST_SHOWN]))
        click.echo(f"also said in {len(receipt.mentioned):,} other conversations, which stay: {refs}", err=True)


async def delete_at_providers(refs: tuple[str, ...], accounts: Accounts) -> dict[str, str]:
    """Delete conversations where they come from, and return what became of each."""
    outcomes: dict[str, str] = {}
    async with asking(accounts) as asked:
        asked.doing = lambda: f"{len(outcomes)} of {len(refs)} asked for"
        for ref in refs:
            try:
                await asked.hub.delete(ref)
            except UnsupportedError:
                outcomes[ref] = "not deleted: its API cannot delete conversations"
            except HubError as error:
                outcomes[ref] = f"not deleted: {type(error).__name__}: {error.reason}"
            else:
                outcomes[ref] = "deleted"
    return outcomes
