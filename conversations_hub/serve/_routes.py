"""Every route of the gateway: what answers, who may ask, and what its document says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec
from aiohttp import web

from ..metrics._groups import KEYS
from ..schema import Channel, Conversation, Direction, EndReason, Role, Status, TranscriptState
from . import _changes, _conversations, _health, _inbox, _measures, _numbers, _openapi, _recordings, _search
from ._answers import JSON
from ._counters import MEDIA_TYPE
from ._documents import (
    AccountList,
    ChangeLine,
    ConversationPage,
    Facets,
    Hits,
    InboxState,
    Measurements,
    MissingList,
    ProviderList,
    State,
    Statistics,
    Turns,
)
from ._media import FORMATS
from ._query import LONGEST
from ._tokens import Scope

__all__ = ["ROUTES", "Parameter", "Route"]

_JSONL: Final = "application/jsonl"


class Parameter(msgspec.Struct, frozen=True):
    """An argument of a route."""

    name: str
    meaning: str
    schema: Mapping[str, Any]
    is_many: bool = False
    """Whether it may come several times: any of the values."""
    is_required: bool = False


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route."""

    path: str
    """With `{ref}` and `{position}` in it."""
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    scope: Scope | None
    """What a token needs; None: no token is needed."""
    takes_ticket: bool = False
    """Whether a ticket in the address is as good as a token."""
    query: tuple[Parameter, ...] = ()
    returns: Mapping[str, Any]
    """The type of the answer by its media type; None: what is no JSON."""

    @property
    def pattern(self) -> str:
        """The path for the router: a ref may hold a slash."""
        return self.path.replace("{ref}", "{ref:.+}").replace("{position}", "{position:[0-9]{1,4}}")


def _text(name: str, meaning: str, **more: Any) -> Parameter:
    return Parameter(name, meaning, {"type": "string", "maxLength": LONGEST}, **more)


def _word(name: str, meaning: str, words: type[StrEnum] | tuple[str, ...], **more: Any) -> Parameter:
    return Parameter(name, meaning, {"type": "string", "enum": [str(word) for word in words]}, **more)


def _number(name: str, meaning: str, least: int, most: int, default: int) -> Parameter:
    return Parameter(name, meaning, {"type": "integer", "minimum": least, "maximum": most, "default": default})


_INSTANT: Final = "such as 2026-11-20 or 2026-11-20T09:30Z; UTC without a zone"
_FILTERS: Final = (
    _text("provider", "The provider's name.", is_many=True),
    _text("account", 'The account, as "provider/account".', is_many=True),
    _word("status", "The status.", Status, is_many=True),
    _text("agent", "The id of the agent.", is_many=True),
    _word("end_reason", "Why it ended.", EndReason, is_many=True),
    _word("transcript", "Why there is a transcript, or none.", TranscriptState, is_many=True),
    _word("channel", "The medium.", Channel, is_many=True),
    _word("direction", "Who started it.", Direction, is_many=True),
    _text("tag", "A tag.", is_many=True),
    _word("issues", "Whether something could not be read.", ("true", "false")),
    _text("since", f"From this instant on, {_INSTANT}."),
    _text("until", f"Before this instant, {_INSTANT}."),
)
_WORDS: Final = "The words; quotes keep words together, OR, NOT and a star work."
_SAID: Final = _text("q", f"What one of its turns contains. {_WORDS}")
_CURSOR: Final = _text("cursor", "That of the answer to continue after.")

ROUTES: Final = (
    Route(
        path="/v1/conversations",
        answer=_conversations.conversations,
        summary="A page of conversations, newest first, without their transcripts",
        scope="read",
        query=(*_FILTERS, _SAID, _number("limit", "Rows of a page.", 1, _conversations.MOST, 50), _CURSOR),
        returns={JSON: ConversationPage},
    ),
    Route(
        path="/v1/conversations.jsonl",
        answer=_conversations.stream,
        summary='Whole conversations, newest first, one on each line; the last line is {"end": true, "count": N}',
        scope="read",
        query=(*_FILTERS, _SAID),
        returns={_JSONL: Conversation},
    ),
    Route(
        path="/v1/conversations/{ref}/raw",
        answer=_conversations.raw,
        summary="What the provider sent, without known secrets",
        scope="raw",
        returns={JSON: Any},
    ),
    Route(
        path="/v1/conversations/{ref}/turns",
        answer=_conversations.turns,
        summary="A part of a transcript",
        scope="read",
        query=(
            _number("from", "The position of the first turn.", 0, 10**8, 0),
            _number("limit", "Turns.", 1, 5000, 500),
        ),
        returns={JSON: Turns},
    ),
    Route(
        path="/v1/conversations/{ref}/measures",
        answer=_measures.measures,
        summary="What a conversation measures: each value with its basis, or why there is none",
        scope="read",
        returns={JSON: Measurements},
    ),
    Route(
        path="/v1/conversations/{ref}",
        answer=_conversations.conversation,
        summary="One conversation, in the format that the Accept header or `format` names",
        scope="read",
        query=(
            _word("source", "Ask the store, or the provider itself.", ("store", "live")),
            _word("format", "The format, instead of the Accept header.", tuple(FORMATS)),
        ),
        returns={choice.media_type: Conversation if choice.format is None else None for choice in FORMATS.values()},
    ),
    Route(
        path="/v1/recordings/{ref}/{position}",
        answer=_recordings.recording,
        summary="A recording, or a part of it as the Range header says",
        scope="recordings",
        takes_ticket=True,
        query=(_text("ticket", "From the Link header of a conversation; instead of a token."),),
        returns={"application/octet-stream": None, "audio/mpeg": None, "audio/x-wav": None, "video/mp4": None},
    ),
    Route(
        path="/v1/search",
        answer=_search.search,
        summary="Turns that contain all the words",
        scope="read",
        query=(
            _text("q", _WORDS, is_required=True),
            _word("role", "The role of the speaker.", Role),
            _word("order", "What was stored last comes first, or the best of the newest 2,000.", ("newest", "best")),
            *_FILTERS,
            _number("limit", "Hits of a page.", 1, 100, 20),
            _CURSOR,
        ),
        returns={JSON: Hits},
    ),
    Route(
        path="/v1/facets",
        answer=_numbers.facets,
        summary="How many conversations have each value of some fields",
        scope="read",
        query=(*_FILTERS, _word("field", "What to count by.", tuple(_numbers.FACETS), is_many=True)),
        returns={JSON: Facets},
    ),
    Route(
        path="/v1/stats",
        answer=_numbers.statistics,
        summary="What conversations measure, group by group",
        scope="read",
        query=(*_FILTERS, _text("by", f"What a group has in common, with commas: {', '.join(KEYS)}.", is_many=True)),
        returns={JSON: Statistics},
    ),
    Route(
        path="/v1/missing",
        answer=_numbers.missing,
        summary="What the store lacks, account by account",
        scope="read",
        returns={JSON: MissingList},
    ),
    Route(
        path="/v1/inbox",
        answer=_inbox.inbox,
        summary="How many events of webhooks are not in the store yet, and which were given up",
        scope="read",
        query=(_number("limit", "Events of a page.", 1, _inbox.MOST, 50), _CURSOR),
        returns={JSON: InboxState},
    ),
    Route(
        path="/v1/changes",
        answer=_changes.changes,
        summary="What was written or erased after a cursor, each conversation once, in the order of commits; the last "
        'line is {"end": true, "count": N, "cursor": …}',
        scope="read",
        query=(
            _text("cursor", 'That of the change to continue after; "now": only what comes from now on.'),
            _number("wait", "Seconds to wait for a first change.", 0, 60, 0),
        ),
        returns={_JSONL: ChangeLine, _changes.EVENTS: None},
    ),
    Route(
        path="/v1/accounts",
        answer=_numbers.accounts,
        summary="The accounts, and how fresh the store is",
        scope="read",
        returns={JSON: AccountList},
    ),
    Route(
        path="/v1/providers",
        answer=_numbers.providers,
        summary="What each provider supports",
        scope="read",
        returns={JSON: ProviderList},
    ),
    Route(
        path="/healthz",
        answer=_health.healthy,
        summary="Whether the event loop answers",
        scope=None,
        returns={JSON: State},
    ),
    Route(
        path="/readyz",
        answer=_health.ready,
        summary="Whether the store can be read and webhooks can be kept, and what to look at",
        scope=None,
        returns={JSON: State},
    ),
    Route(
        path="/metrics",
        answer=_health.metrics,
        summary="Counters, in the text format of Prometheus",
        scope="metrics",
        returns={MEDIA_TYPE: None},
    ),
    Route(
        path="/openapi.json",
        answer=_openapi.answer,
        summary="This document",
        scope=None,
        returns={JSON: Any},
    ),
)
