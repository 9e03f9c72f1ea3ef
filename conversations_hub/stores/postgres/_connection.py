"""Connections to a store in Postgres, and what their errors may say."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, TypeAlias

import asyncpg

from ..._frames import bare
from ...errors import HubError, StoreError
from .._untrusted import UNREADABLE, in_words
from ._address import Address

__all__ = ["Connection", "connect", "is_passing", "using"]

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

_PASSING: Final = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DeadlockDetectedError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process did not run for a while
    asyncpg.InterfaceError,  # the connection was closed while it was used
    asyncpg.InternalClientError,  # the same, as the driver takes it
)

# Classes of https://www.postgresql.org/docs/current/errcodes-appendix.html whose messages name no value of a row:
# connection, authorization, database, resources, operator, system; and what a role may not do.
_TELLING: Final = ("08", "28", "3D", "53", "57", "58", "42501", "25006")


async def connect(address: Address, **settings: str) -> asyncpg.Connection[asyncpg.Record]:
    """Connect to a store's database, with these settings of the session; use it within `using`."""
    return await asyncpg.connect(**address.options(**settings))


def is_passing(error: Exception) -> bool:
    """Whether an error is that of a server that is away for a while, as when it is started again."""
    return isinstance(error, _PASSING) and not isinstance(error, ValueError)  # which are about arguments


@contextmanager
def using(address: Address) -> Generator[None]:
    """Turn errors of the database or its content into a `StoreError` of one sentence.

    It exposes neither the frames of the driver, which hold the password and rows, nor the driver's words.
    """
    try:
        yield
    except HubError:
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, *UNREADABLE) as error:
        reason = _reason(bare(error))
    else:
        return
    raise StoreError(f"{address}: {reason}") from None


def _reason(error: Exception) -> str:
    match error:
        case asyncpg.PostgresError():
            state: str = error.sqlstate or ""
            return f"{error.args[0]}" if state.startswith(_TELLING) else f"{type(error).__name__} ({state})"
        case asyncpg.ClientConfigurationError():
            return "its URL, or a variable or file that completes it, is not right"
        case TimeoutError():
            return "no answer in time"
        case OSError():
            return error.strerror or type(error).__name__
        case ValueError():  # DataError, for one, is among the driver's, too
            return in_words(error)
        case asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return "the connection was lost"
        case _:
            return in_words(error)
