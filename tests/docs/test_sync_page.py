"""What docs/guides/sync.md says is what happens."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from yarl import URL

from conversations_hub import Hub
from conversations_hub.testing import Simulator

from ..support.paths import DOCS

PAGE = (DOCS / "guides" / "sync.md").read_text()
PYTHON: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
[TOML] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


async def _run(example: str, names: dict[str, object]) -> None:
    ran = eval(compile(example, "sync.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)  # noqa: S307  (our own page)
    if inspect.isawaitable(ran):
        await ran


async def test_the_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[tuple[object, ...]] = []

    def tell(*words: object) -> None:
        told.append(words)

    fill, search = PYTHON
    async with Simulator(conversations=20, providers=["vapi", "tavus"]) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        await _run(fill, {"print": tell})
        [(report, is_complete)] = told
        assert is_complete is True, report
        one = simulator.worlds["tavus"].corpus.id(3)
        example = search.replace("refund", "o*").replace("c123456", one)
        names: dict[str, object] = {"print": tell}
        await _run(example, names)
    assert len(told) > 1
    assert "tavus" in repr(names["conversation"])


def test_the_accounts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(TOML)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "anyreach").write_text("ak_invented.key")
    (tmp_path / "keys" / "anyreach").chmod(0o600)
    hub = Hub.from_file(path, environ={"TAVUS_EU_KEY": "invented", "VAPI_KEY": "invented"})
    assert hub.accounts() == ("tavus/eu", "anyreach/default", "vapi/default")
    assert hub.unusable == {}
    proxies = [lane.proxy_to(URL("https://media.example.com")) for lane in hub.lanes()]
    assert [proxy and proxy.name for proxy in proxies] == ["proxy.example.com:3128", "proxy.example.com:3128", None]
