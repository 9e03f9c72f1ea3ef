"""What pytest finds by itself where this package is installed: a fixture that serves every provider, simulated.

It stands here and not in `testing`, for it is imported in every test run, and so is the package it stands in.
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
    """Serve every provider on loopback for one test, in a thread of its own: for tests with and without asyncio."""
    from .testing.simulator import Simulator  # noqa: PLC0415  (a test run without it is no slower)

    with Simulator() as simulator:
        yield simulator
