"""What Telnyx sends: a conversation, its messages and its insights are three resources; the last two have pages."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds

T = TypeVar("T")

_Count = Annotated[float, msgspec.Meta(ge=0, lt=1e9)]


class Row(msgspec.Struct):
    """A conversation as a list has it."""

    id: Id
    name: Id | None = None
    created_at: Instant = None
    last_message_at: Instant = None
    metadata: AnyJson = None


class Envelope(msgspec.Struct):
    data: Row


class Function(msgspec.Struct):
    name: str | None = None
    arguments: AnyJson = None


class SentToolCall(msgspec.Struct):
    id: Id | None = None
    function: Function | None = None


class Message(msgspec.Struct, gc=False):
    role: str | None = None
    text: str | None = None
    created_at: Instant = None
    sent_at: Instant = None
    tool_calls: list[SentToolCall | None] | None = None
    tool_call_id: Id | None = None
    metadata: AnyJson = None


class Result(msgspec.Struct):
    insight_id: Id | None = None
    result: AnyJson = None


class Insights(msgspec.Struct):
    """One run of a group of insights."""

    id: Id | None = None
    status: str | None = None
    created_at: str | None = None
    insight_group_id: Id | None = None
    conversation_insights: list[Result | None] | None = None


class Meta(msgspec.Struct):
    total_pages: _Count | None = None
    total_results: _Count | None = None


class Page(msgspec.Struct, Generic[T]):
    """A page of messages or insights."""

    data: list[T | None]
    meta: Meta


class _Urls(msgspec.Struct):
    mp3: str | None = None
    wav: str | None = None


class _Recording(msgspec.Struct):
    download_urls: _Urls | None = None


class Recorded(msgspec.Struct):
    data: list[_Recording]


class Whole(msgspec.Struct):
    """All answers about one conversation, as `raw` keeps them."""

    conversation: Envelope
    messages: list[Page[Message]] | None = None
    insights: list[Page[Insights]] | None = None

    @property
    def runs(self) -> list[Insights]:
        """All runs of insights."""
        return [run for page in self.insights or () for run in page.data if run is not None]


class Rows(msgspec.Struct):
    """A page of the list; it does not say whether there are more."""

    data: list[msgspec.Raw]


class Stamp(msgspec.Struct):
    id: Id | None = None
    created_at: Instant = None


class Enclosed(msgspec.Struct):
    """An answer that may have an envelope."""

    data: msgspec.Raw = msgspec.Raw()


class Reply(msgspec.Struct):
    content: str | None


class Payload(msgspec.Struct):
    """The members of an event that are read; the others are kept as they are."""

    conversation_id: Id | None = None
    duration_sec: Seconds | None = None
    reason: str | None = None
    request_id: Id | None = None
    status: str | None = None
    insight_group_id: Id | None = None
    results: list[Result | None] | None = None
    metadata: AnyJson = None


class Event(msgspec.Struct):
    event_type: str | None = None
    id: Id | None = None
    occurred_at: Instant = None
    payload: msgspec.Raw = msgspec.Raw(b"null")


class Delivery(Event):
    """The body of a webhook: an event, with or without an envelope."""

    data: Event | None = None


class _Error(msgspec.Struct):
    code: Id | None = None


class Refusal(msgspec.Struct):
    """The platform's refusals have codes; those of the service behind the assistants have none."""

    errors: list[_Error] | None = None
