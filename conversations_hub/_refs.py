"""How callers name conversations (`provider:id`, `provider/account:id`), accounts, and kinds of conversations."""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import InvalidRefError
from .wire import check_id

__all__ = ["Ref", "Target", "ref_of"]

_TARGET = re.compile(r"(?P<provider>[a-z0-9_]+)(?:/(?P<account>[A-Za-z0-9_.-]+))?(?::(?P<resource>[a-z_]+))?")


class Target(NamedTuple):
    """A provider, one of its accounts, or one kind of their conversations."""

    provider: str
    account: str | None
    """None: every account, or the default one."""
    resource: str | None = None
    """None: every kind of conversation."""

    def __str__(self) -> str:
        account = "" if self.account is None else f"/{self.account}"
        return f"{self.provider}{account}" + ("" if self.resource is None else f":{self.resource}")

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `provider` or `provider/account`, either with `:resource`; raise `InvalidRefError` for anything else."""
        found = _TARGET.fullmatch(text)
        if not found:
            raise InvalidRefError(f"{_shorten(text)} does not name a provider: write 'provider' or 'provider/account'")
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
            raise InvalidRefError(f"{_shorten(text)} is not a ref: write 'provider:id' or 'provider/account:id'")
        return cls(Target.parse(target), check_id(id))

    def refuse_several(self, found: int) -> None:
        """Raise `InvalidRefError` if several conversations were found, which are of several accounts."""
        if found > 1:
            raise InvalidRefError(f"several {self.target.provider} accounts have this id: write provider/account:id")


def ref_of(provider: str, account: str, id: str) -> str:
    """Return the ref of a conversation; the default account is not named."""
    return f"{provider}:{id}" if account == "default" else f"{provider}/{account}:{id}"


_LONGEST_SHOWN = 60


def _shorten(text: str) -> str:
    return ascii(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")
