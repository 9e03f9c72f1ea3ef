"""The page on reliability: its numbers are the profiles', its table names every case, and its example runs."""

from __future__ import annotations

import logging
import os
import re
from typing import Any
from unittest.mock import patch

import pytest

from conversations_hub import Hub
from conversations_hub.testing import Simulator

from ..support.fault_cases import PAGE, cases_of, found_cases, part, profiles_table

_ROW = re.compile(r"\| (?P<case>F\d{3}[a-k]?) \| (?P<said>.*) \| (?P<passed>.*) \|")


def test_the_table_names_the_cases_that_the_tests_hold() -> None:
    rows = {row["case"]: (row["said"], row["passed"]) for row in _ROW.finditer(part("cases", PAGE.read_text()))}
    said = {case: "; ".join(dict.fromkeys(tests.values())) for case, tests in found_cases().items()}
    assert {case: told for case, (told, _) in rows.items()} == said, "renew it: make reliability"
    for _, passed in rows.values():
        good, _, every = passed.partition(" of ")
        assert good == every or passed == "by night"


def test_the_numbers_are_the_profiles() -> None:
    assert part("profiles", PAGE.read_text()) == profiles_table(), "renew it: make reliability"


def test_a_name_holds_cases_and_words() -> None:
    assert cases_of("test_f014_f115d_a_caller_s_own_word") == (["F014", "F115d"], "a caller's own word")
    assert cases_of("test_fine_words") == ([], "")


async def test_the_example_tells_what_happens(caplog: pytest.LogCaptureFixture) -> None:
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    caplog.set_level(logging.INFO, "conversations")
    named: dict[str, Any] = {}
    async with Simulator(conversations=5) as simulator:
        with patch.dict(os.environ, simulator.environment()):
            exec(example, named)  # noqa: S102
        hub: Hub = named["hub"]
        async with hub:
            assert len([conversation async for conversation in hub.list("tavus")]) == 5
    assert [message.partition(" ")[0] for message in caplog.messages] == ["AttemptEnded", "PageRead"]
