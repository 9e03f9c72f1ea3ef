"""A folder that others may write to: what they put there beforehand is refused, unharmed and not waited for."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conversations_hub._cli import cli
from conversations_hub._files.opening import make_folder
from conversations_hub._files.partial import PartialFile
from conversations_hub.errors import ConfigurationError, StoreError
from conversations_hub.hub._from_file import configured
from conversations_hub.stores._store import Checkpoint
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.jsonl._reader import JSONLReader
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.entries import ACCOUNT, entry, said
from ..support.exporting import export, one, page
from ..support.sqlite import kept_in

Lie = Callable[[Path], None]


@pytest.fixture
def belongs_to_another(monkeypatch: pytest.MonkeyPatch) -> Lie:
    """Return what makes a file look as if somebody else had made it; only root could make it so."""
    theirs: set[int] = set()

    def lying(look: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def looked(*arguments: object, **options: object) -> os.stat_result:
            found = look(*arguments, **options)
            if found.st_ino not in theirs:
                return found
            return os.stat_result((*found[:4], found.st_uid + 1, *found[5:]))

        return looked

    for name in ("stat", "lstat", "fstat"):
        monkeypatch.setattr(os, name, lying(getattr(os, name)))
    return lambda path: theirs.add(path.lstat().st_ino)


PLANTED = {
    "a file of somebody else": "belongs to another user",
    "a link": "is a link",
    "a link to nothing": "is a link",
    "a pipe": "is not a regular file",
    "a folder": "is not a regular file|Is a directory",
    "a file with a second name": "has a second name",
    "a file that others may write": "may be written by others",
}


@pytest.fixture(params=PLANTED)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def planted(kind: str, belongs_to_another: Lie, tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Return what puts something in the place of a file and says how it is refused; see that it was left alone."""
    victim = tmp_path / "elsewhere" / "victim"
    victim.parent.mkdir()
    victim.write_bytes(b"mine")
    there: list[tuple[Path, int]] = []

    def plant(path: Path) -> str:
        match kind:
            case "a link":
                path.symlink_to(victim)
            case "a link to nothing":
                path.symlink_to(victim.parent / "nothing")
            case "a pipe":
                os.mkfifo(path)
            case "a folder":
                path.mkdir()
            case "a file with a second name":
                path.hardlink_to(victim)
            case _:
                path.write_bytes(b"")
                path.chmod(0o600)
        if kind == "a file of somebody else":
            belongs_to_another(path)
        if kind == "a file that others may write":
            path.chmod(0o666)
        there.append((path, path.lstat().st_ino))
        return PLANTED[kind]

    yield plant
    assert victim.read_bytes() == b"mine"
    assert [path.name for path in victim.parent.iterdir()] == ["victim"]
    for path, inode in there:
        assert path.lstat().st_ino == inode


def every(*ends: str, replaced: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Try all kinds in the place of each file; one that is replaced and never written to may have a second name."""
    pairs = [
        (kind, end) for end in ends for kind in PLANTED if kind != "a file with a second name" or end not in replaced
    ]
    return pytest.mark.parametrize(("kind", "end"), pairs, indirect=["kind"])


async def fill_database(path: Path) -> None:
    await kept_in(path, said("Hello."))


async def fill_lines(path: Path) -> None:
    """Bring, bring more of the same, so that the file is written anew, and erase."""
    await export(path, [page(0), page(1, entry(one("c0-0", "late")))])
    JSONLReader(path).erase("acme:c0-0")


@every(".lock", "-wal", "-shm", "-journal")
async def test_a_database_believes_nothing_that_others_put_beside_it(
    end: str, planted: Callable[[Path], str], tmp_path: Path
) -> None:
    reason = planted(tmp_path / f"c.db{end}")
    with pytest.raises(StoreError, match=reason):
        await fill_database(tmp_path / "c.db")


async def test_a_database_is_made_by_nobody_else(
    kind: str, planted: Callable[[Path], str], belongs_to_another: Lie, tmp_path: Path
) -> None:
    path = tmp_path / "c.db"
    reason = planted(path)
    if path.is_symlink():
        belongs_to_another(path)
    with pytest.raises(StoreError, match=reason):
        await fill_database(path)
    if kind in {"a pipe", "a folder"}:
        with pytest.raises(StoreError, match=r"not a regular file|Is a directory"):
            SQLiteReader(path)


@every(
    *(".lock", ".journal", ".journal.new", ".partial", ".rewritten.new", ".manifest.json.new"),
    replaced=(".journal", ".partial"),
)
async def test_json_lines_are_written_to_nothing_that_others_put_there(
    end: str, planted: Callable[[Path], str], tmp_path: Path
) -> None:
    reason = planted(tmp_path / f"c.jsonl{end}")
    with pytest.raises(StoreError, match=reason):
        await fill_lines(tmp_path / "c.jsonl")


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", ["a file of somebody else", "a link", "a pipe"], indirect=True)
async def test_a_reader_believes_nothing_that_others_put_beside_a_database(
    end: str, planted: Callable[[Path], str], tmp_path: Path
) -> None:
    await fill_database(tmp_path / "c.db")
    planted(tmp_path / f"c.db{end}")
    with pytest.raises(StoreError, match=r"another user|not a regular file"):
        SQLiteReader(tmp_path / "c.db")


async def test_a_store_of_somebody_else_may_be_read_and_not_written(belongs_to_another: Lie, tmp_path: Path) -> None:
    await fill_database(tmp_path / "c.db")
    await export(tmp_path / "c.jsonl", [page(0)])
    for path in tmp_path.iterdir():  # noqa: ASYNC240  (nobody else runs here)
        belongs_to_another(path)
    with SQLiteReader(tmp_path / "c.db") as archive:
        assert [one.text for one in archive.conversations()] == ["user: Hello."]
        with pytest.raises(StoreError, match="belongs to another user"):
            archive.erase("acme:c1")
    assert JSONLReader(tmp_path / "c.jsonl").status().total.conversations == 3
    for store in (SQLiteStore(tmp_path / "c.db"), JSONLStore(tmp_path / "c.jsonl")):
        with pytest.raises(StoreError, match="belongs to another user"):
            await store.open({})


@pytest.mark.parametrize("end", [".journal", ".manifest.json"])
def test_a_pipe_is_not_waited_for_by_who_looks_at_json_lines(end: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"c.jsonl{end}")
    with pytest.raises(StoreError, match="not a regular file"):
        JSONLReader(tmp_path / "c.jsonl").status()


async def test_a_link_of_ours_leads_to_the_store(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    for name in ("c.db", "c.jsonl"):
        (tmp_path / name).symlink_to(disk / name)
    await fill_database(tmp_path / "c.db")
    await fill_lines(tmp_path / "c.jsonl")
    assert {path.name for path in disk.iterdir()} >= {"c.db", "c.db.lock", "c.jsonl", "c.jsonl.lock"}
    with SQLiteReader(tmp_path / "c.db") as archive:
        assert len(list(archive.conversations())) == 1
    (disk / "round").symlink_to(disk / "and")
    (disk / "and").symlink_to(disk / "round")
    with pytest.raises(StoreError, match="links"):
        await fill_database(disk / "round")


# recordings


@every(".part", ".part.json", replaced=(".part.json",))
def test_a_recording_is_written_to_nothing_that_others_put_there(
    end: str, planted: Callable[[Path], str], tmp_path: Path
) -> None:
    begin(tmp_path / "a.wav")
    [path] = (path for path in tmp_path.iterdir() if path.name.endswith(end))
    path.unlink()
    reason = planted(path)
    with pytest.raises(StoreError, match=reason):
        begin(tmp_path / "a.wav")


def begin(path: Path) -> None:
    """Write some of a file, and let it be."""
    part = PartialFile(path, "c1", overwrite=False)
    try:
        part.begin('"1"')
        part.write(b"sound")
    finally:
        part.close()


@pytest.mark.parametrize("kind", ["a file of somebody else", "a link", "a pipe"], indirect=True)
def test_a_folder_of_recordings_is_ours(planted: Callable[[Path], str], tmp_path: Path) -> None:
    planted(tmp_path / "recordings")
    with pytest.raises(OSError, match="is not a folder"):
        make_folder(tmp_path / "recordings")


def test_a_folder_that_others_have_or_may_write_to_is_refused(belongs_to_another: Lie, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(OSError, match="may be written by others"):
        make_folder(tmp_path / "open")
    (tmp_path / "theirs").mkdir(0o700)
    belongs_to_another(tmp_path / "theirs")
    with pytest.raises(OSError, match="belongs to another user"):
        make_folder(tmp_path / "theirs")
    make_folder(tmp_path / "theirs" / "ours")  # where it is to be is for its user to say


@pytest.fixture(params=[0o000, 0o002, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
async def test_whatever_is_made_is_its_owner_s_alone(tmp_path: Path) -> None:
    modes: set[int] = set()
    for folder in (tmp_path / "a", tmp_path / "a" / "b" / "c"):
        make_folder(folder)
    store = SQLiteStore(tmp_path / "a" / "c.db")
    await store.open({})
    await store.commit(ACCOUNT, [], Checkpoint())
    modes |= {path.stat().st_mode for path in (tmp_path / "a").iterdir()}
    await store.close()
    await export(tmp_path / "a" / "c.jsonl", [page(0), page(1, entry(one("c0-0", "late")))])
    part = PartialFile(tmp_path / "a" / "b" / "c" / "a.wav", "c1", overwrite=False)
    part.write(b"sound")
    part.finish()
    modes |= {path.stat().st_mode for path in tmp_path.rglob("*")}  # noqa: ASYNC240
    assert modes == {stat.S_IFREG | 0o600, stat.S_IFDIR | 0o700}


# what is given by name


@pytest.mark.parametrize(
    ("kind", "end"),
    [*((kind, ".new") for kind in PLANTED), *((kind, "") for kind in PLANTED if not kind.startswith("a file"))],
    indirect=["kind"],
)
async def test_a_receipt_is_written_to_nothing_that_others_put_there(
    end: str, planted: Callable[[Path], str], belongs_to_another: Lie, tmp_path: Path
) -> None:
    await fill_database(tmp_path / "c.db")
    receipt = tmp_path / "receipt.json"
    reason = planted(tmp_path / f"receipt.json{end}")
    if receipt.is_symlink():
        belongs_to_another(receipt)
    done = await asyncio.to_thread(erase, tmp_path / "c.db", receipt)
    assert done.exit_code == 1
    assert re.search(reason, done.output)
    assert "the conversations are erased, without a receipt" in done.output


async def test_a_receipt_is_its_owner_s_alone(tmp_path: Path) -> None:
    await fill_database(tmp_path / "c.db")
    (tmp_path / "link.json").symlink_to(tmp_path / "receipt.json")
    (tmp_path / "receipt.json").write_text("before")
    done = await asyncio.to_thread(erase, tmp_path / "c.db", tmp_path / "link.json")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "receipt.json").stat().st_mode & 0o777 == 0o600
    assert b"acme:c1" in (tmp_path / "link.json").read_bytes()


def erase(store: Path, receipt: Path) -> Result:
    arguments = ["erase", "acme:c1", "--store", str(store), "--yes", "--receipt", str(receipt)]
    return CliRunner().invoke(cli, arguments)


def test_an_accounts_file_or_a_key_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigurationError, match="cannot be read: it is not a regular file"):
            configured(path, {})
    config = tmp_path / "accounts.toml"
    config.write_text("[[account]]\nprovider = 'tavus'\nkey_file = 'pipe'")
    with pytest.raises(ConfigurationError, match="key_file names cannot be read: it is not a regular file"):
        configured(config, {})
