"""What the web layer promises as a whole, and which tests hold it to that.

A is about the service, B about its page in a browser (`make browser`). What takes minutes runs by night
(`make nightly`), and sizes are measured by `benchmarks/serve.py`.
"""

from __future__ import annotations

import pytest

from ..support.named_tests import found_tests
from ..support.paths import ROOT

PROMISES: dict[str, tuple[str, tuple[str, ...]]] = {
    "A1": (
        "a delivery has the same answer in every framework, and a malformed one none of 5xx",
        (
            "test_each_request_has_its_answer",
            "test_each_request_has_the_same_answer_in_every_framework",
        ),
    ),
    "A2": (
        "what was acknowledged is on the disk, and stored once, at whatever instant it is killed or the disk fails",
        (
            "test_a_delivery_has_reached_the_disk_before_it_is_acknowledged",
            "test_what_does_not_reach_the_disk_is_not_acknowledged",
            "test_what_was_acknowledged_is_stored_whenever_it_is_killed",
            "test_a_receiver_that_is_killed_at_any_call_has_stored_once_what_it_acknowledged",
        ),
    ),
    "A3": (
        "in any order, with duplicates and between polls, nothing gets thinner, and the end is what the provider has",
        (
            "test_deliveries_in_any_order_end_as_the_provider_has_it",
            "test_deliveries_in_two_hundred_orders_end_as_the_provider_has_it",
        ),
    ),
    "A4": (
        "twice, late, while the receiver is down or a secret is rotated: one poll makes it whole, and counts the lost",
        (
            "test_in_any_weather_each_conversation_is_one_record_as_its_provider_has_it",
            "test_what_came_while_the_receiver_was_down_is_there_after_one_poll",
            "test_a_secret_that_is_rotated_meanwhile_loses_nothing",
            "test_a_secret_that_the_receiver_does_not_know_yet_loses_what_the_poll_brings",
        ),
    ),
    "A5": (
        "over 200,000 conversations a page is as quick as over few, at the end of the list and beside long searches",
        (
            "benchmarks/serve.py",
            "test_what_takes_too_long_is_ended_and_said",
            "test_what_takes_long_leaves_threads_to_what_does_not",
        ),
    ),
    "A6": (
        "what is served is described, and what is described is served",
        (
            "test_every_route_is_described_and_every_name_in_it_is_there",
            "test_validators_of_others_accept_it_and_what_it_describes",
            "test_answers_to_anything_are_as_described",
            "test_counters_are_read_by_prometheus",
        ),
    ),
    "A7": (
        "who has no token is told nothing, strange requests are refused, and no secret is anywhere",
        (
            "test_nothing_is_told_to_whoever_has_no_token",
            "test_whoever_asks_strangely_is_refused",
            "test_any_other_host_is_none_of_ours",
            "test_only_reading_is_answered",
            "test_every_answer_has_the_headers",
            "test_the_log_holds_neither_tokens_nor_what_was_asked",
            "test_the_log_holds_no_path_no_header_and_no_body",
        ),
    ),
    "A8": ("the page keeps what B promises", ("test_the_token_leaves_the_address",)),
    "B1": ("axe finds nothing in any view, in light and dark", ("test_axe_finds_nothing",)),
    "B2": ("everything can be done with keys", ("test_everything_can_be_done_with_keys",)),
    "B3": ("nothing is asked of anybody else", ("test_nothing_is_asked_of_anybody_else",)),
    "B4": ("whatever was said is text", ("test_whatever_was_said_is_text",)),
    "B5": ("a screen reader is told the same as before", ("test_a_screen_reader_is_told_the_same_as_before",)),
    "B6": ("a picture is the same each time", ("test_a_picture_is_the_same_each_time",)),
    "B7": (
        "nothing is wider than the window, long conversations are built in pieces, and the words follow the sound",
        (
            "test_nothing_is_wider_than_the_window",
            "test_a_long_one_is_built_in_pieces_and_a_turn_of_it_is_found",
            "test_the_words_follow_the_sound",
        ),
    ),
}


TESTS = found_tests()


@pytest.mark.parametrize("row", PROMISES)
def test_each_promise_names_tests_that_are_there(row: str) -> None:
    promised, named = PROMISES[row]
    assert promised
    assert named
    assert [name for name in named if name not in TESTS and not (ROOT / name).is_file()] == []
