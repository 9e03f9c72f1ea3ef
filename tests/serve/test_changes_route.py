"""What changed, as lines, after a wait, and as events."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError

from conversations_hub.schema import Status
from conversations_hub.serve import Tokens
from conversations_hub.stores.sqlite import SQLiteReader

from ..support.entries import said
from ..support.gateway import TEXTS, asking, token
from ..support.sqlite import kept_in
from ..support.virtual_time import WiredLoop


async def test_changes_come_once_and_a_cursor_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, *(said("Hello.", id=f"c{number}") for number in range(250)))
    async with asking(path) as ask:
        *lines, end = (await ask("/v1/changes")).lines()
        assert [line["ref"] for line in lines] == [f"acme:c{number}" for number in range(250)]
        assert end == {"end": True, "count": 250, "cursor": lines[-1]["cursor"]}
        assert (await ask(f"/v1/changes?cursor={end['cursor']}")).lines() == [{**end, "count": 0}]
        await kept_in(path, said("Changed.", id="c7"))
        [changed, end] = (await ask(f"/v1/changes?cursor={end['cursor']}")).lines()
        assert changed["conversation"]["transcript"][0]["text"] == "Changed."
        with SQLiteReader(path) as reader:
            digest = reader.digest("acme:c8")
            reader.erase("acme:c8")
        [erased, end] = (await ask(f"/v1/changes?cursor={end['cursor']}")).lines()
        assert (erased["erased"], "conversation" in erased) == (digest, False)


async def test_a_request_waits_for_the_next_change(tmp_path: Path, loop: WiredLoop) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, said("Hello."))
    async with asking(path) as ask:
        cursor = (await ask("/v1/changes")).lines()[-1]["cursor"]
        began = loop.time()
        assert (await ask(f"/v1/changes?cursor={cursor}&wait=30")).lines()[-1]["count"] == 0
        assert 29 < loop.time() - began < 33
        waiting = [asyncio.ensure_future(ask(f"/v1/changes?cursor={each}&wait=60")) for each in (cursor, "now")]
        await asyncio.sleep(5)
        await kept_in(path, said("Hello.", id="c2"))
        for told in await asyncio.gather(*waiting):
            assert [line.get("ref") for line in told.lines()] == ["acme:c2", None]
        assert loop.time() - began < 60


async def test_events_come_until_the_client_leaves(tmp_path: Path, loop: WiredLoop) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, said("Hello\nthere."))
    async with asking(path) as ask:
        headers = {"Authorization": f"Bearer {TEXTS['all']}", "Accept": "text/event-stream"}
        url = ask.server.make_url("/v1/changes")
        async with ask.session.get(url, headers=headers) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream"
            id, data, blank = [await answer.content.readline() for _ in range(3)]
            assert (json.loads(data.removeprefix(b"data: "))["ref"], blank) == ("acme:c1", b"\n")
            assert await answer.content.readline() == b":\n"  # a sign of life
            await answer.content.readline()
            await kept_in(path, said("Bye.", id="c2", status=Status.FAILED))
            while not (line := await answer.content.readline()).startswith(b"data"):
                assert line.startswith((b":", b"id: ", b"\n"))
            assert json.loads(line.removeprefix(b"data: "))["ref"] == "acme:c2"
        headers["Last-Event-ID"] = id.decode().removeprefix("id: ").strip()
        async with ask.session.get(url, headers=headers) as answer:
            await answer.content.readline()
            assert b"acme:c2" in await answer.content.readline()
        assert len((await ask("/v1/changes")).lines()) == 3


async def test_streams_end_when_it_stops_and_do_not_look_whole(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, *(said("Hello. " * 5000, id=f"c{number}") for number in range(300)))
    async with asking(path) as ask:
        headers = {"Authorization": f"Bearer {TEXTS['all']}"}
        answer = await ask.session.get(ask.server.make_url("/v1/conversations.jsonl"), headers=headers)
        first = await answer.content.readline()
        assert json.loads(first)["ref"].startswith("acme:")
        waiting = asyncio.ensure_future(ask.session.get(ask.server.make_url("/v1/changes?wait=60"), headers=headers))
        service = next(value for value in ask.server.app.values() if hasattr(value, "stopping"))
        service.stopping.set()
        assert (await ask("/readyz")).kind == "stopping"
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await answer.read()
        await asyncio.wait([waiting])
        for done in (answer, *([] if waiting.exception() else [waiting.result()])):
            done.close()


async def test_a_stream_is_cut_once_its_token_is_no_longer_valid(tmp_path: Path) -> None:
    path, file = tmp_path / "c.db", tmp_path / "tokens.toml"
    await kept_in(path, *(said("Hello. " * 5000, id=f"c{number}") for number in range(300)))
    old, new = (token("a", text, "read") for text in ("old", "new"))
    file.write_text(f'[[token]]\nname = "a"\nsha256 = "{new.sha256}"\n')
    file.chmod(0o600)
    tokens = Tokens([old])
    async with asking(path, tokens=tokens) as ask:
        headers = {"Authorization": "Bearer old"}
        answer = await ask.session.get(ask.server.make_url("/v1/conversations.jsonl"), headers=headers)
        assert json.loads(await answer.content.readline())["ref"].startswith("acme:")
        tokens.reload(file)  # of the same name, but another
        with pytest.raises((ClientPayloadError, ClientConnectionError)):
            await answer.read()
        answer.close()
        assert (await ask("/v1/accounts", who="old")).kind == "wrong_token"
        assert (await ask("/v1/accounts", who="new")).status == 200


async def test_a_token_has_no_more_than_eight_streams(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello."))
    async with asking(tmp_path / "c.db") as ask:
        headers = {"Authorization": f"Bearer {TEXTS['all']}", "Accept": "text/event-stream"}
        url = ask.server.make_url("/v1/changes")
        opened = [await ask.session.get(url, headers=headers) for _ in range(8)]
        told = await ask("/v1/changes")
        assert (told.status, told.kind, told.headers["Retry-After"]) == (429, "too_many", "1")
        assert (await ask("/v1/changes", who="reader")).status == 200
        for answer in opened:
            answer.close()


async def test_a_token_that_asks_too_often_is_told_to_wait(tmp_path: Path, loop: WiredLoop) -> None:
    async with asking(tmp_path / "c.db") as ask:
        told = [await ask("/v1/nothing") for _ in range(101)]
        assert [answer.status for answer in told] == [404] * 100 + [429]
        await asyncio.sleep(1)
        assert (await ask("/v1/nothing")).status == 404
