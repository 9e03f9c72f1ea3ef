"""Conversations: pages of them, all of them as a stream, and one in any format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Final
from urllib.parse import quote

from aiohttp import web

from .. import formats
from .._refs import Ref
from ..errors import FormatError
from ..hub import Hub
from ..schema import Conversation
from ..stores import Filters, Row, StoreReader
from . import _answers
from ._documents import ConversationPage, Listed, Turns
from ._media import FORMATS, Choice, chosen
from ._query import FILTERS, Arguments, searching, wrong
from ._refusal import Refusal
from ._service import SERVICE, TOKEN, encoded
from ._shown import Show
from ._stream import Lines

__all__ = ["conversation", "conversations", "raw", "ref_in", "stream", "turns"]

MOST: Final = 200  # rows of a page
_PIECE: Final = 100  # conversations of a stream that are in memory
_LIVE: Final = 20.0  # seconds that a provider has


async def conversations(request: web.Request) -> web.StreamResponse:
    """Answer with a page, newest first."""
    service, token = request.config_dict[SERVICE], request[TOKEN]
    show = service.shown.to(token.scopes)
    asked = Arguments(request.query, (*FILTERS, "q", "limit", "cursor"))
    wanted, limit, cursor = asked.filters(words=asked.words()), asked.number("limit", 50, 1, MOST), asked.one("cursor")
    if not service.has_store and service.hub is not None:
        return _answers.json(await _live_page(service.hub, wanted, limit, cursor, show))

    def work(reader: StoreReader) -> bytes:
        with searching():
            page = reader.page(wanted, limit=limit, cursor=cursor)
        rows = [_listed(row, show) for row in page.rows]
        return encoded(ConversationPage(conversations=rows, cursor=page.cursor))

    if wanted.words is None:
        return _answers.json(await service.pool.ask(work))
    with service.searches.one_more(token.name):
        return _answers.json(await service.pool.ask(work, takes_long=True))


def _listed(row: Row, show: Show) -> Listed:
    return Listed.of(show(row.conversation), row.turns)


async def _live_page(hub: Hub, wanted: Filters, limit: int, cursor: str | None, show: Show) -> bytes:
    """Return a page of one account's own list."""
    given = {name: values for name, values in wanted.fields.items() if name not in {"status", "agent"}}
    accounts = hub.accounts(*map(str, wanted.targets))
    if len(accounts) != 1 or given or wanted.has_issues is not None or wanted.words is not None:
        raise Refusal(
            501,
            "unsupported",
            "without a store, name one account, and filter by status, agent, since and until alone",
        )
    status, agent = (_only(name, wanted.fields.get(name, ())) for name in ("status", "agent"))
    walk = hub.list(
        *accounts,
        since=wanted.since,
        until=wanted.until,
        status=status,
        agent=agent,
        cursor=cursor,
        page_size=limit,
        timeout=_LIVE,
    )
    async with aclosing(walk.pages()) as pages:
        page = await anext(pages, None)
    found = page.items if page else ()
    rows = [_listed(Row(one, _length(one)), show) for one in found]
    return encoded(ConversationPage(conversations=rows, cursor=page.cursor if page else None))


def _only(name: str, values: Sequence[str]) -> str | None:
    if len(values) > 1:
        raise wrong(name, "given once, without a store")
    return values[0] if values else None


def _length(one: Conversation) -> int | None:
    return None if one.transcript is None else len(one.transcript)


async def stream(request: web.Request) -> web.StreamResponse:
    """Stream whole conversations, newest first."""
    service, token = request.config_dict[SERVICE], request[TOKEN]
    asked = Arguments(request.query, (*FILTERS, "q"))
    wanted = asked.filters(words=asked.words())
    sent = Lines(request)
    if request.method == "HEAD":
        return await sent.begin()
    with service.streams.one_more(token.name):
        async with service.pool.lease() as lease:
            found: list[Iterator[Conversation]] = []
            show = service.shown.to(token.scopes)

            def piece(reader: StoreReader) -> list[bytes]:
                if not found:
                    found.append(reader.walk(wanted))
                with searching():
                    return [_document(show(one)) for one in islice(found[0], _PIECE)]

            while some := await lease.do(piece):
                await sent.write(some)
            return await sent.end()


def _document(one: Conversation) -> bytes:
    return one.to_json().encode()


async def conversation(request: web.Request) -> web.StreamResponse:
    """Answer with one conversation, in the format that is wanted."""
    service, token = request.config_dict[SERVICE], request[TOKEN]
    asked = Arguments(request.query, ("source", "format"))
    source = asked.word("source", ("store", "live"), "store" if service.has_store else "live")
    name = asked.word("format", tuple(FORMATS), "")
    choice = FORMATS[name] if name else chosen(request.headers.getall("Accept", []))
    ref, show = ref_in(request), service.shown.to(token.scopes)

    def work(one: Conversation) -> tuple[bytes, list[str]]:
        one = show(one)
        return _written(one, choice), [_path(one.ref, place) for place in range(len(one.recordings))]

    if source == "live":
        if service.hub is None:
            raise Refusal(501, "unsupported", "start the gateway with --live to ask providers")
        body, paths = work(await service.hub.get(ref, timeout=_LIVE))
    else:
        body, paths = await service.pool.ask(lambda reader: work(reader.get(ref)))
    answer = _answers.content(body, choice.media_type)
    answer.headers["Vary"] = "Accept"
    if "recordings" in token.scopes and service.recordings is not None and not service.shown.is_redacted:
        for path in paths:
            ticket = service.tickets.written(path, token.name, service.now())
            answer.headers.add("Link", f'<{path}?ticket={ticket}>; rel="enclosure"')
    return answer


def _written(one: Conversation, choice: Choice) -> bytes:
    if choice.format is None:
        return _document(one)
    try:
        return formats.dump(one, choice.format)
    except FormatError as error:
        raise Refusal(422, "format", error.reason) from None


def _path(ref: str, position: int) -> str:
    return f"/v1/recordings/{quote(ref, safe=':/')}/{position}"


def ref_in(request: web.Request) -> str:
    """Return the ref in the path; raise `InvalidRefError` for what is none."""
    ref = request.match_info["ref"]
    Ref.parse(ref)
    return ref


async def raw(request: web.Request) -> web.StreamResponse:
    """Answer with what the provider sent."""
    service = request.config_dict[SERVICE]
    Arguments(request.query, ())
    ref = ref_in(request)
    body = await service.pool.ask(lambda reader: service.shown.raw(reader.get(ref)))
    if body is None:
        raise Refusal(404, "not_found", "the provider's JSON was not kept: sync with --raw keeps it")
    return _answers.json(body)


async def turns(request: web.Request) -> web.StreamResponse:
    """Answer with a part of a transcript."""
    service = request.config_dict[SERVICE]
    asked = Arguments(request.query, ("from", "limit"))
    first = asked.number("from", 0, 0, 10**8)
    after = first + asked.number("limit", 500, 1, 5000)
    ref, show = ref_in(request), service.shown.to(request[TOKEN].scopes)

    def work(reader: StoreReader) -> bytes:
        every = show(reader.get(ref)).transcript or ()
        follows = after if after < len(every) else None
        return encoded(Turns(ref=ref, turns=every[first:after], total=len(every), next=follows))

    return _answers.json(await service.pool.ask(work))
