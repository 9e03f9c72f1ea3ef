"""JSONL stores: open and read them, and list the files beside them."""

from __future__ import annotations

import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from conversations_hub.schema import Conversation
from conversations_hub.stores.jsonl import JSONLStore

from .exporting import TERMS

__all__ = ["FINISHED", "contents", "in_lines", "lines", "names", "opened", "said"]

FINISHED = {"c.jsonl", "c.jsonl.journal", "c.jsonl.lock", "c.jsonl.manifest.json"}


@asynccontextmanager
async def opened(path: Path, terms: dict[str, str] | None = None, **options: Any) -> AsyncGenerator[JSONLStore]:
    store = JSONLStore(path, **options)
    await store.open(terms or TERMS)
    try:
        yield store
    finally:
        await store.close()


def lines(path: Path) -> list[Conversation]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [msgspec.json.decode(line, type=Conversation) for line in data.splitlines()]


def in_lines(path: Path) -> dict[str, Conversation]:
    return {one.ref: one for one in lines(path)}


def said(path: Path) -> dict[str, str]:
    """Return what was said, by id; each conversation must be there once."""
    found = lines(path)
    assert len(found) == len({(each.provider, each.account, each.id) for each in found})
    return {each.id: each.transcript[0].text for each in found if each.transcript}


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
