"""The inbox: how many events of webhooks are not in the store yet, and which were given up."""

from __future__ import annotations

import msgspec
from aiohttp import web

from ..errors import InvalidRefError
from . import _answers
from ._documents import InboxState
from ._query import Arguments, wrong
from ._refusal import Refusal
from ._service import SERVICE, encoded

__all__ = ["MOST", "inbox"]

MOST = 200  # events of a page


async def inbox(request: web.Request) -> web.StreamResponse:
    """Answer with what is in the inbox."""
    kept = request.config_dict[SERVICE].pipeline.inbox
    asked = Arguments(request.query, ("limit", "cursor"))
    limit, cursor = asked.number("limit", 50, 1, MOST), asked.one("cursor")
    if kept is None:
        raise Refusal(501, "unsupported", "there is no inbox: start the gateway with --hooks, or --inbox")
    try:
        page = await kept.dead(limit=limit, cursor=cursor)
    except InvalidRefError:
        raise wrong("cursor", "that of a page, exactly as it is") from None
    status = msgspec.structs.asdict(await kept.status())
    return _answers.json(encoded(InboxState(**status, events=page.events, cursor=page.cursor)))
