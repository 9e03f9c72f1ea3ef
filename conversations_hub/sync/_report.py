"""The report of a sync, account by account: what was written, what is still to come, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, Self

import msgspec

from .. import errors
from .._reporting import MAX_REPORTED, tell
from ..errors import HubError
from ..schema import Issue
from ..stores._store import Window, Written

__all__ = ["COUNTED", "AccountSyncReport", "Reasons", "Stage", "SyncReport", "Walked"]


Stage = Literal["asking", "listing", "verifying", "looking again"]
"""Waiting for the first answer, walking a list, walking it again, or fetching unsettled conversations again."""


_MOST_REASONS: Final = 20


class Reasons(Counter[str]):
    """Errors counted by reason; after the first twenty reasons, the others are counted by kind."""

    def note(self, error: HubError) -> None:
        """Count an error."""
        kind = type(error).__name__
        reason = f"{kind}: {error.reason}"
        self[reason if reason in self or len(self) < _MOST_REASONS else f"{kind}, for other reasons"] += 1


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """The counts of `AccountSyncReport` for one window. Unsettled conversations fetched again belong to no window."""

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
    outside: int


COUNTED: Final = tuple(name for name in Walked.__struct_fields__ if name != "window")


class AccountSyncReport(msgspec.Struct, eq=False):
    """The sync of one account. Numbers count conversations."""

    where: str
    """"provider/account"."""
    windows: list[Walked] = []
    """The windows walked to their end, each with its counts."""
    listed: int = 0
    """Rows the provider sent in the first pass over each window."""
    fetched: int = 0
    """Fetched one by one."""
    new: int = 0
    updated: int = 0
    """Stored before, and now with different content."""
    unchanged: int = 0
    share: float | None = None
    """Share of the requested span that is walked, from 0 to 1; None if unknown."""
    stage: Stage = "asking"
    """What the sync is doing now."""
    seen: int = 0
    """Rows the provider sent in the current pass."""
    pending: int = 0
    """Written, and fetched again by the next run: still running, or the transcript or analysis may still come."""
    restricted: int = 0
    """Written without a transcript, because the provider does not show it."""
    missing: int = 0
    """Listed or stored before, but gone when fetched."""
    bad: int = 0
    """Rows that could not be read."""
    rejected: list[Issue] = []
    """Where these rows were and why they could not be read, for the first hundred at most."""
    failed: int = 0
    """Written without details, because fetching them failed; the next run tries again."""
    given_up: int = 0
    """Written without details, because fetching them failed for as long as `patience`; no longer retried."""
    outside: int = 0
    """Not written: their list rows have no time, and by their details they lie outside the requested span."""
    not_loaded: list[str] = []
    """The refs of those that failed or were given up, the first hundred at most."""
    vanished: list[str] = []
    """The refs of stored conversations no longer in the provider's list, if that was walked completely."""
    failures: Counter[str] = msgspec.field(default_factory=Counter)
    """Errors by class."""
    warnings: dict[str, None] = {}
    """What the provider's lists may leave out."""
    unlisted: dict[str, None] = {}
    """What the account has but no list shows, in words; none of it is in the store."""
    is_verified: bool = True
    """Whether another pass over each window found nothing new."""
    ended: bool = False
    """Whether everything was walked."""
    lost: bool = False
    """Whether another process took the account over, or had it; what this run committed stays."""
    error: HubError | None = None
    """What ended the sync early."""
    elapsed: float = 0.0
    """Seconds."""

    def begin(self, stage: Stage) -> None:
        """Note that a stage begins."""
        self.stage, self.seen = stage, 0

    @property
    def complete(self) -> bool:
        """Whether the store has everything the provider has, as far as can be known."""
        return self.ended and not (self.error or self.bad or self.failed or self.warnings)

    @property
    def written(self) -> int:
        """New or updated."""
        return self.new + self.updated

    @property
    def counts(self) -> dict[str, int]:
        """The counts so far, by name."""
        return {name: getattr(self, name) for name in COUNTED}

    def note_failure(self, ref: str, error: HubError, *, is_final: bool, is_gone: bool) -> None:
        """Count a conversation whose details could not be fetched."""
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
        """Note that a window was walked to its end; `before` holds the counts at its start."""
        brought = {name: count - before[name] for name, count in self.counts.items()}
        self.windows.append(Walked(window=window, **brought))

    def count(self, written: Written) -> None:
        """Add the result of a commit."""
        self.new += written.new
        self.updated += written.updated
        self.unchanged += written.unchanged

    def add(self, other: AccountSyncReport) -> None:
        """Add the report of a later run, or of another process: numbers add up, and how it ended is how that one did.

        Of a run that lost the account, what it brought counts, and how an earlier one ended stays.
        """
        for name in (*COUNTED, "elapsed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.windows += other.windows
        self.rejected += other.rejected[: MAX_REPORTED - len(self.rejected)]
        self.not_loaded += other.not_loaded[: MAX_REPORTED - len(self.not_loaded)]
        self.failures.update(other.failures)
        for known, told in ((self.warnings, other.warnings), (self.unlisted, other.unlisted)):
            tell(known, told)
        if other.lost:
            self.lost = not self.ended and self.error is None
        else:
            for name in ("share", "stage", "seen", "vanished", "is_verified", "ended", "lost", "error"):
                setattr(self, name, getattr(other, name))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        error = None if self.error is None else {"kind": type(self.error).__name__, "reason": self.error.reason}
        shown = {name: getattr(self, name) for name in self.__struct_fields__ if name not in {"error", "stage", "seen"}}
        told = {"unlisted": [*self.unlisted], "warnings": [*self.warnings]}
        found: dict[str, Any] = msgspec.to_builtins(shown | told | {"error": error, "complete": self.complete})
        return found

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the report that `to_dict` wrote; raise `msgspec.ValidationError` for anything else."""
        told = {name: dict.fromkeys(msgspec.convert(values[name], list[str])) for name in ("unlisted", "warnings")}
        return msgspec.convert({**values, **told}, cls, dec_hook=_value_of)

    @property
    def reasons(self) -> list[str]:
        """Why something is missing, one line per reason."""
        failures = self.failures - Counter([] if self.error is None else [type(self.error).__name__])
        found = [f"{count:,} not fetched: {kind}" for kind, count in failures.most_common()]
        found += (f"not listed: {what}" for what in self.unlisted)
        found += self.warnings
        if self.lost:
            found.append("another process has the account now")
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
            (self.outside, "outside the span"),
            (len(self.vanished), "vanished at the provider"),
        ):
            if number:
                facts.append(f"{number} {what}")
        facts += self.reasons
        end = "complete" if self.complete else "incomplete"
        return f"{self.where}: {end}, {', '.join(facts)}, {self.elapsed:.1f} s"


class _Failure(msgspec.Struct, frozen=True):
    """An error, as a report in JSON says it."""

    kind: str
    reason: str


def _value_of(kind: Any, value: Any) -> Any:
    """Return what JSON cannot say by itself: counters, and errors by the name of their class."""
    if kind is not HubError:
        return Counter(msgspec.convert(value, dict[str, int]))
    failure = msgspec.convert(value, _Failure)
    known = vars(errors).get(failure.kind)
    if isinstance(known, type) and issubclass(known, HubError) and known is not errors.PartialError:
        return known(failure.reason)
    return HubError(failure.reason)


class SyncReport:
    """A sync of one or more accounts; `print` shows one line per account."""

    def __init__(self) -> None:
        self.accounts: list[AccountSyncReport] = []
        self.redacted: Counter[str] = Counter()
        """How many values the redactors removed, by kind, if they count."""

    @property
    def complete(self) -> bool:
        """Whether every account is complete."""
        return bool(self.accounts) and all(account.complete for account in self.accounts)

    @classmethod
    def merged(cls, reports: Iterable[SyncReport]) -> Self:
        """Return one report of several runs, such as those of many workers; later runs come after earlier ones."""
        whole = cls()
        for report in reports:
            whole.add(report)
        return whole

    def add(self, other: SyncReport) -> None:
        """Add the report of a later run, or of another process."""
        known = {account.where: account for account in self.accounts}
        for one in other.accounts:
            if one.where not in known:
                known[one.where] = AccountSyncReport(one.where)
                self.accounts.append(known[one.where])
            known[one.where].add(one)
        self.redacted.update(other.redacted)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        accounts = [account.to_dict() for account in self.accounts]
        return {"complete": self.complete, "accounts": accounts, "redacted": dict(self.redacted)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the report that `to_dict` wrote; raise `msgspec.ValidationError` for anything else."""
        report = cls()
        report.accounts += map(AccountSyncReport.from_dict, msgspec.convert(values["accounts"], list[dict[str, Any]]))
        report.redacted.update(msgspec.convert(values["redacted"], dict[str, int]))
        return report

    def __str__(self) -> str:
        lines = [*map(str, self.accounts)]
        if self.redacted:
            lines.append("redacted: " + ", ".join(f"{count} {what}" for what, count in self.redacted.most_common()))
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<SyncReport: {len(self.accounts)} accounts, {'complete' if self.complete else 'incomplete'}>"
