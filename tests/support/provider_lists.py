"""Each provider's list walked as its documentation says: how it is asked for, paged and refused."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from conversations_hub.testing.simulator._world import Call

__all__ = ["LISTS", "OTHERS", "DocumentedList"]

Ask = Callable[[Mapping[str, Any]], Any]
"""Asks for a list with these parameters, and returns the answer's body."""
Walk = Callable[[Ask, int, Mapping[str, Any]], Iterator[str]]
"""Yields the ids of all pages of a size, of what the filters let through."""


@dataclass(frozen=True, kw_only=True)
class DocumentedList:
    """One provider's list."""

    path: str
    key: Callable[[str], dict[str, str]]
    """The headers that show a key."""
    walk: Walk
    far_down: Mapping[str, Any]
    """Asks for fifty, far below the newest of a million."""
    words: Callable[[Any], object]
    """Where a refusal says why."""
    method: str = "GET"
    always: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Parameters without which every request is refused, as they are unless others are asked for."""
    tells_limits: bool = False
    """Whether answers come with `x-ratelimit-remaining` and the like."""

    def call(self, asked: Mapping[str, Any], key: str = "any-key") -> Call:
        """Return the request for a list: parameters stand in the query, or in the body where it is a search."""
        asked = {**self.always, **asked}
        if self.method == "POST":
            return Call("POST", self.path, self.key(key), msgspec.json.encode(asked))
        return Call(self.method, f"{self.path}?{urlencode(asked)}", self.key(key))


def _api_key(key: str) -> dict[str, str]:
    return {"x-api-key": key}


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


# https://docs.tavus.io/api-reference/conversations/get-conversations
def _tavus(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    seen, total, page = 0, 1, 1
    while seen < total:
        answer = ask({"limit": size, "page": page, **filters})
        assert answer["data"] or not answer["total_count"]
        yield from (row["conversation_id"] for row in answer["data"])
        seen, total, page = seen + len(answer["data"]), answer["total_count"], page + 1


# https://docs.anyreach.ai/api-reference/conversations/list-conversations
def _anyreach(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"limit": size, **filters}
    while len(rows := ask(asked)) == size:
        yield from (row["id"] for row in rows)
        asked["cursor"] = base64.b64encode(rows[-1]["created_at"].encode()).decode()
    yield from (row["id"] for row in rows)


# https://docs.voiceable.dev/api-reference/conversations/list-conversations
def _voiceable(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"page_size": size, **filters}
    more = True
    while more:
        data = ask(asked)["data"]
        page: dict[str, Any] = {"conversations": data, "has_more": False} if isinstance(data, list) else data
        yield from (row.get("conversation_id") or row["id"] for row in page["conversations"])
        more, asked["cursor"] = page["has_more"], page.get("next_cursor")


# https://docs.vapi.ai/api-reference/calls/list
def _vapi(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"limit": size, **filters}
    while len(rows := ask(asked)) == size:
        yield from (row["id"] for row in rows)
        asked["createdAtLt"] = rows[-1]["createdAt"]
    yield from (row["id"] for row in rows)


# https://docs.bland.ai/api-v1/get/calls
def _bland(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    seen, total = 0, 1
    while seen < total:
        answer = ask({"from": seen, "limit": size, **filters})
        assert answer["calls"] or not answer["total_count"]
        yield from (row["call_id"] for row in answer["calls"])
        seen, total = seen + answer["count"], answer["total_count"]


# https://elevenlabs.io/docs/api-reference/conversations/list
def _elevenlabs(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"page_size": size, **filters}
    more = True
    while more:
        page = ask(asked)
        yield from (row["conversation_id"] for row in page["conversations"])
        more, asked["cursor"] = page["has_more"], page["next_cursor"]


# https://docs.retellai.com/api-references/list-calls
def _retell(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"limit": size, **filters}
    more = True
    while more:
        page = ask(asked)
        yield from (row["call_id"] for row in page["items"])
        # The last page has a key too; one without rows has none.
        more, asked["pagination_key"] = page["has_more"], page.get("pagination_key")


# https://developers.telnyx.com/api-reference/conversations/list-conversations
def _telnyx(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"limit": size, **filters}
    while len(rows := ask(asked)["data"]) == size:
        yield from (row["id"] for row in rows)
        asked["created_at"] = f"lt.{rows[-1]['created_at']}"
    yield from (row["id"] for row in rows)


# https://docs.ultravox.ai/api-reference/calls/calls-list
def _ultravox(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked: Mapping[str, Any] = {"pageSize": size, **filters}
    while asked:
        page = ask(asked)
        yield from (row["callId"] for row in page["results"])
        following = urlsplit(page["next"] or "")
        assert following.path == ("/api/calls" if page["next"] else "")
        asked = dict(parse_qsl(following.query))


# https://docs.bey.dev/openapi.json
def _beyond_presence(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked: dict[str, Any] = {"limit": min(size, 50), **filters}
    more = True
    while more:
        page = ask(asked)
        yield from (row["id"] for row in page["data"])
        # `has_more` may be left out; the last page has no cursor.
        more = "next_cursor" in page
        assert page.get("has_more", more) is more
        asked["cursor"] = page.get("next_cursor")


# https://github.com/fishaudio/docs, agents/monitor/conversation-history
_FISH_AUDIO_STATUSES = {"status": "pending,active,completed,failed,unknown"}
"""Without these, the list leaves out the sessions that are pending."""


def _fish_audio(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"page_size": size, **_FISH_AUDIO_STATUSES, **filters}
    more = True
    while more:
        page = ask(asked)
        yield from (row["session_id"] for row in page["sessions"])
        more, asked["cursor"] = page["has_more"], page["next_cursor"]


# https://anam.ai/docs/api-reference/sessions/list-sessions
def _anam(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    page: int | None = 1
    while page is not None:
        answer = ask({"perPage": size, "page": page, **filters})
        yield from (row["id"] for row in answer["data"])
        page = answer["meta"]["next"]


# https://docs.liveavatar.com/api-reference/sessions/list-sessions
def _liveavatar(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    for kind in ("active", "historic"):
        page, more = 1, True
        while more:
            data = ask({"type": kind, "page_size": size, "page": page, **filters})["data"]
            yield from (row["id"] for row in data["results"])
            page, more = page + 1, bool(data.get("next"))
            assert more == (page * size - size < data["count"])


# developers.openai.com, reference of ChatKit and of the Agents API
def _openai(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"limit": size, **filters}
    more = True
    while more:
        page = ask(asked)
        yield from (row["id"] for row in page["data"])
        more, asked["after"] = page["has_more"], page["last_id"]


def _openai_key(beta: str) -> Callable[[str], dict[str, str]]:
    return lambda key: {**_bearer(key), "openai-beta": beta}


# github api-evangelist/synthflow, openapi/synthflow-calls-api-openapi.yml
_SYNTHFLOW_MODELS = ("m-1-front-desk", "m-2-old-desk")
"""The assistants; one at a time has calls, the newest first."""


def _synthflow(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    for model in _SYNTHFLOW_MODELS:
        seen, total = 0, 1
        while seen < total:
            page = ask({"model_id": model, "limit": size, "offset": seen, **filters})["response"]
            assert page["calls"] or not page["pagination"]["total_records"]
            yield from (row["call_id"] for row in page["calls"])
            seen, total = seen + len(page["calls"]), page["pagination"]["total_records"]


def _synthflow_chats(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"limit": size, **filters}
    more = True
    while more:
        page = ask(asked)["response"]
        yield from (row["chat_id"] for row in page["chats"])
        more, asked["cursor"] = page["has_more"], page["next_cursor"]


# https://docs.cartesia.ai/api-reference/agents/calls
_CARTESIA_AGENTS = ("agent_a_2026", "agent_b_2025", "agent_c_2024")
"""Who took calls, the latest first: there is one list for each."""


def _cartesia(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    for agent in _CARTESIA_AGENTS:
        asked = {"agent_id": agent, "limit": size, **filters}
        more = True
        while more:
            page = ask(asked)
            yield from (row["id"] for row in page["data"])
            # A full page that does not say is not the last one.
            following = page.get("next_page", page["data"][-1]["id"] if len(page["data"]) == size else None)
            more, asked["starting_after"] = following is not None, following


# https://platform.claude.com/docs/en/managed-agents/reference
def _claude(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"include_archived": "true", "limit": size, **filters}
    while True:
        page = ask(asked)
        yield from (row["id"] for row in page["data"])
        if page["next_page"] is None:
            return
        asked["page"] = page["next_page"]


def _claude_key(key: str) -> dict[str, str]:
    return {"x-api-key": key, "anthropic-version": "2026-10-21", "anthropic-beta": "managed-agents-2026-04-01"}


# https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations/listconversations
def _intercom(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked: dict[str, Any] = {"per_page": size, **filters}
    more = True
    while more:
        page = ask(asked)
        yield from (row["id"] for row in page["conversations"])
        following = page["pages"]["next"]
        more = following is not None
        asked["starting_after"] = following and following["starting_after"]


# https://github.com/chatwoot/chatwoot, app/finders/conversation_finder.rb
_CHATWOOT_ALL = {"status": "all", "sort_by": "created_at_desc"}
"""Without these, the list has open conversations only, and its order moves."""


def _chatwoot(ask: Ask, _size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    seen, total, page = 0, 1, 1
    while seen < total:
        data = ask({**_CHATWOOT_ALL, "page": page, **filters})["data"]
        assert data["payload"] or not data["meta"]["all_count"]
        yield from (row["id"] for row in data["payload"])
        seen, total, page = seen + len(data["payload"]), data["meta"]["all_count"], page + 1


# https://docs.vapi.ai/api-reference/chats/list
def _vapi_pages(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    page, more = 1, True
    while more:
        answer = ask({"limit": size, "page": page, **filters})
        yield from (row["id"] for row in answer["results"])
        # Neither the number of pages nor whether there is another one is promised.
        page, more = page + 1, answer["metadata"].get("hasNextPage", len(answer["results"]) == size)


# https://docs.bland.ai/api-v1/get/sms-conversations
def _bland_texts(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    page, pages = 0, 1
    while page < pages:
        answer = ask({"pageSize": size, "page": page + 1, **filters})
        yield from (row["id"] for row in answer["data"])
        page, pages = page + 1, answer["extra"]["pagination"]["totalPages"]


# https://www.assemblyai.com/docs/api-reference/voice-agent-api/list-sessions
def _assemblyai(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked = {"limit": size, **filters}
    more = True
    while more:
        page = ask(asked)
        yield from (row["id"] for row in page["sessions"])
        more, asked["cursor"] = page["has_more"], page["response_metadata"]["next_cursor"]


# https://www.twilio.com/docs/conversations/api/conversation-resource
def _twilio(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    asked: dict[str, Any] = {"PageSize": size, **filters}
    while asked:
        page = ask(asked)
        yield from (row["sid"] for row in page[page["meta"]["key"]])
        asked = dict(parse_qsl(urlsplit(page["meta"]["next_page_url"] or "").query))


def _basic(key: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'AC1:{key}'.encode()).decode()}"}


_DECEMBER = 1764547200
"""2025-12-01, in Unix seconds."""

# https://www.bolna.ai/docs
_BOLNA_AGENT = "0a1c3e5a-0d2f-4a6b-8c9d-0e1f2a3b4c5d"
_BOLNA_SPAN = timedelta(days=7)
"""The longest that a list may be asked for."""


def _bolna(ask: Ask, size: int, filters: Mapping[str, Any]) -> Iterator[str]:
    end = datetime(2026, 11, 21, tzinfo=UTC)
    for _ in range(60):
        begin = end - _BOLNA_SPAN
        asked = {"page_size": min(size, 50), "from": _in_utc(begin), "to": _in_utc(end), **filters}
        page, more = 1, True
        while more:
            answer = ask({**asked, "page_number": page})
            yield from (row["id"] for row in answer["data"])
            page, more = page + 1, answer["has_more"]
        end = begin - timedelta(milliseconds=1)  # both ends are included


def _in_utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


LISTS = {
    "tavus": DocumentedList(
        path="/v2/conversations",
        key=_api_key,
        walk=_tavus,
        far_down={"limit": 50, "page": 19000},
        words=lambda body: body["message"],
    ),
    "anyreach": DocumentedList(
        path="/core/conversations",
        key=_bearer,
        walk=_anyreach,
        far_down={"limit": 50, "created_before": "2025-12-01"},
        words=lambda body: body["detail"],
    ),
    "voiceable": DocumentedList(
        path="/conversations",
        key=_api_key,
        walk=_voiceable,
        far_down={"page_size": 50, "call_start_before_unix": _DECEMBER},
        words=lambda body: body["status"]["message"],
        tells_limits=True,
    ),
    "vapi": DocumentedList(
        path="/call",
        key=_bearer,
        walk=_vapi,
        far_down={"limit": 50, "createdAtLe": "2025-12-01T00:00:00Z"},
        words=lambda body: body["message"] and body["error"] and body["statusCode"],
    ),
    "bland": DocumentedList(
        path="/v1/calls",
        key=lambda key: {"authorization": key},
        walk=_bland,
        far_down={"limit": 50, "from": 700_000, "ascending": "true"},
        words=lambda body: body["message"],
    ),
    "elevenlabs": DocumentedList(
        path="/v1/convai/conversations",
        key=lambda key: {"xi-api-key": key},
        walk=_elevenlabs,
        far_down={"page_size": 50, "call_start_before_unix": _DECEMBER},
        words=lambda body: body["detail"],
    ),
    "retell": DocumentedList(
        path="/v3/list-calls",
        key=_bearer,
        walk=_retell,
        far_down={
            "limit": 50,
            "filter_criteria": {"start_timestamp": {"type": "number", "op": "lt", "value": _DECEMBER * 1000}},
        },
        words=lambda body: body["message"],
        method="POST",
    ),
    "telnyx": DocumentedList(
        path="/ai/conversations",
        key=_bearer,
        walk=_telnyx,
        far_down={"limit": 50, "created_at": "lt.2025-12-01"},
        words=lambda body: body["errors"][0]["detail"],
        tells_limits=True,
    ),
    "ultravox": DocumentedList(
        path="/api/calls",
        key=_api_key,
        walk=_ultravox,
        far_down={"pageSize": 50, "toDate": "2025-12-01"},
        words=lambda body: body["detail"],
    ),
    "beyond_presence": DocumentedList(
        path="/v1/calls",
        key=_api_key,
        walk=_beyond_presence,
        far_down={"limit": 50, "cursor": base64.urlsafe_b64encode(b'{"before": %d}' % _DECEMBER).decode()},
        words=lambda body: body["detail"],
    ),
    "fish_audio": DocumentedList(
        path="/v1/agent/sessions",
        key=_bearer,
        walk=_fish_audio,
        far_down={"page_size": 50, "created_before": "2025-12-01T00:00:00Z", **_FISH_AUDIO_STATUSES},
        words=lambda body: body["message"],
    ),
    "anam": DocumentedList(
        path="/v1/sessions",
        key=_bearer,
        walk=_anam,
        far_down={"perPage": 50, "page": 19000},
        words=lambda body: body["message"],
    ),
    "liveavatar": DocumentedList(
        path="/v1/sessions",
        key=_api_key,
        walk=_liveavatar,
        always={"type": "historic"},
        far_down={"page_size": 50, "page": 19000},
        words=lambda body: body["message"],
    ),
    "openai": DocumentedList(
        path="/agents/sessions",
        key=_openai_key("agents=v1"),
        walk=_openai,
        far_down={"limit": 50, "order": "asc"},
        words=lambda body: body["error"]["message"],
    ),
    "synthflow": DocumentedList(
        path="/calls",
        key=_bearer,
        walk=_synthflow,
        always={"model_id": _SYNTHFLOW_MODELS[0]},
        far_down={"model_id": _SYNTHFLOW_MODELS[1], "limit": 50, "offset": 400_000},
        words=lambda body: body["message"],
    ),
    "cartesia": DocumentedList(
        path="/agents/calls",
        key=lambda key: {"authorization": f"Bearer {key}", "cartesia-version": "2026-08-14"},
        walk=_cartesia,
        always={"agent_id": _CARTESIA_AGENTS[0]},
        far_down={"agent_id": _CARTESIA_AGENTS[2], "limit": 50},
        words=lambda body: body["error"],
    ),
    "claude": DocumentedList(
        path="/v1/sessions",
        key=_claude_key,
        walk=_claude,
        far_down={"limit": 50, "created_at[lt]": "2025-12-01T00:00:00Z", "include_archived": "true"},
        words=lambda body: body["error"]["message"],
    ),
    "assemblyai": DocumentedList(
        path="/v1/sessions",
        key=lambda key: {"authorization": key},
        walk=_assemblyai,
        far_down={"limit": 50, "cursor": base64.urlsafe_b64encode(str(_DECEMBER).encode()).decode()},
        words=lambda body: body["error"],
    ),
    "twilio": DocumentedList(
        path="/v1/Conversations",
        key=_basic,
        walk=_twilio,
        far_down={"PageSize": 50, "EndDate": "2025-12-01T23:59:59Z"},
        words=lambda body: body["message"] and body["code"],
    ),
    "intercom": DocumentedList(
        path="/conversations",
        key=_bearer,
        walk=_intercom,
        far_down={
            "per_page": 50,
            "starting_after": base64.urlsafe_b64encode(b"[9,1e10,%d.0]" % _DECEMBER).decode(),
        },
        words=lambda body: body["errors"][0]["message"],
        tells_limits=True,
    ),
    "chatwoot": DocumentedList(
        path="/api/v1/accounts/1/conversations",
        key=lambda key: {"api_access_token": key},
        walk=_chatwoot,
        always=_CHATWOOT_ALL,
        far_down={"page": 19000},
        words=lambda body: body if isinstance(body, str) else body["error"],
    ),
    "bolna": DocumentedList(
        path=f"/v2/agent/{_BOLNA_AGENT}/executions",
        key=_bearer,
        walk=_bolna,
        always={"from": "2026-11-14T00:00:00Z", "to": "2026-11-21T00:00:00Z"},
        far_down={"page_size": 50, "from": "2025-11-24T00:00:00Z", "to": "2025-12-01T00:00:00Z"},
        words=lambda body: body["message"],
    ),
}
"""By provider; each gives the newest first unless asked otherwise."""

OTHERS = {
    "vapi:chats": DocumentedList(
        path="/chat",
        key=_bearer,
        walk=_vapi_pages,
        far_down={"limit": 50, "createdAtLe": "2025-12-01T00:00:00Z"},
        words=lambda body: body["message"] and body["error"] and body["statusCode"],
    ),
    "vapi:sessions": DocumentedList(
        path="/session",
        key=_bearer,
        walk=_vapi_pages,
        far_down={"limit": 50, "page": 2000},
        words=lambda body: body["message"] and body["error"] and body["statusCode"],
    ),
    "bland:texts": DocumentedList(
        path="/v1/sms/conversations",
        key=lambda key: {"authorization": key},
        walk=_bland_texts,
        far_down={"pageSize": 50, "page": 15_000, "sortDir": "asc"},
        words=lambda body: body["message"],
    ),
    "openai:threads": DocumentedList(
        path="/chatkit/threads",
        key=_openai_key("chatkit_beta=v1"),
        walk=_openai,
        far_down={"limit": 50, "order": "asc"},
        words=lambda body: body["error"]["message"],
    ),
    "synthflow:chats": DocumentedList(
        path="/chat",
        key=_bearer,
        walk=_synthflow_chats,
        far_down={"limit": 50, "cursor": base64.urlsafe_b64encode(b"%d" % _DECEMBER).decode()},
        words=lambda body: body["message"],
    ),
}
"""By provider and kind: the lists of what lies apart from calls; each gives the newest first unless asked otherwise."""
