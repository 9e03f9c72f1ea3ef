"""Twenty kills at random instants: the store is the same as without."""

from __future__ import annotations

from pathlib import Path

from .killing import killed_often, rows_in, served


def test_a_store_is_the_same_however_often_its_sync_was_killed(tmp_path: Path) -> None:
    with served(300, latency=0.02) as environ:
        for path in killed_often(tmp_path, environ, kills=20):
            found = rows_in(path)
            assert len(found) > 1000
            assert found == rows_in(tmp_path / "undisturbed.db")
