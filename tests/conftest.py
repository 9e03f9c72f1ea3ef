"""What every test can ask for."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Before the first import from there, so that its failed assertions show their values, as those of tests do.
pytest.register_assert_rewrite("tests.support", "conversations_hub.testing.stores")

from .support.fault_cases import PAGE, cases_of, cases_table, filled, profiles_table  # noqa: E402
from .support.virtual_time import WiredLoop  # noqa: E402

_MEMORY = Path("/dev/shm")  # noqa: S108  (pytest makes a folder of its own there)
_ENOUGH = 2**29  # bytes; a run leaves some forty million, and pytest keeps three runs

# On a busy machine a pause is no defect, nor is it one to be slow.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


def pytest_configure() -> None:
    """Keep files in memory where a machine has a place for that; a disk takes longer than all that is done with them.

    What must be told to the disk, and in which order, is watched by the tests that are about it.
    """
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector the tests themselves: to look through them took a tenth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        _begin_with_hypothesis()
        gc.enable()
        gc.collect()
        gc.freeze()


@settings(max_examples=1, database=None)
@given(st.none())
def _begin_with_hypothesis(_: None) -> None:
    """Make what hypothesis looks for with the garbage collector, which from CPython 3.14 on sees nothing frozen."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept", action="store_true", help="write what the adapters make of the fixtures to expected.json"
    )
    parser.addoption(
        "--reliability", action="store_true", help="write how the fault cases ended to docs/explanation/reliability.md"
    )
    parser.addoption("--fuzz-rounds", type=int, default=15, help="how often each provider's exchanges are changed")
    parser.addoption("--fuzz-seed", default="", help="a word that makes other changes of them")


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if "loop" in getattr(item, "fixturenames", ()):
        return {"wired": WiredLoop}
    return {"usual": asyncio.new_event_loop}


@pytest.fixture
async def loop() -> WiredLoop:
    """Run the test that asks for it on a loop whose seconds cost nothing, and hand that out."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WiredLoop)
    return loop


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--reliability"):
        return
    outcomes: dict[str, tuple[int, int]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            name = report.nodeid.rpartition("::")[2].partition("[")[0]
            if report.when != "teardown" and cases_of(name)[0]:
                passed, runs = outcomes.get(name, (0, 0))
                outcomes[name] = (passed + (outcome == "passed"), runs + 1)
    page = filled("profiles", PAGE.read_text(), profiles_table())
    PAGE.write_text(filled("cases", page, cases_table(outcomes)))
