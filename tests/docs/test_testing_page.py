"""What docs/guides/testing.md says is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conversations_hub import Hub
from conversations_hub.testing import Fault, Simulator
from conversations_hub.testing.stores import CHECKS

from ..support.page_examples import exec_block
from ..support.paths import DOCS

PAGE = (DOCS / "guides" / "testing.md").read_text()
PYTHON: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TESTS = [example for example in PYTHON if "def test_" in example]
EXAMPLES = [example for example in PYTHON if example not in TESTS]


def test_the_tests_pass_as_they_stand_there(tmp_path: Path) -> None:
    for number, tests in enumerate(TESTS):
        (tmp_path / f"test_mine_{number}.py").write_text(tests)
    # By its module, whatever is installed here.
    plugin = ("-p", "no:conversations_hub", "-p", "conversations_hub.pytest_plugin", "-p", "no:cacheprovider")
    loops = ("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    command = (sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", *plugin, *loops, str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    count = sum(tests.count("def test_") for tests in TESTS) - 1 + len(CHECKS)
    assert f"{count} passed" in done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
async def test_an_example_runs(example: str) -> None:
    told: list[str] = []

    def tell(*words: object) -> None:
        told.append(" ".join(map(str, words)))

    names: dict[str, object] = {"print": tell}
    await exec_block(example, names)
    assert told
    if "Faults" in example:
        assert told == ["100 True"]
    if "find_order" in example:
        assert "It comes on Tuesday." in told[0]


async def test_a_file_of_accounts_points_at_a_simulator(tmp_path: Path) -> None:
    [text] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    async with Simulator(conversations=5, providers=["tavus"]) as simulator:
        path = tmp_path / "accounts.toml"
        path.write_text(text.replace("http://127.0.0.1:8080", simulator.url))
        async with Hub.from_file(
            path, environ=simulator.environment() | {"TAVUS_BASE_URL": "http://127.0.0.1:9"}
        ) as hub:
            assert len([one async for one in hub.list()]) == 5


def test_every_fault_is_named_there() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == [fault.value for fault in Fault]
