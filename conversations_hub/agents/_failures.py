"""Why a conversation failed, and which of the agent's tools did."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from ..schema import Conversation, EndReason, Role, Status, ToolCall, ToolResult, TranscriptTurn

__all__ = ["Outcome", "ToolUse", "failures_of", "tool_uses"]

Outcome = Literal["worked", "failed", "seems to have failed", "no result"]
"""`failed`: the provider says so. `seems to have failed`: it does not say, and the result reads like an error."""

_FAILED: Final = frozenset[Outcome]({"failed", "seems to have failed"})
_UNREACHED: Final = frozenset({EndReason.NO_ANSWER, EndReason.BUSY, EndReason.VOICEMAIL, EndReason.CANCELLED})
_UNREACHED_STATUSES: Final = frozenset({Status.NO_ANSWER, Status.CANCELLED})
_SPEAKERS: Final = frozenset({Role.ASSISTANT, Role.HUMAN_AGENT})


class ToolUse(NamedTuple):
    """One call of a tool, and what came of it."""

    turn: int
    """The position of the turn with the call; of the result, if no call is told."""
    name: str | None
    call: ToolCall | None
    result: ToolResult | None
    outcome: Outcome
    worked_later: int | None
    """If it failed: the position of the turn in which the same tool was called later, and worked."""
    before: int | None
    """The position of the agent's last words before it, if there are any."""
    after: int | None
    """The position of the agent's first words after it."""

    @property
    def has_failed(self) -> bool:
        """Whether it failed, or seems to have failed."""
        return self.outcome in _FAILED


def failures_of(one: Conversation) -> list[str]:
    """Return why a conversation failed, the gravest reason first, in our words and the provider's; none: it did not.

    Failed are those that ended in an error, that reached nobody, in which a tool failed and did not work later, and
    that did not reach their goal, as their provider says.
    """
    return [*_failures(one)]


def _failures(one: Conversation) -> Iterator[str]:
    if one.status is Status.FAILED or one.end_reason is EndReason.ERROR:
        said = one.provider_end_reason or one.provider_status
        reason = one.end_reason.value if one.end_reason else one.status.value
        yield f"error ({said})" if said and said != reason else "error"
    elif one.end_reason in _UNREACHED or one.status in _UNREACHED_STATUSES:
        yield f"nobody was reached ({one.end_reason.value if one.end_reason else one.status.value})"
    failed = [use for use in tool_uses(one) if use.has_failed and use.worked_later is None]
    yield from dict.fromkeys(f"tool {use.name or '?'} {use.outcome}" for use in failed)
    if one.analysis is not None and one.analysis.success is False:
        yield "the goal was not reached"


def tool_uses(one: Conversation) -> list[ToolUse]:
    """Return the calls of tools in order, each with its result; of several results, the last counts."""
    turns = one.transcript or ()
    calls = [(position, call) for position, turn in enumerate(turns) for call in turn.tool_calls]
    results = _results(turns, calls)
    found: list[ToolUse] = []
    for number, (position, call) in enumerate(calls):
        at, result = results.pop(number, (position, None))
        found.append(_use(turns, position, at, call, result))
    names: dict[str | None, str | None] = {call.id: call.name for _, call in calls if call.id is not None}
    for at, result in results.values():  # of calls that are not told
        found.append(_use(turns, at, at, None, result)._replace(name=names.get(result.call_id)))
    found.sort(key=lambda use: use.turn)
    return [use._replace(worked_later=_worked_later(use, found)) if use.has_failed else use for use in found]


def _results(
    turns: Sequence[TranscriptTurn], calls: Sequence[tuple[int, ToolCall]]
) -> dict[int, tuple[int, ToolResult]]:
    """Return results and their positions by the numbers of their calls; by a negative one if there is no call."""
    by_id: dict[str | None, int] = {call.id: number for number, (_, call) in enumerate(calls) if call.id is not None}
    unnamed = deque(number for number, (_, call) in enumerate(calls) if call.id is None)
    found: dict[int, tuple[int, ToolResult]] = {}
    for at, turn in enumerate(turns):
        result = turn.tool_result
        if result is None:
            continue
        number = by_id.get(result.call_id)
        if number is None and unnamed and calls[unnamed[0]][0] <= at:
            number = unnamed.popleft()
        found[-1 - at if number is None else number] = at, result
    return found


def _use(
    turns: Sequence[TranscriptTurn], position: int, at: int, call: ToolCall | None, result: ToolResult | None
) -> ToolUse:
    before = next((place for place in range(position, -1, -1) if _is_agents(turns[place])), None)
    after = next((place for place in range(max(at, position) + 1, len(turns)) if _is_agents(turns[place])), None)
    return ToolUse(position, None if call is None else call.name, call, result, _outcome(result), None, before, after)


def _is_agents(turn: TranscriptTurn) -> bool:
    return turn.role in _SPEAKERS and bool(turn.text)


def _worked_later(use: ToolUse, uses: Sequence[ToolUse]) -> int | None:
    later = (each.turn for each in uses if each.turn > use.turn and each.name == use.name and each.outcome == "worked")
    return next(later, None)


def _outcome(result: ToolResult | None) -> Outcome:
    if result is None:
        return "no result"
    if result.is_error is not None:
        return "failed" if result.is_error else "worked"
    return "seems to have failed" if _reads_like_an_error(result.content or "") else "worked"


_BAD: Final = frozenset({"error", "failed", "failure"})
_LONGEST: Final = 100_000  # characters of a result that are looked at


class _Told(msgspec.Struct):
    """The members by which tools usually tell how they ended."""

    error: Any = None
    errors: Any = None
    exception: Any = None
    success: Any = None
    ok: Any = None
    status: Any = None

    @property
    def is_bad(self) -> bool:
        is_error = bool(self.error or self.errors or self.exception)
        return is_error or self.success is False or self.ok is False or str(self.status).casefold() in _BAD


def _reads_like_an_error(content: str) -> bool:
    """Whether a result is an object that tells an error, or a text that begins with one."""
    text = content.strip()
    if text[:1] != "{":
        return text[:20].casefold().startswith(("error", "exception", "traceback"))
    try:
        return len(text) <= _LONGEST and msgspec.json.decode(text, type=_Told).is_bad
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return False
