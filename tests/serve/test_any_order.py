"""Whatever order deliveries come in, twice and between syncs: nothing gets thinner, and the end is what is true."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub.adapters import BUILTIN, load

from ..support.any_order import brought_in_any_order

DELIVERING = [provider for provider in BUILTIN if load(provider).webhook is not None]


def _once(provider: str, chance: Random, conversations: int) -> int:
    with TemporaryDirectory() as folder:
        return asyncio.run(brought_in_any_order(provider, Path(folder), chance, conversations=conversations))


@pytest.mark.parametrize("provider", DELIVERING)
@settings(max_examples=1, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_deliveries_in_any_order_end_as_the_provider_has_it(provider: str, seed: int) -> None:
    assert _once(provider, Random(seed), 4) > 4  # noqa: S311  (an order)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("provider", DELIVERING)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_deliveries_in_two_hundred_orders_end_as_the_provider_has_it(provider: str, seed: int) -> None:
    assert _once(provider, Random(seed), 12) > 12  # noqa: S311  (an order)
