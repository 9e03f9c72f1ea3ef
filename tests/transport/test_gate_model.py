"""One lane's gate, breaker, rate and budget together, whatever happens in whatever order (F040)."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from ..support.gate_model import GateModel


@pytest.mark.timeout(600)  # a failure takes long to be told in short
def test_f040_whatever_happens_the_gate_keeps_its_bounds_and_its_order() -> None:
    few = settings(max_examples=30, stateful_step_count=40, derandomize=True)
    run_state_machine_as_test(GateModel, settings=few)


def test_who_was_due_already_looks_whether_it_is_back() -> None:
    model = GateModel()
    model.begin(in_flight=3, documented=2.0, attempts=1, parks=False, breaks=True, tokens=500, seed=0)
    for _failure in range(5):
        model.ask(callers=1, lag=0.0)
        model.answer_all(["down"], 1.0)
    assert model.closed_until is not None
    model.wait(model.closed_until - model.loop.time())
    model.ask(callers=1, lag=0.0)
    model.answer_and_cancel_at_once("down", which=0)
    model.ask(callers=1, lag=0.0)  # waits for the rate
    model.ask(callers=1, lag=1.0)
    assert model.probes == {7}
    model.teardown()
