"""What no code foresaw in one account's run, as that account's error: it ends no other account's."""

from __future__ import annotations

from ..errors import HubError
from ..transport.failures import name_of

__all__ = ["surprise"]


def surprise(bug: Exception, where: str) -> HubError:
    """Return ours for a bug's exception: its class and its place, and nothing of what it holds.

    `where` is the account, as "provider/account", or one of its lists, as "provider/account:resource".
    """
    provider, _, account = where.partition(":")[0].partition("/")
    return HubError(f"this is a bug, please report it: {name_of(bug)}", provider=provider, account=account)
