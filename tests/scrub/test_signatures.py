"""What is kept of a conversation opens nothing: of a signed URL the place, and no more."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import Account, Conversation, Hub
from conversations_hub._cli import cli
from conversations_hub._scrub.signatures import is_unsigned, without_signatures
from conversations_hub.formats._export import export_jsonl
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import (
    Analysis,
    Recording,
    RecordingAccess,
)
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._store import Store
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.sync import sync

from ..support.server import answer, serving

EXPIRES = datetime(2026, 11, 21, tzinfo=UTC)


def whole(**more: Any) -> Conversation:
    return Conversation(provider="acme", id="c1", **more)


SIGNED = [
    "https://a.example/r.wav?X-Amz-Algorithm=A&X-Amz-Date=20261120T090000Z&X-Amz-Expires=3600&X-Amz-Signature=canary",
    "https://a.example/r.wav?GoogleAccessId=a&Expires=1&Signature=canary",
    "https://a.example/r.wav?X-Goog-Signature=canary",
    "https://a.example/r.wav?sv=2022&sig=canary",
    "https://a.example/r.wav?Policy=p&Signature=canary&Key-Pair-Id=k",
    "https://a.example/join?token=canary",
    "https://a.example/join?access_token=canary&x=1",
    "https://a.example/join?x=1&authToken=canary",
    "https://a.example/join?t=eyJhbGciOiJIUzI1NiJ9.canary",
    "https://a.example/join?api_key=canary",
    "https://a.example/join#token=canary",
    "wss://a.example/join?a=1;jwt=canary",
]
HARMLESS = [
    "https://a.example/c1",
    "https://a.example/c1?thread_ts=17&cid=C1",
    "https://a.example/c1?design=1&tokens=3",
    "https://a.example/c1#turn-3",
    "why? token=canary is what they said",
]


@pytest.mark.parametrize("url", SIGNED)
def test_of_a_signed_url_the_place_is_kept(url: str) -> None:
    place = url.partition("?")[0].partition("#")[0]
    said = json.dumps({"url": url, "more": json.dumps({"url": url})})
    escaped = said.replace("&", "\\u0026").replace("/", "\\/")
    inner = json.dumps({"url": url}).replace("&", "\\u0026").replace("/", "\\/")
    twice = json.dumps({"url": url, "more": inner})
    found = without_signatures(
        whole(
            links={"log": url},
            metadata={"a": [{"b": url}, said]},
            analysis=Analysis(sentiment="fine", collected={"file": url}),
            raw=f"[{said},{escaped},{twice}]".encode(),
        )
    )
    assert found.links == {"log": f"{place}?***"}
    assert found.metadata["a"][0] == {"b": f"{place}?***"}
    assert found.analysis == Analysis(sentiment="fine", collected={"file": f"{place}?***"})
    assert "canary" not in str(msgspec.to_builtins(found, builtin_types=(bytes, datetime)))
    for one in json.loads(found.raw or b""):
        assert one["url"] == json.loads(one["more"])["url"] == f"{place}?***"
    assert without_signatures(found) == found


@pytest.mark.parametrize("url", HARMLESS)
def test_what_opens_nothing_is_kept_as_it_is(url: str) -> None:
    one = whole(links={"log": url}, metadata={"a": [{"b": url}]}, raw=json.dumps({"url": url}).encode())
    assert without_signatures(one) == one
    plain = msgspec.structs.replace(one, raw=None)
    assert without_signatures(plain) is plain


def test_of_a_recording_the_place_and_when_it_expires_are_kept() -> None:
    def kept(location: str, access: RecordingAccess = RecordingAccess.SIGNED_URL) -> Recording:
        one = Recording(location=location, access=access, duration=1.5, expires_at=EXPIRES, ref="acme:c1")
        [found] = without_signatures(whole(recordings=(one,))).recordings
        assert msgspec.structs.replace(found, location=location) == one
        return found

    for url in (*SIGNED[:5], "https://a.example/r.wav?v=canary"):
        found = kept(url)
        assert found.location == "https://a.example/r.wav?***"
        assert is_unsigned(found)
    for url in ("https://a.example/public/r.wav", "s3://bucket/r.wav"):
        assert kept(url).location == url
        assert not is_unsigned(kept(url))
    key, bucket = RecordingAccess.PROVIDER_KEY, RecordingAccess.CUSTOMER_BUCKET
    assert kept("/recordings?filter%5Bid%5D=1", key).location == "/recordings?filter%5Bid%5D=1"
    assert kept("https://b.example/r.wav?sig=canary", bucket).location == "https://b.example/r.wav?***"


def test_it_says_the_same_with_and_without_what_opens_it() -> None:
    for url in SIGNED[:5]:
        recording = Recording(location=url, access=RecordingAccess.SIGNED_URL, expires_at=EXPIRES)
        one = whole(links={"log": url}, recordings=(recording,), metadata={"a": url, "b": "plain?x=1"})
        other = msgspec.structs.replace(one, links={"log": url.replace("canary", "other")})
        assert fingerprint(without_signatures(one)) == fingerprint(one) == fingerprint(other)


words = st.text(st.characters(codec="utf-8") | st.sampled_from('?&#=\\"/;'), max_size=30)


@given(st.recursive(words | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(words, inner)))
def test_any_metadata_is_json_before_and_after(value: Any) -> None:
    said = json.dumps(value, ensure_ascii=False)
    for text in (said, f"https://a.example/?token={said}", json.dumps(said)):
        one = whole(metadata={"a": value, "b": text}, raw=json.dumps({"a": value, "b": text}).encode())
        found = without_signatures(one)
        assert json.loads(found.raw or b"")["b"] == found.metadata["b"]


# where things are kept

CALL = {
    "call_id": "c1",
    "call_type": "web_call",
    "agent_id": "a",
    "call_status": "ended",
    "start_timestamp": 1763629200000,
    "end_timestamp": 1763629260000,
    "access_token": "canary",
    "metadata": {"access_token": "canary", "order": "12"},
    "recording_url": SIGNED[0],
    "public_log_url": SIGNED[0],
    "transcript": "User: Hello.",
}


def _kept(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("redact", [(), (PersonalData(),)], ids=["as it is", "redacted"])
@pytest.mark.parametrize("kind", ["sqlite", "jsonl"])
async def test_a_store_and_its_exports_hold_nothing_that_opens(kind: str, redact: Any, tmp_path: Path) -> None:
    path = tmp_path / f"store.{kind}"
    store: Store = SQLiteStore(path) if kind == "sqlite" else JSONLStore(path)

    async def calls(asked: Any, _writer: asyncio.StreamWriter) -> bytes:
        listed = {"items": [CALL] if "calls" in asked.target else [], "has_more": False}
        return answer(CALL if "get-call" in asked.target else listed)

    async with serving(calls) as server:
        async with Hub([Account("retell", key="k", base_url=server.url)], keep_raw=True) as hub:
            report = await sync(hub, store, "retell", redact=redact)
        assert sum(account.new for account in report.accounts) == 1, str(report)
        environ = {"RETELL_API_KEY": "k", "RETELL_BASE_URL": server.url}
        told = await asyncio.to_thread(CliRunner().invoke, cli, ["get", "retell:c1", "--json"], env=environ)
        listed = await asyncio.to_thread(CliRunner().invoke, cli, ["list", "retell", "--json"], env=environ)
    if kind == "sqlite":
        with SQLiteReader(path) as archive:
            one = archive.get("retell:c1")
            export_jsonl(archive.conversations(), tmp_path / "out.jsonl")
        assert (one.recordings[0].location, one.links["log"]) == ("https://a.example/r.wav?***",) * 2
        assert one.recordings[0].expires_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
        assert one.metadata["metadata"] == {"access_token": "***", "order": "12"}
        assert (one.raw is None) == bool(redact)
        assert b"canary" not in (one.raw or b"")
    for said in (_kept(tmp_path), told.output.encode(), listed.output.encode()):
        assert b"https://a.example/r.wav?***" in said
        assert b"canary" not in said
