"""OpenAI's threads of ChatKit: what users and an agent write in a widget on a website."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Query, RawPage, Resource
from ...errors import InvalidRefError
from ...reading.json import decode
from ...reading.participants import Participants
from ...reading.refusals import read_or_raise
from ...reading.values import Issues, instant, json_text, noted, text, timestamp, without_empty
from ...schema import (
    Agent,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ...wire import Flow, Request
from ._pages import LARGEST_PAGE, PER_SECOND, pages_of, rows_of
from ._payload import THREADS_LEFT, Part, Task, Thread, ThreadItem, ThreadItems, ThreadStatus, WholeThread

__all__ = ["THREADS", "normalize"]

_thread = msgspec.json.Decoder(Thread, strict=False)
_items = msgspec.json.Decoder(ThreadItems, strict=False)

# what it means

# https://github.com/openai/openai-python/blob/main/src/openai/types/beta/chatkit/chatkit_thread.py
_STATUSES = {"active": Status.IN_PROGRESS, "locked": Status.IN_PROGRESS, "closed": Status.ENDED}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a thread as OpenAI sends it, in a list or alone."""
    issues = Issues()
    return _read(decode(body, _thread, issues), None, body, issues)


def _read(
    sent: Thread,
    pages: Sequence[ThreadItems] | None,
    raw: bytes | msgspec.Raw,
    issues: list[Issue],
    *,
    place: str = "",
) -> Conversation:
    """Read a thread and its items; `place` is the thread's place in `raw`."""
    stands = sent.status or ThreadStatus()
    status = _STATUSES.get(stands.type or "", Status.UNKNOWN)
    is_over = status is Status.ENDED
    turns = None if pages is None else _turns(pages, issues)
    moments = [turn.timestamp for turn in turns or () if turn.timestamp is not None]
    updated_at = instant(max(moments), "", []) if moments else None
    derived = {"direction": True, "updated_at": updated_at is not None}
    return Conversation(
        provider="openai",
        id=str(sent.id),
        status=status,
        provider_status=stands.type,
        title=text(sent.title),
        channel=Channel.CHAT,
        direction=Direction.INBOUND,  # a thread begins when a user writes
        participants=tuple(Participants.of(Agent(), customer_id=text(sent.user))),
        created_at=instant(sent.created_at, f"{place}created_at", issues, per_second=PER_SECOND),
        updated_at=updated_at,
        end_reason=EndReason.UNKNOWN if is_over else None,
        provider_end_reason=text(stands.reason) if is_over else None,
        transcript=turns,
        transcript_state=TranscriptState.NOT_LOADED if turns is None else TranscriptState.AVAILABLE,
        metadata={} if is_over else without_empty({"status_reason": stands.reason}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=bytes(raw),
    )


def _turns(pages: Sequence[ThreadItems], issues: list[Issue]) -> tuple[TranscriptTurn, ...]:
    turns: list[TranscriptTurn] = []
    for number, page in enumerate(pages):
        for position, item in enumerate(page.data or ()):
            place = f"items[{number}].data[{position}]"
            if item is None:
                issues.append(Issue(place, "null"))
                continue
            moment = timestamp(item.created_at, f"{place}.created_at", issues)
            for told in _told(item, place, issues):
                same = {"index": len(turns), "timestamp": moment, "provider_id": text(item.id)}
                turns.append(msgspec.structs.replace(told, **same))
    return tuple(turns)


def _told(item: ThreadItem, place: str, issues: list[Issue]) -> Iterator[TranscriptTurn]:
    """Yield the turns of an item: one, or a call and its result."""
    match item.type:
        case "chatkit.user_message":
            yield _turn(Role.USER, (*_words(item.content or ()), *_attached(item)))
        case "chatkit.assistant_message":
            yield _turn(Role.ASSISTANT, _words(item.content or ()))
        case "chatkit.client_tool_call":
            id = text(item.call_id) or text(item.id)
            call = ToolCall(id=id, name=item.name, arguments=json_text(item.arguments))
            yield TranscriptTurn(index=0, role=Role.ASSISTANT, participant=0, tool_calls=(call,))
            if item.output is not None:
                result = ToolResult(call_id=id, content=json_text(item.output))
                yield TranscriptTurn(index=0, role=Role.TOOL, tool_result=result)
        case "chatkit.widget":
            yield _turn(Role.ASSISTANT, ["[widget]"])
        case "chatkit.task":
            task = Task(type=item.task_type, heading=item.heading, summary=item.summary)
            yield _turn(Role.ASSISTANT, _steps([task]), internal=task.type == "thought")
        case "chatkit.task_group":
            tasks = [task for task in item.tasks or () if task is not None]
            is_thought = bool(tasks) and all(task.type == "thought" for task in tasks)
            yield _turn(Role.ASSISTANT, _steps(tasks), internal=is_thought)
        case _:
            issues.append(Issue(f"{place}.type" if item.type else place, "an unknown kind of item"))
            yield TranscriptTurn(index=0, text="\n".join(_words(item.content or ())))


def _turn(role: Role, lines: Sequence[str], *, internal: bool = False) -> TranscriptTurn:
    return TranscriptTurn(
        index=0,
        role=role,
        text="\n".join(lines),
        participant=1 if role is Role.USER else 0,
        visibility=Visibility.INTERNAL if internal else Visibility.PUBLIC,
    )


def _words(parts: Sequence[Part | None]) -> list[str]:
    return [_quoted(part.text) if part.type == "quoted_text" else part.text for part in parts if part and part.text]


def _quoted(words: str) -> str:
    return "\n".join(f"> {line}" for line in words.splitlines())


def _attached(item: ThreadItem) -> list[str]:
    return [f"[{one.type or 'file'}: {one.name or ''}]" for one in item.attachments or () if one is not None]


def _steps(tasks: Sequence[Task]) -> list[str]:
    return [words for task in tasks for words in (task.heading, task.summary) if words]


# how to ask

_BETA = {"OpenAI-Beta": "chatkit_beta=v1"}


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of threads; a cursor is the id of the last row before it. The option `user` names a user's."""
    told = {"limit": min(query.page_size or LARGEST_PAGE, LARGEST_PAGE), "order": "desc", "after": cursor}
    # The order is that of creation.
    # https://github.com/openai/openai-python/blob/main/src/openai/types/beta/chatkit/thread_list_params.py
    asked = {**query.options, **told}
    return (yield from rows_of("/chatkit/threads", _BETA, asked, normalize, since=query.since))


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a thread with its items."""
    misfits: list[Issue] = []
    # https://github.com/openai/openai-python/blob/main/src/openai/resources/beta/chatkit/threads.py
    reply = yield Request("GET", "/chatkit/threads/{id}", ids={"id": id}, headers=_BETA, reads=_thread)
    thread = read_or_raise(reply, lambda body: decode(body, _thread, misfits))
    issues = Issues([Issue(f"thread.{misfit.place}", misfit.reason) for misfit in misfits])
    bodies, pages, more = yield from pages_of("/chatkit/threads/{id}/items", {"id": id}, _BETA, _items, "items")
    issues += more
    raw = msgspec.json.encode({"thread": msgspec.Raw(reply.body), "items": bodies})
    return _read(thread, pages, raw, issues, place="thread.")


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a thread with its items and its stored attachments."""
    if options:
        raise InvalidRefError("deleting a thread takes no options")
    # https://github.com/openai/openai-python/blob/main/src/openai/resources/beta/chatkit/threads.py
    yield Request("DELETE", "/chatkit/threads/{id}", ids={"id": id}, headers=_BETA, json=False)


THREADS = Resource(
    list_page=list_page,
    normalize=normalize,
    page_size=LARGEST_PAGE,
    newest_first=True,
    get=get,
    delete=delete,
    complete_lists=False,
    id_prefix="cthr_",
    payloads=(Thread, WholeThread),
    left_to_raw=THREADS_LEFT,
)
