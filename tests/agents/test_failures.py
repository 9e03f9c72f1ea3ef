"""Why conversations failed, and what came of the tools that were called in them."""

from __future__ import annotations

from typing import Any

import pytest

from conversations_hub.agents._failures import failures_of, tool_uses
from conversations_hub.schema import Analysis, EndReason, Role, Status, ToolCall, ToolResult, TranscriptTurn

from ..support.agents import spoken, tool_call, turn


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        ({}, []),
        ({"status": Status.FAILED}, ["error"]),
        ({"status": Status.FAILED, "provider_end_reason": "llm-failed"}, ["error (llm-failed)"]),
        ({"end_reason": EndReason.ERROR, "provider_end_reason": "error"}, ["error"]),
        ({"end_reason": EndReason.BUSY}, ["nobody was reached (busy)"]),
        ({"status": Status.NO_ANSWER}, ["nobody was reached (no_answer)"]),
        ({"analysis": Analysis(success=False)}, ["the goal was not reached"]),
        ({"analysis": Analysis(success=True)}, []),
        (
            {"status": Status.FAILED, "analysis": Analysis(success=False)},
            ["error", "the goal was not reached"],
        ),
    ],
)
def test_a_conversation_failed_for_these_reasons(facts: dict[str, Any], reasons: list[str]) -> None:
    assert failures_of(spoken("c1", turn(Role.USER, "Hi."), **facts)) == reasons


def test_a_tool_that_failed_and_worked_later_is_no_failure() -> None:
    failed = tool_call("book", "no", is_error=True)
    assert failures_of(spoken("c1", *failed)) == ["tool book failed"]
    one = spoken("c1", *failed, *tool_call("book", "yes", id="t2", is_error=False))
    assert failures_of(one) == []
    assert [(use.outcome, use.worked_later) for use in tool_uses(one)] == [("failed", 2), ("worked", None)]


@pytest.mark.parametrize(
    ("content", "is_error", "outcome"),
    [
        ("anything", True, "failed"),
        ('{"error": "x"}', False, "worked"),
        ('{"error": "timed out"}', None, "seems to have failed"),
        (' {"errors": ["x"]}', None, "seems to have failed"),
        ('{"success": false}', None, "seems to have failed"),
        ('{"ok": false}', None, "seems to have failed"),
        ('{"status": "FAILED"}', None, "seems to have failed"),
        ("Error: no such order", None, "seems to have failed"),
        ('{"error": null, "state": "in transit"}', None, "worked"),
        ('{"error": ""}', None, "worked"),
        ('{"text": "error"}', None, "worked"),
        ('["error"]', None, "worked"),
        ("in transit, no error", None, "worked"),
        ('{"error": ', None, "worked"),
        ('{"a":' * 5_000, None, "worked"),
        ("", None, "worked"),
        (None, None, "no result"),
    ],
)
def test_a_tool_came_to_this(content: str | None, is_error: bool | None, outcome: str) -> None:  # noqa: FBT001
    [use] = tool_uses(spoken("c1", *tool_call("book", content, is_error=is_error)))
    assert use.outcome == outcome


def test_calls_get_the_results_that_are_theirs() -> None:
    def call(name: str, id: str | None = None) -> TranscriptTurn:
        return turn(Role.ASSISTANT, "", tool_calls=(ToolCall(id=id, name=name),))

    def result(content: str, id: str | None = None) -> TranscriptTurn:
        return turn(Role.TOOL, "", tool_result=ToolResult(call_id=id, content=content))

    one = spoken(
        "c1",
        result("stray"),
        call("a"),
        call("b", "t1"),
        call("c"),
        result("of a"),
        result("of b, first", "t1"),
        result("of c"),
        result("of b", "t1"),
        result("nobody's", "t9"),
    )
    found = [(use.turn, use.name, use.result and use.result.content) for use in tool_uses(one)]
    assert found == [(0, None, "stray"), (1, "a", "of a"), (2, "b", "of b"), (3, "c", "of c"), (8, None, "nobody's")]


def test_what_the_agent_said_around_a_call_is_found() -> None:
    one = spoken(
        "c1",
        turn(Role.ASSISTANT, "I block it at once."),
        turn(Role.USER, "Thanks."),
        *tool_call("block", "no", is_error=True),
        turn(Role.USER, "And?"),
        turn(Role.HUMAN_AGENT, "It is blocked."),
    )
    [use] = tool_uses(one)
    assert (use.turn, use.before, use.after) == (2, 0, 5)
