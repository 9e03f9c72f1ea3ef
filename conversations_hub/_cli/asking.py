"""A hub for commands that ask providers, with progress on standard error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

from rich.text import Text

from ..hub import Hub, ProfileName
from .accounts import Accounts
from .progress import Progress
from .waits import Waits

__all__ = ["Asking", "ask", "asking"]

T = TypeVar("T")


class Asking:
    """A hub, and the progress that is shown while it is asked."""

    def __init__(self, hub: Hub, waits: Waits, progress: Progress) -> None:
        self.hub = hub
        self.doing: Callable[[], str] = lambda: "asking"
        """Returns what the command is doing."""
        self.is_over: Callable[[str], bool] = lambda _where: False
        """Whether an account, as "provider/account", is done, successfully or not."""
        self._waits = waits
        self._progress = progress

    def clear(self) -> None:
        """Clear the progress, because a line of output follows."""
        self._progress.clear()

    def table(self) -> Text:
        """Return what the command is doing, and which accounts are waiting."""
        return Text("\n".join((self.doing(), *self.lines())))

    def lines(self) -> Iterator[str]:
        """Yield which accounts are waiting, and why."""
        return (line for where, line in self._waits.all() if not self.is_over(where))


@asynccontextmanager
async def asking(
    accounts: Accounts, *, profile: ProfileName = "interactive", keep_raw: bool = False
) -> AsyncGenerator[Asking]:
    """Open a hub with the accounts, and show progress until it is closed."""
    waits, progress = Waits(), Progress()
    async with accounts.opened(profile=profile, keep_raw=keep_raw, on_signal=waits.hear) as hub:
        asked = Asking(hub, waits, progress)
        with progress.watching(asked):
            yield asked


def ask(accounts: Accounts, call: Callable[[Hub], Awaitable[T]]) -> T:
    """Return the result of one call to a hub of the accounts, and show what it waits for."""

    async def run() -> T:
        async with asking(accounts) as asked:
            return await call(asked.hub)

    return asyncio.run(run())
