"""Where files can be written: what a system without POSIX's locks is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conversations_hub._files.lock import flock

_WITHOUT_POSIX = """
import asyncio, os, pkgutil, sys
from importlib import import_module
from pathlib import Path

sys.modules["fcntl"] = None
for name in ("O_NOFOLLOW", "O_CLOEXEC", "fdatasync"):
    vars(os).pop(name, None)

import conversations_hub
for module in pkgutil.walk_packages(conversations_hub.__path__, "conversations_hub."):
    import_module(module.name)

from conversations_hub.errors import StoreError
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub._files.partial import PartialFile

async def opened(store):
    await store.open({})

for work in (
    lambda: asyncio.run(opened(SQLiteStore(Path("a.db")))),
    lambda: asyncio.run(opened(JSONLStore(Path("a.jsonl")))),
    lambda: PartialFile(Path("a.wav"), "identity", overwrite=False),
):
    try:
        work()
    except StoreError as error:
        print(error.reason)
print(os.listdir("."))
"""


def test_without_posix_everything_imports_and_writing_is_refused_in_words(tmp_path: Path) -> None:
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _WITHOUT_POSIX], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    *reasons, left = told.stdout.splitlines()
    assert len(reasons) == 3
    assert all("has no flock" in reason and "WSL" in reason for reason in reasons)
    assert left == "[]"


def test_a_lock_is_one_s_at_a_time_and_ends_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "held"
    with path.open("w") as one, path.open() as other:
        assert flock(one.fileno())
        assert not flock(other.fileno())
        one.close()
        assert flock(other.fileno())
