"""The protocol of a store whose accounts many processes share."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol, runtime_checkable

import msgspec

from ._store import Store

__all__ = ["Lease", "Shared"]


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """An account that this process has for a while; the store renews it until it is freed."""

    account: str
    """"provider/account"."""
    idle: timedelta | None
    """How long ago it was freed last; None: never."""


@runtime_checkable
class Shared(Store, Protocol):
    """A store that many processes fill together. Each account is leased to one of them at a time.

    `Store.progress` leases an account, too, and raises `LeaseLostError` if another process has it. A commit for an
    account that another process took over raises it as well, and writes nothing.
    """

    def shared(self) -> AbstractAsyncContextManager[None]:
        """Keep the store open for several runs of this process at once; their `open` and `close` then do little."""
        ...

    async def claim(self, accounts: Collection[str]) -> Lease | None:
        """Lease one of these accounts: the one that has been due for longest, of those that nobody has.

        Accounts that the store does not know yet are due. None: nothing is due now.
        """
        ...

    async def free(self, account: str, wait: timedelta) -> None:
        """Let an account go; it is due again after `wait`, or earlier if a conversation settles before."""
        ...
