"""What no conversation can be is an issue, whichever provider says it."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given

from conversations_hub import Account, Conversation, Hub
from conversations_hub.adapter import Adapter
from conversations_hub.formats import payload
from conversations_hub.reading.consistency import consistent
from conversations_hub.schema import Cost, Issue
from conversations_hub.signing import bearer
from conversations_hub.wire import Flow

from ..support.any_conversation import conversations

replace = msgspec.structs.replace

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SOUND = Conversation(
    provider="acme",
    id="c1",
    created_at=NOON,
    started_at=NOON,
    ended_at=NOON + timedelta(minutes=1),
    updated_at=NOON + timedelta(minutes=2),
    duration=60.0,
    cost=Cost(amount=Decimal("0.10"), unit="USD"),
    estimated=("duration", "started_at"),
    issues=(Issue("tags", "null"),),
)

IMPOSSIBLE: list[tuple[str, Any, str]] = [
    ("updated_at", NOON - timedelta(seconds=1), "before created_at"),
    ("updated_at", datetime(1970, 1, 1, tzinfo=UTC), "before created_at"),
    ("ended_at", NOON - timedelta(days=1), "before started_at"),
    ("duration", -0.1, "not a number of seconds"),
    ("duration", 1e9, "not a number of seconds"),
    ("duration", math.inf, "not a number of seconds"),
    ("duration", math.nan, "not a number of seconds"),
    *(("cost", Cost(amount=Decimal(amount), unit="USD"), "negative") for amount in ("-0.01", "-Infinity", "-sNaN")),
]
POSSIBLE: list[tuple[str, Any]] = [
    ("updated_at", NOON - timedelta(milliseconds=999)),  # in whole seconds, of the same second
    ("updated_at", None),
    ("created_at", None),
    ("duration", 0.0),
    ("duration", 9e8),
    *(("cost", Cost(amount=Decimal(amount), unit="USD")) for amount in ("0", "-0.00")),
]


@pytest.mark.parametrize(("field", "value", "reason"), IMPOSSIBLE)
def test_what_cannot_be_is_an_issue_and_no_value(field: str, value: Any, reason: str) -> None:
    found = consistent(replace(SOUND, **{field: value}))
    issues = (*SOUND.issues, Issue(field, reason))
    estimated = tuple(name for name in SOUND.estimated if name != field)
    assert found == replace(SOUND, issues=issues, estimated=estimated, **{field: None})


@pytest.mark.parametrize(("field", "value"), [("id", "c1"), *POSSIBLE])
def test_what_can_be_stays(field: str, value: Any) -> None:
    sound = replace(SOUND, **{field: value})
    assert consistent(sound) is sound


@given(conversations())
def test_what_is_left_can_be(one: Conversation) -> None:
    found = consistent(one)
    assert consistent(found) is found
    assert (found.text, found.provider_status) == (one.text, one.provider_status)


# through every door


@pytest.mark.parametrize(
    ("provider", "sent", "field"),
    [
        (
            "tavus",
            {"conversation_id": "c1", "created_at": "2026-11-20T12:00:00Z", "updated_at": "2026-11-19T12:00:00Z"},
            "updated_at",
        ),
        ("vapi", {"id": "c1", "orgId": "o1", "assistantId": "a1", "status": "ended", "cost": -0.5}, "cost"),
        (
            "vapi",
            {"id": "c1", "orgId": "o1", "createdAt": "2026-11-20T12:00:00Z", "updatedAt": "2026-11-20T11:00:00Z"},
            "updated_at",
        ),
        ("bolna", {"id": "c1", "agent_id": "a1", "status": "completed", "total_cost": -12}, "cost"),
    ],
)
def test_whichever_provider_says_it(provider: str, sent: dict[str, Any], field: str) -> None:
    [loaded] = payload(json.dumps(sent).encode(), provider)
    assert loaded.conversation is not None
    assert getattr(loaded.conversation, field) is None
    assert field in [issue.place for issue in loaded.conversation.issues]


async def test_an_adapter_of_another_package_is_not_believed_either() -> None:
    def get(_account: Account, id: str) -> Flow[Conversation]:
        return replace(SOUND, id=id, duration=-1.0)
        yield

    adapter = Adapter(name="acme", base_url="https://api.acme.example", docs="", sign=bearer, get=get)
    async with Hub([Account("acme", key="k")], adapters={"acme": adapter}) as hub:
        found = await hub.get("acme:c1")
    assert found.duration is None
    assert found.issues[-1] == Issue("duration", "not a number of seconds")
