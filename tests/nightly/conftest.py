"""What the tests of this folder can ask for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..faults.conftest import fault

__all__ = ["Tell", "chaos_seconds", "fault", "tell"]


SECONDS = 20.0

Tell = Callable[[str], None]
"""Takes a figure that was measured, to be told when all is over."""

_FIGURES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos-seconds", type=float, default=SECONDS, help="how long the chaos lasts")


@pytest.fixture
def chaos_seconds(request: pytest.FixtureRequest) -> float:
    """Return how long the chaos lasts; the option is known only where this folder is named."""
    return float(request.config.getoption("--chaos-seconds", default=None) or SECONDS)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Return a function that takes figures."""
    return request.config.stash.setdefault(_FIGURES, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for figure in config.stash.get(_FIGURES, None) or ():
        terminalreporter.write_line(figure)
