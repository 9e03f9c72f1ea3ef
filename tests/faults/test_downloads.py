"""Recordings that break off, change, or lead astray: F110, F115f and F115g."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from conversations_hub import Hub
from conversations_hub.errors import PayloadError, TransportError, UnsafeURLError
from conversations_hub.policy import PROFILES
from conversations_hub.schema import Recording, RecordingAccess

from ..support.public_hosts import PUBLIC, Hosts, hosts, keeping, kept, media
from ..support.server import Answer, Asked, Handler, serving
from .conftest import CANARY, Fault

BEFORE, AFTER = (bytes(range(start, start + 100)) * 30_000 for start in (0, 100))
CUT = len(BEFORE) * 2 // 5
AT_PROVIDER = Recording(location="/audio/c1", access=RecordingAccess.PROVIDER_KEY, ref="tavus:c1")


def signed(url: str) -> Recording:
    return Recording(location=url, access=RecordingAccess.SIGNED_URL, ref="tavus:c1")


class Store:
    """A storage that breaks off once, at forty per cent."""

    def __init__(self, *, changes: bool = False, ranges: bool = True, tag: str | None = "ETag") -> None:
        self.body = BEFORE
        self.changes = changes
        self.ranges = ranges
        self.tag = tag
        self.was_cut = False

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        version = {
            "ETag": f'"{self.body[0]}"',
            "Last-Modified": f"Fri, 20 Nov 2026 09:00:{self.body[0] % 60:02} GMT",
        }
        headers = {self.tag: version[self.tag]} if self.tag else {}
        if not self.was_cut:
            self.was_cut = True
            writer.write(media(self.body[:CUT], headers=headers, length=len(self.body)))
            await writer.drain()
            if self.changes:
                self.body = AFTER
            return None
        start = asked.headers.get("range", "").removeprefix("bytes=").removesuffix("-")
        if not start or not self.ranges or asked.headers["if-range"] != headers.get(self.tag or ""):
            return media(self.body, headers=headers)
        told = {**headers, "Content-Range": f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"}
        return media(self.body[int(start) :], 206, told)


@pytest.mark.parametrize("tag", ["ETag", "Last-Modified"])
@pytest.mark.parametrize("hubs", ["one hub", "two hubs"])
async def test_f110_a_recording_that_broke_off_goes_on_where_it_did(
    fault: Fault, tag: str, hubs: str, tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    async with serving(Store(tag=tag)) as server:
        if hubs == "one hub":
            hub = await fault.hub(server.url)
        else:
            hub = await fault.hub(server.url, profile=PROFILES["interactive"].but(attempts=1))
            assert type(await fault.failure(hub.download(AT_PROVIDER, path))) is TransportError
            assert not path.exists()
            hub = await fault.hub(server.url)
        done = await hub.download(AT_PROVIDER, path)
        first, second = server.asked
    assert "range" not in first.headers
    # What had come and was not read yet is lost with the connection.
    assert 0 < int(second.headers["range"].removeprefix("bytes=").removesuffix("-")) <= CUT
    _is_whole(done.sha256, path, BEFORE)


@pytest.mark.parametrize(
    "store",
    [
        pytest.param(lambda: Store(changes=True), id="it changed"),
        pytest.param(lambda: Store(changes=True, tag="Last-Modified"), id="it changed, as its date says"),
        pytest.param(lambda: Store(ranges=False), id="the range is ignored"),
        pytest.param(lambda: Store(tag=None), id="nothing tells whether it changed"),
    ],
)
async def test_f110_a_recording_that_changed_begins_anew(
    fault: Fault, store: Callable[[], Store], tmp_path: Path
) -> None:
    path, storage = tmp_path / "call.wav", store()
    async with serving(storage) as server:
        hub = await fault.hub(server.url)
        done = await hub.download(AT_PROVIDER, path)
        assert len(server.asked) == 2
        assert ("range" in server.asked[1].headers) == (storage.tag is not None)
    _is_whole(done.sha256, path, storage.body)


_TOLD = {"ETag": '"0"'}


def _rest(
    body: bytes = BEFORE,
    *,
    whole: str = str(len(BEFORE)),
    until: int = len(BEFORE),
    skipped: int = 0,
    said: int = 0,
    headers: dict[str, str] = _TOLD,
) -> Handler:
    """Answer with the rest of a body, less what is skipped, of which the range says some bytes more than there are."""

    async def rest(asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-")) + skipped
        told = {**headers, "Content-Range": f"bytes {start}-{until - 1 + said}/{whole}"}
        return media(body[start:until], 206, told)

    return rest


def _cut(said: bytes) -> Handler:
    async def cut(_asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        writer.write(said)
        await writer.drain()
        return None

    return cut


_CUT = _cut(media(BEFORE[:CUT], headers=_TOLD, length=len(BEFORE)))
_SHORTER = CUT + 7
_CHUNKED = {"Content-Type": "audio/wav", "Transfer-Encoding": "chunked"}


def _chunked(body: bytes, headers: dict[str, str]) -> bytes:
    """Return an answer in one chunk, without the end of it."""
    lines = [f"{name}: {value}" for name, value in (_CHUNKED | headers).items()]
    return "\r\n".join(["HTTP/1.1 200 OK", *lines]).encode() + b"\r\n\r\n%x\r\n" % len(body) + body


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        pytest.param(_CUT, media(b"", 416, {"Content-Range": f"bytes */{len(BEFORE)}"}), id="416"),
        pytest.param(_CUT, _rest(skipped=1), id="another range"),
        pytest.param(_CUT, media(BEFORE[CUT:], 206, _TOLD), id="no range"),
        pytest.param(_CUT, _rest(AFTER, headers={"ETag": '"1"'}), id="another version"),
        pytest.param(_CUT, _rest(AFTER, headers={}), id="of no version"),
        pytest.param(_CUT, _rest(AFTER, headers={"ETag": 'W/"0"'}), id="of a weak version"),
        pytest.param(_CUT, _rest(whole=str(_SHORTER), until=_SHORTER), id="of a shorter one"),
        pytest.param(_CUT, _rest(whole=str(len(BEFORE) + 1)), id="of a longer one"),
        pytest.param(_CUT, _rest(whole=str(CUT)), id="beyond the end"),
        pytest.param(_CUT, _rest(said=-1), id="more than it says"),
        pytest.param(_CUT, _rest(whole="7" * 5000), id="of one without end"),
        pytest.param(_cut(_chunked(BEFORE[:CUT], _TOLD)), _rest(whole="*"), id="of one whose length nobody tells"),
    ],
)
@pytest.mark.parametrize("hubs", ["one hub", "two hubs"])
async def test_f110_what_is_no_continuation_is_asked_for_anew(
    fault: Fault, first: Handler, answer: bytes | Handler, hubs: str, tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    async with serving(first, answer, media(BEFORE, headers=_TOLD)) as server:
        if hubs == "two hubs":
            hub = await fault.hub(server.url, profile=PROFILES["interactive"].but(attempts=1))
            assert type(await fault.failure(hub.download(AT_PROVIDER, path))) is TransportError
        hub = await fault.hub(server.url)
        done = await hub.download(AT_PROVIDER, path)
        assert ["range" in asked.headers for asked in server.asked] == [False, True, False]
    _is_whole(done.sha256, path, BEFORE)


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        pytest.param(_CUT, _rest(whole="*"), id="of a length that was told before"),
        pytest.param(_cut(_chunked(BEFORE[:CUT], _TOLD)), _rest(), id="of a length that is told now"),
    ],
)
async def test_f110_what_is_a_continuation_is_gone_on_with(
    fault: Fault, first: Handler, answer: Handler, tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    async with serving(first, answer) as server:
        done = await (await fault.hub(server.url)).download(AT_PROVIDER, path)
        assert ["range" in asked.headers for asked in server.asked] == [False, True]
    _is_whole(done.sha256, path, BEFORE)


@pytest.mark.parametrize("coding", ["", "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n"])
async def test_f110_where_nothing_says_where_it_ends_no_recording_is_whole(
    fault: Fault, coding: str, tmp_path: Path
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n{coding}\r\n".encode()
    body = b"5\r\nsound\r\n0\r\n\r\n" if "chunked" in coding else BEFORE[:200]
    async with serving(_cut(head + body)) as server:
        error = await fault.failure((await fault.hub(server.url)).download(AT_PROVIDER, tmp_path / "call.wav"))
        assert len(server.asked) == 1
    assert type(error) is PayloadError
    assert "no length and is not chunked" in error.reason
    assert kept(tmp_path) == []


async def test_f110_chunks_say_where_they_end(fault: Fault, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    async with serving(_chunked(BEFORE, {}) + b"\r\n0\r\n\r\n") as server:
        done = await (await fault.hub(server.url)).download(AT_PROVIDER, path)
    _is_whole(done.sha256, path, BEFORE)
    async with serving(_cut(_chunked(BEFORE, {}))) as server:
        error = await fault.failure((await fault.hub(server.url)).download(AT_PROVIDER, tmp_path / "other.wav"))
        assert len(server.asked) == 3
    assert type(error) is TransportError
    assert kept(tmp_path) == [path.name]


@pytest.mark.parametrize("place", ["at the provider", "at a storage"])
async def test_f004_a_recording_s_server_that_hangs_up_is_asked_once_an_attempt(
    fault: Fault, place: str, tmp_path: Path
) -> None:
    async with hosts(None, names=NAMES) as there, serving(None) as provider:
        hub = await _hub(fault, there, "media.example.com", url=provider.url)
        recording = AT_PROVIDER if place == "at the provider" else signed("https://media.example.com/a.wav")
        error = await fault.failure(hub.download(recording, tmp_path / "a.wav"))
        asked = provider.asked if place == "at the provider" else there.asked
        assert len(asked) == error.attempts == fault.wire_requests == 3
    assert type(error) is TransportError
    assert error.reason == "the connection was lost before a response came"
    assert kept(tmp_path) == []


def _is_whole(sha256: str, path: Path, body: bytes) -> None:
    assert path.read_bytes() == body
    assert sha256 == hashlib.sha256(body).hexdigest()
    assert kept(path.parent) == [path.name]


NAMES = ("media.example.com", "cdn.media.example.com", "inside.example.com", "rebound.example.com")


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example.com/a.wav",
        "file:///etc/hostname",
        "ftp://media.example.com/a.wav",
        "//media.example.com/a.wav",
        "https://user@media.example.com/a.wav",
        "https://user:word@media.example.com/a.wav",
        "https://media.example.com:22/a.wav",
        "https://media.example.com:99999/a.wav",
        "https://media.example.com\\@inside.example.com/a.wav",
        "https://media.example.com/a b.wav",
        "https:///a.wav",
        "https://127.0.0.1/a.wav",
        "https://[::1]/a.wav",
        "https://[::ffff:127.0.0.1]/a.wav",
        "https://[::127.0.0.1]/a.wav",
        "https://[64:ff9b::7f00:1]/a.wav",
        "https://[2002:7f00:1::]/a.wav",
        "https://[2606:4700::5efe:7f00:1]/a.wav",
        "https://[2001:0:5db8:d822:0:0:80ff:fffe]/a.wav",
        "https://[fd00:ec2::254]/a.wav",
        "https://[fe80::1%25eth0]/a.wav",
        "https://0.0.0.0/a.wav",
        "https://169.254.169.254/latest/meta-data",
        "https://168.63.129.16/metadata",
        "https://192.0.0.192/opc",
        "https://10.0.0.1/a.wav",
        "https://100.64.0.1/a.wav",
        "https://224.0.0.1/a.wav",
        "https://2130706433/a.wav",
        "https://017700000001/a.wav",
        "https://0x7f000001/a.wav",
        "https://0x7f.0.0.0x1/a.wav",
        "https://127.1/a.wav",
        "https://localhost/a.wav",
        "https://inside.example.com/a.wav",
    ],
)
async def test_f115f_a_recording_s_url_that_leads_inside_is_not_followed(
    fault: Fault, url: str, tmp_path: Path
) -> None:
    async with hosts(media(), names=NAMES) as there:
        there.meanings["inside.example.com"][0] = "127.0.0.1"
        hub = await _hub(fault, there)
        error = await fault.failure(hub.download(signed(url), tmp_path / "a.wav", allow_any_public_host=True))
        assert type(error) is UnsafeURLError
        assert there.connected == []
        assert there.server.connections == 0
    assert kept(tmp_path) == []


async def test_f115f_a_name_that_changes_its_meaning_is_not_followed(fault: Fault, tmp_path: Path) -> None:
    cut = media(BEFORE[:CUT], length=len(BEFORE), headers=_TOLD | {"Connection": "close"})

    async def breaking(_asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        writer.write(cut)
        await writer.drain()
        return None

    async with hosts(breaking, names=NAMES) as there:
        there.meanings["rebound.example.com"].append("127.0.0.1")
        hub = await _hub(fault, there)
        recording = signed("https://rebound.example.com/a.wav?signature=invented")
        error = await fault.failure(hub.download(recording, tmp_path / "a.wav", allow_any_public_host=True))
        assert type(error) is UnsafeURLError
        assert there.connected == [PUBLIC]


@pytest.mark.parametrize(
    "location",
    ["https://127.0.0.1/", "https://inside.example.com/", "http://media.example.com/", "//10.0.0.1/", "file:///etc"],
)
async def test_f115f_a_redirect_that_leads_inside_is_not_followed(fault: Fault, location: str, tmp_path: Path) -> None:
    async with hosts(media(b"", 302, {"Location": location}), names=NAMES) as there:
        there.meanings["inside.example.com"][0] = "10.0.0.1"
        hub = await _hub(fault, there)
        recording = signed("https://media.example.com/a.wav")
        error = await fault.failure(hub.download(recording, tmp_path / "a.wav", allow_any_public_host=True))
        assert type(error) is UnsafeURLError
        assert there.connected == [PUBLIC]


async def test_f115f_who_is_trusted_as_the_provider_is_not_as_a_recording_s_host(fault: Fault, tmp_path: Path) -> None:
    away = media(b"", 302, {"Location": "https://media.example.com/a.wav"})
    async with hosts(away, names=("api.example.com", "media.example.com")) as there:
        with keeping("tavus", "media.example.com"):
            hub = await fault.hub("https://api.example.com", ssl=there.ssl)
        error = await fault.failure(hub.download(AT_PROVIDER, tmp_path / "a.wav"))
        assert [asked.headers["host"] for asked in there.asked] == ["api.example.com"]
    assert type(error) is TransportError
    assert error.reason == "no trusted connection to media.example.com: its certificate was refused"


async def test_f115f_a_host_nobody_knows_is_named_and_not_asked(fault: Fault, tmp_path: Path) -> None:
    async with hosts(media(), names=("media.example.com", "notmedia.example.com")) as there:
        hub = await _hub(fault, there, "media.example.com")
        error = await fault.failure(
            hub.download(signed("https://notmedia.example.com/a.wav?key=invented"), tmp_path / "a.wav")
        )
        assert type(error) is UnsafeURLError
        assert "notmedia.example.com" in str(error)
        assert "invented" not in str(error)
        assert there.server.connections == 0


async def test_f115g_a_redirect_between_known_hosts_is_followed_without_the_key(fault: Fault, tmp_path: Path) -> None:
    ways = [f"https://{host}/{number}" for number, host in enumerate(("cdn.media.example.com", "media.example.com"))]
    answers = [media(b"", 302, {"Location": ways[0], "Set-Cookie": "a=b"}), media(b"", 307, {"Location": ways[1]})]
    async with (
        hosts(*answers, media(), names=NAMES) as there,
        serving(media(b"", 302, {"Location": "https://media.example.com/a.wav?signature=invented"})) as provider,
    ):
        hub = await _hub(fault, there, "media.example.com", url=provider.url)
        done = await hub.download(AT_PROVIDER, tmp_path / "a.wav")
        assert done.path.read_bytes() == b"sound"
        assert provider.asked[0].headers["x-api-key"] == CANARY
        assert [asked.target for asked in there.asked] == ["/a.wav?signature=invented", "/0", "/1"]
        for asked in there.asked:
            assert CANARY not in f"{asked.target} {asked.headers}"
            assert "cookie" not in asked.headers


async def test_f115g_the_key_is_not_shown_to_who_was_reached_by_way_of_others(fault: Fault, tmp_path: Path) -> None:
    back = media(b"", 302, {"Location": "https://api.example.com/secrets"})
    away = media(b"", 302, {"Location": "https://media.example.com/a.wav"})
    async with hosts(away, back, media(), names=("api.example.com", "media.example.com")) as there:
        hub = await _hub(fault, there, "media.example.com")
        await hub.download(AT_PROVIDER, tmp_path / "a.wav")
        assert [asked.headers["host"] for asked in there.asked] == [
            "api.example.com",
            "media.example.com",
            "api.example.com",
        ]
        assert [CANARY in f"{asked.headers}" for asked in there.asked] == [True, False, False]


@pytest.mark.parametrize("path", ["/admin/a.wav", "/voice/../admin/a.wav", "/voice/%2e%2e/admin/a.wav"])
async def test_f115g_the_key_is_not_shown_to_what_lies_beside_the_base_url(
    fault: Fault, path: str, tmp_path: Path
) -> None:
    async with serving(media(b"", 302, {"Location": path}), media()) as gateway:
        hub = await fault.hub(f"{gateway.url}/voice")
        await hub.download(AT_PROVIDER, tmp_path / "a.wav")
        assert [asked.target.rpartition("/")[2] for asked in gateway.asked] == ["c1", "a.wav"]
        assert [CANARY in f"{asked.headers}" for asked in gateway.asked] == [True, False]


async def test_f115g_a_redirect_never_leaves_https(fault: Fault, tmp_path: Path) -> None:
    async with serving(media()) as provider:
        async with hosts(media(b"", 302, {"Location": f"{provider.url}/secrets"}), names=NAMES) as there:
            hub = await _hub(fault, there, "media.example.com", url=provider.url)
            recording = signed("https://media.example.com/a.wav")
            assert type(await fault.failure(hub.download(recording, tmp_path / "a.wav"))) is UnsafeURLError
        assert provider.connections == 0


async def test_f115g_a_fourth_redirect_is_not_followed(fault: Fault, tmp_path: Path) -> None:
    async with hosts(media(b"", 302, {"Location": "/again"}), names=NAMES) as there:
        hub = await _hub(fault, there, "media.example.com")
        error = await fault.failure(hub.download(signed("https://media.example.com/"), tmp_path / "a.wav"))
        assert type(error) is PayloadError
        assert len(there.asked) == 4


async def _hub(fault: Fault, there: Hosts, *known: str, url: str = "https://api.example.com") -> Hub:
    """Return a hub whose provider keeps its recordings at known hosts."""
    with keeping("tavus", *known):
        return await fault.hub(url, ssl=there.ssl, recordings_ssl=there.ssl)
