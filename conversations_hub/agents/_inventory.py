"""What a store has, and what it lacks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

import msgspec

from ..adapters import available, load
from ..errors import HubError
from ..stores import AccountStatus
from ..stores._filters import Filters
from ._answers import Listing
from ._disarm import short
from ._page import Page
from ._render import day, named
from ._source import Reader
from ._wanted import Wanted
from ._wording import number_of

__all__ = ["described", "missing"]

_MOST_AGENTS: Final = 12
_MOST_ACCOUNTS: Final = 10_000
_LOOKED_AT: Final = 1_000  # conversations that tell which agents there are
_BEGIN: Final = "Begin with count_conversations or list_conversations; cite as ref#turn."


def described(reader: Reader, page: Page, now: datetime) -> Listing:
    accounts = _statuses(reader, None)
    total = sum(each.conversations for each in accounts)
    page.say(f"{number_of(total, 'conversation')} in all, accounts: {len(accounts)}; it is {day(now)}. {_BEGIN}")
    if reader.earliest is not None:
        page.say(f"Only those since {day(reader.earliest)} are shown.")
    shown = 0
    for each in accounts:
        spans = f", {each.oldest:%Y-%m-%d} to {each.newest:%Y-%m-%d}" if each.oldest and each.newest else ""
        synced = f", synced up to {day(each.covered.until)}" if each.covered else ""
        if not page.takes(f"- {short(each.where, 80)}: {number_of(each.conversations, 'conversation')}{spans}{synced}"):
            page.note("Some accounts were left out for want of room: ask for a larger max_tokens.")
            break
        shown += 1
    agents: defaultdict[str, Counter[str]] = defaultdict(Counter)
    looked_at = 0
    for row in reader.rows(Wanted()):
        looked_at += 1
        if row.one.agent is not None:
            agents[f"{row.one.provider}/{row.one.account}"][named(row.one)] += 1
        if looked_at >= _LOOKED_AT or reader.is_late:
            break
    for account, names in sorted(agents.items()):
        most = ", ".join(f"{short(name, 60)} {count}" for name, count in names.most_common(_MOST_AGENTS))
        more = f" and {len(names) - _MOST_AGENTS} more" if len(names) > _MOST_AGENTS else ""
        if not page.takes(f"  agents of {short(account, 80)}: {most}{more}"):
            page.note("Some agents were left out for want of room: ask for a larger max_tokens.")
            break
    newest = number_of(looked_at, "conversation")
    page.note(f"Agents, and how many conversations each had, are those of the newest {newest}.")
    answer = page.answer()
    return Listing(answer.text, None, answer.notes, shown=shown, total=len(accounts))


def _statuses(reader: Reader, provider: str | None) -> list[AccountStatus]:
    shown = set(reader.targets(provider) or reader.accounts())
    accounts = [each for each in reader.reader.status().accounts if each.where in shown]
    since = reader.earliest
    if since is None:
        return accounts
    # What lies before is not shown, not even that it is there.
    counts = reader.reader.counts("account", Filters.of(since=since), most=_MOST_ACCOUNTS)
    return [
        msgspec.structs.replace(
            each, conversations=counts.get(each.where, 0), oldest=max(each.oldest, since) if each.oldest else None
        )
        for each in accounts
    ]


def missing(reader: Reader, provider: str | None, page: Page, now: datetime) -> Listing:
    accounts = _statuses(reader, provider)
    page.say(
        f"Accounts: {len(accounts)}; it is {day(now)}. Conversations that are not counted as lacking are complete;"
        " nothing after the last sync is here."
    )
    shown = 0
    for each in accounts:
        facts = "; ".join(chain(_lacks(each), _time_of(each, now)))
        if not page.takes(f"- {short(each.where, 80)}: {facts}"):
            page.note("Some accounts were left out for want of room: name a provider, or ask for a larger max_tokens.")
            break
        shown += 1
    page.note(
        "Pending: still running, or the transcript is to come. Restricted: the provider does not show the transcript."
    )
    page.note("Which they are: list_conversations with transcript=pending, not_loaded, restricted or truncated.")
    answer = page.answer()
    return Listing(answer.text, None, answer.notes, shown=shown, total=len(accounts))


def _lacks(each: AccountStatus) -> Iterator[str]:
    yield number_of(each.conversations, "conversation")
    for count, what in (
        (each.pending, "pending"),
        (each.restricted, "restricted"),
        (each.failing, f"failing since {day(each.failing_since)}: the next sync tries again"),
        (each.given_up, "given up"),
        (each.vanished, "vanished from the provider's list"),
    ):
        if count:
            yield f"{count:,} {what}"


def _time_of(each: AccountStatus, now: datetime) -> Iterator[str]:
    covered = each.covered
    if covered is None:
        yield "no walk of its lists has come to its end: days may be missing anywhere"
    else:
        yield f"synced up to {day(covered.until)}, {_ago(now - covered.until)} ago"
        if covered.since is not None:
            yield f"nothing before {covered.since:%Y-%m-%d} was asked for"
    if each.is_under_way:
        yield "a sync is under way, or was stopped"
    retention = _retention(each.where.partition("/")[0])
    if retention is not None:
        yield f"the provider usually deletes after {retention.days} days"


def _ago(passed: timedelta) -> str:
    minutes = max(int(passed.total_seconds()), 0) // 60
    if minutes < 120:
        return number_of(minutes, "minute")
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"


def _retention(provider: str) -> timedelta | None:
    try:
        return load(provider).retention if provider in available() else None
    except HubError:  # an adapter of another package, which is broken or gone
        return None
