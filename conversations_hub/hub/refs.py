"""How callers name things: `provider:id`, `provider/account:id`, `provider`, `provider/account`."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import InvalidRefError
from ..wire import check_id

__all__ = ["Ref", "Target"]

_TARGET = re.compile(r"(?P<provider>[a-z0-9_]+)(?:/(?P<account>[A-Za-z0-9_.-]+))?")


class Target(NamedTuple):
    """A provider, or one account of it."""

    provider: str
    account: str | None
    """None: every account, or the one that goes without saying."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `provider` or `provider/account`; raise `InvalidRefError` for anything else."""
        found = _TARGET.fullmatch(text)
        if not found:
            raise InvalidRefError(f"{_shown(text)} names no provider: write 'provider' or 'provider/account'")
        return cls(found["provider"], found["account"])


class Ref(NamedTuple):
    """One conversation of one account."""

    target: Target
    id: str

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Read `provider:id` or `provider/account:id`; raise `InvalidRefError` for anything else."""
        target, colon, id = text.partition(":")
        if not colon:
            raise InvalidRefError(f"{_shown(text)} is no ref: write 'provider:id' or 'provider/account:id'")
        return cls(Target.parse(target), check_id(id))


_LONGEST_SHOWN = 60


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")
