"""Choose samples from very many conversations: the newest, the middle one and the oldest."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

__all__ = ["Age", "Sampler"]

Age = Literal["newest", "middle", "oldest", "undated"]
"""The place of a sample among all; undated: no conversation has an instant."""

_MOST_KEPT = 64


class Sampler:
    """Keeps the newest, the oldest and an even selection of conversations, in bounded memory."""

    def __init__(self) -> None:
        self._newest: tuple[datetime, str] | None = None
        self._oldest: tuple[datetime, str] | None = None
        self._undated: str | None = None
        self._selection: list[tuple[datetime, str]] = []
        self._stride = 1
        self._taken = 0

    def take(self, id: str, at: datetime | None) -> None:
        """Add a conversation; `at` is None if it has no instant."""
        if at is None:
            self._undated = id
            return
        one = (at, id)
        self._newest = max(self._newest or one, one)
        self._oldest = min(self._oldest or one, one)
        if self._taken % self._stride == 0:
            self._selection.append(one)
        self._taken += 1
        if len(self._selection) > _MOST_KEPT:
            del self._selection[1::2]
            self._stride *= 2

    def chosen(self) -> dict[str, tuple[Age, datetime | None]]:
        """Return the place and instant of at most three conversations by id, newest first."""
        if self._newest is None or self._oldest is None:
            return {} if self._undated is None else {self._undated: ("undated", None)}
        (last, newest), (first, oldest) = self._newest, self._oldest
        at, middle = sorted(self._selection)[len(self._selection) // 2]
        chosen: dict[str, tuple[Age, datetime | None]] = {newest: ("newest", last)}
        if middle not in {newest, oldest}:
            chosen[middle] = ("middle", at)
        if oldest != newest:
            chosen[oldest] = ("oldest", first)
        return chosen
