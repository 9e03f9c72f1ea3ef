"""How a sync went, account by account: what came, what is still to come, and what is missing."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Literal

import msgspec

from ..errors import HubError
from ..reporting import MAX_REPORTED
from ..schema import Issue
from ..stores.store import Window, Written

__all__ = ["COUNTED", "AccountSyncReport", "Reasons", "Stage", "SyncReport", "Walked"]


Stage = Literal["asking", "listing", "verifying", "looking again"]
"""The first answer is waited for, a list is walked, or walked again, or what was late is asked for."""


_MOST_REASONS: Final = 20


class Reasons(Counter[str]):
    """How often which reason was given. Behind the first twenty, those of a kind are counted together."""

    def note(self, error: HubError) -> None:
        """Count what an error says."""
        kind = type(error).__name__
        reason = f"{kind}: {error.reason}"
        self[reason if reason in self or len(self) < _MOST_REASONS else f"{kind}, for other reasons"] += 1


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """What a window brought, in the numbers of `AccountSyncReport`. What is looked at again belongs to no window."""

    window: Window
    listed: int
    fetched: int
    new: int
    updated: int
    unchanged: int
    pending: int
    restricted: int
    missing: int
    bad: int
    failed: int
    given_up: int


COUNTED: Final = tuple(name for name in Walked.__struct_fields__ if name != "window")


class AccountSyncReport:
    """The sync of one account. Numbers count conversations."""

    def __init__(self, where: str) -> None:
        self.where = where
        """"provider/account"."""
        self.windows: list[Walked] = []
        """What was walked to its end, and what it brought."""
        self.listed = 0
        """Rows the provider sent, in the first pass over each window."""
        self.fetched = 0
        """Asked for one by one."""
        self.new = 0
        self.updated = 0
        """There before, and now with other content."""
        self.unchanged = 0
        self.share: float | None = None
        """How much of the time to be walked has been, from 0 to 1; None where nobody knows."""
        self.stage: Stage = "asking"
        """What it is at."""
        self.seen = 0
        """Rows the provider sent in the pass that is under way."""
        self.pending = 0
        """Written, and looked at again in the next run: running, or their transcript or analysis may still come."""
        self.restricted = 0
        """Written without a transcript, which the provider does not show."""
        self.missing = 0
        """Listed or written before, and no longer there when they were asked for."""
        self.bad = 0
        """Rows nobody could read."""
        self.rejected: list[Issue] = []
        """Where those were, and why; of very many the first hundred."""
        self.failed = 0
        """Written without what could not be fetched; the next run tries again."""
        self.given_up = 0
        """Written without what could not be fetched for as long as the patience lasts; nobody asks again."""
        self.not_loaded: list[str] = []
        """The refs of those that failed or were given up; of very many the first hundred."""
        self.vanished: list[str] = []
        """The refs of what is in the store and no longer in the provider's list, where that was walked whole."""
        self.failures: Counter[str] = Counter()
        """Why, by the class of the error."""
        self.warnings: dict[str, None] = {}
        """What the provider's lists may leave out."""
        self.unlisted: dict[str, None] = {}
        """What of the account is not listed, in words; nothing of it is there."""
        self.is_verified = True
        """Whether another pass over each window found nothing that was missed."""
        self.ended = False
        """Whether everything was walked."""
        self.error: HubError | None = None
        """What ended it early."""
        self.elapsed = 0.0
        """Seconds."""

    def begin(self, stage: Stage) -> None:
        """Note what it is at from now on."""
        self.stage, self.seen = stage, 0

    @property
    def complete(self) -> bool:
        """Whether everything there was is in the store, as far as anybody can tell."""
        return self.ended and not (self.error or self.bad or self.failed or self.warnings)

    @property
    def written(self) -> int:
        """New or updated."""
        return self.new + self.updated

    @property
    def counts(self) -> dict[str, int]:
        """What was counted so far, by name."""
        return {name: getattr(self, name) for name in COUNTED}

    def note_failure(self, ref: str, error: HubError, *, is_final: bool, is_gone: bool) -> None:
        """Count a conversation whose details could not be had."""
        if is_gone and is_final:
            self.missing += 1
        elif is_gone:
            self.pending += 1
        else:
            self.given_up += is_final
            self.failed += not is_final
            self.failures[type(error).__name__] += 1
            self.not_loaded += [ref][: MAX_REPORTED - len(self.not_loaded)]

    def walked(self, window: Window, before: dict[str, int]) -> None:
        """Note a window as walked to its end, with what was counted since it was begun."""
        brought = {name: count - before[name] for name, count in self.counts.items()}
        self.windows.append(Walked(window=window, **brought))

    def count(self, written: Written) -> None:
        """Add up what became of entries."""
        self.new += written.new
        self.updated += written.updated
        self.unchanged += written.unchanged

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        passing = {"error", "stage", "seen"}
        told = {name: value for name, value in vars(self).items() if name not in passing} | {
            "unlisted": [*self.unlisted],
            "warnings": [*self.warnings],
        }
        error = None if self.error is None else {"kind": type(self.error).__name__, "reason": self.error.reason}
        found: dict[str, Any] = msgspec.to_builtins(told | {"error": error, "complete": self.complete})
        return found

    @property
    def reasons(self) -> list[str]:
        """Why something is missing, a line each."""
        failures = self.failures - Counter([] if self.error is None else [type(self.error).__name__])
        found = [f"not fetched, for {kind}: {count:,}" for kind, count in failures.most_common()]
        found += (f"not listed: {what}" for what in self.unlisted)
        found += self.warnings
        if self.error is not None:
            found.append(f"{type(self.error).__name__}: {self.error.reason}")
        return found

    def __str__(self) -> str:
        facts = [f"{self.new} new", f"{self.updated} updated", f"{self.unchanged} unchanged"]
        for number, what in (
            (self.pending, "pending"),
            (self.restricted, "restricted"),
            (self.missing, "missing"),
            (self.bad, "bad"),
            (self.failed, "failed"),
            (self.given_up, "given up"),
            (len(self.vanished), "vanished at the provider"),
        ):
            if number:
                facts.append(f"{number} {what}")
        facts += self.reasons
        end = "complete" if self.complete else "incomplete"
        return f"{self.where}: {end}, {', '.join(facts)}, {self.elapsed:.1f} s"


class SyncReport:
    """A sync of one or several accounts; `print` shows it, a line each."""

    def __init__(self) -> None:
        self.accounts: list[AccountSyncReport] = []
        self.redacted: Counter[str] = Counter()
        """What redactors took out, by what it was, where they count."""

    @property
    def complete(self) -> bool:
        """Whether every account is complete."""
        return bool(self.accounts) and all(account.complete for account in self.accounts)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        accounts = [account.to_dict() for account in self.accounts]
        return {"complete": self.complete, "accounts": accounts, "redacted": dict(self.redacted)}

    def __str__(self) -> str:
        lines = [*map(str, self.accounts)]
        if self.redacted:
            lines.append("taken out: " + ", ".join(f"{count} {what}" for what, count in self.redacted.most_common()))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<SyncReport: {len(self.accounts)} accounts, {'complete' if self.complete else 'incomplete'}>"
