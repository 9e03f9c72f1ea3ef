"""An exception that no code foresaw, as an error that shows its place and nothing it holds."""

from __future__ import annotations

from pathlib import Path

from .errors import HubError, PayloadError

__all__ = ["bug_of", "name_of", "surprise"]


def bug_of(bug: Exception) -> PayloadError:
    """Return ours for what an adapter raised as it signed, or read a refusal."""
    return PayloadError(f"the adapter has a bug: {name_of(bug)}")


def name_of(bug: Exception) -> str:
    """Name a bug and the line it rose from, without the value that caused it."""
    traceback = bug.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code if traceback else None
    file = Path(code.co_filename).name if code else ""
    where = f" at {code.co_name}, line {traceback.tb_lineno} of {file}" if code and traceback else ""
    return f"{type(bug).__name__}{where}"


def surprise(bug: Exception, where: str) -> HubError:
    """Return ours for a bug's exception: its class and its place, and nothing of what it holds.

    `where` is the account, as "provider/account", or one of its lists, as "provider/account:resource".
    """
    provider, _, account = where.partition(":")[0].partition("/")
    return HubError(f"this is a bug, please report it: {name_of(bug)}", provider=provider, account=account)
