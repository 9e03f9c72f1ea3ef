"""The tokens of one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from ._disarm import disarmed

__all__ = ["LEAST", "MOST", "Budget", "tokens_of"]

LEAST: Final = 250
"""Tokens: the marks alone take sixty."""
MOST: Final = 20_000
"""Tokens: hosts cut answers at 25,000, or move them to a file."""
_FRAME: Final = 90  # tokens of the names of fields, of a cursor and of how to go on
_MARGIN: Final = 0.95  # of the rest
_NAME: Final = 80  # characters


def tokens_of(text: str) -> int:
    """Return about how many tokens a text has: a token is some four bytes in UTF-8, in any script."""
    return -(-len(text.encode(errors="surrogatepass")) // 4)


class Budget:
    """The tokens of one answer.

    Args:
        asked: As many as the caller wants; None: as is usual for the tool.
        usual: How many that is.
        count: Counts the tokens of a text.
        sent: Returns a text as it is sent.
    """

    def __init__(
        self,
        asked: int | None,
        usual: int,
        count: Callable[[str], int] | None = None,
        sent: Callable[[str], str] = disarmed,
    ) -> None:
        wanted = usual if asked is None else asked
        self.tokens = min(max(wanted, LEAST), MOST)
        """How many it may have in all."""
        self.notes: list[str] = []
        """What to tell about it."""
        if wanted != self.tokens:
            limit = "most" if wanted > MOST else "least"
            self.notes.append(f"max_tokens is {self.tokens:,}, the {limit} there is.")
        self.sent = sent
        """Returns a text as it is sent."""
        self._count = count or tokens_of
        self.left = int(self.tokens * _MARGIN) - _FRAME
        """How many are left."""

    def cost(self, text: str) -> int:
        """Return what a line takes in an answer, where it is a part of a JSON text."""
        return self._count(msgspec.json.encode(f"{self.sent(text)}\n").decode(errors="replace"))

    def spend(self, text: str) -> None:
        """Take what a line costs, whether or not there is as much."""
        self.left -= self.cost(text)

    def most(self, shown: Callable[[int], str], longest: int) -> int:
        """Return the largest number, from 1 to a longest, for which what is shown costs no more than is left; or 1."""
        low, high = 1, longest
        while low < high:
            middle = (low + high + 1) // 2
            if self.cost(shown(middle)) <= self.left:
                low = middle
            else:
                high = middle - 1
        return low

    def cut(self, text: str) -> str:
        """Return as much of a text as there is room for, but no less than what names a conversation; spend its cost."""

        def shown(length: int) -> str:
            return text if length == len(text) else f"{text[:length]}…"

        found = shown(min(max(self.most(shown, len(text)), _NAME), len(text)))
        self.spend(found)
        return found

    def takes(self, text: str) -> bool:
        """Spend what a line costs, if there is as much."""
        cost = self.cost(text)
        if cost > self.left:
            return False
        self.left -= cost
        return True
