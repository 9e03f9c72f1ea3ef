"""How callers name things: `provider:id` and `provider/account:id`; without an id accounts, or kinds of theirs."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import InvalidRefError
from .wire import check_id

__all__ = ["Ref", "Target"]

_TARGET = re.compile(r"(?P<provider>[a-z0-9_]+)(?:/(?P<account>[A-Za-z0-9_.-]+))?(?::(?P<resource>[a-z_]+))?")


class Target(NamedTuple):
    """A provider, or one account of it, or one kind of their conversations."""

    provider: str
    account: str | None
    """None: every account, or the one that goes without saying."""
    resource: str | None = None
    """None: every kind of conversation."""

    def __str__(self) -> str:
        account = "" if self.account is None else f"/{self.account}"
        return f"{self.provider}{account}" + ("" if self.resource is None else f":{self.resource}")

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `provider`, `provider/account`, or one of them with `:resource`; raise `InvalidRefError` else."""
        found = _TARGET.fullmatch(text)
        if not found:
            raise InvalidRefError(f"{_shown(text)} names no provider: write 'provider' or 'provider/account'")
        return cls(found["provider"], found["account"], found["resource"])


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
