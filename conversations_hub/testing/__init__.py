"""Helpers for tests of adapters and of programs that use them: drive a flow, replay exchanges, make mutants.

`Simulator` serves all built-in providers on loopback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._flows import Driven, WrongNumberOfAnswers, drive
from ._members import unknown_members, unseen_members
from ._mutants import Mutant, hostile_mutant, mutants
from ._replay import Case, Replayed, account_of, cases_in, delivered, read_exchange, replay, walk

if TYPE_CHECKING:
    from .simulator import Fault, Faults, Simulator
else:

    def __getattr__(name: str) -> object:
        if name in {"Fault", "Faults", "Simulator"}:  # they need aiohttp; the rest does not
            from . import simulator  # noqa: PLC0415

            return getattr(simulator, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Case",
    "Driven",
    "Fault",
    "Faults",
    "Mutant",
    "Replayed",
    "Simulator",
    "WrongNumberOfAnswers",
    "account_of",
    "cases_in",
    "delivered",
    "drive",
    "hostile_mutant",
    "mutants",
    "read_exchange",
    "replay",
    "unknown_members",
    "unseen_members",
    "walk",
]
