"""Leases: which accounts of a store this process writes, and until when.

A lease is a row of `accounts` with a token. Whoever takes the account next, since the lease ran out, raises the token,
and every commit asks for its own: a process that was frozen, or lost its connection, writes nothing when it wakes.
Postgres' clock decides, so those of the workers need not agree.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from datetime import timedelta
from secrets import token_hex
from typing import Final

from ...errors import LeaseLostError
from .._shared import Lease
from ._connection import Connection

__all__ = ["Leases"]


class Leases:
    """The accounts that a process has; each lease lasts `ttl`, and every commit renews it."""

    def __init__(self, ttl: timedelta) -> None:
        self._ttl = ttl
        self._tokens: dict[str, int] = {}
        self._lost: set[str] = set()
        self._known: set[str] = set()
        self.owner: Final = f"{socket.gethostname()}/{os.getpid()}/{token_hex(4)}"
        """Who has the account, for people who look."""

    def is_new(self, account: str) -> bool:
        """Whether this process has not taken an account yet, nor lost it."""
        return account not in self._tokens and account not in self._lost

    async def take(self, connection: Connection, account: str) -> str | None:
        """Take an account, and return its checkpoint as JSON; None: it has none.

        Raises:
            LeaseLostError: another process has it.
        """
        row = await connection.fetchrow(_TAKE, account, self.owner, self._ttl)
        if row is None:
            raise self._loss(account)
        self._has(account, row["token"])
        progress: str | None = row["progress"]
        return progress

    async def claim(self, connection: Connection, accounts: Collection[str]) -> Lease | None:
        """Take the account that has been due for longest, and that nobody has; None: there is none."""
        new = [account for account in accounts if account not in self._known]
        if new:
            await connection.execute(_ADD, new)
            self._known.update(new)
        row = await connection.fetchrow(_CLAIM, [*accounts], self.owner, self._ttl)
        if row is None:
            return None
        self._has(row["account"], row["token"])
        return Lease(account=row["account"], idle=row["idle"])

    async def hold(self, connection: Connection, account: str, progress: str | None = None) -> None:
        """Renew a lease, lock its row until the transaction ends, and write the checkpoint if one is given.

        Raises:
            LeaseLostError: another process has it, or had it meanwhile.
        """
        if await connection.fetchval(_HOLD, account, self._tokens.get(account), self._ttl, progress) is None:
            raise self._loss(account)

    async def rehearse(self, connection: Connection) -> None:
        """See `_rows.rehearse`."""
        await connection.fetch(_HOLD, "", None, self._ttl, None)

    async def renew(self, connection: Connection) -> None:
        """Renew all leases."""
        if self._tokens:
            await connection.execute(_RENEW, [*self._tokens], [*self._tokens.values()], self._ttl)

    async def free(self, connection: Connection, account: str, wait: timedelta | None = None) -> None:
        """Let an account go; it is due after `wait`, or when a conversation settles. None: it stays due as it is."""
        token = self._tokens.pop(account, None)
        await connection.execute(_FREE, account, token, wait)

    async def free_all(self, connection: Connection) -> None:
        """Let all accounts go."""
        for account in [*self._tokens]:
            await self.free(connection, account)
        self._lost.clear()

    def _has(self, account: str, token: int) -> None:
        self._tokens[account] = token
        self._lost.discard(account)

    def _loss(self, account: str) -> LeaseLostError:
        self._tokens.pop(account, None)
        self._lost.add(account)
        provider, _, name = account.partition("/")
        return LeaseLostError("another process has this account of the store now", provider=provider, account=name)


_TAKE: Final = """
INSERT INTO accounts AS a (account, owner, token, until) VALUES ($1, $2, 1, now() + $3)
ON CONFLICT (account) DO UPDATE SET owner = $2, token = a.token + 1, until = now() + $3
WHERE a.until IS NULL OR a.until < now() OR a.owner = $2
RETURNING token, progress
"""
# What is there is not touched: if somebody is writing it just now, this would wait for the end.
_ADD: Final = """
INSERT INTO accounts (account) SELECT new FROM unnest($1::text[]) AS new
WHERE NOT EXISTS (SELECT FROM accounts WHERE account = new) ON CONFLICT DO NOTHING
"""
_CLAIM: Final = """
UPDATE accounts AS a SET owner = $2, token = token + 1, until = now() + $3
WHERE account = (
    SELECT account FROM accounts
    WHERE due <= now() AND (until IS NULL OR until < now()) AND account = ANY ($1)
    ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING account, token, now() - freed_at AS idle
"""
_HOLD: Final = """
UPDATE accounts SET until = now() + $3, progress = coalesce($4::jsonb, progress) WHERE account = $1 AND token = $2
RETURNING true
"""
_RENEW: Final = """
UPDATE accounts AS a SET until = now() + $3 FROM unnest($1::text[], $2::bigint[]) AS held (account, token)
WHERE a.account = held.account AND a.token = held.token
"""
# What is not settled is looked at once more when it settles.
_FREE: Final = """
UPDATE accounts AS a SET owner = NULL, until = NULL, freed_at = now(), due = CASE WHEN $3::interval IS NULL THEN due
    ELSE least(now() + $3, (
        SELECT greatest(min(settles_at), now() + interval '1 minute') FROM conversations AS c
        WHERE c.account = a.account AND settles_at IS NOT NULL HAVING count(*) > 0
    )) END
WHERE account = $1 AND token = $2
"""
