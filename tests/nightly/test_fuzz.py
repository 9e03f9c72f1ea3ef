"""The same changes of what providers send, for an hour or so: forty thousand of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversations_hub.adapters import BUILTIN

from ..support.fuzz import fuzz


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("provider", BUILTIN)
def test_whatever_a_provider_sends_for_long_only_our_own_errors_come_out(
    provider: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        fuzz(provider, 1000, folder, f"{pytestconfig.option.fuzz_seed}{number}")
