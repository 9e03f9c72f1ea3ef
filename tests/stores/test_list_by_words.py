"""Lists of conversations that contain words: the same, whether few turns have them or many."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversations_hub.stores import open_store
from conversations_hub.testing.stores import CHECKS


@pytest.mark.parametrize("many", [1, 5])
async def test_a_list_of_words_is_the_same_however_many_turns_have_them(
    many: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations_hub.stores.sqlite._finding._MANY", many)
    await CHECKS["a_list_of_words_is_what_a_search_finds"](lambda: open_store(str(tmp_path / "c.db")))
