"""The pytest plugin, which pytest loads by itself if this package is installed: a fixture with simulated providers.

A failed check of a store also shows its values, as a failed test does.

It is not in `testing`, because every test run imports it, together with the package that contains it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing.simulator import Simulator

__all__ = ["conversations_hub_simulator"]


pytest.register_assert_rewrite("conversations_hub.testing.stores")


@pytest.fixture
def conversations_hub_simulator() -> Iterator[Simulator]:
    """Serve every provider on loopback for one test, in its own thread: for tests with and without asyncio."""
    from .testing.simulator import Simulator  # noqa: PLC0415  (test runs that do not use it stay fast)

    with Simulator() as simulator:
        yield simulator
