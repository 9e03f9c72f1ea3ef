"""What the tests of the command line can ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..support.crash import served

EACH = 60


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """Return the environment that names the accounts of simulated providers, which have `EACH` conversations each."""
    with served(EACH) as found:
        yield found
