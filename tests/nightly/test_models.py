"""The models of the gate and of paging, followed much further than every commit can."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis.stateful import run_state_machine_as_test

from ..support.gate_model import GateModel
from ..support.paging_model import Scenario, run, scenarios

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]


def test_f040_whatever_happens_for_long_the_gate_keeps_its_bounds_and_its_order() -> None:
    many = settings(max_examples=1500, stateful_step_count=100, print_blob=True)
    run_state_machine_as_test(GateModel, settings=many)


@settings(max_examples=5000, print_blob=True)
@given(scenarios(30) | scenarios(200))
def test_f100_a_long_walk_brings_all_that_was_there_from_beginning_to_end_once(scenario: Scenario) -> None:
    run(scenario)
