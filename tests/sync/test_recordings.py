"""Recordings into a folder: each once, under safe names; one that cannot be had stops no other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest

from conversations_hub import Account, Hub
from conversations_hub._files.partial import PartialFile
from conversations_hub._files.recordings import name_of
from conversations_hub._reporting import tell
from conversations_hub._scrub.signatures import without_signatures
from conversations_hub._transport import Clock
from conversations_hub.errors import PayloadError, StoreError, TransportError
from conversations_hub.schema import Recording, RecordingAccess
from conversations_hub.stores._erasure import remove_recordings
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.sync import RecordingsReport, download_recordings, sync
from conversations_hub.sync._report import AccountSyncReport
from conversations_hub.testing import Simulator

from ..support.clock import FakeClock
from ..support.public_hosts import hosts, keeping, media
from ..support.server import Answer, Asked, answer, serving
from ..support.virtual_time import WiredLoop

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def recording(ref: str, location: str = "/audio", media_type: str | None = None) -> Recording:
    return Recording(location=location, access=RecordingAccess.PROVIDER_KEY, media_type=media_type, ref=ref)


async def test_what_is_there_is_not_downloaded_again(tmp_path: Path) -> None:
    async with Simulator(conversations=30, seed=7, now=NOW, providers=["voiceable", "tavus", "vapi"]) as simulator:
        clock = Clock(monotonic=lambda: 0.0, now=lambda: NOW)
        async with Hub.from_env(environ=simulator.environment(), profile="bulk", clock=FakeClock().clock) as hub:
            await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=clock)
            with SQLiteReader(tmp_path / "c.db") as archive:
                there = list(archive.recordings())
                assert list(archive.recordings("voiceable")) == [one for one in there if "voiceable" in str(one[0].ref)]
                by_account = [list(archive.recordings(where)) for where in archive.accounts()]
            first = await download_recordings(hub, by_account, tmp_path / "recordings")
            files = {path: path.stat().st_size for path in (tmp_path / "recordings").rglob("*.*")}
            asked = simulator.requests.total()
            second = await download_recordings(hub, by_account, tmp_path / "recordings")
            asked = simulator.requests.total() - asked
    assert first.downloaded > 10
    assert first.downloaded == len(files)
    assert first.size == sum(files.values())
    assert first.elsewhere
    assert not first.complete  # Vapi's lie at a host that nobody knows
    assert any("storage.example.com" in reason for reason in first.failures)
    oldest = min(at for one, _, at in there if at is not None and str(one.ref).startswith("vapi"))
    assert first.gone_at == oldest + timedelta(days=14)
    assert f"deleted on {first.gone_at:%Y-%m-%d}" in str(first)
    assert (second.downloaded, second.present) == (0, first.downloaded)
    assert asked <= second.absent + second.failures.total()
    assert "already there" in str(second)


async def test_recordings_that_do_not_come_keep_no_other_account_s_waiting(loop: WiredLoop, tmp_path: Path) -> None:
    began = loop.time()
    asked: dict[str, list[float]] = {"stalls": [], "well": []}

    async def media_of(request: Asked, writer: asyncio.StreamWriter) -> Answer:
        name = request.headers["x-api-key"].removeprefix("key-")
        asked[name].append(loop.time() - began)
        if name == "stalls":
            writer.write(media(b"so", length=5))
            await asyncio.Event().wait()
        return media()

    async with serving(media_of) as server:
        accounts = [Account("voiceable", key=f"key-{name}", name=name, base_url=server.url) for name in asked]
        async with Hub(accounts, clock=loop.clock()) as hub:
            wanted = [
                [(recording(f"voiceable/{name}:c{number}"), 0, None) for number in range(8)]
                for name in ("stalls", "well")
            ]
            report = await download_recordings(hub, wanted, tmp_path)
    assert asked["well"] == [0.0] * 8
    assert (report.downloaded, report.failures.total()) == (8, 8)
    assert asked["stalls"].count(0.0) == 4


async def test_handles_that_were_kept_without_what_opens_them_are_asked_for_once(tmp_path: Path) -> None:
    names = ("recording_url", "recording_multi_channel_url", "scrubbed_recording_url")
    call = {"call_id": "c1", "call_status": "ended", "call_type": "web_call", "agent_id": "a"}
    urls = {name: f"https://media.example.com/{name}.wav?signature=new" for name in names}
    async with hosts(media(), names=("media.example.com",)) as storage, serving(answer(call | urls)) as server:
        with keeping("retell", "media.example.com"):
            hub = Hub([Account("retell", key="k", base_url=server.url)], recordings_ssl=storage.ssl)
        async with hub:
            one = without_signatures(await hub.get("retell:c1"))
            wanted = [(recording, position, None) for position, recording in enumerate(one.recordings)]
            report = await download_recordings(hub, [wanted], tmp_path)
        assert report.downloaded == 3
        assert len(server.asked) == 2
        assert {asked.target for asked in storage.asked} == {f"/{name}.wav?signature=new" for name in names}


@pytest.mark.parametrize(
    "id", ["../../x", "a/b", "CON", "x" * 300, "a\0b", ".", "..", "-rf", "", "ünï", "a b", "a:b", "c1\n", "\\\\host"]
)
def test_a_name_is_one_file_below_the_folder_whatever_the_id(id: str, tmp_path: Path) -> None:
    path = tmp_path / name_of(recording(f"tavus:{id}"), 0)
    assert path.resolve().parent == tmp_path / "tavus"
    assert len(path.name.encode()) < 100
    assert path.name.isprintable()
    assert not path.name.startswith(("-", "."))


def test_two_ids_whose_short_digests_are_the_same_have_two_names() -> None:
    pair = [f"tavus:{'c' * 40}{end}" for end in ("07c9f2d689f7", "e3f91d75fa5d")]
    assert len({blake2b(ref.encode(), digest_size=6).digest() for ref in pair}) == 1
    assert len({name_of(recording(ref), 0) for ref in pair}) == 2


def of_the_first_releases(folder: Path, one: Recording) -> Path:
    """Return where the first releases put a recording, in a folder that is there."""
    provider, _, id = str(one.ref).partition(":")
    digest = blake2b(str(one.ref).encode(), digest_size=6).hexdigest()
    path = folder / provider / f"{id[:40]}-{digest}-0.audio"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


async def test_a_file_named_by_the_first_releases_is_not_downloaded_again_and_is_erased(tmp_path: Path) -> None:
    ones = [recording(f"voiceable:{id}") for id in ("c1", "c" * 60)]
    for one in ones:
        path = of_the_first_releases(tmp_path, one)
        path.write_bytes(b"sound")
        (path.parent / f".{path.name[:48]}.0123456789abcdef.part").write_bytes(b"so")
    async with Hub([Account("voiceable", key="key", base_url="http://127.0.0.1:9")]) as hub:
        report = await download_recordings(hub, [[(one, 0, None) for one in ones]], tmp_path)
    assert (report.present, report.downloaded) == (2, 0)
    assert len(remove_recordings(tmp_path, [str(ones[1].ref)])) == 2
    assert len(remove_recordings(tmp_path, [str(ones[0].ref)])) == 2
    assert [*(tmp_path / "voiceable").iterdir()] == []


def test_what_is_not_whole_is_found_by_the_name_it_is_to_have(tmp_path: Path) -> None:
    ones = [recording(f"voiceable:{'c' * 60}{number}") for number in range(2)]
    (tmp_path / "voiceable").mkdir()
    for one in ones:
        part = PartialFile(tmp_path / name_of(one, 0), "a", overwrite=False)
        part.begin('"1"')
        part.write(b"so")
        part.close()
    assert len(remove_recordings(tmp_path, [str(ones[0].ref)])) == 2
    assert len([*(tmp_path / "voiceable").iterdir()]) == 2


async def test_a_folder_that_is_not_ours_gets_no_recording(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "voiceable").symlink_to(tmp_path)
    async with Hub([Account("voiceable", key="key", base_url="http://127.0.0.1:9")]) as hub:
        with pytest.raises(StoreError, match="voiceable is not a folder"):
            await download_recordings(hub, [[(recording("voiceable:c1"), 0, None)]], tmp_path / "recordings")


def test_names_tell_all_recordings_apart() -> None:
    refs = ["tavus:a/b", "tavus:a-b", "tavus/eu:a-b", "tavus:A-b", "vapi:a-b"]
    names = {name_of(recording(ref), position).lower() for ref in refs for position in (0, 1)}
    assert len(names) == 10


@pytest.mark.parametrize(
    ("location", "media_type", "suffix"),
    [
        ("https://example.com/a.mp3?Signature=x.exe", None, ".mp3"),
        ("/audio", "audio/mpeg", ".mp3"),
        ("/audio", None, ".audio"),
        ("https://example.com/a.exe", None, ".audio"),
        ("https://example.com/a.WAV", None, ".wav"),
    ],
)
def test_the_suffix_is_that_of_a_recording(location: str, media_type: str | None, suffix: str) -> None:
    assert name_of(recording("tavus:c1", location, media_type), 0).endswith(f"-0{suffix}")


def test_nobody_reads_a_signature_in_a_repr() -> None:
    signed = msgspec.structs.replace(recording("tavus:c1", "https://example.com/a.mp3?Signature=abc"), media_type="x")
    assert repr(signed) == "<Recording https://example.com/a.mp3 provider_key>"


def test_very_many_reasons_are_bounded_and_all_are_counted() -> None:
    report = RecordingsReport()
    for number in range(1000):
        report.failures.note(TransportError(f"no connection to host-{number}.example.com"))
    report.failures.note(PayloadError("another"))
    assert report.failures.total() == 1001
    assert report.failures["TransportError, for other reasons"] == 980
    assert report.failures["PayloadError, for other reasons"] == 1
    assert len(str(report).splitlines()) == 1 + 22


def test_very_many_warnings_are_bounded() -> None:
    account = AccountSyncReport("acme/default")
    for number in range(1000):
        tell(account.warnings, [f"page {number} was empty"])
    assert len(account.warnings) == 101
    assert [*account.warnings][-1] == "and more"
