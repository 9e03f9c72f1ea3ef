"""Erasing from JSON lines: gone from data and log in whatever state they are, and kept out."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from conversations_hub._files.atomic import FileOps
from conversations_hub.errors import InvalidRefError, StoreError
from conversations_hub.stores._store import Checkpoint, Entry
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.jsonl._journal import Committed, Journal
from conversations_hub.stores.jsonl._reader import JSONLReader
from conversations_hub.sync import sync

from ..support.clock import NOW, at
from ..support.disk import Disk, Killed
from ..support.entries import ACCOUNT, entry
from ..support.exporting import Page, export, one
from ..support.jsonl import FINISHED, contents, lines, names, opened, said
from ..support.persons import SECRET, called
from ..support.tavus_server import AFTER, Tavus, scripted

REF = "acme:c-gone"
PERSONAL = (SECRET, "c-gone", "5550102030", "listed of it")


def personal(text: str = SECRET) -> Entry:
    """Return an entry whose journal line holds its list row, and whose details failed."""
    gone = msgspec.structs.replace(called("+15550102030", id="c-gone"), title=text)
    kept = entry(gone, settles_at=NOW).kept
    return Entry(gone, msgspec.structs.replace(kept, list_row=b'"listed of it"', failing_since=NOW))


FIRST: Sequence[Page] = [[entry(one("c1")), personal()], [entry(one("c2")), personal("another")]]
MORE: Sequence[Page] = [*FIRST, [entry(one("c3")), personal("a third"), entry(one("c1", "late"))]]


async def finished(path: Path, *, compress: bool) -> None:
    await export(path, FIRST, compress=compress)


async def under_way(path: Path, *, compress: bool) -> None:
    await export(path, FIRST, compress=compress, finish=False)


async def under_way_over_a_finished_one(path: Path, *, compress: bool) -> None:
    await export(path, FIRST, compress=compress)
    await export(path, MORE, compress=compress, finish=False)


async def finished_twice(path: Path, *, compress: bool) -> None:
    await export(path, FIRST, compress=compress)
    await export(path, MORE, compress=compress)


async def overwriting(path: Path, *, compress: bool) -> None:
    await export(path, FIRST, compress=compress)
    await export(path, FIRST[1:], compress=compress, overwrite=True, finish=False)


STATES = [finished, under_way, under_way_over_a_finished_one, finished_twice, overwriting]
States = Callable[..., object]


def holds_personal(folder: Path) -> list[str]:
    """Return which words about the person stand anywhere in a folder's files, packed or not."""
    texts: list[bytes] = []
    for path in folder.iterdir():
        read = path.read_bytes()
        texts.append(gzip.decompress(read) if read[:2] == b"\x1f\x8b" else read)
        if path.suffix == ".journal":
            for line in Journal(path, FileOps()).lines():
                if isinstance(line, Committed):
                    texts += [one.listed or b"" for one in line.entries]
    return [word for word in PERSONAL if any(word.encode() in text for text in texts)]


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("state", STATES)
async def test_what_was_erased_stands_in_no_file_and_the_rest_is_there(
    tmp_path: Path, state: States, *, compress: bool
) -> None:
    path = tmp_path / ("c.jsonl.gz" if compress else "c.jsonl")
    await state(path, compress=compress)  # type: ignore[misc]
    assert holds_personal(tmp_path) == [*PERSONAL]
    there = JSONLReader(path).status().total
    planned = JSONLReader(path).erase(REF, dry_run=True)
    assert (planned.conversations, planned.erased_at) == ((REF,), None)
    receipt = JSONLReader(path).erase(REF, now=NOW)
    assert (receipt.conversations, receipt.erased_at, receipt.complete) == ((REF,), NOW, True)
    assert holds_personal(tmp_path) == []
    left = JSONLReader(path).status().total
    assert left.conversations == there.conversations - 1
    assert (there.failing, left.failing, left.pending) == (1, 0, there.pending)
    assert JSONLReader(path).erase(REF).conversations == ()
    await export(path, [*MORE, [entry(one("c4")), personal("a fourth")]], compress=compress)
    assert set(said(path)) == ({"c1", "c2", "c3", "c4"} if state is not overwriting else {"c2", "c3", "c4", "c1"})
    assert holds_personal(tmp_path) == []
    assert names(tmp_path) == {name.replace("c.jsonl", path.name) for name in FINISHED}


async def test_the_manifest_of_a_file_that_stays_for_now_counts_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    await under_way_over_a_finished_one(path, compress=False)
    JSONLReader(path).erase(REF)
    manifest = json.loads((tmp_path / "c.jsonl.manifest.json").read_bytes())
    assert {line.id for line in lines(path)} == {"c1", "c2"}
    assert manifest["conversations"] == manifest["providers"]["acme"] == 2
    assert manifest["accounts"][ACCOUNT]["conversations"] == 2
    assert manifest["size"] == path.stat().st_size
    assert manifest["missing"][ACCOUNT]["ids"] == []


@pytest.mark.parametrize("state", STATES)
async def test_killed_at_any_system_call_it_is_never_half(tmp_path: Path, state: States) -> None:
    begun = tmp_path / "begun" / "c.jsonl"
    begun.parent.mkdir()
    await state(begun, compress=False)  # type: ignore[misc]

    def erase(folder: Path, disk: Disk) -> None:
        JSONLReader(folder / "c.jsonl", files=disk.files).erase(REF)

    def copy(name: str) -> Path:
        return shutil.copytree(begun.parent, tmp_path / name)

    undisturbed = Disk()
    erase(copy("due"), undisturbed)
    due = contents(tmp_path / "due")
    assert undisturbed.calls > 10
    for number in range(undisturbed.calls):
        folder = copy(str(number))
        disk = Disk(Killed(), at=number)
        with pytest.raises(Killed):
            erase(folder, disk)
        disk.lose_power(*folder.iterdir())
        again = shutil.copytree(folder, tmp_path / f"{number} again")
        await export(folder / "c.jsonl", MORE)  # a sync that comes next finds all of it or nothing
        assert set(said(folder / "c.jsonl")) - {"c-gone"} == {"c1", "c2", "c3"}, number
        erase(again, Disk())
        assert holds_personal(again) == [], number
        assert {name for name in names(again) if "journal" not in name} == due.keys() - {"c.jsonl.journal"}, number
        assert contents(again)["c.jsonl"] == due["c.jsonl"] if "c.jsonl" in due else True


async def test_no_sync_brings_it_back(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    async with scripted(Tavus(5)) as (hub, asked):
        await sync(hub, JSONLStore(path), clock=at(AFTER))
        JSONLReader(path).erase("tavus:c3")
        asked.clear()
        for again in (False, True):
            report = await sync(hub, JSONLStore(path), again=again, clock=at(AFTER + timedelta(hours=1)))
            assert report.complete
            assert report.accounts[0].vanished == []
        await sync(hub, JSONLStore(path, overwrite=True), clock=at(AFTER + timedelta(hours=2)))
        assert not any("/c3" in one.target for one in asked)
    assert {line.id for line in lines(path)} == {"c0", "c1", "c2", "c4"}


async def test_it_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    with pytest.raises(StoreError, match="is not a JSONL store"):
        JSONLReader(path).erase(REF)
    await export(path, FIRST)
    with pytest.raises(InvalidRefError):
        JSONLReader(path).erase("nonsense")
    async with opened(path):
        with pytest.raises(StoreError, match="another sync is running"):
            JSONLReader(path).erase(REF)
    async with opened(path) as store:
        there = [Entry(msgspec.structs.replace(each.conversation, account="eu"), each.kept) for each in FIRST[0]]
        await store.commit("acme/eu", there, Checkpoint())
        await store.finish({"acme/eu": 1})
    with pytest.raises(InvalidRefError, match="several acme accounts"):
        JSONLReader(path).erase(REF)
    assert JSONLReader(path).erase("acme/eu:c-gone").conversations == ("acme/eu:c-gone",)
    manifest = json.loads((tmp_path / "c.jsonl.manifest.json").read_bytes())
    assert manifest["missing"]["acme/eu"] == {"unreadable": 1, "not_loaded": 0, "ids": []}
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(StoreError, match="changed since a sync wrote it"):
        JSONLReader(path).erase(REF)


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
async def test_going_on_with_a_finished_file_copies_it_once(tmp_path: Path, *, compress: bool) -> None:
    path = tmp_path / ("c.jsonl.gz" if compress else "c.jsonl")
    pages = [[entry(one(f"c{number}", os.urandom(500).hex())) for number in range(100)]]
    await export(path, pages, compress=compress)
    size = path.stat().st_size
    written = 0
    disk = Disk()

    def write(file: int, data: memoryview) -> int:
        nonlocal written
        written += len(data)
        return disk.files.write(file, data)

    files = msgspec.structs.replace(disk.files, write=write)
    await export(path, [*pages, [entry(one("c0", "changed"))]], compress=compress, files=files)
    assert size * 0.9 < written < size * 1.3
    assert said(path)["c0"] == "changed"
    assert len(lines(path)) == 100
