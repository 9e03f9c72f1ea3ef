"""A conversation as JSON names itself first, everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from conversations_hub.adapters import BUILTIN
from conversations_hub.formats._export import write_jsonl
from conversations_hub.schema import Conversation
from conversations_hub.schema._document import document
from conversations_hub.stores._store import Checkpoint
from conversations_hub.stores.jsonl import JSONLStore

from ..support.entries import ACCOUNT, entry, said
from ..support.recorded import recorded


@pytest.mark.parametrize("provider", BUILTIN)
def test_the_ref_comes_first_and_the_rest_is_read_back(provider: str) -> None:
    for conversation in recorded(provider):
        told = json.loads(document(conversation))
        assert next(iter(told.items())) == ("ref", conversation.ref)
        assert msgspec.json.decode(document(conversation), type=Conversation) == conversation


def test_a_ref_is_written_as_json_wants_it() -> None:
    hostile = Conversation(provider="acme", account="eu", id='c"1\\\n\u2028é')
    assert json.loads(document(hostile))["ref"] == hostile.ref == 'acme/eu:c"1\\\n\u2028é'


async def test_lines_of_exports_and_of_stores_are_such_documents(tmp_path: Path) -> None:
    one = said("Hello.", id="c1")
    lines: list[bytes] = []
    write_jsonl([one], lines.append)
    store = JSONLStore(tmp_path / "c.jsonl")
    await store.open({})
    await store.commit(ACCOUNT, [entry(one)], Checkpoint())
    await store.finish()
    await store.close()
    assert lines == [document(one) + b"\n"] == [(tmp_path / "c.jsonl").read_bytes()]
