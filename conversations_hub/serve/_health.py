"""How the gateway is: for those who start it, and for those who count."""

from __future__ import annotations

from aiohttp import web

from ..errors import HubError
from ..stores import AccountStatus, StoreReader
from . import _answers
from ._counters import MEDIA_TYPE
from ._documents import State
from ._refusal import Refusal
from ._service import SERVICE, Service, encoded

__all__ = ["healthy", "metrics", "ready"]


async def healthy(_request: web.Request) -> web.StreamResponse:
    """Answer that the event loop answers."""
    return _answers.json(encoded(State(status="ok")))


async def ready(request: web.Request) -> web.StreamResponse:
    """Answer whether the store can be read and webhooks can be kept; what else is wrong is said."""
    service = request.config_dict[SERVICE]
    if service.stopping.is_set():
        raise Refusal(503, "stopping", retry_after=5.0)
    if service.has_store:
        await service.pool.ask(lambda reader: reader.revision())
    return _answers.json(encoded(State(status="ready", warnings=await service.pipeline.warnings(service.now()))))


async def metrics(request: web.Request) -> web.StreamResponse:
    """Answer with all counters."""
    service = request.config_dict[SERVICE]
    if service.has_store:
        try:
            _count(service, await service.pool.ask(_accounts))
        except (HubError, Refusal):  # `/readyz` says so
            service.counters.conversations.clear()
            service.counters.age.clear()
    await service.pipeline.count(service.counters, service.now())
    return _answers.content(service.counters.text().encode(), MEDIA_TYPE)


def _accounts(reader: StoreReader) -> tuple[AccountStatus, ...]:
    return reader.status().accounts


def _count(service: Service, accounts: tuple[AccountStatus, ...]) -> None:
    counters, now = service.counters, service.now()
    counters.conversations.clear()
    counters.age.clear()
    for one in accounts:
        counters.conversations.add(one.conversations, provider=one.where.partition("/")[0])
        if one.covered is not None:
            counters.age.set(max(0.0, (now - one.covered.until).total_seconds()), account=one.where)
