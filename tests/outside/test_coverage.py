"""What an adapter says of its coverage is what its provider's specification says."""

from __future__ import annotations

import pytest

from conversations_hub.adapters import BUILTIN, load

from .coverage import SPECIFIED, covered, landed
from .documents import FOLDER

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no specifications in {FOLDER}"),
]


@pytest.mark.parametrize("provider", SPECIFIED)
def test_every_member_is_read_or_left_to_raw_with_a_reason(provider: str) -> None:
    unknown = [member for member, where in landed(load(provider)).items() if where == "unknown"]
    assert unknown == []


@pytest.mark.parametrize("provider", SPECIFIED)
def test_the_figure_is_the_one_in_the_table(provider: str) -> None:
    assert load(provider).coverage == covered(load(provider))


def test_who_says_so_was_checked_against_a_specification() -> None:
    assert {provider for provider in BUILTIN if load(provider).support == "specification"} == set(SPECIFIED)
