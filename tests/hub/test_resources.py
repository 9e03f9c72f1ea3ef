"""Accounts whose provider keeps several kinds of conversations: one walk over all of them, and ids that tell them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub, errors
from conversations_hub.adapter import Adapter, Filter, Query, RawPage, Resource, Start, Started
from conversations_hub.reading.json import decode
from conversations_hub.schema import Status, TranscriptState, TranscriptTurn
from conversations_hub.signing import bearer
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.sync import plan, sync
from conversations_hub.wire import Flow, Request

from ..support.server import Answer, Asked, answer, serving

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_PAGE = 3


class _Item(msgspec.Struct):
    id: str
    at: float
    said: str | None = None


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next: str | None = None


_item = msgspec.json.Decoder(_Item)
_page = msgspec.json.Decoder(_Page)


def _conversation(body: bytes | msgspec.Raw) -> Conversation:
    item = _item.decode(body)
    return Conversation(
        provider="acme",
        id=item.id,
        status=Status.ENDED,
        created_at=datetime.fromtimestamp(item.at, UTC),
        ended_at=datetime.fromtimestamp(item.at, UTC),
        transcript=(TranscriptTurn(index=0, text=item.said),) if item.said else None,
        transcript_state=TranscriptState.AVAILABLE if item.said else TranscriptState.NOT_LOADED,
    )


def _resource(name: str, *, filters: tuple[Filter, ...] = (), **more: Any) -> dict[str, Any]:
    def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
        reply = yield Request("GET", f"/{name}", query={"from": cursor or "0", "size": query.page_size or _PAGE})
        page = decode(reply.body, _page)
        return RawPage(rows=page.items, normalize=_conversation, cursor=page.next)

    def get(_account: Account, id: str) -> Flow[Conversation]:
        reply = yield Request("GET", f"/{name}/{{id}}", ids={"id": id})
        return _conversation(reply.body)

    def start(_account: Account, _wanted: Start) -> Flow[Started]:
        reply = yield Request("POST", f"/{name}")
        return Started(conversation=_conversation(reply.body))

    def delete(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
        yield Request("DELETE", f"/{name}/{{id}}", ids={"id": id}, json=False)

    return {
        "list_page": list_page,
        "get": get,
        "start": start,
        "delete": delete,
        "complete_lists": False,
        "page_size": _PAGE,
        "newest_first": True,
        "filters": filters,
        **more,
    }


ADAPTER = Adapter(
    name="acme",
    base_url="https://api.acme.example",
    docs="https://acme.example",
    sign=bearer,
    main="calls",
    resources={"chats": Resource(**_resource("chats")), "mails": Resource(**_resource("mails", id_prefix="mail_"))},
    unlisted=("faxes, which its API does not show",),
    **_resource("calls"),
)


class Acme:
    """Keeps conversations by kind and id, with the minute of each; what is special is answered so."""

    def __init__(self, **kept: dict[str, int]) -> None:
        self.kept: dict[str, dict[str, int]] = {"calls": {}, "chats": {}, "mails": {}} | kept
        self.special: dict[str, Answer] = {}
        self.asked: list[str] = []

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        path, _, query = asked.target.partition("?")
        self.asked.append(f"{asked.method} {path}")
        if path in self.special:
            return self.special[path]
        kind, _, id = path.removeprefix("/").partition("/")
        if asked.method == "DELETE":
            del self.kept[kind][id]
            return answer({})
        if asked.method == "POST":
            return answer(self._item("new", 0, said=False))
        if id:
            return answer(self._item(id, self.kept[kind][id], said=True))
        told = dict(pair.split("=") for pair in query.split("&"))
        begin, size = int(told["from"]), int(told["size"])
        newest = sorted(self.kept[kind].items(), key=lambda one: -one[1])
        rows = [self._item(id, minute, said=False) for id, minute in newest[begin : begin + size]]
        following = str(begin + size) if begin + size < len(newest) else None
        return answer({"items": rows, "next": following})

    @staticmethod
    def _item(id: str, minute: int, *, said: bool) -> dict[str, Any]:
        at = (NOON + timedelta(minutes=minute)).timestamp()
        return {"id": id, "at": at, "said": f"about {id}" if said else None}


@pytest.fixture(autouse=True)
def adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    for found in ("hub._hub.usable", "stores._conditions.load"):
        monkeypatch.setattr(f"conversations_hub.{found}", _load)


def _load(_name: str) -> Adapter:
    return ADAPTER


@asynccontextmanager
async def acme(provider: Acme, accounts: int = 1) -> AsyncGenerator[Hub]:
    async with serving(provider) as server:
        names = ["default", "eu", "us"][:accounts]
        async with Hub([Account("acme", key="key", name=name, base_url=server.url) for name in names]) as hub:
            yield hub


def some(prefix: str, *minutes: int) -> dict[str, int]:
    return {f"{prefix}{minute}": minute for minute in minutes}


def full() -> Acme:
    return Acme(calls=some("c", *range(0, 50, 10)), chats=some("c", *range(5, 45, 10)), mails=some("mail_", 7, 17))


ALL = (
    [f"c{minute}" for minute in range(40, -1, -10)]
    + [f"chats:c{minute}" for minute in range(35, 0, -10)]
    + ["mail_17", "mail_7"]
)


async def ids(walk: Any) -> list[str]:
    return [one.id async for one in walk]


async def test_a_walk_goes_through_all_of_them_and_ids_tell_them_apart() -> None:
    provider = full()
    async with acme(provider) as hub:
        walk = hub.list("acme", transcripts=True)
        found = [one async for one in walk]
        assert [one.id for one in found] == ALL
        assert [one.text for one in found] == [f"unknown: about {id.removeprefix('chats:')}" for id in ALL]
        [report] = walk.report.accounts
        assert walk.report.complete
        assert (report.delivered, report.pages) == (11, 5)
        assert "not listed: faxes, which its API does not show" in str(report)
        for one in found:
            assert await hub.get(one.ref) == one
        assert found[5].ref == "acme:chats:c35"


async def test_a_target_narrows_to_one_kind() -> None:
    async with acme(full()) as hub:
        assert await ids(hub.list("acme:chats")) == ALL[5:9]
        assert await ids(hub.list("acme:calls")) == ALL[:5]
        assert await ids(hub.list("acme:mails", "acme/default:calls", limit=3)) == ["c40", "c30", "c20"]
        assert sorted(await ids(hub.list("acme:chats", "acme"))) == sorted(ALL)
        with pytest.raises(errors.InvalidRefError, match=r"choose from acme:calls, acme:chats, acme:mails"):
            hub.list("acme:faxes")


async def test_a_status_is_checked_where_the_provider_has_no_word_for_it() -> None:
    async with acme(full()) as hub:
        assert await ids(hub.list("acme", status="ended")) == ALL
        walk = hub.list("acme", status="in_progress")
        assert await ids(walk) == []
        assert walk.report.accounts[0].filtered == len(ALL)


async def test_a_provider_s_own_filters_are_those_of_its_main_list() -> None:
    async with acme(full()) as hub:
        assert await ids(hub.list("acme", provider_options={"acme": {"colour": "red"}})) == ALL[:5]
        assert await ids(hub.list("acme:chats", provider_options={"acme": {"colour": "red"}})) == ALL[5:9]
        assert await ids(hub.list("acme", provider_options={"acme": {}})) == ALL


async def test_a_limit_brings_the_newest_of_all_kinds() -> None:
    provider = full()
    async with acme(provider, accounts=2) as hub:
        walk = hub.list("acme/default", limit=4, transcripts=True)
        assert await ids(walk) == ["c40", "chats:c35", "c30", "chats:c25"]
        assert not walk.report.complete  # there is more
        assert not walk.report.has_gaps
        assert [one.ref async for one in hub.list(limit=3)] == ["acme:c40", "acme/eu:c40", "acme:chats:c35"]


async def test_pages_bring_one_list_after_the_other_and_go_on_anywhere() -> None:
    for size, limit in itertools.product((1, 2, 3, 50), (None, 1, 2, 4, 5, 7)):
        async with acme(full()) as hub:
            found: list[str] = []
            cursor, pages = None, 0
            while cursor or not pages:
                pages += 1
                async for page in hub.list("acme", cursor=cursor, page_size=size, limit=limit).pages():
                    found += [one.id for one in page.items]
                    cursor = page.cursor
                    assert page.account == "default"
                    if limit is None:
                        break
            assert found == ALL, (size, limit)


async def test_a_cursor_is_good_for_the_lists_it_came_from_only() -> None:
    async with acme(full()) as hub:
        [page] = [page async for page in hub.list("acme:chats", limit=1).pages()]
        assert await ids(hub.list("acme:chats", cursor=page.cursor)) == ALL[6:9]
        for target in ("acme", "acme:calls"):
            with pytest.raises(errors.InvalidRefError, match="does not belong to acme/default"):
                hub.list(target, cursor=page.cursor)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 501])
async def test_what_an_account_may_not_use_is_told_and_no_error(status: int) -> None:
    provider = full()
    provider.special["/chats"] = answer({"message": "not in your plan"}, status=status)
    async with acme(provider) as hub:
        for limit in (None, 100):
            walk = hub.list("acme", limit=limit)
            assert sorted(await ids(walk)) == sorted(ALL[:5] + ALL[9:])
            assert walk.report.complete
            assert "not listed: its chats" in str(walk.report)
            assert "not in your plan" in str(walk.report)
        with pytest.raises(errors.HubError):  # who asks for it is told
            await ids(hub.list("acme:chats"))


async def test_what_an_account_may_not_use_is_no_error_though_its_other_lists_were_read_meanwhile() -> None:
    provider = full()
    provider.special |= dict.fromkeys(("/chats", "/mails"), answer({"message": "not in your plan"}, status=404))
    async with acme(provider, accounts=3) as hub:
        walk = hub.list(limit=100)
        assert sorted(await ids(walk)) == sorted(3 * ALL[:5])
        assert all({*account.refused} == {"chats", "mails"} for account in walk.report.accounts)


async def test_what_fails_otherwise_is_an_error() -> None:
    provider = full()
    provider.special["/chats"] = answer({"message": "what?"}, status=400)
    async with acme(provider) as hub:
        with pytest.raises(errors.RejectedError):
            await ids(hub.list("acme"))
        provider.special = {"/calls": answer({"message": "no"}, status=403)}
        with pytest.raises(errors.ForbiddenError):
            await ids(hub.list("acme"))


async def test_what_is_done_is_done_to_the_right_one() -> None:
    provider = full()
    async with acme(provider) as hub:
        await hub.delete("acme:chats:c5")
        await hub.delete("acme:mail_7")
        assert (await hub.start("acme:chats")).conversation.ref == "acme:chats:new"
        assert (await hub.start("acme")).conversation.ref == "acme:new"
        assert provider.asked == ["DELETE /chats/c5", "DELETE /mails/mail_7", "POST /chats", "POST /calls"]
        with pytest.raises(errors.UnsupportedError, match="does not support `end` for its chats; supported: list, get"):
            await hub.end("acme:chats:c5")


@pytest.mark.parametrize("kind", ["SQLite", "JSON lines"])
async def test_a_sync_brings_all_of_them(kind: str, tmp_path: Path) -> None:
    def store() -> SQLiteStore | JSONLStore:
        return SQLiteStore(tmp_path / "c") if kind == "SQLite" else JSONLStore(tmp_path / "c")

    provider = full()
    async with acme(provider) as hub:
        [planned] = await plan(hub, store=store() if kind == "SQLite" else None)
        assert planned.new == 11
        report = await sync(hub, store())
        assert (report.complete, report.accounts[0].new) == (True, 11)
        assert "faxes" in str(report)
        provider.special["/chats"] = answer({}, status=403)  # what is not listed any more has not vanished
        del provider.kept["mails"]["mail_7"]
        report = await sync(hub, store())
        assert report.accounts[0].vanished == []
        provider.special.clear()
        report = await sync(hub, store())
        assert report.accounts[0].vanished == ["acme/default:mail_7"]
        with pytest.raises(errors.InvalidRefError, match="a sync copies all of it: use acme"):
            await sync(hub, store(), "acme:chats")
    if kind == "SQLite":
        with SQLiteReader(tmp_path / "c") as archive:
            assert {one.id for one in archive.conversations("acme:chats")} == {*ALL[5:9]}
            assert {one.id for one in archive.conversations("acme:mails")} == {*ALL[9:]}
            assert {one.id for one in archive.conversations("acme/default:calls")} == {*ALL[:5]}
            assert archive.get("acme:chats:c5").text == "unknown: about c5"
            with pytest.raises(errors.InvalidRefError, match="choose from acme:calls"):
                archive.conversations("acme:faxes")
    else:
        lines = [json.loads(line)["ref"] for line in (tmp_path / "c").read_bytes().splitlines()]
        assert len(lines) == 11
