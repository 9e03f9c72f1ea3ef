"""The report of a drain, account by account: what webhooks brought, and what only lists showed."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import HubError
from ..stores._store import Written
from ._recordings import RecordingsReport
from ._report import Reasons

__all__ = ["AccountDrainReport", "DrainReport"]


class AccountDrainReport(msgspec.Struct, kw_only=True):
    """The drain of one account. Numbers count conversations, each as often as it was worked on."""

    where: str
    """"provider/account"."""
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    fetched: int = 0
    postponed: int = 0
    """To be tried again: the provider does not have them yet, or it was down or busy."""
    dead: int = 0
    """Given up; `inbox.replay(state="dead")` tries them again."""
    failures: Reasons = msgspec.field(default_factory=Reasons)
    """Why some were postponed or given up."""
    by_webhook: int = 0
    """Of the conversations that have finished in the last seven days, those that a webhook reported."""
    by_poll_only: int = 0
    """Those that only lists showed: their webhooks were lost, if the provider sends any for them."""
    error: HubError | None = None
    """What ended the drain of this account, such as a refused key."""

    def count(self, written: Written) -> None:
        """Add the result of a write."""
        self.new += written.new
        self.updated += written.updated
        self.unchanged += written.unchanged

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        error = None if self.error is None else {"kind": type(self.error).__name__, "reason": self.error.reason}
        values = {name: getattr(self, name) for name in self.__struct_fields__ if name != "error"}
        found: dict[str, Any] = msgspec.to_builtins(values | {"error": error})
        return found

    def __str__(self) -> str:
        facts = [f"{self.new:,} new", f"{self.updated:,} updated", f"{self.unchanged:,} unchanged"]
        facts += [f"{number:,} {name}" for name in ("postponed", "dead") if (number := getattr(self, name))]
        if self.by_webhook or self.by_poll_only:
            facts.append(f"in seven days {self.by_webhook:,} by webhook, {self.by_poll_only:,} by list only")
        facts += [f"{count:,} {reason}" for reason, count in self.failures.most_common()]
        if self.error is not None:
            facts.append(f"stopped: {type(self.error).__name__}: {self.error.reason}")
        return f"{self.where}: {', '.join(facts)}"


class DrainReport:
    """A drain of one or more accounts; `print` shows one line per account."""

    def __init__(self) -> None:
        self.accounts: dict[str, AccountDrainReport] = {}
        """By "provider/account"."""
        self.recordings: RecordingsReport = RecordingsReport()
        """How the downloads of recordings whose links expire went."""

    def of(self, where: str) -> AccountDrainReport:
        """Return the report of an account."""
        return self.accounts.setdefault(where, AccountDrainReport(where=where))

    @property
    def complete(self) -> bool:
        """Whether every delivery that was due is in the store."""
        return not any(one.error or one.postponed or one.dead for one in self.accounts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        accounts = [one.to_dict() for one in self.accounts.values()]
        return {
            "complete": self.complete,
            "accounts": accounts,
            "recordings": msgspec.to_builtins(self.recordings),
        }

    def __str__(self) -> str:
        recordings = [self.recordings] if self.recordings != RecordingsReport() else []
        return "\n".join(map(str, [*self.accounts.values(), *recordings]))

    def __repr__(self) -> str:
        return f"<DrainReport: {len(self.accounts)} accounts>"
