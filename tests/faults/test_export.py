"""Export and resume: F101 to F107, by a driver that commits pages as a sync does.

Whatever happens, the same command run again leaves what it would have left undisturbed, byte for byte.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest

from conversations_hub.errors import StoreError
from conversations_hub.stores._store import Checkpoint, Entry
from conversations_hub.stores.jsonl import JSONLStore

from ..support.disk import Disk, Killed
from ..support.entries import ACCOUNT, entry
from ..support.exporting import LONG, TERMS, Page, export, export_long, one, page
from ..support.jsonl import FINISHED, contents, names, said
from ..support.warm import Warm

# The first run ends after two pages; the second one goes on with what it finished. Both see conversations change.
PAGES: Sequence[Page] = [
    page(0),
    page(1, entry(one("c0-1", "late")), entry(one("c0-0", "said in 0, 0: “é”"), b"other row")),
    page(2, entry(one("c1-2", "late")), entry(one("c0-1", "later"))),
    page(3),
]
FIRST = PAGES[:2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.jsonl"


@pytest.fixture
async def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stores work in the test's own thread: of thousands, most of the time would be spent on waking theirs."""

    def work(_executor: object, function: Callable[[], object]) -> asyncio.Future[object]:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        try:
            done.set_result(function())
        except BaseException as error:  # noqa: BLE001  (as an executor does; it is raised where it is awaited)
            done.set_exception(error)
        return done

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", work)


def place(folder: Path) -> Path:
    folder.mkdir()
    return folder / "c.jsonl"


async def until_killed(run: Awaitable[None]) -> None:
    with pytest.raises(Killed):
        await run


def outcome(path: Path) -> dict[str, bytes]:
    """Return what is left when all is done: the file and its manifest, and nothing that should be gone."""
    assert names(path.parent) == FINISHED
    return {name: (path.parent / name).read_bytes() for name in ("c.jsonl", "c.jsonl.manifest.json")}


async def undisturbed(
    folder: Path, *runs: Sequence[Page], compress: bool = False
) -> tuple[dict[str, bytes], list[int]]:
    """Return what the runs leave behind, and how many system calls each of them needs."""
    path = place(folder)
    calls: list[int] = []
    for pages in runs:
        disk = Disk()
        await export(path, pages, files=disk.files, compress=compress)
        calls.append(disk.calls)
    return outcome(path), calls


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("lost", [(), ("",), (".partial",), (".journal",), ("", ".partial", ".journal")])
@pytest.mark.parametrize("compress", [False, True])
async def test_f101_killed_at_any_system_call_it_leaves_the_same(
    tmp_path: Path, lost: Sequence[str], *, compress: bool
) -> None:
    """With the process gone, or the power: then what no fsync was waited for may be lost, in any of the files."""
    due, (first, second) = await undisturbed(tmp_path / "due", FIRST, PAGES, compress=compress)
    for at in range(first + second):
        path = place(tmp_path / str(at))
        runs = [FIRST, PAGES]
        if at >= first:
            await export(path, runs.pop(0), files=Disk().files, compress=compress)
        disk = Disk(Killed(), at=at if len(runs) == 2 else at - first)
        await until_killed(export(path, runs[0], files=disk.files, compress=compress))
        disk.lose_power(*(path.with_name(f"c.jsonl{end}") for end in lost))
        for pages in runs:
            await export(path, pages, files=Disk().files, compress=compress)
        assert outcome(path) == due, f"killed at call {at}"


@pytest.mark.usefixtures("at_once")
async def test_f101_killed_while_it_recovers_it_leaves_the_same(tmp_path: Path) -> None:
    due, (_, second) = await undisturbed(tmp_path / "due", FIRST, PAGES)
    await export(place(tmp_path / "begun"), FIRST)
    for at in range(second):
        folder = tmp_path / f"killed {at}"
        shutil.copytree(tmp_path / "begun", folder)
        await until_killed(export(folder / "c.jsonl", PAGES, files=Disk(Killed(), at=at).files))
        for again in range(21):  # bringing it into order takes no more
            copy = shutil.copytree(folder, tmp_path / f"killed {at} {again}")
            disk = Disk(Killed(), at=again)
            try:
                await export(copy / "c.jsonl", PAGES, files=disk.files)
            except Killed:
                await export(copy / "c.jsonl", PAGES, files=Disk().files)
            assert outcome(copy / "c.jsonl") == due, f"killed at call {at}, and then at {again}"


async def _from_both(path: Path, disk: Disk) -> bool:
    """Bring two accounts at once, and return whether all of it came."""
    store = JSONLStore(path, files=disk.files)

    async def bring(name: str) -> None:
        account = f"acme/{name}"
        begin = int((await store.progress(account)).cursor or 0)
        for number in range(begin, len(FIRST)):
            theirs = [
                Entry(msgspec.structs.replace(each.conversation, account=name), each.kept) for each in FIRST[number]
            ]
            await store.commit(account, theirs, Checkpoint(cursor=str(number + 1)))

    try:
        await store.open(TERMS)
        ended = await asyncio.gather(bring("default"), bring("eu"), return_exceptions=True)
        if any(ended):
            return False
        await store.finish()
    except Killed:
        return False
    finally:
        await store.close()
    return True


async def test_f101_killed_with_two_accounts_at_work_it_leaves_the_same_lines(tmp_path: Path) -> None:
    path, at = place(tmp_path / "due"), 0
    assert await _from_both(path, Disk())
    due = sorted(contents(path.parent)["c.jsonl"].splitlines())
    assert len(due) == 12
    path = place(tmp_path / "0")
    while not await _from_both(path, Disk(Killed(), at=at)):
        assert await _from_both(path, Disk())
        assert sorted(contents(path.parent)["c.jsonl"].splitlines()) == due, f"killed at call {at}"
        at += 1
        path = place(tmp_path / str(at))
    assert at > 20


@pytest.mark.parametrize(
    ("kills", "how"),
    [
        pytest.param(20, signal.SIGKILL, id="f101"),
        pytest.param(3, signal.SIGTERM, id="f106"),
        pytest.param(300, signal.SIGKILL, id="f101 by night", marks=[pytest.mark.nightly, pytest.mark.timeout(600)]),
    ],
)
def test_f101_f106_a_process_that_is_killed_again_and_again_leaves_the_same(
    tmp_path: Path, kills: int, how: signal.Signals
) -> None:
    due, _ = asyncio.run(undisturbed(tmp_path / "due", LONG))
    chance = random.Random(101)  # noqa: S311  (the same each time, whoever knows it)
    killed = 0
    while killed < kills:
        path = place(tmp_path / str(killed))
        ended = False
        while not ended:
            with Warm(export_long, path) as process:
                for _ in range(chance.randrange(1, 60)):
                    process.stdout.readline()
                process.send_signal(how)
                code = process.wait()
            ended = code == 0
            killed += not ended
            assert code in (0, -how)
        assert outcome(path) == due


def damaged(log: bytes) -> list[bytes]:
    """Return the log cut at every byte of its last two lines, and with one bit of each byte turned."""
    last_two = len(log) - len(b"".join(log.splitlines(keepends=True)[-2:]))
    cut = [log[:at] for at in range(last_two, len(log))]
    return cut + [log[:at] + bytes([log[at] ^ 1 << at % 8]) + log[at + 1 :] for at in range(len(log))]


SHORT: Sequence[Page] = [page(0, size=1), *(page(number, entry(one("c0-0", "late")), size=1) for number in (1, 2))]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("state", ["unfinished", "finished", "gone on with"])
async def test_f102_a_damaged_journal_loses_nothing_and_doubles_nothing(tmp_path: Path, state: str) -> None:
    """It falls back to what is whole, or refuses and changes nothing."""
    runs = {"unfinished": [], "finished": [SHORT[:1]], "gone on with": [SHORT[:1]]}[state]
    due, _ = await undisturbed(tmp_path / "due", *runs, SHORT)
    path = place(tmp_path / "begun")
    folder = path.parent
    for pages in runs:
        await export(path, pages)
    if state != "finished":
        await export(path, SHORT[:2], finish=False)
    before = contents(folder)
    ended: Counter[str] = Counter()
    for log in damaged(before["c.jsonl.journal"]):
        for name, data in before.items():
            (folder / name).write_bytes(data)
        (folder / "c.jsonl.journal").write_bytes(log)
        try:
            await export(path, SHORT, files=Disk().files)
        except StoreError:
            ended["refused"] += 1
            assert contents(folder) == before | {"c.jsonl.journal": log}
        else:
            ended["fell back"] += 1
            assert outcome(path) == due
        for name in names(folder) - before.keys():
            (folder / name).unlink()
    assert ended.keys() == ({"refused"} if state == "finished" else {"refused", "fell back"})


async def test_f103_data_shorter_than_the_journal_says_is_refused(path: Path) -> None:
    await export(path, FIRST, finish=False)
    data = path.with_name("c.jsonl.partial")
    whole = data.read_bytes()
    for shorter in (whole[:-1], b""):
        data.write_bytes(shorter)
        before = contents(path.parent)
        with pytest.raises(StoreError, match=r"c\.jsonl\.partial is shorter than .*c\.jsonl\.journal says"):
            await export(path, FIRST)
        assert contents(path.parent) == before
    data.unlink()
    with pytest.raises(StoreError, match="0 bytes instead of"):
        await export(path, FIRST)


class Full:
    """A disk with so much room, in bytes, and not one more."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.is_full = False
        self.files = msgspec.structs.replace(Disk().files, write=self._write)

    def _write(self, file: int, data: memoryview) -> int:
        assert not self.is_full, "it went on"
        if not self._room:
            self.is_full = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = os.write(file, data[: self._room])
        self._room -= written
        return written


@pytest.mark.usefixtures("at_once")
async def test_f104_on_a_full_disk_it_says_what_is_safe_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    due, _ = await undisturbed(tmp_path / "due", FIRST, PAGES)
    await export(place(tmp_path / "begun"), FIRST)
    told: set[str] = set()
    for room in range(0, 100_000, 97):
        path = shutil.copytree(tmp_path / "begun", tmp_path / str(room)) / "c.jsonl"
        committed: list[int] = []
        disk = Full(room)
        reason = await _refused(export(path, PAGES, files=disk.files, on_commit=committed.append))
        if reason is None:
            break
        told.add(reason.removeprefix(f"{path}: "))
        assert f"{6 + 3 * len(committed)} conversations are safe" in reason or not committed
        assert not any(name.endswith(".new") for name in names(path.parent)), "it is in the way"
        await export(path, PAGES, files=Disk().files)
        assert outcome(path) == due
    else:
        pytest.fail("it was always full")
    advice = "Free some space and run the same command again"
    assert told == {
        f"No space left on device. {safe}. {advice}"
        for safe in (
            "6 conversations are safe",
            "9 conversations are safe",
            "12 conversations are safe",
        )
    }


async def _refused(run: Awaitable[None]) -> str | None:
    try:
        await run
    except StoreError as error:
        return error.reason
    return None


async def test_f104_a_write_that_is_cut_short_is_gone_on_with(tmp_path: Path) -> None:
    due, _ = await undisturbed(tmp_path / "due", FIRST)
    path = place(tmp_path / "cut")

    def cut(file: int, data: memoryview) -> int:
        return os.write(file, data[:7])

    await export(path, FIRST, files=msgspec.structs.replace(Disk().files, write=cut))
    assert outcome(path) == due


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS, errno.EDQUOT])
async def test_f105_after_a_failed_fsync_nothing_is_tried_again(tmp_path: Path, code: int) -> None:
    waits = ("fsync", "fdatasync")
    counting = Disk(kinds=waits)
    path = place(tmp_path / "due")
    await export(path, FIRST, files=counting.files)
    due = outcome(path)
    for at in range(counting.calls):
        path = place(tmp_path / str(at))
        disk = Disk(OSError(code, os.strerror(code)), at=at, kinds=waits)
        store = JSONLStore(path, files=disk.files)
        with pytest.raises(StoreError, match=os.strerror(code)):
            await _brought(store)
        calls, left = len(disk.all_calls), contents(path.parent)
        tries: list[Callable[[], Awaitable[object]]] = [
            partial(store.open, TERMS),
            partial(store.commit, ACCOUNT, FIRST[0], Checkpoint()),
            store.finish,
            partial(store.kept, ACCOUNT, ["c0-0"]),
            partial(store.progress, ACCOUNT),
        ]
        for again in tries:
            with pytest.raises(StoreError):
                await again()
        await store.close()
        assert len(disk.all_calls) == calls
        assert contents(path.parent) == left
        await export(path, FIRST, files=Disk().files)
        assert outcome(path) == due


async def _brought(store: JSONLStore) -> None:
    await store.open(TERMS)
    for number, some in enumerate(FIRST):
        await store.commit(ACCOUNT, some, Checkpoint(cursor=str(number + 1)))
    await store.finish()


async def test_f101_each_step_waits_until_the_disk_has_the_one_before(path: Path) -> None:
    disk = Disk()
    store = JSONLStore(path, files=disk.files)
    await store.open(TERMS)
    new_log, log, data = ["open", "write", "fsync", "rename", "fsync"], ["open", "fsync"], ["open", "fsync"]
    assert disk.all_calls == [*new_log, *log, *data]
    disk.all_calls.clear()
    await store.commit(ACCOUNT, FIRST[0], Checkpoint(cursor="1"))
    data, log = ["write", "fdatasync"], ["write", "fdatasync"]
    assert disk.all_calls == [*data, *log]
    disk.all_calls.clear()
    await store.finish()
    await store.close()
    name, manifest = ["rename", "fsync"], ["open", "write", "fsync", "rename", "fsync"]
    assert disk.all_calls == ["fsync", *log, *name, *manifest]


async def test_f106_a_commit_that_is_cancelled_is_whole(tmp_path: Path) -> None:
    due, _ = await undisturbed(tmp_path / "due", FIRST)
    path = place(tmp_path / "cancelled")
    began, may_go_on = threading.Event(), threading.Event()

    def slow(file: int) -> None:
        began.set()
        assert may_go_on.wait(10)

    store = JSONLStore(path, files=msgspec.structs.replace(Disk().files, fdatasync=slow))
    await store.open(TERMS)
    commit = asyncio.ensure_future(store.commit(ACCOUNT, FIRST[0], Checkpoint(cursor="1")))
    await asyncio.to_thread(began.wait, 10)
    commit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await commit
    may_go_on.set()
    assert (await store.progress(ACCOUNT)).cursor == "1"
    await store.close()
    await export(path, FIRST)
    assert outcome(path) == due


@pytest.mark.parametrize(
    ("terms", "compress", "told"),
    [
        ({"since": "2026-01-01"}, False, "since was None and is 2026-01-01"),
        ({"accounts": "acme/eu"}, False, "accounts was acme/default and is acme/eu"),
        ({"status": "ended"}, False, "status was None and is ended"),
        ({}, True, "compress was False and is True"),
        ({"since": "x", "accounts": "y"}, False, "accounts was acme/default and is y; since was None and is x"),
    ],
)
async def test_f107_other_terms_are_refused_and_named(
    path: Path, terms: dict[str, str], told: str, *, compress: bool
) -> None:
    await export(path, FIRST, finish=False)
    before = contents(path.parent)
    store = JSONLStore(path, compress=compress)
    with pytest.raises(StoreError, match="started with different options") as refused:
        await store.open(TERMS | terms)
    assert f": {told}. " in refused.value.reason
    assert contents(path.parent) == before
    await export(path, FIRST)
    assert len(said(path)) == 6
