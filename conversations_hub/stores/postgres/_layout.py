"""Make the tables of a store, or see that they are those of this version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import asyncpg
import msgspec

from ...errors import StoreError
from .._store import MADE, check_made
from ._address import Address
from ._connection import Connection
from ._tables import LAYOUT, tables

__all__ = ["check_layout", "has_tables", "prepare"]

_LOCK: Final = 0x436F6E76  # any number; all that make tables in a database take turns by it


async def prepare(connection: Connection, address: Address, partitions: int, terms: Mapping[str, str]) -> bytes:
    """Make the tables if there are none, note what the store is made with, and return its salt.

    Raises:
        StoreError: the tables are of another version, or the store was made with other options.
    """
    if not await has_tables(connection, address):
        async with connection.transaction(isolation="read_committed"):
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if not await has_tables(connection, address):
                await _make(connection, address, partitions)
    await check_layout(connection, address)
    made = {name: terms[name] for name in MADE if name in terms}
    if made:
        text = msgspec.json.encode(made).decode()
        await connection.execute("UPDATE store SET made = $1 WHERE made IS NULL", text)
    salt, noted = await connection.fetchrow("SELECT salt, made FROM store") or (b"", None)
    check_made(address, msgspec.json.decode(noted or b"{}", type=dict[str, str]), made)
    return msgspec.convert(salt, bytes)


async def _make(connection: Connection, address: Address, partitions: int) -> None:
    if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", address.schema):
        await connection.execute(f"CREATE SCHEMA {address.schema}")
    await connection.execute(tables(partitions))


async def has_tables(connection: Connection, address: Address) -> bool:
    """Whether a store is there."""
    # Not by `to_regclass`, which remembers within a transaction what was not there.
    is_there = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'store')"
    return bool(await connection.fetchval(is_there, address.schema))


async def check_layout(connection: Connection, address: Address) -> None:
    """Raise `StoreError` for tables of another version, or of another program."""
    try:
        layout = await connection.fetchval("SELECT layout FROM store")
    except asyncpg.UndefinedColumnError:
        layout = None
    if layout is None:
        raise StoreError(f"{address}: the schema {address.schema} has other tables: give another one, with ?schema=")
    if layout != LAYOUT:
        raise StoreError(
            f"{address} has the tables of another version of conversations-hub (layout {layout}, here {LAYOUT}): use"
            " that version"
        )
