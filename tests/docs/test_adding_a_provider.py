"""The page on adding a provider: its example is an adapter that works."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from types import ModuleType

import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Adapter, Query
from conversations_hub.reading.json import Json
from conversations_hub.schema import Role, Status, TranscriptState
from conversations_hub.testing import drive, unknown_members
from conversations_hub.wire import Response

from ..support.acme import CALL, PAGE


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Adapter:
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    module = ModuleType("acme")
    monkeypatch.setitem(sys.modules, "acme", module)  # where annotations are looked up
    exec(compile(example, "acme.py", "exec"), vars(module))  # noqa: S102
    found = vars(module)["ADAPTER"]
    assert isinstance(found, Adapter)
    return found


def test_the_example_lists_and_gets(adapter: Adapter) -> None:
    account = Account("acme", key="key-of-the-example")
    assert adapter.list_page is not None
    assert adapter.get is not None
    answer = Response(200, {}, json.dumps({"calls": [CALL], "next": ""}).encode())
    listed = drive(adapter.list_page(account, Query(), None), answer)
    assert [request.path for request in listed.requests] == ["/v1/calls"]
    assert listed.result.cursor is None
    [row] = [listed.result.normalize(row) for row in listed.result.rows]
    got = drive(adapter.get(account, "7"), Response(200, {}, json.dumps(CALL).encode())).result
    assert (row.id, row.status, row.issues) == ("7", Status.ENDED, ())
    assert [(turn.role, turn.text, turn.start) for turn in got.transcript or ()] == [(Role.ASSISTANT, "Hello.", 0.5)]
    assert unknown_members(adapter, {**CALL, "mood": "fine"}) == ["mood"]


def test_the_example_survives_what_it_does_not_know(adapter: Adapter) -> None:
    assert adapter.get is not None
    odd: dict[str, Json] = {
        "id": "x",
        "state": "paused",
        "created": "soon",
        "turns": [None, {"speaker": "dog", "at": -1}],
    }
    answer = Response(200, {}, json.dumps(odd).encode())
    found = drive(adapter.get(Account("acme", key="key-of-the-example"), "x"), answer).result
    assert (found.status, found.provider_status, found.transcript_state) == (
        Status.UNKNOWN,
        "paused",
        TranscriptState.AVAILABLE,
    )
    assert len(found.issues) == 2


def test_the_example_of_a_fixture_is_a_file_with_cases_and_their_sources() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    account, *cases = tomllib.loads(example).items()
    assert account[0] == "account"
    assert all({"source", "date", "link"} <= case.keys() for _, case in cases)
