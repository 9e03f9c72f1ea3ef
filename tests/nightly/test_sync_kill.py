"""Two hundred kills over twenty thousand conversations of three providers: the store is the same as without."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..killing import killed_often, rows_in, served

pytestmark = pytest.mark.nightly


@pytest.mark.timeout(3600)
def test_a_store_is_the_same_after_two_hundred_kills(tmp_path: Path) -> None:
    with served(6700) as environ:
        for path in killed_often(tmp_path, environ, kills=200):
            found = rows_in(path)
            assert len(found) > 200_000
            assert found == rows_in(tmp_path / "undisturbed.db")
