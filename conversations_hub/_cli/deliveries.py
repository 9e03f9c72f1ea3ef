"""`deliveries`: show the webhooks that came in and the changes that go out, and try what is dead again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from ..serve import DeadChange, Outbox, TargetStatus
from ..stores._url import StoreURL
from ..sync import DeadEvent, Inbox, InboxStatus
from .terminal import escaped, write_json

__all__ = ["Deliveries", "found_beside", "run"]


class Deliveries(msgspec.Struct, frozen=True, kw_only=True):
    """What is in an inbox and an outbox; None: there is no such file."""

    webhooks: InboxStatus | None
    dead_webhooks: Sequence[DeadEvent]
    targets: dict[str, TargetStatus] | None
    dead_changes: Sequence[DeadChange]

    def sentences(self) -> Iterator[str]:
        """Yield what there is, in numbers."""
        if self.webhooks is not None:
            since = "" if self.webhooks.oldest is None else f" since {_minute(self.webhooks.oldest)}"
            yield (
                f"webhooks: {self.webhooks.new:,} waiting{since}, {self.webhooks.done:,} in the store,"
                f" {self.webhooks.dead:,} dead"
            )
        for name, target in (self.targets or {}).items():
            gone = "" if target.gone_at is None else "; it wants no more"
            why = "".join(f"; {many:,} because of {error}" for error, many in target.errors.items())
            yield f"changes for {name}: {target.waiting:,} waiting, {target.dead:,} dead{why}{gone}"


def run(
    names: tuple[str, ...],
    *,
    store: StoreURL,
    inbox: Path | None,
    outbox: Path | None,
    replay: bool,
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> bool:
    """Write what is in the inbox and the outbox; return whether there is one."""
    if not replay and (names or since is not None):
        raise click.UsageError("names and --since say what to try again: add --replay")
    paths = inbox or store.beside(".inbox"), outbox or store.beside(".outbox")
    files = _existing(paths[0]), _existing(paths[1])
    replayed = asyncio.run(_replayed(*files, names, since)) if replay else None
    found = asyncio.run(_found(*files, limit))
    if as_json:
        write_json(msgspec.json.encode(msgspec.structs.asdict(found) | {"replayed": replayed}))
    else:
        _show(found)
        if replayed is not None:
            click.echo(f"{replayed:,} are tried again")
    if found.webhooks is None and found.targets is None:
        missing = f"there is neither {paths[0]} nor {paths[1]}: `serve --hooks --forward` makes them"
        click.echo(escaped(missing), err=True)
        return False
    return True


def found_beside(store: StoreURL) -> Deliveries:
    """Return how much there is in the files beside a store; raises `StoreError` if one cannot be read."""
    return asyncio.run(_found(_existing(store.beside(".inbox")), _existing(store.beside(".outbox")), 0))


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


async def _found(inbox: Path | None, outbox: Path | None, limit: int) -> Deliveries:
    webhooks = targets = None
    dead_webhooks: Sequence[DeadEvent] = ()
    dead_changes: Sequence[DeadChange] = ()
    if inbox is not None:
        async with Inbox(inbox) as received:
            webhooks, dead_webhooks = await received.status(), (await received.dead(limit=limit)).events
    if outbox is not None:
        async with Outbox(outbox) as sent:
            targets, dead_changes = await sent.status(), await sent.dead(most=limit)
    return Deliveries(webhooks=webhooks, dead_webhooks=dead_webhooks, targets=targets, dead_changes=dead_changes)


async def _replayed(inbox: Path | None, outbox: Path | None, names: tuple[str, ...], since: datetime | None) -> int:
    """Try what is dead again, of these endpoints and targets or of all; with `since`, also what was done since then."""
    many = 0
    if inbox is not None:
        async with Inbox(inbox) as received:
            for endpoint in names or (None,):
                many += await received.replay(endpoint=endpoint, since=since, state=None if since else "dead")
    if outbox is not None:
        async with Outbox(outbox) as sent:
            for target in names or await sent.status():
                many += await sent.replay(target, datetime.now(UTC), since=since)
    return many


def _show(found: Deliveries) -> None:
    for sentence in found.sentences():
        click.echo(escaped(sentence))
    for event in found.dead_webhooks:
        about = event.ref or "a conversation that could not be read"
        _show_dead(event.received_at, event.endpoint, about, event.kind.value, event.error)
    for change in found.dead_changes:
        _show_dead(change.changed_at, change.target, change.ref, change.kind, change.error)


def _show_dead(at: datetime, name: str, about: str, kind: str, error: str | None) -> None:
    click.echo(escaped(f"  dead: {_minute(at)}  {name}  {about}  {kind}{f': {error}' if error else ''}"))


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
