"""Output that nobody reads any more, or that is full: a quiet end, and nothing that Python adds to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversations_hub._cli import cli
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.entries import said
from ..support.sqlite import kept_in

MANY = 300


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    await kept_in(tmp_path / "c.db", *(said(f"An order. {'x' * 500}", id=f"c{number}") for number in range(MANY)))
    return tmp_path / "c.db"


COMMANDS = [
    ("list",),
    ("list", "--json"),
    ("search", "order", "--limit", "300"),
    ("search", "order", "--limit", "300", "--json"),
    ("export", "jsonl:-"),
    ("export", "csv:-"),
    ("get", "acme:c1"),
    ("get", "acme:c1", "--json"),
    ("status",),
    ("status", "--json"),
    ("stats",),
    ("stats", "--json"),
    ("stats", "--ref", "acme:c1"),
]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_where_nobody_reads_any_more_it_ends_as_other_tools_do(
    command: tuple[str, ...],
    store: Path,
    pipe: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    reads, writes = pipe
    os.close(reads)
    with os.fdopen(writes, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as end:
            cli([*command, "--store", str(store)])
    assert end.value.code == 141
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_where_nothing_more_can_be_written_it_is_said(
    command: tuple[str, ...], store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(SystemExit) as end:
            cli([*command, "--store", str(store)])
    assert end.value.code == 1
    assert capfd.readouterr().err == "Error: No space left on device\n"


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_what_was_closed_before_is_not_written_to(closed: str, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, closed, None)
    with pytest.raises(SystemExit) as end:
        cli(["list", "--json", "--store", str(store)])
    assert end.value.code == 0
    getattr(sys, closed).close()


def test_python_adds_nothing_at_its_end(store: Path) -> None:
    command = [sys.executable, "-m", "conversations_hub", "export", "jsonl:-", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as exporting:  # noqa: S603
        assert exporting.stdout is not None
        assert exporting.stderr is not None
        assert exporting.stdout.readline().startswith(b'{"ref":"acme:c')
        exporting.stdout.close()
        assert exporting.stderr.read() == b""
    assert exporting.returncode == 141


def test_a_reader_may_stop_early_and_close_the_store_before_the_list_is_thrown_away(store: Path) -> None:
    with SQLiteReader(store) as archive:
        found = archive.conversations()
        assert next(found).provider == "acme"
    del found  # what is raised now would be a warning, and a warning an error
