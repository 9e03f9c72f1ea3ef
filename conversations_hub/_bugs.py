"""Unforeseen exceptions, of adapters and of our own, as errors that show their place and nothing that they hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from .errors import HubError, PayloadError
from .schema import Conversation

__all__ = ["bug_of", "name_of", "read_row", "surprise"]


def bug_of(bug: Exception) -> PayloadError:
    """Return the error for an exception that an adapter raised while it signed a request or read an error response."""
    return PayloadError(f"the adapter has a bug: {name_of(bug)}")


def name_of(bug: Exception) -> str:
    """Return a bug's class and the line that raised it, without the value that caused it."""
    traceback = bug.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code if traceback else None
    file = Path(code.co_filename).name if code else ""
    where = f" at {code.co_name}, line {traceback.tb_lineno} of {file}" if code and traceback else ""
    return f"{type(bug).__name__}{where}"


def read_row(read: Callable[[msgspec.Raw], Conversation], row: msgspec.Raw) -> Conversation:
    """Read a row of a list; raise `PayloadError` if it cannot be read, whatever the adapter raises."""
    try:
        return read(row)
    except HubError:
        raise
    except Exception as bug:  # noqa: BLE001  (one bad row must not fail the others)
        reason = f"the adapter could not read the row: {name_of(bug)}"
    raise PayloadError(reason)


def surprise(bug: Exception, where: str) -> HubError:
    """Return the error for a bug's exception: it shows the class and the place, and nothing that the exception holds.

    `where` is the account, as "provider/account", or one of its lists, as "provider/account:resource".
    """
    provider, _, account = where.partition(":")[0].partition("/")
    return HubError(f"this is a bug, please report it: {name_of(bug)}", provider=provider, account=account)
