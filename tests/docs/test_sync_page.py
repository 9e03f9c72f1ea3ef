"""What docs/guides/sync.md says is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conversations_hub.testing import Simulator

from ..support.page_examples import exec_block
from ..support.paths import DOCS

PAGE = (DOCS / "guides" / "sync.md").read_text()
PYTHON: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


async def test_the_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[tuple[object, ...]] = []

    def tell(*words: object) -> None:
        told.append(words)

    fill, search = PYTHON
    async with Simulator(conversations=20, providers=["vapi", "tavus"]) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        await exec_block(fill, {"print": tell})
        [(report, is_complete)] = told
        assert is_complete is True, report
        one = simulator.worlds["tavus"].corpus.id(3)
        example = search.replace("refund", "o*").replace("c123456", one)
        names: dict[str, object] = {"print": tell}
        await exec_block(example, names)
    assert len(told) > 1
    assert "tavus" in repr(names["conversation"])
