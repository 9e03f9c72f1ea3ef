"""Two hundred kills over twenty thousand conversations of three providers: the store is the same as without."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.crash import killed_often, rows_in, served

pytestmark = pytest.mark.nightly


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("kind", "least"), [("", 200_000), ("jsonl:", 15_000)], ids=["SQLite", "JSON lines"])
def test_a_store_is_the_same_after_two_hundred_kills(kind: str, least: int, tmp_path: Path) -> None:
    with served(6700) as environ:
        for killed, undisturbed in killed_often(tmp_path, environ, 200, kind):
            assert len(rows_in(killed)) > least
            assert rows_in(killed) == rows_in(undisturbed)
