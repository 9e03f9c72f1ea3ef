"""`erase`: erase conversations from a store, permanently, with a receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec

from .._files.atomic import FileOps
from .._files.opening import check_plain, own_path
from ..errors import StoreError
from ..stores._erasure import Person, Receipt
from ..stores._reader import StoreReader
from ..stores._url import StoreURL
from .accounts import Accounts
from .delete import delete_at_providers
from .terminal import escaped, write_json

__all__ = ["erase_deliveries", "erase_from", "run"]

_MOST_SHOWN = 20


def run(
    refs: tuple[str, ...],
    *,
    phone: str | None,
    email: str | None,
    participant: str | None,
    at_provider: bool,
    store: StoreURL,
    recordings: Path | None,
    inbox: Path | None,
    dry_run: bool,
    yes: bool,
    receipt: Path | None,
    accounts: Accounts,
    as_json: bool,
) -> bool:
    """Erase conversations, and return whether everything that was to be erased is gone."""
    person = None
    if phone or email or participant:
        person = Person(phone=phone, email=email, participant=participant)
    if not refs and person is None:
        raise click.UsageError("say what to erase: a REF, --phone, --email or --participant")

    def erase(reader: StoreReader, *, dry_run: bool) -> Receipt:
        return reader.erase(*refs, person=person, recordings=recordings, dry_run=dry_run)

    def delete(found: Receipt) -> dict[str, str]:
        return asyncio.run(delete_at_providers(found.conversations, accounts)) if at_provider else {}

    is_done = erase_from(store, erase, delete, inbox=inbox, dry_run=dry_run, yes=yes, receipt=receipt, as_json=as_json)
    if inbox is not None and not dry_run:  # also of those that are not in the store yet
        asyncio.run(erase_deliveries(inbox, refs))
    return is_done


def erase_from(
    store: StoreURL,
    erase: Callable[..., Receipt],
    delete: Callable[[Receipt], dict[str, str]] = lambda _: {},
    *,
    inbox: Path | None,
    dry_run: bool,
    yes: bool,
    receipt: Path | None,
    as_json: bool,
) -> bool:
    """Show what would be erased, ask, and erase it; return whether everything that was to be erased is gone."""
    with store.open().reader() as reader:
        found = erase(reader, dry_run=True)
        if not dry_run and found.conversations:
            if not yes:
                _show(found)
                click.confirm(f"Permanently erase {_count(found)}?", abort=True, err=True)
            outcomes = delete(found)
            found = msgspec.structs.replace(erase(reader, dry_run=False), at_providers=outcomes)
            if inbox is not None:
                asyncio.run(erase_deliveries(inbox, found.conversations))
    if as_json:
        write_json(msgspec.json.encode(found))
    else:
        _show(found)
    if receipt is not None and not dry_run:
        try:
            check_plain(receipt)
            FileOps().replace(own_path(receipt), [msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"])
        except OSError as error:
            raise StoreError(f"{receipt}: {error.strerror}; the conversations are erased, without a receipt") from None
    return dry_run or not found.conversations or found.complete


async def erase_deliveries(path: Path, refs: Sequence[str]) -> None:
    """Erase from an inbox what came about conversations."""
    from ..sync import Inbox  # noqa: PLC0415  (few have one)

    async with Inbox(path) as inbox:
        await inbox.erase(*refs)


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
        click.echo(f"  {len(receipt.recordings):,} recording files removed", err=True)
    if receipt.mentioned:
        refs = ", ".join(map(escaped, receipt.mentioned[:_MOST_SHOWN]))
        click.echo(f"also mentioned in {len(receipt.mentioned):,} other conversations, which stay: {refs}", err=True)
