"""Recordings on their way to a file: from every provider, with every kind of handle, and all or nothing."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Hub
from conversations_hub._files.partial import PartialFile
from conversations_hub._transport.guard import is_public
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import (
    AuthError,
    DeadlineError,
    HubClosedError,
    HubError,
    InvalidRefError,
    NotFoundError,
    OutageError,
    PayloadError,
    RejectedError,
    StoreError,
    TransportError,
    UnsafeURLError,
    UnsupportedError,
)
from conversations_hub.hub import Download
from conversations_hub.policy import PROFILES
from conversations_hub.schema import Recording, RecordingAccess
from conversations_hub.signals import AttemptEnded
from conversations_hub.testing import Simulator

from ..support.clock import NOW, FakeClock
from ..support.provider_facts import FACTS
from ..support.public_hosts import hosts, keeping, kept, media
from ..support.server import Answer, Asked, answer, serving
from ..support.virtual_time import WiredLoop

KEY = "invented-key-0123456789"
AT_PROVIDER = Recording(location="/audio/c1", access=RecordingAccess.PROVIDER_KEY, ref="voiceable:c1")
STORAGES = ("media.example.com", "storage.example.com", "recordings.example.org")


@asynccontextmanager
async def hub_at(url: str, provider: str = "voiceable", **options: Any) -> AsyncGenerator[Hub]:
    options.setdefault("clock", FakeClock().clock)
    async with Hub([Account(provider, key=KEY, base_url=url)], **options) as hub:
        yield hub


@pytest.mark.parametrize("provider", BUILTIN)
async def test_every_provider_s_recordings_arrive(provider: str, tmp_path: Path) -> None:
    async with (
        hosts(media(), names=STORAGES) as storage,
        Simulator(conversations=24, seed=3, now=NOW, providers=[provider], clock=lambda: 0.0) as simulator,
        Hub.from_env(environ=simulator.environment(), clock=FakeClock().clock, recordings_ssl=storage.ssl) as hub,
    ):
        key = simulator.environment()[f"{provider.upper()}_API_KEY"]
        outcomes: set[str] = set()
        async for one in hub.list(provider, transcripts=True, limit=16):
            for recording in one.recordings:
                assert recording.ref == one.ref
                path = tmp_path / f"{len(outcomes)}-{hashlib.sha256(recording.location.encode()).hexdigest()}"
                try:
                    done = await hub.download(recording, path, allow_any_public_host=True)
                except HubError as error:
                    outcomes.add(type(error).__name__)
                    continue
                outcomes.add("done")
                assert done.media_type.startswith("audio/")
                assert done == Download(path, *_written(path), done.media_type)
                assert path.stat().st_mode & 0o777 == 0o600
        assert all(key not in f"{asked.target} {asked.headers}" for asked in storage.asked)
    if provider == "tavus":
        assert outcomes == {"UnsupportedError"}
    elif "recording" not in load(provider).shows or "recording" in FACTS[provider].shown_by_others:
        assert outcomes == set()
    else:
        assert "done" in outcomes
        assert outcomes <= {"done", "NotFoundError"}


def _written(path: Path) -> tuple[int, str]:
    return path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()


async def test_a_place_nobody_documents_is_asked_on_demand_only(tmp_path: Path) -> None:
    async with (
        Simulator(conversations=30, now=NOW, providers=["anyreach"], clock=lambda: 0.0) as simulator,
        Hub.from_env(environ=simulator.environment(), clock=FakeClock().clock) as hub,
    ):
        found = [one async for one in hub.list() if one.recordings]
        with pytest.raises(UnsafeURLError, match=r"media\.example\.com.*allow_any_public_host=True") as caught:
            await hub.download(found[0].recordings[0], tmp_path / "a")
    assert (caught.value.provider, caught.value.operation) == ("anyreach", "download")
    assert "X-Amz" not in str(caught.value)


@pytest.mark.parametrize("provider", BUILTIN)
def test_known_hosts_are_names_below_a_domain(provider: str) -> None:
    for host in load(provider).recording_hosts:
        assert host == host.lower()
        assert host.count(".") >= 2
        assert not host.startswith(".")


async def test_what_lies_in_the_customer_s_bucket_takes_the_customer_s_key(tmp_path: Path) -> None:
    recording = Recording(location="s3://invented/a.mp4", access=RecordingAccess.CUSTOMER_BUCKET, ref="tavus:c1")
    async with hub_at("https://api.example.com", "tavus") as hub:
        with pytest.raises(UnsupportedError, match="customer's own bucket") as caught:
            await hub.download(recording, tmp_path / "a")
    assert (caught.value.provider, caught.value.account, caught.value.operation) == ("tavus", "default", "download")


async def test_a_recording_that_no_hub_brought_names_no_account(tmp_path: Path) -> None:
    async with hub_at("https://api.example.com") as hub:
        with pytest.raises(InvalidRefError, match="names no conversation"):
            await hub.download(msgspec.structs.replace(AT_PROVIDER, ref=None), tmp_path / "a")


async def test_a_recording_is_fetched_with_the_account_it_was_read_with(tmp_path: Path) -> None:
    async with serving(media()) as server:
        accounts = [Account("voiceable", key=f"key-{name}", base_url=server.url, name=name) for name in ("eu", "us")]
        async with Hub(accounts) as hub:
            recording = msgspec.structs.replace(AT_PROVIDER, ref="voiceable/us:c1")
            await hub.download(recording, str(tmp_path / "a"))
        assert server.asked[0].headers["x-api-key"] == "key-us"
        assert server.asked[0].headers["accept-encoding"] == "identity"


# the file


@pytest.mark.parametrize("kind", ["file", "link", "link to nothing", "folder"])
async def test_what_is_there_stays_there(kind: str, tmp_path: Path) -> None:
    path, other = tmp_path / "a.wav", tmp_path / "other"
    other.write_bytes(b"other")
    match kind:
        case "file":
            path.write_bytes(b"mine")
        case "link":
            path.symlink_to(other)
        case "link to nothing":
            path.symlink_to(tmp_path / "nothing")
        case _:
            path.mkdir()
    before = kept(tmp_path)
    async with serving(media()) as server, hub_at(server.url) as hub:
        with pytest.raises(StoreError, match="overwrite=True"):
            await hub.download(AT_PROVIDER, path)
        assert server.asked == []
        assert kept(tmp_path) == before
        if kind == "folder":
            with pytest.raises(StoreError, match="cannot be written"):
                await hub.download(AT_PROVIDER, path, overwrite=True)
            assert kept(tmp_path) == before
        else:
            await hub.download(AT_PROVIDER, path, overwrite=True)
            assert not path.is_symlink()
            assert path.read_bytes() == b"sound"
    assert other.read_bytes() == b"other"


async def test_who_comes_in_between_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def meanwhile(_asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        path.write_bytes(b"mine")
        return media()

    async with serving(meanwhile) as server, hub_at(server.url) as hub:
        with pytest.raises(StoreError, match="overwrite=True"):
            await hub.download(AT_PROVIDER, path)
    assert path.read_bytes() == b"mine"
    assert kept(tmp_path) == ["a.wav"]


async def test_a_link_in_the_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    planted: list[Path] = []

    async def keep(_asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        planted.extend(tmp_path / name for name in kept(tmp_path) if name.endswith(".part"))
        return media()

    async with serving(keep) as server, hub_at(server.url) as hub:
        await hub.download(AT_PROVIDER, tmp_path / "a.wav")
        [part] = planted
        part.symlink_to(victim)
        with pytest.raises(StoreError, match="cannot be written"):
            await hub.download(AT_PROVIDER, tmp_path / "a.wav", overwrite=True)
    assert victim.read_bytes() == b"mine"


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with hub_at("https://api.example.com") as hub:
        with pytest.raises(StoreError, match=r"a\.wav cannot be written: No such file") as caught:
            await hub.download(AT_PROVIDER, tmp_path / "nowhere" / "a.wav")
    assert (caught.value.provider, caught.value.account, caught.value.operation) == ("voiceable", "default", "download")


async def test_two_at_once_do_not_write_to_one_file(tmp_path: Path) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(_asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        asked.set()
        await go_on.wait()
        return media()

    async with serving(slowly) as server, hub_at(server.url) as hub:
        first = asyncio.create_task(hub.download(AT_PROVIDER, tmp_path / "a.wav"))
        await asked.wait()
        with pytest.raises(StoreError, match="is in progress"):
            await hub.download(AT_PROVIDER, tmp_path / "a.wav")
        go_on.set()
        await first
    assert kept(tmp_path) == ["a.wav"]


async def test_the_longest_name_there_is_will_do(tmp_path: Path) -> None:
    async with serving(media()) as server, hub_at(server.url) as hub:
        await hub.download(AT_PROVIDER, tmp_path / ("é" * 127))
    assert kept(tmp_path) == ["é" * 127]


@pytest.mark.parametrize("note", [b"", b"{", b'{"size":9999999,"validator":"\\"1\\""}', b'{"size":-1,"validator":"x"}'])
async def test_a_note_nobody_can_read_makes_it_begin_anew(note: bytes, tmp_path: Path) -> None:
    cut = _broken(media(bytes(3_000_000), length=7_000_000, headers={"ETag": '"1"'}))
    async with serving(cut, media(headers={"ETag": '"1"'})) as server:
        async with hub_at(server.url, profile=PROFILES["interactive"].but(attempts=1)) as hub:
            with pytest.raises(TransportError):
                await hub.download(AT_PROVIDER, tmp_path / "a.wav")
            _, name = kept(tmp_path)
            assert name.startswith(".a.wav.")
            assert msgspec.json.decode((tmp_path / name).read_bytes())["validator"] == '"1"'
            (tmp_path / name).write_bytes(note)
            await hub.download(AT_PROVIDER, tmp_path / "a.wav")
        assert "range" not in server.asked[1].headers
    assert kept(tmp_path) == ["a.wav"]


def _broken(said: bytes) -> Callable[[Asked, asyncio.StreamWriter], Any]:
    async def breaking(_asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        writer.write(said)
        await writer.drain()
        return None

    return breaking


# the answer


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (media(b""), "empty"),
        (media(headers={"Content-Type": "text/html"}), "not a recording"),
        (media(headers={"Content-Type": "application/json"}), "not a recording"),
        (media(headers={"Content-Type": "audio"}), "not a recording"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsound", "not a recording"),
        (media(headers={"Content-Encoding": "gzip"}), "compressed"),
        (media(b"x" * 2000), "larger than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nTransfer-Encoding: chunked\r\n\r\n"
         + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 4 + b"0\r\n\r\n", "larger than 1000 bytes"),
        (media(b"", 302), "redirected without a Location"),
        (media(b"ound", 206, {"Content-Range": "bytes 1-4/5"}), "was not requested"),
        (media(b"", 416), "was not requested"),
    ],
)  # fmt: skip
async def test_what_is_no_recording_is_not_kept(said: bytes, reason: str, tmp_path: Path) -> None:
    async with serving(said) as server, hub_at(server.url) as hub:
        with pytest.raises(PayloadError, match=reason):
            await hub.download(AT_PROVIDER, tmp_path / "a.wav", largest=1000)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("kind", ["video/mp4", "Audio/MPEG; rate=8000", "binary/octet-stream", "application/ogg"])
async def test_media_and_plain_bytes_are_recordings(kind: str, tmp_path: Path) -> None:
    async with serving(media(headers={"Content-Type": kind})) as server, hub_at(server.url) as hub:
        done = await hub.download(AT_PROVIDER, tmp_path / "a")
    assert done.media_type == kind.partition(";")[0].lower()


@pytest.mark.parametrize(("status", "kind"), [(401, AuthError), (404, NotFoundError), (500, OutageError)])
async def test_a_refusal_is_told_in_the_provider_s_words(status: int, kind: type[HubError], tmp_path: Path) -> None:
    said = answer({"error": f"not with {KEY}", "message": f"not with {KEY}"}, status)
    async with serving(said) as server, hub_at(server.url) as hub:
        with pytest.raises(kind, match=r"not with \*\*\*") as caught:
            await hub.download(AT_PROVIDER, tmp_path / "a")
        assert len(server.asked) == (3 if status == 500 else 1) == caught.value.attempts
    assert kept(tmp_path) == []


async def test_a_storage_s_refusal_is_not_the_key_s_and_repeats_nothing(tmp_path: Path) -> None:
    said = answer(b"<Error>invented-signature</Error>", 403)
    recording = Recording(location="/audio/c1", access=RecordingAccess.PROVIDER_KEY, ref="voiceable:c1")
    async with hosts(said, names=STORAGES) as storage:
        away = media(b"", 302, {"Location": "https://media.example.com/a?key=invented-signature"})
        async with serving(away) as server, hub_at(server.url, recordings_ssl=storage.ssl) as hub:
            with pytest.raises(RejectedError, match=r"media\.example\.com did not return") as caught:
                await hub.download(recording, tmp_path / "a", allow_any_public_host=True)
    assert "invented-signature" not in "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))


async def test_no_traceback_holds_the_key(tmp_path: Path) -> None:
    for said in (media(b"s", length=5), answer({}, 401), media(headers={"Content-Type": "text/html"})):
        async with serving(_broken(said)) as server, hub_at(server.url) as hub:
            with pytest.raises(HubError) as caught:
                await hub.download(AT_PROVIDER, tmp_path / "a")
        told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert KEY not in "".join(told.format())


# handles that expire


def _conversation(url: str, *more: str) -> Any:
    told = {"call_id": "c1", "call_type": "web_call", "agent_id": "a", "call_status": "ended", "recording_url": url}
    return answer({**told, **dict(zip(more[::2], more[1::2], strict=True))})


@asynccontextmanager
async def retell(storage: list[bytes], *calls: bytes) -> AsyncGenerator[tuple[Hub, Any, Any]]:
    async with hosts(*storage, names=("media.example.com",)) as there, serving(*calls) as server:
        with keeping("retell", "example.com"):
            async with hub_at(server.url, "retell", recordings_ssl=there.ssl) as hub:
                yield hub, there, server


def _signed(url: str, **more: Any) -> Recording:
    return Recording(location=url, access=RecordingAccess.SIGNED_URL, ref="retell:c1", **more)


OLD, NEW = (f"https://media.example.com/a.wav?signature={age}" for age in ("old", "new"))


async def test_a_handle_that_has_expired_is_not_even_tried(tmp_path: Path) -> None:
    async with retell([media()], _conversation(NEW)) as (hub, there, server):
        await hub.download(_signed(OLD, expires_at=NOW - timedelta(seconds=1)), tmp_path / "a")
        assert [asked.target for asked in there.asked] == ["/a.wav?signature=new"]
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_handle_that_is_refused_is_replaced_once(status: int, tmp_path: Path) -> None:
    async with retell([media(b"", status), media()], _conversation(NEW)) as (hub, there, _):
        await hub.download(_signed(OLD, expires_at=NOW + timedelta(hours=1)), tmp_path / "a")
        assert [asked.target.partition("=")[2] for asked in there.asked] == ["old", "new"]
    async with retell([media(b"", status)], _conversation(NEW)) as (hub, there, server):
        with pytest.raises(NotFoundError if status != 403 else RejectedError):
            await hub.download(_signed(OLD), tmp_path / "b")
        assert (len(there.asked), len(server.asked)) == (2, 1)
    assert kept(tmp_path) == ["a"]


async def test_another_refusal_replaces_no_handle(tmp_path: Path) -> None:
    async with retell([media(b"", 400)], _conversation(NEW)) as (hub, _, server):
        with pytest.raises(RejectedError):
            await hub.download(_signed(OLD), tmp_path / "a")
        assert server.asked == []


async def test_the_same_one_of_several_is_taken(tmp_path: Path) -> None:
    several = ("https://media.example.com/b.wav?signature=new", "recording_multi_channel_url", NEW)
    async with retell([media()], _conversation(*several)) as (hub, there, _):
        await hub.download(_signed(OLD, expires_at=NOW), tmp_path / "a")
        assert [asked.target for asked in there.asked] == ["/a.wav?signature=new"]
        gone = _signed("https://media.example.com/c.wav?signature=old", expires_at=NOW)
        with pytest.raises(NotFoundError, match="no longer has that recording") as caught:
            await hub.download(gone, tmp_path / "c")
    assert caught.value.provider == "retell"


async def test_the_only_one_is_taken_wherever_it_has_moved_to(tmp_path: Path) -> None:
    async with retell([media()], _conversation("https://media.example.com/moved.wav")) as (hub, there, _):
        await hub.download(_signed(OLD, expires_at=NOW), tmp_path / "a")
        assert [asked.target for asked in there.asked] == ["/moved.wav"]


# time, and how it ends


async def test_a_server_that_stalls_is_not_waited_for(loop: WiredLoop, tmp_path: Path) -> None:
    async def stalling(_asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        writer.write(media(b"so", length=5))
        await asyncio.Event().wait()
        return None

    profile = PROFILES["interactive"].but(attempts=1, attempt_timeout=0.1)
    async with serving(stalling) as server, hub_at(server.url, profile=profile, clock=loop.clock()) as hub:
        began = loop.time()
        with pytest.raises(TransportError, match=r"nothing came for 0\.1 s: .*reading the recording"):
            await hub.download(AT_PROVIDER, tmp_path / "a")
        assert loop.time() - began == pytest.approx(0.1)


async def test_a_server_that_drips_is_cut_at_the_deadline(loop: WiredLoop, tmp_path: Path) -> None:
    async def dripping(_asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        writer.write(media(b"", length=10**6, headers={"ETag": '"1"'}))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(dripping) as server, hub_at(server.url, clock=loop.clock()) as hub:
        began = loop.time()
        with pytest.raises(DeadlineError, match="reading the recording"):
            await hub.download(AT_PROVIDER, tmp_path / "a", deadline=0.3)
        assert loop.time() - began == pytest.approx(0.3)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("how", ["closed", "cancelled"])
async def test_what_ends_under_way_leaves_only_what_can_be_gone_on_with(how: str, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def endless(_asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        writer.write(media(b"x" * 3_000_000, length=10**7, headers={"ETag": '"1"'}))
        await writer.drain()
        begun.set()
        await asyncio.Event().wait()
        return None

    async with serving(endless) as server, hub_at(server.url) as hub:
        task = asyncio.create_task(hub.download(AT_PROVIDER, tmp_path / "a"))
        await begun.wait()
        if how == "closed":
            await hub.close()
        else:
            task.cancel()
        with pytest.raises(HubClosedError if how == "closed" else asyncio.CancelledError):
            await task
        assert all(name.startswith(".a.") for name in kept(tmp_path))


_KILLED = """
import os, sys
from pathlib import Path
from conversations_hub._files import partial
partial._KEPT_EVERY = 4 * 1024 * 1024
part = partial.PartialFile(Path(sys.argv[1]), "c1", overwrite=False)
part.begin('"1"')
for _ in range(10):
    part.write(bytes(1024 * 1024))
os._exit(9)
"""


def test_what_a_killed_process_had_brought_is_there_up_to_what_is_certain(tmp_path: Path) -> None:
    path = tmp_path / "a"
    ended = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False)  # noqa: S603
    assert ended.returncode == 9
    part = PartialFile(path, "c1", overwrite=False)
    assert (part.size, part.validator) == (8 * 1024 * 1024, '"1"')
    part.write(b"rest")
    digest = part.finish()
    part.close()
    assert digest == hashlib.sha256(bytes(8 * 1024 * 1024) + b"rest").hexdigest()
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept(tmp_path) == ["a"]


def test_another_recording_is_no_part_of_this_one(tmp_path: Path) -> None:
    first = PartialFile(tmp_path / "a", "c1", overwrite=False)
    first.begin('"1"')
    first.write(b"so")
    first.close()
    other, again = (
        PartialFile(tmp_path / "a", "c2", overwrite=False),
        PartialFile(tmp_path / "a", "c1", overwrite=False),
    )
    assert (other.size, again.size) == (0, 2)
    other.close()
    again.close()


async def test_a_part_of_the_rest_is_gone_on_with_too(tmp_path: Path) -> None:
    told = {"ETag": '"1"'}
    body = bytes(range(250)) * 12_000

    async def a_million_at_a_time(asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
        last = min(start + 1_000_000, len(body)) - 1
        return media(body[start : last + 1], 206, {**told, "Content-Range": f"bytes {start}-{last}/{len(body)}"})

    cut = _broken(media(body[:1_500_000], length=len(body), headers=told))
    profile = PROFILES["interactive"].but(attempts=6)
    async with serving(cut, a_million_at_a_time) as server, hub_at(server.url, profile=profile) as hub:
        done = await hub.download(AT_PROVIDER, tmp_path / "a")
        assert len(server.asked) in {3, 4}
    assert (done.size, done.sha256) == (len(body), hashlib.sha256(body).hexdigest())


async def test_a_large_one_is_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("conversations_hub._files.partial._KEPT_EVERY", 2 * 1024 * 1024)
    body = bytes(range(250)) * 20_000
    async with serving(media(body, headers={"ETag": '"1"'})) as server, hub_at(server.url) as hub:
        done = await hub.download(AT_PROVIDER, tmp_path / "a")
    assert (done.size, done.sha256) == (len(body), hashlib.sha256(body).hexdigest())


async def test_who_listens_hears_of_every_request_and_of_no_place(tmp_path: Path) -> None:
    signals: list[Any] = []
    async with serving(answer({}, 503), media()) as server, hub_at(server.url, on_signal=signals.append) as hub:
        await hub.download(AT_PROVIDER, tmp_path / "a")
    ended = [signal for signal in signals if isinstance(signal, AttemptEnded)]
    assert [(one.operation, one.path, one.status, one.number) for one in ended] == [
        ("download", "(recording)", 503, 1),
        ("download", "(recording)", 200, 2),
    ]
    assert "c1" not in repr(signals)


async def test_a_proxy_is_used_and_trusted_with_names(tmp_path: Path) -> None:
    async with serving(media()) as proxy, hub_at("http://127.0.0.1:9", proxy=proxy.url) as hub:
        await hub.download(AT_PROVIDER, tmp_path / "a")
        assert proxy.asked[0].target == "http://127.0.0.1:9/audio/c1"
        recording = Recording(location="https://10.0.0.1/a", access=RecordingAccess.SIGNED_URL, ref="voiceable:c1")
        with pytest.raises(UnsafeURLError):
            await hub.download(recording, tmp_path / "b", allow_any_public_host=True)
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        ("2002:5db8:d822::1", True),
        ("2002:a00:1::1", False),
        ("192.0.0.8", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("240.0.0.1", False),
        ("239.1.1.1", False),
        ("255.255.255.255", False),
        ("64:ff9b:1::5db8:d822", False),
        ("::5db8:d822", False),
        ("fec0::1", False),
        ("ff0e::1", False),
        ("5f00::1", False),
        ("3fff::1", False),
        ("2001:db8::1", False),
        ("2001:20::1", False),
    ],
)
def test_an_address_is_public_or_is_not(address: str, expected: bool) -> None:  # noqa: FBT001
    assert is_public(ip_address(address)) is expected
