"""What each route answers, and what it refuses."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from conversations_hub import Account, Conversation, Hub, TranscriptTurn
from conversations_hub._files.recordings import name_of
from conversations_hub.errors import ConfigurationError
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import (
    Agent,
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
)
from conversations_hub.serve import gateway
from conversations_hub.serve._documents import Problem
from conversations_hub.stores import open_store, put
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.testing.stores._full import FULL

from ..support.gateway import TEXTS, TOKENS, asking, asking_of
from ..support.server import serving
from ..support.simulated import simulated
from ..support.sqlite import kept_in
from ..support.tavus_server import Tavus

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NUMBER = "+1 415 555 0101"


def one(number: int, **more: object) -> Conversation:
    said = ("Hello, I want a refund.", f"Call me at {NUMBER}.", "A refund it is.")
    turns = tuple(
        TranscriptTurn(index=at, role=Role.USER if at % 2 == 0 else Role.ASSISTANT, text=text, start=2.0 * at)
        for at, text in enumerate(said)
    )
    made = Conversation(
        provider="acme",
        id=f"c{number}",
        account="eu" if number % 3 == 0 else "default",
        status=Status.ENDED,
        title=f"From {NUMBER}",
        created_at=NOON + timedelta(hours=number),
        agent=Agent(id=f"a{number % 2}"),
        participants=(Participant(kind=ParticipantKind.CUSTOMER, phone="+14155550101", name="Zoë"),),
        transcript=turns,
        transcript_state=TranscriptState.AVAILABLE,
        metadata={"order": "12"},
        issues=(Issue("a", "no number"),) if number == 4 else (),
        raw=b'{"id": "raw", "caller": "+14155550101"}',
    )
    return msgspec.structs.replace(made, **more)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    await kept_in(tmp_path / "c.db", *map(one, range(1, 8)))
    return tmp_path / "c.db"


async def test_pages_bring_every_conversation_once(path: Path) -> None:
    async with asking(path) as ask:
        refs: list[str] = []
        query = ""
        while True:
            page = (await ask(f"/v1/conversations?limit=3{query}")).json()
            refs += [row["ref"] for row in page["conversations"]]
            if page["cursor"] is None:
                break
            query = f"&cursor={page['cursor']}"
        assert refs == [one(number).ref for number in range(7, 0, -1)]
        row = page["conversations"][0]
        assert (row["turns"], row["issues"], row["created_at"]) == (3, 0, "2026-11-20T13:00:00Z")
        assert row.keys().isdisjoint({"transcript", "participants", "metadata", "raw", "recordings"})


CHOICES: list[tuple[str, set[int]]] = [
    ("account=acme/eu", {3, 6}),
    ("agent=a0&agent=a9", {2, 4, 6}),
    ("issues=true", {4}),
    ("since=2026-11-20T17:00Z&until=2026-11-20T19:00:00%2B00:00", {5, 6}),
    ("status=failed&status=ended&provider=acme", {1, 2, 3, 4, 5, 6, 7}),
    ("until=2026-11-20", set()),
    ("transcript=pending", set()),
    ("q=refund+-nothing", {1, 2, 3, 4, 5, 6, 7}),
    ("q=call+ref*&account=acme/eu", set()),
    ("q=%22call+me%22&account=acme/eu", {3, 6}),
]


async def test_filters_choose(path: Path) -> None:
    async with asking(path) as ask:
        for query, found in CHOICES:
            page = (await ask(f"/v1/conversations?{query}")).json()
            assert {row["ref"] for row in page["conversations"]} == {one(number).ref for number in found}
            streamed = (await ask(f"/v1/conversations.jsonl?{query}")).lines()
            assert streamed.pop() == {"end": True, "count": len(found)}
            assert {row["ref"] for row in streamed} == {one(number).ref for number in found}


async def test_a_conversation_comes_in_the_format_that_is_wanted(path: Path) -> None:
    async with asking(path) as ask:
        for written in ("acme:c1", "acme%3Ac1", "acme/default:c1", "acme%2Fdefault%3Ac1"):
            whole = await ask(f"/v1/conversations/{written}")
            assert msgspec.json.decode(whole.body, type=Conversation) == one(1, raw=None)
        for accept, media_type, begin in (
            ("text/plain", "text/plain; charset=utf-8", b"user: Hello, I want"),
            ("text/vtt;q=0.5, image/*", "text/vtt; charset=utf-8", b"WEBVTT"),
            ("text/*;q=0.1, application/vcon+json", "application/vcon+json", b'{"vcon":'),
            ("text/markdown", "text/markdown; charset=utf-8", b"# acme"),
            ("*/*", "application/json", b'{"ref":"acme:c1"'),
            ("text/html, */*;q=0.8", "application/json", b'{"ref":"acme:c1"'),
        ):
            told = await ask("/v1/conversations/acme:c1", Accept=accept)
            assert (told.status, told.headers["Content-Type"], told.headers["Vary"]) == (200, media_type, "Accept")
            assert told.body.startswith(begin)
        assert (await ask("/v1/conversations/acme:c1?format=srt")).body.startswith(b"1\n00:00:00")
        assert (await ask("/v1/conversations/acme:c1", Accept="image/png")).kind == "not_acceptable"
        assert (await ask("/v1/conversations/acme:c1", Accept="text/plain;q=x, text/vtt;q=0")).kind == "not_acceptable"


async def test_a_conversation_without_times_has_no_subtitles(tmp_path: Path) -> None:
    turn = TranscriptTurn(index=0, role=Role.USER, text="Hello.")
    await kept_in(tmp_path / "c.db", one(1, transcript=(turn,)))
    async with asking(tmp_path / "c.db") as ask:
        told = await ask("/v1/conversations/acme:c1?format=vtt")
        assert (told.status, told.kind) == (422, "format")
        assert "time" in told.json()["detail"]


async def test_turns_come_in_parts(path: Path) -> None:
    async with asking(path) as ask:
        first = (await ask("/v1/conversations/acme:c1/turns?limit=2")).json()
        assert ([turn["index"] for turn in first["turns"]], first["total"], first["next"]) == ([0, 1], 3, 2)
        last = (await ask("/v1/conversations/acme/default:c1/turns?from=2")).json()
        assert ([turn["index"] for turn in last["turns"]], last["next"]) == ([2], None)


async def test_numbers_of_people_metadata_and_raw_need_their_scope(path: Path) -> None:
    async with asking(path) as ask:
        assert (await ask("/v1/conversations/acme:c1/raw")).json()["id"] == "raw"
        assert (await ask("/v1/conversations/acme:c1/raw", who="reader")).kind == "scope"
        answers = [
            await ask("/v1/conversations/acme:c1", who="reader"),
            await ask("/v1/conversations/acme:c1", who="reader", Accept="application/vcon+json"),
            await ask("/v1/conversations.jsonl", who="reader"),
            await ask("/v1/changes", who="reader"),
        ]
        for told in answers:
            assert told.status == 200
            assert b"4155550101" not in told.body
            assert b'"order"' not in told.body
        assert b"+14155550101" in (await ask("/v1/changes")).body


async def test_a_redacted_gateway_redacts_every_answer(path: Path, tmp_path: Path) -> None:
    (tmp_path / "rec").mkdir()
    async with asking(path, redact=PersonalData(), recordings=tmp_path / "rec") as ask:
        for asked in (
            *("/v1/conversations", "/v1/conversations.jsonl", "/v1/conversations/acme:c1", "/v1/changes"),
            *("/v1/conversations/acme:c1/turns", "/v1/search?q=call", "/v1/search?q=0101&order=best"),
            *("/v1/facets", "/v1/stats", "/v1/conversations/acme:c1?format=vcon"),
        ):
            told = await ask(asked)
            assert told.status == 200, asked
            assert not re.search(rb"555.?0101|\x02?0101", told.body.replace(b"\\u0002", b"")), asked
        assert (await ask("/v1/conversations/acme:c1/raw")).status == 404
        assert (await ask("/v1/recordings/acme:c1/0")).kind == "not_served"


async def test_a_search_finds_turns(path: Path) -> None:
    async with asking(path) as ask:
        found = (await ask("/v1/search?q=refund&role=assistant")).json()
        assert found == {"hits": [], "cursor": None}
        found = (await ask("/v1/search?q=refund&limit=5&account=acme/default")).json()
        assert found["hits"][0]["snippet"] == "A \x02refund\x03 it is."
        assert found["hits"][0]["ref"] == "acme:c7"
        again = (await ask(f"/v1/search?q=refund&limit=5&account=acme/default&cursor={found['cursor']}")).json()
        assert (len(found["hits"]), len(again["hits"]), again["cursor"]) == (5, 5, None)
        assert len((await ask("/v1/search?q=refund&order=best&limit=3")).json()["hits"]) == 3
        assert "three letters" in (await ask("/v1/search?q=re*")).json()["detail"]


async def test_numbers_about_the_store(path: Path) -> None:
    async with asking(path) as ask:
        facets = (await ask("/v1/facets?field=agent&field=account&agent=a0")).json()
        assert facets == {
            "facets": {"agent": {"a1": 4, "a0": 3}, "account": {"acme/default": 2, "acme/eu": 1}},
            "left_out": [],
        }
        await kept_in(path, one(9))
        assert (await ask("/v1/facets?field=agent")).json()["facets"] == {"agent": {"a1": 5, "a0": 3}}
        stats = (await ask("/v1/stats?by=account,agent&agent=a1")).json()
        assert [(group["group"], group["conversations"]) for group in stats["groups"]] == [
            ({"account": "default", "agent": "a1"}, 3),
            ({"account": "eu", "agent": "a1"}, 2),
        ]
        assert (stats["conversations"], stats["complete"], stats["oldest"]) == (5, True, "2026-11-20T13:00:00Z")
        assert stats["groups"][0]["metrics"]["user_turns"]["mean"] == 2.0
        missing = (await ask("/v1/missing")).json()["accounts"]
        assert [(gaps["account"], gaps["issues"], gaps["conversations"]) for gaps in missing] == [
            ("acme/default", 1, 5),
            ("acme/eu", 0, 3),
        ]
        accounts = (await ask("/v1/accounts")).json()
        assert accounts["total"]["conversations"] == 8
        assert {"tavus", "vapi"} <= {each["provider"] for each in (await ask("/v1/providers")).json()["providers"]}


async def test_what_was_measured_before_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asking(path) as ask:
        measured = (await ask("/v1/stats?by=agent,day")).json()
    with SQLiteReader(path) as reader:
        reader.stats()
    monkeypatch.setattr("conversations_hub.stores.sqlite._stats.measure", None)
    async with asking(path) as ask:
        assert (await ask("/v1/stats?by=agent,day")).json() == measured


@pytest.mark.parametrize(("redact", "words"), [((), 8), (PersonalData(), 5)], ids=["shown", "redacted"])
async def test_numbers_are_of_what_the_gateway_shows(redact: Any, words: int, path: Path) -> None:
    said = TranscriptTurn(index=0, role=Role.USER, text="Call me at +1 555 010 0123 today.")
    await kept_in(path, one(1, transcript=(said,), agent=Agent(id="caller")))
    with SQLiteReader(path) as reader:
        reader.stats()
    async with asking(path, redact=redact) as ask:
        [group] = (await ask("/v1/stats?agent=caller")).json()["groups"]
    assert group["metrics"]["user_words"]["mean"] == words


def _nameless(one: Conversation) -> Conversation:
    return msgspec.structs.replace(one, agent=None, tags=())


@pytest.mark.parametrize(
    ("redact", "agents", "tags"),
    [
        ((), {"442071838750": 1}, {"ada@example.com": 1}),
        (PersonalData(), {"442071838750": 1}, {"[email]": 1}),
        (_nameless, {}, {}),
    ],
    ids=["shown", "redacted", "removed"],
)
async def test_facets_are_of_what_the_gateway_shows(
    redact: Any, agents: dict[str, int], tags: dict[str, int], tmp_path: Path
) -> None:
    path = tmp_path / "d.db"
    await kept_in(path, one(1, agent=Agent(id="442071838750"), tags=("ada@example.com",)))
    async with asking(path, redact=redact) as ask:
        facets = (await ask("/v1/facets?field=agent&field=tag")).json()["facets"]
        [group] = (await ask("/v1/stats?by=agent")).json()["groups"]
        [row] = (await ask("/v1/conversations")).json()["conversations"]
    assert facets == {"agent": agents, "tag": tags}
    assert [group["group"]["agent"]] == [*agents, None][:1]
    assert [row[name]["id"] for name in ("agent",) if row.get(name)] == [*agents]
    assert row.get("tags", []) == [*tags]


async def test_what_cannot_be_measured_in_time_is_left_out_and_said(path: Path) -> None:
    async with asking(path) as ask:
        service = next(value for value in ask.server.app.values() if hasattr(value, "monotonic"))
        seconds = iter([0.0, 0.1, 0.2, 5.0])
        service.monotonic = lambda: next(seconds)
        stats = (await ask("/v1/stats")).json()
        assert (stats["conversations"], stats["complete"], stats["oldest"]) == (2, False, "2026-11-20T18:00:00Z")
        service.monotonic = lambda: 0.0
        assert (await ask("/v1/stats")).json()["complete"]  # half an answer is not remembered


# recordings


async def heard(tmp_path: Path, **more: object) -> Conversation:
    location = "https://cdn.example.com/a.mp3"
    told = Recording(location=location, access=RecordingAccess.PROVIDER_KEY, ref="acme/eu:c3")
    recording = msgspec.structs.replace(told, **more)
    conversation = one(3, recordings=(recording,))
    await kept_in(tmp_path / "c.db", conversation)
    file = tmp_path / "rec" / name_of(recording, 0)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"0123456789")
    return conversation


async def test_a_recording_is_heard_in_parts_with_a_token_or_a_ticket(tmp_path: Path) -> None:
    await heard(tmp_path)
    async with asking(tmp_path / "c.db", recordings=tmp_path / "rec") as ask:
        told = await ask("/v1/conversations/acme/eu:c3")
        [link] = re.findall(r'<(/v1/recordings/acme/eu:c3/0\?ticket=[^>]+)>; rel="enclosure"', told.headers["Link"])
        whole = await ask(link, who=None)
        assert (whole.status, whole.headers["Content-Type"], whole.body) == (200, "audio/mpeg", b"0123456789")
        part = await ask("/v1/recordings/acme%2Feu:c3/0", Range="bytes=2-4")
        assert (part.status, part.headers["Content-Range"], part.body) == (206, "bytes 2-4/10", b"234")
        assert (await ask(link, who=None, Range="bytes=20-")).status == 416
        assert (await ask(link, who=None, method="HEAD")).body == b""
        assert (await ask(link[:-1], who=None)).kind == "wrong_token"
        assert (await ask(link.replace("/0?", "/1?"), who=None)).kind == "wrong_token"
        assert (await ask(link.partition("?")[2].join(("/v1/conversations?", "")), who=None)).kind == "no_token"
        assert (await ask("/v1/recordings/acme/eu:c3/0", who="reader")).kind == "scope"
        assert (await ask("/v1/recordings/acme/eu:c3/1")).kind == "not_found"
        assert "Link" not in (await ask("/v1/conversations/acme/eu:c3", who="reader")).headers


async def test_whatever_a_provider_calls_a_recording_it_is_sound_or_a_file(tmp_path: Path) -> None:
    await heard(tmp_path, location="https://cdn.example.com/a", media_type="text/html")
    async with asking(tmp_path / "c.db", recordings=tmp_path / "rec") as ask:
        told = await ask("/v1/recordings/acme/eu:c3/0")
        assert (told.status, told.headers["Content-Type"]) == (200, "application/octet-stream")


async def test_a_link_in_the_folder_of_recordings_is_not_followed(tmp_path: Path) -> None:
    conversation = await heard(tmp_path)
    file = tmp_path / "rec" / name_of(conversation.recordings[0], 0)
    file.unlink()
    (tmp_path / "secret").write_text("secret")
    file.symlink_to(tmp_path / "secret")
    async with asking(tmp_path / "c.db", recordings=tmp_path / "rec") as ask:
        assert (await ask("/v1/recordings/acme/eu:c3/0")).kind == "not_found"
    async with asking(tmp_path / "c.db") as ask:
        assert (await ask("/v1/recordings/acme/eu:c3/0")).kind == "not_served"


async def test_what_the_folder_lacks_is_downloaded_once_if_there_is_a_hub(tmp_path: Path) -> None:
    async with (
        simulated("elevenlabs", conversations=20) as (hub, simulator),
        asking(hub=hub, recordings=tmp_path / "rec") as ask,
    ):
        page = await anext(hub.list("elevenlabs", status="ended", limit=20).pages())
        every = [await hub.get(each.ref) for each in page.items]
        ref = next(each.ref for each in every if each.recordings)
        told = await asyncio.gather(*(ask(f"/v1/recordings/{ref}/0", Range="bytes=0-1") for _ in range(3)))
        assert [(each.status, each.headers["Content-Type"], len(each.body)) for each in told] == [
            (206, "audio/mpeg", 2)
        ] * 3
        [file] = [path for path in (tmp_path / "rec").rglob("*") if path.is_file()]
        assert file.stat().st_mode & 0o777 == 0o600
        before = simulator.requests["elevenlabs"]
        await ask(f"/v1/recordings/{ref}/0")
        assert simulator.requests["elevenlabs"] == before + 1  # the conversation, to know the file's name


# other stores, and none


async def test_json_lines_are_shown_and_what_they_cannot_is_said(tmp_path: Path) -> None:
    store = open_store(f"jsonl:{tmp_path / 'c.jsonl'}")
    await put(store, *map(one, range(1, 4)))
    async with asking(store) as ask:
        assert len((await ask("/v1/conversations")).json()["conversations"]) == 3
        assert (await ask("/v1/facets?field=provider")).json()["facets"] == {"provider": {"acme": 3}}
        assert (await ask("/v1/conversations.jsonl")).lines()[-1] == {"end": True, "count": 3}
        asking_words = ("/v1/search?q=refund", "/v1/conversations?q=refund", "/v1/conversations.jsonl?q=refund")
        for asked in (*asking_words, "/v1/changes"):
            told = await ask(asked)
            assert (told.status, told.kind) == (501, "unsupported")
            assert "SQLite" in told.json()["detail"]


async def test_a_hub_alone_lists_and_gets(tmp_path: Path) -> None:
    provider = Tavus()
    async with (
        serving(provider) as server,
        Hub([Account("tavus", key="k", base_url=server.url)]) as hub,
        asking(hub=hub) as ask,
    ):
        page = (await ask("/v1/conversations?account=tavus/default&limit=2")).json()
        assert len(page["conversations"]) == 2
        more = (await ask(f"/v1/conversations?account=tavus/default&limit=2&cursor={page['cursor']}")).json()
        assert {row["ref"] for row in more["conversations"]}.isdisjoint(row["ref"] for row in page["conversations"])
        assert (await ask("/v1/conversations/tavus:c1")).json()["ref"] == "tavus:c1"
        assert (await ask("/v1/accounts")).json()["accounts"][0]["where"] == "tavus/default"
        assert (await ask("/readyz")).status == 200
        for asked in (
            *("/v1/search?q=x", "/v1/facets", "/v1/stats", "/v1/missing", "/v1/conversations?tag=x"),
            "/v1/conversations?account=tavus/default&q=x",
        ):
            told = await ask(asked)
            assert (told.status, told.kind) == (501, "unsupported"), asked
        assert (await ask("/v1/conversations?account=vapi/default")).status == 404


async def test_a_store_with_a_hub_asks_the_provider_where_that_is_wanted(path: Path) -> None:
    provider = Tavus()
    async with serving(provider) as server, Hub([Account("tavus", key="k", base_url=server.url)]) as hub:
        async with asking(path, hub=hub) as ask:
            assert (await ask("/v1/conversations/tavus:c1")).status == 404
            assert (await ask("/v1/conversations/tavus:c1?source=live")).json()["ref"] == "tavus:c1"
        async with asking(path) as ask:
            assert (await ask("/v1/conversations/tavus:c1?source=live")).kind == "unsupported"


async def test_a_store_that_is_gone_is_unavailable_and_only_the_log_tells_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asking(tmp_path / "nothing.db") as ask:
        for asked in ("/v1/conversations", "/v1/conversations.jsonl", "/readyz", "/v1/changes"):
            told = await ask(asked)
            assert (told.status, told.kind) == (503, "store")
            assert b"nothing" not in told.body
        assert (await ask("/healthz")).status == 200
        assert (await ask("/metrics")).status == 200
    assert "nothing.db: no such file" in caplog.text
    with pytest.raises(ConfigurationError, match="nothing to show"):
        gateway(tokens=TOKENS)


# what is refused


WRONG = [
    *("/v1/conversations?limit=0", "/v1/conversations?limit=1e1", "/v1/conversations?limit=%C2%B2"),
    *("/v1/conversations?limit=1&limit=1", "/v1/conversations?secret=1", "/v1/conversations?cursor=secret"),
    *("/v1/conversations?since=secret", "/v1/conversations?status=secret", "/v1/conversations?issues=secret"),
    *("/v1/conversations?account=secret%2F%2F", "/v1/conversations?agent=%00secret", "/v1/search?q="),
    *("/v1/conversations?since=2026-11-20&until=2026-11-19", f"/v1/search?q={'secret+' * 300}", "/v1/search"),
    *("/v1/conversations?q=", "/v1/conversations?q=se*", f"/v1/conversations.jsonl?q={'secret+' * 300}"),
    *("/v1/facets?field=secret", "/v1/stats?by=secret", "/v1/changes?wait=100", "/v1/changes?cursor=secret"),
    *("/v1/conversations/secret", "/v1/conversations/a:..%2fsecret", "/v1/conversations/acme:c1?source=secret"),
    f"/v1/conversations?{'&'.join(f'agent=secret{number}' for number in range(101))}",
]


async def test_what_is_asked_wrongly_is_said_without_repeating_it(path: Path) -> None:
    async with asking(path) as ask:
        for asked in WRONG:
            told = await ask(asked)
            assert told.status == 400, asked
            assert told.kind in {"invalid_argument", "invalid_ref"}
            assert b"secret" not in told.body
            msgspec.json.decode(told.body, type=Problem)


CLOSED = ("/v1/conversations", "/v1/nothing", "/v1", "/v1/", "/v1/openapi.json", "/metrics", "/v1/conversations/x")


async def test_nothing_is_told_to_whoever_has_no_token(path: Path) -> None:
    async with asking(path) as ask:
        for asked in CLOSED:
            assert (await ask(asked, who=None)).kind == "no_token"
            assert (await ask(asked, who="wrong")).status in {401, 429}
            assert (await ask(asked, who=None, Authorization=f"Basic {TEXTS['all']}")).kind == "no_token"
            assert (await ask(f"{asked}?token={TEXTS['all']}", who=None)).kind == "no_token"
            assert (await ask(asked, who=None, Cookie=f"token={TEXTS['all']}")).kind == "no_token"
            assert (await ask(asked, Sec_Fetch_Site="cross-site")).kind == "cross_site"


async def test_only_reading_is_answered(path: Path) -> None:
    async with asking(path) as ask:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            told = await ask("/v1/conversations", who=None, method=method, Origin="http://evil.example")
            assert (told.status, told.kind, told.headers["Allow"]) == (405, "method", "GET,HEAD")
            assert not any(name.lower().startswith("access-control") for name in told.headers)
        assert (await ask("/nothing", who=None)).kind == "not_found"
        assert (await ask("/metrics", who="reader")).kind == "scope"
        assert (await ask("/metrics", who="counter")).status == 200
        assert (await ask("/v1/conversations", who="counter")).kind == "scope"
        for asked in ("/v1/conversations", "/v1/conversations.jsonl", "/v1/changes", "/v1/conversations/acme:c1"):
            told = await ask(asked, method="HEAD")
            assert (told.status, told.body) == (200, b"")


async def test_many_wrong_tokens_are_told_to_wait_and_the_right_one_never(path: Path) -> None:
    async with asking(path) as ask:
        kinds = [(await ask("/v1/accounts", who="wrong")).kind for _ in range(11)]
        assert kinds == ["wrong_token"] * 10 + ["too_many"]
        assert (await ask("/v1/accounts")).status == 200


async def test_every_answer_has_the_headers(path: Path) -> None:
    async with asking(path) as ask:
        for asked in ("/healthz", "/v1/accounts", "/nothing", "/v1/conversations.jsonl", "/openapi.json"):
            for who in ("all", None):
                told = await ask(asked, who=who)
                assert told.headers["X-Content-Type-Options"] == "nosniff"
                assert told.headers["Cache-Control"] == "no-store"
                assert told.headers["Server"] == "conversations-hub"
                assert told.headers["Content-Security-Policy"].startswith("default-src 'none'")
                assert not told.headers["Content-Type"].startswith("text/html")


async def test_the_log_holds_neither_tokens_nor_what_was_asked(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with asking(path) as ask:
        await ask("/v1/search?q=canary-words", who="reader")
        await ask("/v1/conversations/acme:canary-ref", who="reader")
        await ask("/v1/conversations?cursor=canary-cursor", who="canary-wrong")
        await ask("/canary-path")
    assert "GET /v1/conversations/{ref} 404" in caplog.text
    assert "reader" in caplog.text
    assert "canary" not in caplog.text


async def test_an_unforeseen_error_says_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_one: Conversation) -> Conversation:
        raise ZeroDivisionError(NUMBER)

    async with asking(path, redact=broken) as ask:
        told = await ask("/v1/conversations")
        assert (told.status, told.kind) == (503, "store")
    async with asking(path, now=lambda: 1 // 0) as ask:
        told = await ask("/v1/conversations")
        assert (told.status, told.kind) == (500, "unexpected")
    assert "ZeroDivisionError" in caplog.text
    assert NUMBER not in caplog.text


@pytest.mark.parametrize("forgets", [False, True])
async def test_the_page_needs_no_token_and_holds_no_data(path: Path, *, forgets: bool) -> None:
    async with asking(path, session_tokens=forgets) as ask:
        told = await ask("/", who=None)
        assert told.headers["Content-Type"] == "text/html; charset=utf-8"
        assert told.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert (b'data-tokens="session"' in told.body) == forgets
        parts = re.findall(rb'(?:src|href)="(\w+\.\w+)"', told.body)
        assert len(parts) == 2
        for name in parts:
            told = await ask(f"/{name.decode()}", who=None)
            assert told.status == 200
            assert told.headers["Content-Type"] in {"text/javascript; charset=utf-8", "text/css; charset=utf-8"}


async def test_a_conversation_is_measured(path: Path) -> None:
    async with asking(path) as ask:
        found = (await ask("/v1/conversations/acme:c1/measures")).json()
        assert found["ref"] == "acme:c1"
        assert found["measures"]["user_turns"] == {"value": 2, "unit": "1", "basis": "counted", "reason": None}
        assert found["measures"]["cost_per_minute"]["reason"] == "no cost"
        assert (await ask("/v1/conversations/acme:nobody/measures")).status == 404
        assert (await ask("/v1/conversations/nonsense/measures")).status == 400


async def test_what_is_added_to_it_has_the_headers_and_its_own_guard(path: Path) -> None:
    async def hook(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    application = gateway(path, tokens=TOKENS)
    application.router.add_post("/hooks/{tail:.*}", hook)
    async with asking_of(application) as ask:
        told = await ask("/hooks/x", who=None, method="POST")
        assert (told.status, told.headers["Server"]) == (200, "conversations-hub")
        assert (await ask("/hooks/x", who=None, method="POST", Host="evil.example")).status == 421


async def test_counters_are_told(path: Path) -> None:
    async with asking(path) as ask:
        await ask("/v1/conversations/acme:c1")
        await ask("/v1/conversations/acme:c2")
        text = (await ask("/metrics")).body.decode()
    assert 'conversations_hub_http_requests_total{route="/v1/conversations/{ref}",status="200"} 2' in text
    assert 'conversations_hub_http_seconds_count{route="/v1/conversations/{ref}"} 2' in text
    assert 'conversations_hub_store_conversations{provider="acme"} 7' in text
    assert "acme:c1" not in text


async def test_full_conversations_pass_unchanged(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", FULL)
    async with asking(tmp_path / "c.db") as ask:
        told: Any = msgspec.json.decode((await ask(f"/v1/conversations/{FULL.ref}")).body, type=Conversation)
        assert told == msgspec.structs.replace(FULL, raw=None)
