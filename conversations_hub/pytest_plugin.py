"""The package's pytest plugin: a fixture that serves every provider, simulated.

It is not in `testing`, because every test run imports the plugin, and with it the package that contains it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing.simulator import Simulator

__all__ = ["conversations_hub_simulator"]


@pytest.fixture
def conversations_hub_simulator() -> Iterator[Simulator]:
    """Serve every provider on loopback for one test, in a thread of its own; for tests with and without asyncio."""
    from .testing.simulator import Simulator  # noqa: PLC0415  (only tests that use it pay for it)

    with Simulator() as simulator:
        yield simulator
