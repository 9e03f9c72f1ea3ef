"""What comes into a store and goes out of it beside a gateway, as the gateway counts it and warns of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from .._instants import earlier
from ..errors import StoreError
from ..sync import DrainReport, Inbox
from ._counters import Counters
from ._forward import ForwardReport
from ._outbox import Outbox
from ._receiver import Receiver

__all__ = ["Pipeline"]

_LATE: Final = timedelta(minutes=5)
_MANY: Final = 3  # deliveries refused in a row: one may be anybody's
_DRAINED: Final = ("new", "updated", "unchanged", "postponed", "dead")


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """Webhooks in and changes out, as far as they run here: what a gateway shows of them.

    The gateway opens and closes none of it.
    """

    receiver: Receiver | None = None
    inbox: Inbox | None = None
    drained: DrainReport | None = None
    """The report of a `drain` that runs beside the gateway."""
    outbox: Outbox | None = None
    forwarded: Mapping[str, ForwardReport] = {}
    """The reports of a `forward` that runs beside the gateway."""

    async def count(self, counters: Counters, now: datetime) -> None:
        """Set the counters; those of a file that cannot be read are left out."""
        if self.receiver is not None:
            requests = counters.family("webhook_requests_total", "counter", "Deliveries answered.")
            for (endpoint, status), many in self.receiver.counts.items():
                requests.set(many, endpoint=endpoint, status=str(status))
            refused = counters.family("webhook_refused", "gauge", "Deliveries refused in a row, without a signature.")
            refused.clear()
            for endpoint, many in self.receiver.refused.items():
                refused.set(many, endpoint=endpoint)
        if self.inbox is not None:
            await _count_inbox(self.inbox, counters, now)
        if self.drained is not None:
            _count_drained(self.drained, counters)
        if self.outbox is not None:
            await _count_outbox(self.outbox, counters)
        outcomes = counters.family("forward_total", "counter", "Deliveries to targets, by what became of them.")
        for target, report in self.forwarded.items():
            outcomes.set(report.confirmed, target=target, outcome="confirmed")
            outcomes.set(report.failures.total(), target=target, outcome="failed")
            outcomes.set(report.dead, target=target, outcome="dead")

    async def warnings(self, now: datetime) -> list[str]:
        """Return warnings for the operator: sentences without content.

        Raises:
            StoreError: the inbox cannot be read, or its disk failed, so that nothing can be received.
        """
        found = [*self._refused()]
        if self.inbox is not None:
            if self.inbox.is_lost:
                raise StoreError(f"{self.inbox.path}: the disk failed. Restart to recover what can be read")
            oldest = (await self.inbox.status()).oldest
            if oldest is not None and oldest <= earlier(now, _LATE):
                minutes = (now - oldest) // timedelta(minutes=1)
                found.append(f"the oldest webhook that is not in the store yet came {minutes:,} minutes ago")
        return found

    def _refused(self) -> Iterator[str]:
        for endpoint, many in self.receiver.refused.items() if self.receiver is not None else ():
            if many >= _MANY:
                yield f"{many:,} deliveries to {endpoint} were refused in a row: is its secret right?"


async def _count_inbox(inbox: Inbox, counters: Counters, now: datetime) -> None:
    pending = counters.family("inbox_pending", "gauge", "Webhook events that are not in the store yet.")
    dead = counters.family("inbox_dead", "gauge", "Webhook events that were given up.")
    oldest = counters.family("inbox_oldest_seconds", "gauge", "Seconds since the oldest pending one came.")
    for family in (pending, dead, oldest):
        family.clear()
    try:
        found = await inbox.status()
    except StoreError:  # `/readyz` says so
        return
    pending.set(found.new)
    dead.set(found.dead)
    oldest.set(0.0 if found.oldest is None else max(0.0, (now - found.oldest).total_seconds()))


def _count_drained(drained: DrainReport, counters: Counters) -> None:
    conversations = counters.family("drain_total", "counter", "Conversations that webhooks brought, by the outcome.")
    conversations.clear()
    for where, report in drained.accounts.items():
        for outcome in _DRAINED:
            conversations.add(getattr(report, outcome), provider=where.partition("/")[0], outcome=outcome)


async def _count_outbox(outbox: Outbox, counters: Counters) -> None:
    pending = counters.family("forward_pending", "gauge", "Changes that a target has not confirmed yet.")
    dead = counters.family("forward_dead", "gauge", "Changes that were given up.")
    gone = counters.family("forward_gone", "gauge", "Whether a target refused all further deliveries (410).")
    for family in (pending, dead, gone):
        family.clear()
    try:
        found = await outbox.status()
    except StoreError:
        return
    for target, one in found.items():
        pending.set(one.waiting, target=target)
        dead.set(one.dead, target=target)
        gone.set(one.gone_at is not None, target=target)
