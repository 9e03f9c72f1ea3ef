"""Reports of walks, account by account: what was listed, what was delivered, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from .._transport import Counts
from ..errors import HubError
from ..schema import Conversation, Issue, TranscriptState

__all__ = ["AccountReport", "Report"]


class AccountReport(Counts):
    """The walk of one account. Numbers count conversations unless they say otherwise."""

    def __init__(self, where: str, lists: Iterable[str] = ("conversations",)) -> None:
        super().__init__()
        self.where: str = where
        """"provider/account", followed by ":resource" if only that was walked."""
        self.lists_left: set[str] = set(lists)
        """The lists whose end was not reached."""
        self.lists_unverified: set[str] = set(self.lists_left)
        self.refused: dict[str, str] = {}
        """Lists that the account may not use, by name, and why."""
        self.unlisted: list[str] = []
        """Kinds of conversations that the provider keeps but the adapter does not list, in words."""
        self.pages: int = 0
        """Pages read."""
        self.listed: int = 0
        """Rows the provider sent."""
        self.delivered: int = 0
        self.duplicates: int = 0
        """Rows that came before in this walk, dropped."""
        self.filtered: int = 0
        """Rows that the provider sent although they do not match the filters, dropped."""
        self.outside: int = 0
        """Conversations dropped because their details do not match the filters, which their rows left open."""
        self.unreadable: int = 0
        """Rows that could not be read."""
        self.rejected: list[Issue] = []
        """Where those were, and why; at most the first hundred."""
        self.transcripts: Counter[TranscriptState] = Counter()
        """Delivered conversations, by the state of the transcript."""
        self.not_loaded: int = 0
        """Delivered without the details of `get`, because it failed for good."""
        self.failures: Counter[str] = Counter()
        """Permanent failures, by the class of the error: of details, and of the walk itself."""
        self.warnings: list[str] = []
        self.notes: list[str] = []
        """Remarks on how it went that do not mean that something is missing."""
        self.error: HubError | None = None
        """The error that ended the walk."""
        self.restarts: int = 0
        """How often the walk started over, because its place in the list had expired."""
        self.elapsed: float = 0.0
        """Seconds."""

    @property
    def reached_end(self) -> bool:
        """Whether every list was walked to its end."""
        return not self.lists_left

    @property
    def consistency(self) -> Literal["verified", "best_effort"]:
        """Verified: another pass over the same lists, requested by `verify=True`, found nothing that was missed."""
        return "best_effort" if self.lists_unverified else "verified"

    @property
    def left_out(self) -> list[str]:
        """The parts of the account that are not listed, in words."""
        return [*self.unlisted, *(f"its {name} ({why})" for name, why in self.refused.items())]

    @property
    def has_gaps(self) -> bool:
        """Whether something is missing that the walk came across."""
        return bool(self.error or self.unreadable or self.not_loaded or self.warnings)

    @property
    def complete(self) -> bool:
        """Whether everything was delivered, as far as can be known."""
        return self.reached_end and not self.has_gaps

    def note_end(self, name: str, *, is_end: bool) -> None:
        """Record whether the end of a list was reached."""
        (self.lists_left.discard if is_end else self.lists_left.add)(name)

    def count(self, conversation: Conversation) -> None:
        """Count a conversation as delivered."""
        self.delivered += 1
        self.transcripts[conversation.transcript_state] += 1

    def __str__(self) -> str:
        facts = [f"{self.delivered} delivered of {self.listed} listed"]
        for number, what in (
            (self.duplicates, "seen before"),
            (self.filtered, "not matching"),
            (self.outside, "not matching by their details"),
            (self.unreadable, "unreadable"),
            (self.not_loaded, "without details"),
            (self.transcripts[TranscriptState.PENDING], "transcripts pending"),
            (self.transcripts[TranscriptState.RESTRICTED], "transcripts restricted"),
        ):
            if number:
                facts.append(f"{number} {what}")
        if self.consistency == "verified":
            facts.append("verified")
        facts += [f"{self.pages} pages", f"{self.requests} requests", f"{self.elapsed:.1f} s"]
        facts += [f"not listed: {what}" for what in self.left_out] + self.notes + self.warnings
        if self.error is not None:
            facts.append(f"{type(self.error).__name__}: {self.error.reason}")
        end = "incomplete" if self.has_gaps else "complete" if self.reached_end else "stopped before the end"
        return f"{self.where}: {end}, {', '.join(facts)}"


class Report:
    """A walk over one or several accounts; `print` shows one line per account."""

    def __init__(self, accounts: list[AccountReport]) -> None:
        self.accounts = accounts

    @property
    def complete(self) -> bool:
        """Whether every account's walk is complete."""
        return all(account.complete for account in self.accounts)

    @property
    def has_gaps(self) -> bool:
        """Whether something is missing that a walk came across; conversations beyond a limit do not count."""
        return any(account.has_gaps for account in self.accounts)

    @property
    def delivered(self) -> int:
        """Number of conversations delivered."""
        return sum(account.delivered for account in self.accounts)

    @property
    def errors(self) -> dict[str, HubError]:
        """The errors that ended walks early, by "provider/account"."""
        return {account.where: account.error for account in self.accounts if account.error is not None}

    def __str__(self) -> str:
        return "\n".join(map(str, self.accounts))

    def __repr__(self) -> str:
        return f"<Report: {self.delivered} delivered, {'complete' if self.complete else 'incomplete'}>"
