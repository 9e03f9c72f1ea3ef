"""The fixture that pytest finds by itself, and the simulator in a thread of its own that it hands out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from conversations_hub import Hub
from conversations_hub.testing import Simulator

from .support.paths import ROOT

TESTS = """
import asyncio
from conversations_hub import Hub

def test_it_serves(conversations_hub_simulator):
    ref = conversations_hub_simulator.add("retell", [("user", "Hello.")])

    async def got():
        async with Hub.from_env(environ=conversations_hub_simulator.environment()) as hub:
            return await hub.get(ref)

    assert asyncio.run(got()).user_turns[0].text == "Hello."

async def test_it_serves_where_a_loop_runs(conversations_hub_simulator):
    async with Hub.from_env(environ=conversations_hub_simulator.environment()) as hub:
        assert len([one async for one in hub.list("tavus", limit=3)]) == 3
"""


def test_the_plugin_is_published() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"conversations_hub": "conversations_hub.pytest_plugin"}


def test_a_run_that_asks_for_nothing_imports_nothing() -> None:
    code = (
        "import sys; before = {*sys.modules}; import pytest; import conversations_hub.pytest_plugin;"
        " print(*sorted(name for name in {*sys.modules} - before if name.startswith(('conversations_hub', 'aiohttp',"
        " 'msgspec', 'asyncio', 'tenacity'))))"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.split() == ["conversations_hub", "conversations_hub.pytest_plugin"]


def test_the_fixture_is_there_for_tests_with_and_without_a_loop(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS)
    # By its module, whatever is installed here; nothing of ours configures it.
    plugin = ("-p", "no:conversations_hub", "-p", "conversations_hub.pytest_plugin")
    options = ("-q", "-W", "error", "-p", "no:cacheprovider", "-c", "/dev/null", "-o", "asyncio_mode=auto")
    loops = ("-o", "asyncio_default_fixture_loop_scope=function")
    done = subprocess.run(  # noqa: S603
        (sys.executable, "-m", "pytest", *plugin, *options, *loops, str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_it_serves_those_who_have_no_loop_and_leaves_no_thread_behind() -> None:
    before = {*threading.enumerate()}
    with Simulator(conversations=3) as running:

        async def listed() -> int:
            async with Hub.from_env(environ=running.environment()) as hub:
                return len([one async for one in hub.list("tavus")])

        assert asyncio.run(listed()) == 3
        port = int(running.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"), Simulator(conversations=1, port=port):
            pass
    assert before.issuperset(threading.enumerate())  # those of other tests may have ended meanwhile
    with pytest.raises(RuntimeError, match="not running"):
        _ = running.url
