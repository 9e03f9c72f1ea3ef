"""The JSON that the gateway answers with."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

import msgspec

from ..hub._capabilities import Capabilities
from ..metrics import METRICS, Basis, Figures, Measured, Summary
from ..schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Cost,
    Direction,
    EndReason,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ..stores import AccountStatus, Hit
from ..stores._untrusted import Instant
from ..sync import DeadEvent

__all__ = [
    "AccountList",
    "ChangeLine",
    "ConversationPage",
    "Facets",
    "Gaps",
    "GroupFigures",
    "Hits",
    "InboxState",
    "Listed",
    "Measurement",
    "Measurements",
    "MissingList",
    "Problem",
    "ProviderList",
    "State",
    "Statistics",
    "Turns",
]


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in a list."""

    ref: str
    """What `/v1/conversations/{ref}` takes."""
    provider: str
    account: str
    id: str
    status: Status
    title: str | None
    channel: Channel
    direction: Direction
    agent: Agent | None
    created_at: Instant | None
    """When the provider created the record, UTC."""
    started_at: Instant | None
    """When the parties were connected, UTC."""
    ended_at: Instant | None
    """When they were disconnected, UTC."""
    updated_at: Instant | None
    """When the provider last changed the record, UTC."""
    duration: float | None
    """Seconds."""
    end_reason: EndReason | None
    transcript_state: TranscriptState
    turns: int | None
    """How many turns the transcript has; null: there is no transcript, or it is not loaded."""
    summary: str | None
    success: bool | None
    """Whether it reached its goal, as the provider says."""
    sentiment: str | None
    cost: Cost | None
    language: str | None
    tags: tuple[str, ...]
    estimated: tuple[str, ...]
    """Names of the members that were derived instead of read."""
    issues: int
    """How many values could not be read."""

    @classmethod
    def of(cls, one: Conversation, turns: int | None) -> Self:
        """Return what a list shows of a conversation with so many turns."""
        analysis = one.analysis or Analysis()
        return cls(
            ref=one.ref,
            provider=one.provider,
            account=one.account,
            id=one.id,
            status=one.status,
            title=one.title,
            channel=one.channel,
            direction=one.direction,
            agent=one.agent,
            created_at=one.created_at,
            started_at=one.started_at,
            ended_at=one.ended_at,
            updated_at=one.updated_at,
            duration=one.duration,
            end_reason=one.end_reason,
            transcript_state=one.transcript_state,
            turns=turns,
            summary=one.summary,
            success=analysis.success,
            sentiment=analysis.sentiment,
            cost=one.cost,
            language=one.language,
            tags=one.tags,
            estimated=one.estimated,
            issues=len(one.issues),
        )


class ConversationPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of conversations, newest first."""

    conversations: list[Listed]
    cursor: str | None
    """Continues after this page; null: it is the last."""


class Turns(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a transcript."""

    ref: str
    turns: tuple[TranscriptTurn, ...]
    total: int
    next: int | None
    """The position of the turn that follows; null: there is none."""


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found. In a snippet, U+0002 stands before a match and U+0003 after it."""

    hits: tuple[Hit, ...]
    cursor: str | None
    """Continues after these; null: these are all, or they are ranked."""


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """How many conversations have each value, the most frequent first; without the filters on the same field."""

    facets: dict[str, dict[str, int]]
    left_out: list[str]
    """The fields that took too long to count."""


class GroupFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one metric in a group."""

    n: int
    """How many values there are."""
    mean: float | None
    """For what is true or false, the share that is true."""
    min: float | None
    max: float | None
    p50: float | None
    p95: float | None
    bases: dict[str, int]
    """How many conversations have a value, by its basis."""
    missing: dict[str, int]
    """How many conversations have none, by the reason."""

    @classmethod
    def of(cls, figures: Figures) -> Self:
        """Return the figures without their histogram."""
        return cls(
            n=figures.n,
            mean=figures.mean,
            min=figures.min,
            max=figures.max,
            p50=figures.percentile(50),
            p95=figures.percentile(95),
            bases=figures.bases,
            missing=figures.missing,
        )


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """What the conversations of a group measure."""

    group: dict[str, str | None]
    conversations: int
    metrics: dict[str, GroupFigures]
    costs: dict[str, Decimal]
    """The sum of all costs, by unit."""
    success: dict[str, int]
    sentiments: dict[str, int]

    @classmethod
    def of(cls, summary: Summary) -> Self:
        """Return a summary in the form of this answer."""
        return cls(
            group=summary.group,
            conversations=summary.conversations,
            metrics={name: GroupFigures.of(figures) for name, figures in summary.metrics.items()},
            costs=summary.costs,
            success={str(name): count for name, count in summary.success.items()},
            sentiments=summary.sentiments,
        )


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What conversations measure, group by group."""

    groups: list[Group]
    conversations: int
    """How many were measured."""
    oldest: Instant | None
    """When the oldest that was measured began; null: none has an instant."""
    complete: bool
    """Whether all were measured: if that takes too long, only the newest are."""


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of a conversation."""

    value: float | int | bool | Decimal | None
    """Null: there is none, and `reason` says why."""
    unit: str
    """`s`; `1` for a count; `0-1` for a share; `1/min`; `bool`; or one of money per minute."""
    basis: Basis | None
    """Whether the value was counted, reported, measured or estimated."""
    reason: str | None

    @classmethod
    def of(cls, name: str, one: Measured) -> Self:
        """Return a measured value in the form of this answer."""
        return cls(value=one.value, unit=one.unit or METRICS[name].unit, basis=one.basis, reason=one.reason)


class Measurements(msgspec.Struct, frozen=True, kw_only=True):
    """What a conversation measures, by the name of each metric."""

    ref: str
    measures: dict[str, Measurement]


class Gaps(msgspec.Struct, frozen=True, kw_only=True):
    """What the store lacks of an account. Numbers count conversations."""

    account: str
    """"provider/account"."""
    conversations: int
    pending: int
    """Fetched again by the next sync."""
    failing: int
    """Without details, because fetching them failed; the next sync tries again."""
    given_up: int
    """Without details, no longer retried."""
    restricted: int | None
    """Without a transcript, because the provider does not show it; null: the store does not know."""
    vanished: int | None
    """No longer in the provider's list; null: the store does not know."""
    issues: int
    """With values that could not be read."""


class MissingList(msgspec.Struct, frozen=True, kw_only=True):
    """What the store lacks, account by account."""

    accounts: list[Gaps]


class AccountList(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts, and how fresh the store is."""

    accounts: tuple[AccountStatus, ...]
    total: AccountStatus | None
    """The sum of all accounts. Null if there is no store."""


class ProviderList(msgspec.Struct, frozen=True, kw_only=True):
    """What each provider supports."""

    providers: list[Capabilities]


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A conversation that was written or erased."""

    cursor: str
    """Continues after this change, also in another process."""
    ref: str | None = None
    conversation: Conversation | None = None
    """As it is now; absent: it was erased."""
    erased: str | None = None
    """A digest of what was erased; its ref is no longer known."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How the gateway is."""

    status: str
    warnings: list[str] = []
    """What to look at, although it answers."""


class InboxState(msgspec.Struct, frozen=True, kw_only=True):
    """What webhooks brought, as far as it is not in the store yet, and what was given up. Numbers count events."""

    new: int
    """Not yet in the store."""
    done: int
    """In the store; they are forgotten after a week."""
    dead: int
    """Given up, or unreadable."""
    oldest: Instant | None
    """When the oldest of the new ones came, UTC; null: there is none."""
    reasons: dict[str, int]
    """Why the dead ones are dead."""
    events: tuple[DeadEvent, ...]
    """The dead ones, what came last first, without what was sent."""
    cursor: str | None
    """Continues after these; null: these are the last."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A problem document, as in RFC 9457: why a request failed."""

    type: str
    title: str
    status: int
    detail: str
    kind: str
    """Stable across releases."""
    retryable: bool
    """Whether the same request may succeed a little later."""
    provider: str | None = None
    account: str | None = None
    operation: str | None = None
    retry_after: float | None = None
    """Seconds."""
    request_id: str | None = None
    """The provider's id of its own request."""
    errors: dict[str, Problem] | None = None
    """By account."""
