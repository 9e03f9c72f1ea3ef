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
