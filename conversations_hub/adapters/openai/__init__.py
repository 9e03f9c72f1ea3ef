"""OpenAI: sessions of agents, GET /agents/sessions, and threads of ChatKit, GET /chatkit/threads; newest first.

Both are paged by the id of a row, and only `get` reads their items. An item of a thread has an instant; an item of a
session has none, so the session's turns are read too. What OpenAI keeps besides cannot be listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import ForbiddenError, HubError, InvalidRefError, NotFoundError, RejectedError, UnsupportedError
from ...events import Webhook
from ...reading.json import decode, try_decode_any
from ...reading.refusals import provider_error, read_or_raise, words_of
from ...reading.values import Issues, members_of, text_at
from ...schema import Conversation, Issue, Role, TranscriptTurn
from ...signing import bearer
from ...signing.webhooks import STANDARD_WEBHOOKS, standard_key
from ...wire import Flow, QueryValue, Request, Response, field
from ._pages import LARGEST_PAGE, pages_of, rows_of
from ._payload import SESSIONS_LEFT, Session, SessionItems, Turns, WholeSession
from ._session import normalize, read
from ._thread import THREADS
from ._webhook import events

__all__ = ["ADAPTER", "delete", "events", "get", "list_page", "normalize", "refusal", "send", "sign", "start"]

_row = msgspec.json.Decoder(Session, strict=False)
_items = msgspec.json.Decoder(SessionItems, strict=False)
_turns = msgspec.json.Decoder(Turns, strict=False)

# how to ask

_BETA = {"OpenAI-Beta": "agents=v1"}
_PROJECTS = {"organization": "OpenAI-Organization", "project": "OpenAI-Project"}


def sign(request: Request, account: Account, now: datetime) -> Request:
    """Send the key, and the organization and the project of the settings."""
    signed = bearer(request, account, now)
    told = {header: account.settings[name].reveal() for name, header in _PROJECTS.items() if name in account.settings}
    return msgspec.structs.replace(signed, headers={**signed.headers, **told})


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of sessions; a cursor is the id of the last row before it.

    By what the provider orders them is not documented, so no instant ends the walk.
    """
    size = min(query.page_size or LARGEST_PAGE, LARGEST_PAGE)
    narrowed = {"agent_id": query.agent} if query.agent else {}
    asked: dict[str, QueryValue] = {**query.options, **narrowed, "limit": size, "order": "desc", "after": cursor}
    # https://github.com/openai/openai-python/tree/main/src/openai/resources/beta/agents
    return (yield from rows_of("/agents/sessions", _BETA, asked, normalize))


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a session with its items and its turns; what subagents did is not among them."""
    ids = {"id": id}
    misfits: list[Issue] = []
    # https://github.com/openai/openai-python/tree/main/src/openai/resources/beta/agents
    reply = yield Request("GET", "/agents/sessions/{id}", ids=ids, headers=_BETA, reads=_row)
    session = read_or_raise(reply, lambda body: decode(body, _row, misfits))
    issues = Issues([Issue(f"session.{misfit.place}", misfit.reason) for misfit in misfits])
    parts: dict[str, Any] = {"session": msgspec.Raw(reply.body)}
    parts["items"], items, more = yield from pages_of("/agents/sessions/{id}/items", ids, _BETA, _items, "items")
    issues += more
    turns: list[Turns] = []
    try:
        parts["turns"], turns, more = yield from pages_of("/agents/sessions/{id}/turns", ids, _BETA, _turns, "turns")
        issues += more
    except (ForbiddenError, NotFoundError, RejectedError) as error:
        issues.append(Issue("turns", f"could not be loaded: {type(error).__name__}"))
    return read(session, items, turns, msgspec.json.encode(parts), issues, place="session.")


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Open a session; the option `environment` is required, and `input` too if its type is `none`."""
    if wanted.to is not None:
        raise UnsupportedError("OpenAI places no calls this way: omit `to`, and talk to the agent with `send`")
    body = {**wanted.options, **({"agent_id": wanted.agent} if wanted.agent else {})}
    # https://github.com/openai/openai-python/tree/main/src/openai/resources/beta/agents
    reply = yield Request("POST", "/agents/sessions", headers=_BETA, body=msgspec.json.encode(body))
    return Started(conversation=read_or_raise(reply, normalize))


def send(_account: Account, id: str, words: str) -> Flow[TranscriptTurn]:
    """Say something in a session, and return it; the answer comes later, and a running turn gets it too."""
    said = {"role": "user", "content": [{"type": "input_text", "text": words}]}
    body = msgspec.json.encode({"events": [{"type": "agent.session.input.message", "input": [said]}]})
    # https://github.com/openai/openai-python/blob/main/src/openai/resources/beta/agents/sessions/events.py
    yield Request("POST", "/agents/sessions/{id}/events", ids={"id": id}, headers=_BETA, body=body, json=False)
    return TranscriptTurn(index=0, role=Role.USER, text=words, participant=1)


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a session; refused while a turn runs."""
    if options:
        raise InvalidRefError("deleting a session takes no options")
    # https://github.com/openai/openai-python/tree/main/src/openai/resources/beta/agents
    yield Request("DELETE", "/agents/sessions/{id}", ids={"id": id}, headers=_BETA, json=False)


def refusal(response: Response) -> HubError:
    """Read a refusal; one that no waiting cures is not tried again, whatever its status."""
    sent = members_of(try_decode_any(response.body))
    # https://platform.openai.com/docs/guides/error-codes
    is_final = text_at(sent, "error", "code") == "insufficient_quota"
    # https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py
    is_final = is_final or field(response.headers, "x-should-retry").lower() == "false"
    return provider_error(response, words_of(response), retryable=False if is_final else None)


def _key(secret: str) -> bytes:
    """Read the key of a webhook, as the vendor's SDK does: without its prefix, it is plain text."""
    return standard_key(secret) if secret.startswith("whsec_") else secret.encode()


ADAPTER = Adapter(
    name="openai",
    base_url="https://api.openai.com/v1",
    docs="https://developers.openai.com/api/docs/guides/agents-api/sessions/webhooks",
    sign=sign,
    refusal=refusal,
    main="sessions",
    list_page=list_page,
    normalize=normalize,
    page_size=LARGEST_PAGE,
    get=get,
    start=start,
    send=send,
    delete=delete,
    complete_lists=False,
    resources={"threads": THREADS},
    unlisted=("conversations and responses", "realtime calls", "what subagents did"),
    settings=("organization", "project"),
    secret_fields=frozenset(
        {"authorization", "client_secret", "encrypted_content", "headers", "preview_url", "remote_url"}
    ),
    webhook=Webhook(events=events, scheme=msgspec.structs.replace(STANDARD_WEBHOOKS, key=_key)),
    filters=("agent",),
    shows=("tool calls",),
    support="specification",
    coverage=Coverage(read=128, members=191),
    payloads=(Session, WholeSession),
    left_to_raw=SESSIONS_LEFT,
    notes=(
        "Sessions never end, so they stay `in_progress`, and a sync looks at them again until its patience is over.",
        "Turns of a session get their time from the session's own turns, because their items have none.",
        "`organization` and `project` are ids. Most keys belong to one project and need neither.",
    ),
)
