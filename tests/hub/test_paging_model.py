"""Walks over lists that change meanwhile, fail, expire and are broken off: what must be brought all the same (F100)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ..support.paging_model import LISTS, Change, Scenario, Stop, Trouble, run, run_in_pieces, scenarios

VERIFIED = Scenario(list="pages", records=12, page_size=3, verify=True)
GREW_BEFORE_THE_SECOND_LOOK = msgspec.structs.replace(VERIFIED, changes=[Change(4, "insert", 12)])
UNREADABLE_AND_MISSED_AT_FIRST = msgspec.structs.replace(VERIFIED, changes=[Change(1, "delete", 11)], unreadable={8})
MOVED_BEFORE_A_PLACE_IN_THE_FIRST_PAGE = Scenario(
    list="pages, last updated first",
    records=5,
    page_size=3,
    verify=False,
    changes=[Change(1, "update", 1)],
    troubles=[Trouble(1, "rejected")],
)
MOVED_BEFORE_SUCH_A_PLACE_AND_READ_ANEW = msgspec.structs.replace(
    MOVED_BEFORE_A_PLACE_IN_THE_FIRST_PAGE,
    records=30,
    changes=[Change(6, "update", 1)],
    troubles=[Trouble(1, "rejected"), Trouble(8, "expired")],
)


@pytest.mark.no_cover
@pytest.mark.timeout(600)  # a failure takes long to be told in short
@settings(max_examples=150, derandomize=True)
@example(GREW_BEFORE_THE_SECOND_LOOK)
@example(UNREADABLE_AND_MISSED_AT_FIRST)
@example(MOVED_BEFORE_A_PLACE_IN_THE_FIRST_PAGE)
@example(MOVED_BEFORE_SUCH_A_PLACE_AND_READ_ANEW)
@given(scenarios(30))
def test_f100_a_walk_brings_all_that_was_there_from_beginning_to_end_once(scenario: Scenario) -> None:
    run(scenario)


@pytest.mark.no_cover
@pytest.mark.timeout(600)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.builds(
        Scenario,
        list=st.sampled_from(sorted(set(LISTS) - {"pages, last updated first"})),
        records=st.integers(0, 40),
        unwanted=st.sets(st.integers(0, 40), max_size=20),
        unreadable=st.sets(st.integers(0, 40), max_size=4),
        page_size=st.none() | st.integers(3, 30),
        filters=st.booleans(),
        granted=st.integers(3, 30),
        verify=st.just(value=False),
        stops=st.lists(
            st.builds(Stop, limit=st.integers(1, 30)) | st.builds(Stop, pages=st.integers(1, 3)), max_size=12
        ),
    )
)
def test_a_list_that_is_read_in_pieces_is_the_whole_list_once_and_in_order(scenario: Scenario) -> None:
    run_in_pieces(scenario)
