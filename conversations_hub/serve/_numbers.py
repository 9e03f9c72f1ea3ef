"""Numbers about the store: counts by field, measures by group, what is missing, accounts and providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from aiohttp import web

from ..adapters import available, load
from ..errors import ConfigurationError, InvalidRefError
from ..hub._capabilities import Capabilities
from ..metrics._groups import KEYS
from ..stores import AccountStatus, Filters, NewestStats, StoreReader
from ..stores._filters import COUNTED
from . import _answers
from ._documents import AccountList, Facets, Gaps, Group, MissingList, ProviderList, Statistics
from ._query import FILTERS, Arguments, wrong
from ._refusal import Refusal
from ._service import SERVICE, TOKEN, Service, encoded
from ._shown import Show

__all__ = ["FACETS", "accounts", "facets", "missing", "providers", "statistics"]

FACETS: Final = {name.removesuffix("_state"): name for name in COUNTED}
"""The fields that are counted, by the names of their arguments."""

_USUAL: Final = ("provider", "account", "status", "agent", "end_reason", "transcript")
_SECONDS: Final = 1.0  # for the counts of one field, and for measuring


async def facets(request: web.Request) -> web.StreamResponse:
    """Answer with the number of conversations for each value of some fields."""
    service, token = request.config_dict[SERVICE], request[TOKEN]
    asked = Arguments(request.query, (*FILTERS, "field"))
    wanted, names = asked.filters(), asked.many("field") or _USUAL
    if not set(names).issubset(FACETS):
        raise wrong("field", f"one of {', '.join(FACETS)}")
    with service.searches.one_more(token.name):
        make = partial(_facets, service, wanted, names)
        return _answers.json(await service.remembered(f"facets {request.query_string}", make))


async def _facets(service: Service, wanted: Filters, names: Sequence[str]) -> tuple[bytes, bool]:
    found, left_out = dict[str, dict[str, int]](), list[str]()
    for name in dict.fromkeys(names):
        field = FACETS[name]
        work = partial(_counted, field, wanted.without(field))
        try:
            found[name] = await service.pool.ask(work, seconds=_SECONDS, takes_long=True)
        except Refusal as refusal:
            if refusal.kind != "time_limit":
                raise
            left_out.append(name)
    if service.shown.is_redacted:
        for name in found.keys() & {"agent", "tag"}:  # the others have no text of a conversation
            found[name] = _shown(found[name], getattr(service.shown, name))
    return encoded(Facets(facets=found, left_out=left_out)), not left_out


def _counted(field: str, wanted: Filters, reader: StoreReader) -> dict[str, int]:
    return reader.counts(field, wanted)


def _shown(counts: dict[str, int], show: Callable[[str], str | None]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value, count in counts.items():
        shown = show(value)
        if shown is not None:
            found[shown] = found.get(shown, 0) + count
    return found


async def statistics(request: web.Request) -> web.StreamResponse:
    """Answer with what conversations measure, group by group; of very many, the newest."""
    service, token = request.config_dict[SERVICE], request[TOKEN]
    show = service.shown.to(token.scopes)
    asked = Arguments(request.query, (*FILTERS, "by"))
    wanted = asked.filters()
    by = [name for text in asked.many("by") or ["provider"] for name in text.split(",") if name]
    if not set(by).issubset(KEYS):
        raise wrong("by", f"some of {', '.join(KEYS)}, with commas between them")

    async def make() -> tuple[bytes, bool]:
        return await service.pool.ask(partial(_measured, service, wanted, by, show), takes_long=True)

    with service.searches.one_more(token.name):
        return _answers.json(await service.remembered(f"stats {request.query_string}", make))


def _measured(
    service: Service, wanted: Filters, by: Sequence[str], show: Show, reader: StoreReader
) -> tuple[bytes, bool]:
    ends = service.monotonic() + _SECONDS

    def goes_on() -> bool:
        return service.monotonic() <= ends

    if service.shown.is_redacted:
        found = NewestStats.of(map(show, reader.walk(wanted)), by, goes_on)
    else:
        found = reader.newest_stats(wanted, by, goes_on=goes_on)
    groups = [Group.of(summary) for summary in found.summaries]
    count = sum(summary.conversations for summary in found.summaries)
    answer = Statistics(groups=groups, conversations=count, oldest=found.oldest, complete=found.is_all)
    return encoded(answer), found.is_all


async def missing(request: web.Request) -> web.StreamResponse:
    """Answer with what the store lacks, account by account."""
    service, token = request.config_dict[SERVICE], request[TOKEN]
    Arguments(request.query, ())
    with service.searches.one_more(token.name):
        return _answers.json(await service.pool.ask(_missing, takes_long=True))


def _missing(reader: StoreReader) -> bytes:
    issues = reader.counts("account", Filters.of(has_issues=True), most=10**6)
    return encoded(MissingList(accounts=[_gaps(one, issues) for one in reader.status().accounts]))


def _gaps(one: AccountStatus, issues: dict[str, int]) -> Gaps:
    return Gaps(
        account=one.where,
        conversations=one.conversations,
        pending=one.pending,
        failing=one.failing,
        given_up=one.given_up,
        restricted=one.restricted,
        vanished=one.vanished,
        issues=issues.get(one.where, 0),
    )


async def accounts(request: web.Request) -> web.StreamResponse:
    """Answer with the accounts."""
    service = request.config_dict[SERVICE]
    Arguments(request.query, ())
    if not service.has_store and service.hub is not None:
        each = tuple(AccountStatus(where=where) for where in service.hub.accounts())
        return _answers.json(encoded(AccountList(accounts=each, total=None)))
    return _answers.json(await service.pool.ask(_accounts))


def _accounts(reader: StoreReader) -> bytes:
    found = reader.status()
    return encoded(AccountList(accounts=found.accounts, total=found.total))


async def providers(request: web.Request) -> web.StreamResponse:
    """Answer with what each provider supports."""
    Arguments(request.query, ())
    return _answers.json(encoded(ProviderList(providers=[*_capabilities()])))


def _capabilities() -> Iterator[Capabilities]:
    for name in available():
        try:
            yield Capabilities.of(load(name))
        except (ConfigurationError, InvalidRefError):
            continue  # a package that is broken is shown by `conversations-hub providers`
