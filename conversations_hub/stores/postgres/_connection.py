"""Connections to a store in Postgres, and what their errors may say."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, TypeAlias

import asyncpg

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
    asyncpg.InterfaceError,  # the connection was closed while it was used
)

# Classes of https://www.postgresql.org/docs/current/errcodes-appendix.html whose messages name no value of a row:
# connection, authorization, database, resources, operator, system; and what a role may not do.
_TELLING: Final = ("08", "28", "3D", "53", "57", "58", "42501", "25006")


async def connect(address: Address) -> asyncpg.Connection[asyncpg.Record]:
    """Connect to a store's database; use it within `using`."""
    return await asyncpg.connect(**address.options())


def is_passing(error: Exception) -> bool:
    """Whether an error is that of a server that is away for a while, as when it is started again."""
    return isinstance(error, _PASSING) and not isinstance(error, ValueError)  # which are about arguments


@contextmanager
def using(address: Address) -> Generator[None]:
    """Turn errors of the database or its content into a `StoreError` of one sentence."""
    try:
        yield
    except HubError:
        raise
    except asyncpg.PostgresError as error:
        reason = _reason(error)
    except asyncpg.ClientConfigurationError:
        reason = "its URL, or a variable or file that completes it, is not right"
    except OSError as error:
        reason = error.strerror or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
    except UNREADABLE as error:
        reason = in_words(error)
    except asyncpg.InterfaceError:
        reason = "the connection was lost"
    else:
        return
    raise StoreError(f"{address}: {reason}")


def _reason(error: asyncpg.PostgresError) -> str:
    """Return why, without a message that may quote a conversation."""
    state: str = error.sqlstate or ""
    return str(error.args[0]) if state.startswith(_TELLING) and error.args else f"{type(error).__name__} ({state})"
