"""A command that asks providers, and says on standard error what it waits for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager

from rich.text import Text

from ..hub import Hub, ProfileName
from .accounts import Accounts
from .progress import Progress
from .waits import Waits

__all__ = ["Asking", "asking"]


class Asking:
    """A hub that is asked, and what a person who waits is told."""

    def __init__(self, hub: Hub, waits: Waits, progress: Progress) -> None:
        self.hub = hub
        self.doing: Callable[[], str] = lambda: "asking"
        """Returns what it is at."""
        self.is_over: Callable[[str], bool] = lambda _where: False
        """Whether an account, as "provider/account", is not waited for any more, whatever became of it."""
        self._waits = waits
        self._progress = progress

    def clear(self) -> None:
        """Take away what is shown in place, for a line of output follows."""
        self._progress.clear()

    def table(self) -> Text:
        """Return what it is at, and who does not come on."""
        return Text("\n".join((self.doing(), *self.lines())))

    def lines(self) -> Iterator[str]:
        """Yield who does not come on, and why."""
        return (line for where, line in self._waits.all() if not self.is_over(where))


@asynccontextmanager
async def asking(
    accounts: Accounts, *, profile: ProfileName = "interactive", keep_raw: bool = False
) -> AsyncGenerator[Asking]:
    """Open a hub of the accounts, and show what it waits for until it is closed."""
    waits, progress = Waits(), Progress()
    async with accounts.opened(profile=profile, keep_raw=keep_raw, on_signal=waits.hear) as hub:
        asked = Asking(hub, waits, progress)
        with progress.watching(asked):
            yield asked
