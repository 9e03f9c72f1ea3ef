"""Ten kills at random instants for each kind of store: it is the same as without."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.crash import killed_often, rows_in, served


@pytest.mark.parametrize(("kind", "least"), [("", 1000), ("jsonl:", 600)], ids=["SQLite", "JSON lines"])
def test_a_store_is_the_same_however_often_its_sync_was_killed(kind: str, least: int, tmp_path: Path) -> None:
    with served(300, latency=0.02) as environ:
        for killed, undisturbed in killed_often(tmp_path, environ, 10, kind):
            assert len(rows_in(killed)) > least
            assert rows_in(killed) == rows_in(undisturbed)
