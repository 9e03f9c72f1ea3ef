"""Whatever providers send, nothing but a `HubError` comes out of the library."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from conversations_hub.adapters import BUILTIN
from conversations_hub.schema import Conversation
from conversations_hub.testing import hostile_mutant

from ..support.fuzz import fuzz


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", BUILTIN)
def test_whatever_a_provider_sends_only_our_own_errors_come_out(
    provider: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    fuzz(provider, pytestconfig.option.fuzz_rounds, tmp_path, pytestconfig.option.fuzz_seed)


@pytest.mark.parametrize("place", ["render", "to_json"])
def test_another_error_is_told_with_what_leads_to_it_again(place: str, tmp_path: Path) -> None:
    broken = patch.object(Conversation, place, side_effect=KeyError("here"))
    with broken, pytest.raises(AssertionError, match=r"^round \d+ of tavus from seed, [\w.]+: .*: KeyError"):
        fuzz("tavus", 20, tmp_path, "seed")


def test_what_an_adapter_fails_with_is_told_too(tmp_path: Path) -> None:
    broken = patch("conversations_hub.adapters.tavus._turns", side_effect=KeyError("here"))
    with broken, pytest.raises(AssertionError, match="the adapter could not read"):
        fuzz("tavus", 20, tmp_path)


def test_a_mutant_is_json_that_differs_and_the_same_for_the_same_seed() -> None:
    body = json.dumps({"id": "c1", "turns": [{"text": "Hello.", "at": 1.5}], "tags": {}}).encode()
    made, again = ([hostile_mutant(body, Random(seed), 3) for seed in range(300)] for _ in range(2))  # noqa: S311
    assert made == again
    assert len({mutant.body for mutant in made}) > 250
    assert all(mutant.body.startswith(b"{") for mutant in made)
    assert json.loads(hostile_mutant(body, Random(1), 0).body) == json.loads(body)  # noqa: S311


def test_where_nothing_is_left_to_change_it_stays() -> None:
    assert hostile_mutant(b"{}", Random(1), 5).body == b"{}"  # noqa: S311
