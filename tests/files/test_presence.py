"""Whether something is there: what cannot be known is said, and not taken for missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from conversations_hub._files.lock import Lock
from conversations_hub._files.presence import check_folder, exists
from conversations_hub.errors import StoreError
from conversations_hub.formats._export import export_documents
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.jsonl._status import status
from conversations_hub.stores.sqlite import SQLiteReader, SQLiteStore

UNKNOWN = "x" * 300  # a system may refuse to look for several reasons; this one it has for root, too


ASKS: dict[str, Callable[[Path], object]] = {
    "exists": exists,
    "sqlite": lambda path: SQLiteStore(path).exists(),
    "sqlite reader": SQLiteReader,
    "jsonl": lambda path: JSONLStore(path).exists(),
    "jsonl status": status,
    "lock": Lock,
    "export": lambda path: export_documents([], path, "vtt", overwrite=False),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
@pytest.mark.parametrize("name", [f"{UNKNOWN}/f", UNKNOWN], ids=["folder", "file"])
def test_what_the_system_does_not_tell_is_said(ask: Callable[[Path], object], name: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="File name too long"):
        ask(tmp_path / name)


def test_a_folder_of_which_the_system_does_not_tell_is_not_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="File name too long"):
        check_folder(tmp_path / UNKNOWN / "f")


@pytest.mark.parametrize("name", ["none", "none/f", "file/f", "a\0b"])
def test_what_is_not_there_is_missing(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not exists(tmp_path / name)


@pytest.mark.parametrize("folder", ["none", "file"])
def test_a_folder_that_is_not_there_is_named(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=re.escape(f"there is no folder {tmp_path / folder}")):
        check_folder(tmp_path / folder / "f")


def test_a_link_to_something_exists(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "broken").symlink_to(tmp_path / "none")
    assert exists(tmp_path / "link")
    assert not exists(tmp_path / "broken")
