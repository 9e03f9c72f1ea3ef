"""The gateway: a web application that reads a store, and asks providers if it has a hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiohttp import web

from ..errors import ConfigurationError
from ..hub import Hub
from ..redaction import Redact
from ..redaction._redactors import as_sequence
from ..stores import ReadableStore, open_store
from ._guard import LOOPBACK
from ._middleware import GUARDED, guard, headed
from ._page import add_page
from ._pipeline import Pipeline
from ._pool import Pool
from ._routes import ROUTES
from ._service import SERVICE, Service
from ._shown import Shown
from ._tokens import Tokens

__all__ = ["gateway"]

_LARGEST_BODY: Final = 1024  # bytes: nothing here takes a body


def gateway(
    store: str | Path | ReadableStore | None = None,
    *,
    hub: Hub | None = None,
    tokens: Tokens,
    hosts: Iterable[str] = (),
    redact: Redact | Sequence[Redact] = (),
    recordings: str | Path | None = None,
    pipeline: Pipeline | None = None,
    behind_proxy: bool = False,
    session_tokens: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> web.Application:
    """Return a read-only application: anyone who has a token can read conversations.

    Run it with `aiohttp.web.run_app`, or mount it. The hub is not closed with it. Routes that are added have no guard
    but for the names of hosts, and get the same headers.

    Args:
        store: a store, or its URL as in `open_store`.
        hub: asks providers for `?source=live`, and for everything if there is no store.
        tokens: who may ask.
        hosts: the names by which it may be reached besides `localhost`; others are refused.
        redact: what to remove from every answer; then no recordings are served. It gets each agent and each tag of the
            facets in a conversation that has nothing else.
        recordings: the folder that `sync --recordings` filled.
        pipeline: the webhooks that come in and the changes that go out beside it, to be shown and counted.
        behind_proxy: whether a proxy in front of it sets X-Forwarded-For.
        session_tokens: whether a browser keeps the token no longer than its tab, as on a shared machine.
        now: returns the present as an aware instant, for tests.

    Raises:
        ConfigurationError: neither a store nor a hub, or no such kind of store.
    """
    if store is None and hub is None:
        raise ConfigurationError("there is nothing to show: give a store or a hub")
    opened = open_store(str(store)) if isinstance(store, str | Path) else store
    service = Service(
        pool=None if opened is None else Pool(opened.reader),
        hub=hub,
        tokens=tokens,
        hosts=LOOPBACK.union(name.lower() for name in hosts),
        shown=Shown(as_sequence(redact)),
        recordings=None if recordings is None else Path(recordings),
        pipeline=pipeline or Pipeline(),
        behind_proxy=behind_proxy,
        now=now,
    )
    application = web.Application(middlewares=[guard])
    application[SERVICE] = service
    application[GUARDED] = {route.path: route for route in ROUTES}
    application.on_response_prepare.append(headed)
    application.on_shutdown.append(_stop)
    application.on_cleanup.append(_close)
    for route in ROUTES:
        application.router.add_get(route.pattern, route.answer)
    add_page(application, forgets=session_tokens)
    return application


async def _stop(application: web.Application) -> None:
    application[SERVICE].stopping.set()


async def _close(application: web.Application) -> None:
    await application[SERVICE].close()
