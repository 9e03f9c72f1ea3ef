"""Erase conversations from a Postgres store, permanently, and so that no sync brings them back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from ..._refs import Ref, ref_of
from .._erasure import Person, is_mentioned, takes_part, tombstone
from ._connection import Connection
from ._rows import new_batch
from ._tables import conversation_of

__all__ = ["Name", "erase", "named", "of_person", "older"]


class Name(NamedTuple):
    """What a conversation is called in the tables."""

    account: str
    id: str

    @property
    def ref(self) -> str:
        """The ref of the conversation."""
        provider, _, account = self.account.partition("/")
        return ref_of(provider, account, self.id)


_PIECE: Final = 200  # documents at a time


async def named(connection: Connection, refs: Sequence[str]) -> list[Name]:
    """Choose conversations by ref; raise `InvalidRefError` for one that several accounts have."""
    found: list[Name] = []
    for ref in map(Ref.parse, refs):
        provider, account = ref.target.provider, ref.target.account
        owner = account and f"{provider}/{account}"
        rows = await connection.fetch(_NAMED, f"{provider}/", f"{provider}0", ref.id, owner)
        ref.refuse_several(len(rows))
        found += [Name(*row) for row in rows]
    return found


async def older(connection: Connection, before: datetime) -> list[Name]:
    """Choose conversations from before an aware instant; those without an instant stay."""
    return [Name(*row) for row in await connection.fetch(_OLDER, before)]


async def of_person(connection: Connection, person: Person) -> tuple[list[Name], list[Name]]:
    """Choose the conversations in which a person takes part, and those that mention the person; all are read."""
    taking, mentioning = list[Name](), list[Name]()
    place: Sequence[int] = (-1, -1)
    while rows := await connection.fetch(_ALL, *place, _PIECE):
        place = rows[-1][:2]
        for _, _, account, id, document, told in rows:
            one = conversation_of(document)
            if takes_part(person, one) or (told is not None and person.is_in(told)):
                taking.append(Name(account, id))
            elif is_mentioned(person, one):
                mentioning.append(Name(account, id))
    return taking, mentioning


async def erase(connection: Connection, names: Sequence[Name], now: datetime) -> None:
    """Delete conversations, and note that they must not come back; call it in a transaction.

    Commits of their accounts wait meanwhile, or one that has begun could bring them back.
    """
    accounts = sorted({name.account for name in names})
    await connection.execute("SELECT FROM accounts WHERE account = ANY ($1) ORDER BY account FOR UPDATE", accounts)
    batch = await new_batch(connection)
    salt = msgspec.convert(await connection.fetchval("SELECT salt FROM store"), bytes)
    await connection.executemany("DELETE FROM conversations WHERE account = $1 AND id = $2", names)
    erased = [(tombstone(salt, *name), now, batch) for name in names]
    await connection.executemany("INSERT INTO erased VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", erased)


_NAMED: Final = """
SELECT account, id FROM conversations
WHERE account >= $1 AND account < $2 AND id = $3 AND account = coalesce($4, account)
"""
_OLDER: Final = "SELECT account, id FROM conversations WHERE at < $1 AND at > '-infinity' ORDER BY at, key"
_ALL: Final = """
SELECT batch, key, account, id, document, told FROM conversations WHERE (batch, key) > ($1, $2)
ORDER BY batch, key LIMIT $3
"""
