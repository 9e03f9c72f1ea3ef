"""The JSONL store: what goes in comes out, once each, and nobody else's file is touched."""

from __future__ import annotations

import asyncio
import gc
import gzip
import hashlib
import os
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from conversations_hub._files.atomic import FileOps
from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import StoreError
from conversations_hub.schema import Conversation
from conversations_hub.stores._store import Checkpoint, Entry, StoredVersion, Window, Written
from conversations_hub.stores.jsonl import JSONLStore

from ..support.clock import NOW
from ..support.entries import ACCOUNT, entry
from ..support.exporting import TERMS, export, one, page
from ..support.jsonl import FINISHED, contents, lines, names, opened, said
from ..support.recorded import recorded


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def remove(path: Path) -> None:
    path.unlink()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.jsonl"


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_conversation_comes_out_as_it_went_in(provider: str, path: Path, *, compress: bool) -> None:
    conversations = [msgspec.structs.replace(each, raw=b'{ "a":\n"\\u00e9" }') for each in recorded(provider)]
    assert conversations
    path = path.with_name("c.jsonl.gz") if compress else path
    async with opened(path, compress=compress) as store:
        written = await store.commit(f"{provider}/default", [entry(each) for each in conversations], Checkpoint())
        await store.finish()
    assert written == Written(new=len(conversations))
    assert lines(path) == conversations


async def test_each_commit_of_a_compressed_file_can_be_read_while_it_goes_on(path: Path) -> None:
    pages = [page(number) for number in range(3)]
    unfinished = path.with_name("c.jsonl.partial")
    found: list[int] = []
    await export(
        path, pages, compress=True, on_commit=lambda _: found.append(gzip.decompress(read(unfinished)).count(b"\n"))
    )
    assert found == [3, 6, 9]


async def test_only_what_is_new_or_changed_is_written(path: Path) -> None:
    async with opened(path) as store:
        first = await store.commit(ACCOUNT, [entry(one("c1")), entry(one("c2"), settles_at=NOW)], Checkpoint())
        data, log = (path.with_name(f"c.jsonl.{end}") for end in ("partial", "journal"))
        before = data.read_bytes()
        second = await store.commit(ACCOUNT, [entry(one("c1")), entry(one("c2"), b"other row")], Checkpoint())
        assert data.read_bytes() == before
        assert (await store.kept(ACCOUNT, ["c2"]))["c2"].row_hash == b"other row"
        assert await store.unsettled(ACCOUNT) == {}
        told = log.read_bytes()
        third = await store.commit(ACCOUNT, [entry(one("c1")), entry(one("c2"), b"other row")], Checkpoint())
        assert log.read_bytes() == told, "there was nothing to say"
    assert (first, second, third) == (Written(new=2), Written(unchanged=2), Written(unchanged=2))


async def test_the_last_content_counts(path: Path) -> None:
    async with opened(path) as store:
        await store.commit(ACCOUNT, [entry(one("c1", "a")), entry(one("c2"))], Checkpoint())
    again = [one("c1", "b"), one("c1", "c"), one("c3"), one("c4", "a"), one("c4", "b"), one("c4", "b")]
    async with opened(path) as store:
        written = await store.commit(ACCOUNT, [*map(entry, again)], Checkpoint())
        await store.finish()
    assert written == Written(new=2, updated=3, unchanged=1)
    assert said(path) == {"c2": "hello", "c1": "c", "c3": "hello", "c4": "b"}
    assert names(path.parent) == FINISHED


@pytest.mark.parametrize("compress", [False, True])
async def test_a_large_file_is_written_anew_in_pieces(path: Path, *, compress: bool) -> None:
    path = path.with_name("c.jsonl.gz") if compress else path
    long = {f"c{number}": f"{number}" * 400_000 for number in range(10, 16)}
    pages = [[entry(one("c10", "early"))], *([entry(one(id, text))] for id, text in long.items())]
    await export(path, pages, compress=compress)
    assert said(path) == long


async def test_the_same_id_in_two_accounts_is_two_conversations(path: Path) -> None:
    eu = msgspec.structs.replace(one("c1", "eu"), account="eu")
    async with opened(path) as store:
        await store.commit(ACCOUNT, [entry(one("c1", "a"))], Checkpoint())
        await store.commit("acme/eu", [entry(eu)], Checkpoint())
        await store.commit(ACCOUNT, [entry(one("c1", "b"))], Checkpoint())
        await store.finish()
    assert lines(path) == [eu, one("c1", "b")]


async def test_the_manifest_says_what_is_there(path: Path) -> None:
    window = Window(NOW - timedelta(days=1), NOW)
    async with opened(path) as store:
        await store.commit(ACCOUNT, [entry(one("c1")), entry(one("c2"))], Checkpoint(covered=window))
        await store.commit("other/eu", [], Checkpoint())
        await store.finish()
    told = msgspec.json.decode(path.with_name("c.jsonl.manifest.json").read_bytes())
    assert told.pop("versions").keys() == {"layout", "conversations-hub"}
    assert told == {
        "conversations": 2,
        "providers": {"acme": 2},
        "accounts": {
            ACCOUNT: {"conversations": 2, "window": {"since": "2026-11-19T12:00:00Z", "until": "2026-11-20T12:00:00Z"}},
        },
        "missing": {},
        "size": len(read(path)),
        "sha256": hashlib.sha256(read(path)).hexdigest(),
        "compress": False,
        "terms": TERMS,
    }


@pytest.mark.parametrize("compress", [False, True])
async def test_a_finished_file_is_gone_on_with(path: Path, *, compress: bool) -> None:
    path = path.with_name("c.jsonl.gz") if compress else path
    pages = [page(0, size=1), page(1, entry(one("c0-0", "late")), size=1), page(2, entry(one("c1-0", "later")), size=1)]
    await export(path, pages[:1], compress=compress)
    first = path.read_bytes()
    stands: list[bool] = []
    await export(path, pages, compress=compress, on_commit=lambda _: stands.append(path.read_bytes() == first))
    assert stands == [True, True], "it stays until the new one is finished"
    assert {id: text[:5] for id, text in said(path).items()} == {"c0-0": "late", "c2-0": "said ", "c1-0": "later"}
    before = path.read_bytes()
    await export(path, pages, compress=compress)
    assert path.read_bytes() == before


async def test_a_finished_file_may_be_gone_on_with_for_more_accounts(path: Path) -> None:
    await export(path, [page(0)])
    store = JSONLStore(path)
    await store.open(TERMS | {"accounts": "acme/default, acme/eu"})
    await store.commit("acme/eu", [entry(msgspec.structs.replace(one("c1"), account="eu"))], Checkpoint(passes=1))
    await store.close()
    with pytest.raises(StoreError, match="accounts was acme/default, acme/eu and is acme/default"):
        await export(path, [page(0)])


async def test_nothing_at_all_is_a_file_too(path: Path) -> None:
    for _ in range(2):
        await export(path, [])
        assert read(path) == b""
        assert names(path.parent) == FINISHED


@pytest.mark.parametrize("remains", [(".journal",), (".journal", ".manifest.json")])
async def test_a_file_that_is_not_ours_is_not_touched_unless_one_says_so(path: Path, remains: tuple[str, ...]) -> None:
    await export(path, [page(0)])
    for end in remains:
        path.with_name(path.name + end).unlink()
    before = contents(path.parent)
    with pytest.raises(StoreError, match=r"already exists, and .* move it away"):
        await export(path, [page(1)])
    assert contents(path.parent) == before
    await export(path, [page(1)], overwrite=True)
    assert said(path).keys() == {"c1-0", "c1-1", "c1-2"}
    assert names(path.parent) == FINISHED


async def test_overwriting_begins_anew_what_was_finished_and_goes_on_with_what_was_not(path: Path) -> None:
    await export(path, [page(0)])
    async with opened(path, overwrite=True) as store:
        assert await store.progress(ACCOUNT) == Checkpoint()
        assert await store.kept(ACCOUNT, ["c0-0"]) == {}
        await store.commit(ACCOUNT, page(1), Checkpoint(cursor="1"))
        assert said(path).keys() == {"c0-0", "c0-1", "c0-2"}
    await export(path, [page(1), page(2)], overwrite=True)
    assert said(path).keys() == {f"c{number}-{at}" for number in (1, 2) for at in range(3)}


async def test_a_finished_file_that_was_changed_is_refused(path: Path) -> None:
    await export(path, [page(0)])
    for spoil in (partial(write, path, b"x"), partial(remove, path)):
        spoil()
        with pytest.raises(StoreError, match="changed since it was finished"):
            await export(path, [page(0), page(1)])
    await export(path, [page(0), page(1)], overwrite=True)
    assert len(said(path)) == 6


async def test_a_finished_file_is_not_gone_on_with_in_another_form(path: Path) -> None:
    await export(path, [page(0)])
    with pytest.raises(StoreError, match="is not compressed"):
        await export(path, [page(0), page(1)], compress=True)
    await export(path, [page(0), page(1)])
    assert len(said(path)) == 6


async def test_a_file_that_comes_in_between_is_not_replaced(path: Path) -> None:
    async with opened(path) as store:
        await store.commit(ACCOUNT, page(0), Checkpoint(cursor="1"))
        write(path, b"mine")
        with pytest.raises(StoreError, match="was put there during the sync"):
            await store.finish()
    with pytest.raises(StoreError, match="does not mention it"):
        await export(path, [page(0)])
    assert read(path) == b"mine"
    remove(path)
    await export(path, [page(0)])
    assert len(said(path)) == 3


async def test_a_finished_file_without_a_manifest_gets_it_and_is_not_fetched_again(path: Path) -> None:
    await export(path, [page(0)])
    before = contents(path.parent)
    path.with_name("c.jsonl.manifest.json").unlink()
    async with opened(path) as store:
        assert contents(path.parent)["c.jsonl.manifest.json"] == before["c.jsonl.manifest.json"]
        assert (await store.progress(ACCOUNT)).cursor == "1"


async def test_data_without_a_journal_is_not_thrown_away(path: Path) -> None:
    async with opened(path) as store:
        await store.commit(ACCOUNT, page(0), Checkpoint(cursor="1"))
    path.with_name("c.jsonl.journal").unlink()
    with pytest.raises(StoreError, match="does not say how much of it counts"):
        await export(path, [page(0)], overwrite=True)
    assert len(said(path.with_name("c.jsonl.partial"))) == 3


async def test_another_version_s_journal_is_refused(path: Path) -> None:
    log = path.with_name("c.jsonl.journal")
    for unknown in (b'{"type":"begun","version":2}', b'{"type":"compacted"}', b"[]"):
        text = b"%08x %s\n" % (_crc(unknown), unknown)
        log.write_bytes(text)
        with pytest.raises(StoreError, match="another version"):
            await export(path, [page(0)])
        assert log.read_bytes() == text


def _crc(text: bytes) -> int:
    return int.from_bytes(gzip.compress(text)[-8:-4], "little")  # where gzip keeps it


async def test_only_its_owner_reads_it(path: Path) -> None:
    modes: list[int] = []
    await export(
        path,
        [page(0), page(1, entry(one("c0-0", "late")))],
        on_commit=lambda _: modes.extend(each.stat().st_mode & 0o777 for each in path.parent.iterdir()),
    )
    modes += [each.stat().st_mode & 0o777 for each in path.parent.iterdir()]
    assert set(modes) == {0o600}


async def test_one_at_a_time(path: Path) -> None:
    async with opened(path):
        with pytest.raises(StoreError, match="another sync"):
            await export(path, [page(0)])
    await export(path, [page(0)])


async def test_it_must_be_open(path: Path) -> None:
    store = JSONLStore(path)
    await store.close()
    with pytest.raises(StoreError, match="not open"):
        await store.commit(ACCOUNT, page(0), Checkpoint())
    with pytest.raises(StoreError, match="there is no folder"):
        await export(path / "c.jsonl", [page(0)])


async def test_a_finished_file_is_left_as_it_is_until_there_is_something_to_write(path: Path) -> None:
    async with opened(path) as store:
        await store.finish()
        await store.finish()
    before = contents(path.parent)
    async with opened(path, terms={"since": "another day"}) as store:
        assert await store.unsettled(ACCOUNT) == {}
    assert contents(path.parent) == before
    async with opened(path) as store:
        await store.finish()
        await store.commit(ACCOUNT, page(0), Checkpoint())
        assert read(path) == b""
        await store.finish()
    assert names(path.parent) == FINISHED
    assert read(path).count(b"\n") == len(page(0))


async def test_what_cannot_be_written_is_not_half_written(path: Path) -> None:
    strange = msgspec.structs.replace(one("c2"), metadata={"a": object()})
    async with opened(path) as store:
        with pytest.raises(StoreError, match="an invalid value"):
            await store.commit(ACCOUNT, [entry(one("c1")), Entry(strange, StoredVersion(b"", b"", None))], Checkpoint())
    assert path.with_name("c.jsonl.partial").read_bytes() == b""


async def test_the_loop_does_not_wait_for_the_disk(path: Path) -> None:
    may_go_on = threading.Event()

    def slow(file: int) -> None:
        assert may_go_on.wait(10)
        os.fsync(file)

    async with opened(path, files=FileOps(fdatasync=slow)) as store:
        commit = asyncio.ensure_future(store.commit(ACCOUNT, page(0), Checkpoint(cursor="1")))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not commit.done()
        may_go_on.set()
        assert await commit == Written(new=3)


@pytest.mark.no_cover
async def test_a_conversation_takes_less_than_200_bytes_of_memory(path: Path) -> None:
    def ids() -> Iterator[str]:
        return (f"6f9619ff-8b86-d011-b42d-{number:012x}" for number in range(50_000))

    def new(id: str) -> Entry:
        return Entry(Conversation(provider="acme", id=id), StoredVersion(os.urandom(16), os.urandom(16), None))

    async with opened(path, files=FileOps(fdatasync=lambda _: None)) as store:
        tracemalloc.start()
        try:
            for group in zip(*[ids()] * 1000, strict=True):
                await store.commit(ACCOUNT, [*map(new, group)], Checkpoint())
            await store.progress(ACCOUNT)  # so that the thread no longer holds the last page
            gc.collect()
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert used / 50_000 < 200
