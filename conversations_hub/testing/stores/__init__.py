"""Checks that every store must pass, for stores of your own.

    import pytest

    from conversations_hub.testing.stores import CHECKS


    @pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
    async def test_it_is_a_store(check, tmp_path):
        await check(lambda: MyStore(tmp_path / "conversations"))

A store that has no search, or remembers no changes, passes their checks by saying so; see `stores.StoreReader` and
`stores.ChangeReader`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Final

from ...stores import ReadableStore
from . import _changing, _erasing, _listing, _searching, _writing
from ._answers import answers

__all__ = ["CHECKS", "Check", "answers"]

Check = Callable[[Callable[[], ReadableStore]], Coroutine[None, None, None]]
"""Checks one property, and raises `AssertionError` if a store lacks it. It takes a function that returns the store
under test: a new object each time, of one store, in which nothing is before the check."""

CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        check.__name__: check
        for module in (_writing, _listing, _searching, _erasing, _changing)
        for check in module.CHECKS
    }
)
"""The checks, by what they check."""
