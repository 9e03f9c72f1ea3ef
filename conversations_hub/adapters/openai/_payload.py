"""What OpenAI sends: threads with items, and sessions with items and turns; instants are Unix seconds."""

from __future__ import annotations

from typing import Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds

# threads


class ThreadStatus(msgspec.Struct):
    type: str | None = None
    reason: str | None = None


class Thread(msgspec.Struct):
    """A thread of ChatKit, in a list or alone."""

    id: Id
    created_at: Instant = None
    status: ThreadStatus | None = None
    title: str | None = None
    user: Id | None = None


class Part(msgspec.Struct):
    """A part of what is said: text, a picture, or what nobody can read."""

    type: str | None = None
    text: str | None = None


class Attachment(msgspec.Struct):
    type: str | None = None
    name: str | None = None


class Task(msgspec.Struct):
    """A step that the agent shows while it works, or a thought."""

    type: str | None = None
    heading: str | None = None
    summary: str | None = None


class ThreadItem(msgspec.Struct):
    """One entry of a thread; which members it has depends on its type."""

    id: Id | None = None
    type: str | None = None
    created_at: Instant = None
    content: list[Part | None] | None = None
    attachments: list[Attachment | None] | None = None
    call_id: Id | None = None
    name: str | None = None
    arguments: AnyJson = None
    output: AnyJson = None
    heading: str | None = None
    summary: str | None = None
    task_type: str | None = None
    tasks: list[Task | None] | None = None


# sessions


class Agent(msgspec.Struct):
    """The agent as it was when the session began."""

    id: Id | None = None
    name: str | None = None
    model: str | None = None


class Environment(msgspec.Struct):
    type: str | None = None
    id: Id | None = None


class RequiredAction(msgspec.Struct):
    type: str | None = None


class Session(msgspec.Struct):
    """A session of an agent, in a list or alone."""

    id: Id
    agent: Agent | None = None
    created_at: Instant = None
    last_active_at: Instant = None
    status: str | None = None
    error: AnyJson = None
    environment: Environment | None = None
    metadata: AnyJson = None
    required_actions: list[RequiredAction | None] | None = None
    usage: AnyJson = None


class Approval(msgspec.Struct):
    """What the agent asks to be allowed, or what was decided."""

    type: str | None = None
    reason: str | None = None
    action: str | None = None


class SessionItem(msgspec.Struct):
    """One entry of a session; which members it has depends on its type."""

    id: Id | None = None
    turn_id: Id | None = None
    type: str | None = None
    status: str | None = None
    role: str | None = None
    content: list[Part | None] | None = None
    summary: list[Part | None] | None = None
    call_id: Id | None = None
    name: str | None = None
    server_label: str | None = None
    arguments: AnyJson = None
    output: Any = None
    error: AnyJson = None
    command: str | None = None
    cwd: str | None = None
    exit_code: float | None = None
    duration_ms: Seconds | None = None  # not in seconds, but within the same bounds
    action: AnyJson = None
    title: str | None = None
    request: Approval | None = None
    response: Approval | None = None
    agent_id: Id | None = None
    model: str | None = None
    reasoning_effort: str | None = None
    sender_agent_id: Id | None = None
    recipient_agent_id: Id | None = None
    recipient_agent_ids: AnyJson = None


class Turn(msgspec.Struct):
    """The agent's work on one input; the only instants below a session."""

    id: Id | None = None
    status: str | None = None
    created_at: Instant = None
    started_at: Instant = None
    completed_at: Instant = None
    error: AnyJson = None


# pages


class Page(msgspec.Struct):
    """A page of any list."""

    data: list[msgspec.Raw] | None = None
    has_more: bool | None = None
    last_id: Id | None = None


class Stamp(msgspec.Struct):
    """Where a row is in its list."""

    id: Id | None = None
    created_at: Instant = None


class ThreadItems(msgspec.Struct):
    data: list[ThreadItem | None] | None = None
    has_more: bool | None = None
    last_id: Id | None = None


class SessionItems(msgspec.Struct):
    data: list[SessionItem | None] | None = None
    has_more: bool | None = None
    last_id: Id | None = None


class Turns(msgspec.Struct):
    data: list[Turn | None] | None = None
    has_more: bool | None = None
    last_id: Id | None = None


class WholeThread(msgspec.Struct):
    """All answers about a thread, as `raw` keeps them."""

    thread: Thread
    items: list[ThreadItems]


class WholeSession(msgspec.Struct):
    """All answers about a session, as `raw` keeps them."""

    session: Session
    items: list[SessionItems]
    turns: list[Turns] = []


# webhooks


class Subject(msgspec.Struct):
    """What an event is about: of a session, its id and its environment."""

    id: Id | None = None
    environment_type: str | None = None
    environment_id: Id | None = None
    required_action: RequiredAction | None = None


class Delivery(msgspec.Struct):
    id: Id | None = None
    type: str | None = None
    created_at: Instant = None
    data: Subject | None = None


_KIND = "the same for all"
_PAGE = "about the page"


def _of_pages(name: str) -> dict[str, str]:
    return {f"{name}[].object": _PAGE, f"{name}[].first_id": _PAGE}


_THREAD = {"object": _KIND}
THREADS_LEFT = {
    **_THREAD,
    **{f"thread.{name}": why for name, why in _THREAD.items()},
    **_of_pages("items"),
    "items[].data[].object": _KIND,
    "items[].data[].thread_id": "the id of the thread",
    "items[].data[].status": "a call without a result runs",
    "items[].data[].widget": "what a browser draws",
    "items[].data[].inference_options*": "what the user chose for one answer",
    "items[].data[].attachments[].*": "a file that cannot be fetched",
    "items[].data[].content[].annotations*": "the sources of the text",
}

_SESSION = {
    "object": _KIND,
    "agent.*": "the configuration of the agent",
    "environment.*": "the configuration of the environment",
    "required_actions[].*": "an item has the same",
    "vault_ids*": "where credentials are kept",
    "prompt_cache_options*": "how the provider caches",
    "review": "how the provider reviews",
}
SESSIONS_LEFT = {
    **_SESSION,
    **{f"session.{name}": why for name, why in _SESSION.items()},
    **_of_pages("items"),
    "items[].data[].phase": "whether it is the last message of its turn",
    "items[].data[].content[].image_url": "may be the picture itself",
    "items[].data[].content[].encrypted_content": "cannot be read",
    "items[].data[].summary[].type": _KIND,
    "items[].data[].request_id": "a decision comes after its request",
    "items[].data[].request.*": "a form for people",
    "items[].data[].response.*": "a form for people",
    **_of_pages("turns"),
    "turns[].data[].object": _KIND,
    "turns[].data[].session_id": "the id of the session",
    "turns[].data[].agent_id": "the id of the agent",
    "turns[].data[].subagent_id": "turns of subagents are not asked for",
    "turns[].data[].usage*": "the session has the sum",
    "turns[].data[].prompt_cache_options*": "how the provider caches",
}
