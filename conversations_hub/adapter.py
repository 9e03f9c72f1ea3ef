"""The contract: what a provider must say about itself to be served by the hub.

An adapter is a value that holds functions. None of them does I/O: what must talk to the provider is a generator that
yields `Request` and receives `Response`. What it holds decides what it can do; nothing is declared beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import msgspec

from ._moved import moved
from .account import Account
from .errors import HubError, InvalidRefError
from .events import Webhook
from .reading.refusals import by_status
from .schema import Conversation, Recording, Status, TranscriptTurn
from .secret import Secret
from .wire import Flow, Request, Response

__all__ = [
    "Adapter",
    "Coverage",
    "Feature",
    "Filter",
    "Operation",
    "Query",
    "RawPage",
    "Resource",
    "Start",
    "Started",
    "Support",
]

TYPE_CHECKING = False
if not TYPE_CHECKING:  # until 0.3
    __getattr__ = moved(
        __name__,
        names={
            "Event": "conversations_hub.events:Event",
            "EventKind": "conversations_hub.events:EventKind",
            "Listing": "conversations_hub.adapter:RawPage",
            "answered": "conversations_hub.reading.refusals:read_or_raise",
            "by_status": "conversations_hub.reading.refusals:by_status",
            "cut": "conversations_hub.reading.refusals:one_line",
            "refused": "conversations_hub.reading.refusals:provider_error",
        },
    )

Operation = Literal["list", "get", "start", "end", "delete", "send"]
"""What a hub can be asked to do."""

Filter = Literal["since", "until", "status", "agent"]
"""What a list can be narrowed by."""

Feature = Literal["tool calls", "interruptions", "word timing", "recording"]
"""What some providers tell of a conversation, and others do not."""

Support = Literal["specification", "documentation", "inferred"]
"""What an adapter was checked against, the strongest first."""


class Coverage(msgspec.Struct, frozen=True):
    """How much of a conversation, as the provider's own specification describes it, an adapter reads."""

    read: int
    members: int
    """Of all payloads of a conversation; what is not read is left to `raw`, with a reason."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for, in our words; an adapter passes on what its provider can filter by."""

    since: datetime | None = None
    """Aware; the first instant that counts."""
    until: datetime | None = None
    """Aware; the first instant that no longer counts."""
    status: Status | None = None
    agent: str | None = None
    """The provider's id of the agent."""
    page_size: int | None = None
    """None: the adapter's maximum."""
    newest_first: bool = False
    """Whether the newest rows are wanted first, in place of the order that is safest to walk in."""
    options: Mapping[str, Any] = {}
    """More of the provider's own filters, under the provider's names."""


class RawPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page as the adapter found it; the hub decodes its rows, one by one."""

    rows: Sequence[msgspec.Raw]
    normalize: Callable[[msgspec.Raw], Conversation]
    cursor: str | None = None
    """Where the next page begins; None: this was the last."""
    warning: str | None = None
    """What the caller should know of this page, for the report."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation to be started."""

    agent: str | None = None
    to: str | None = None
    """Who is called: a number or address, where the channel needs one."""
    options: Mapping[str, Any] = {}
    """More of the provider's own request members."""

    def __repr__(self) -> str:
        return "<Start>"  # a number is a person's, and the options may say anything of one


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that was started, and how to join it."""

    conversation: Conversation
    join_url: str | None = None
    token: Secret | None = None
    """What a participant shows to join; `token.reveal()` gives the text."""

    def __repr__(self) -> str:
        return f"<Started {self.conversation.ref}>"  # whoever has the URL may join


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of conversation that a provider keeps, with its own list. A function it does not hold cannot be done."""

    list_page: Callable[[Account, Query, str | None], Flow[RawPage]] | None = None
    get: Callable[[Account, str], Flow[Conversation]] | None = None
    start: Callable[[Account, Start], Flow[Started]] | None = None
    end: Callable[[Account, str], Flow[None]] | None = None
    delete: Callable[[Account, str, Mapping[str, Any]], Flow[None]] | None = None
    send: Callable[[Account, str, str], Flow[TranscriptTurn]] | None = None
    complete_lists: bool = True
    """Whether list rows hold what `get` brings; if not, `transcripts=True` asks for each."""
    page_size: int | None = None
    """Rows of a page where nobody asks for another number; None: unknown, and fewer might be all that can be had."""
    newest_first: bool = False
    """Whether the newest come first, at least where the query wants them so; False: no order is known."""
    counted: bool = False
    """Whether the list goes on at a number of rows or pages, so that what comes or goes before it moves it."""
    filters: tuple[Filter, ...] = ()
    """What the provider itself narrows the list by; the rest is checked on the rows."""
    id_prefix: str = ""
    """What ids of this kind begin with, where that tells them from others; else the resource's name is put before."""
    payloads: tuple[type, ...] = ()
    """The types that `raw` is read with; a member that none of them has is unknown."""
    left_to_raw: Mapping[str, str] = {}
    """Members known and not read, each with the reason: `events[].properties.*`, "a star stands for all below"."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What can be done."""
        held: dict[Operation, object] = {
            "list": self.list_page,
            "get": self.get,
            "start": self.start,
            "end": self.end,
            "delete": self.delete,
            "send": self.send,
        }
        return tuple(operation for operation, function in held.items() if function is not None)


class Adapter(Resource, frozen=True, kw_only=True):
    """One provider, described. It is the provider's main resource, and may hold others."""

    name: str
    base_url: str
    docs: str
    sign: Callable[[Request, Account, datetime], Request]
    refusal: Callable[[Response], HubError] = by_status
    """What an answer outside 2xx means."""
    main: str = "conversations"
    """What the main resource is called: `calls`."""
    resources: Mapping[str, Resource] = {}
    """Others, by name: `chats`. A walk goes through all of them."""
    unlisted: tuple[str, ...] = ()
    """Conversations that the provider keeps and this adapter does not list, in words for the report."""
    settings: tuple[str, ...] = ()
    """What an account may need beside its key, by name."""
    secret_settings: tuple[str, ...] = ()
    """Which of those are credentials: they are taken out of a provider's words, as the key is."""
    secret_fields: frozenset[str] = frozenset()
    """Members of the provider's JSON that are starred wherever it is kept, at any depth: in `raw`, `metadata`, what was
    collected, and what tools were given and answered. A star at the end of a name stands for any more of it."""
    requests_per_second: float | None = None
    """The documented limit of an account; None: not documented."""
    lookback: timedelta = timedelta(days=1)
    """How late a conversation may turn up in its list, or change there: so far back a sync walks the list again."""
    retention: timedelta | None = None
    """How long it keeps conversations unless an account has it otherwise; None: until they are deleted, or unknown."""
    webhook: Webhook | None = None
    recording: Callable[[Account, Recording], Flow[str]] | None = None
    """Asks for the URL of a recording, where the location is none that gives it; needs no key any more."""
    recording_hosts: tuple[str, ...] = ()
    """Where the provider keeps recordings beside its own API: each stands for itself and all names below it."""
    shows: tuple[Feature, ...] = ()
    """What the provider tells, where it tells it."""
    support: Support = "inferred"
    """What this was checked against."""
    coverage: Coverage | None = None
    """How much of the provider's own specification is read; None where there is none."""

    def resource_of(self, id: str) -> tuple[str, Resource, str]:
        """Return the name of the resource that an id belongs to, the resource, and the id as the provider has it."""
        if not self.resources:
            return self.main, self, id
        name, colon, own = id.partition(":")
        if colon and name in self.resources:
            return name, self.resources[name], own
        for name, resource in self.resources.items():
            if resource.id_prefix and id.startswith(resource.id_prefix):
                return name, resource, id
        return self.main, self, id

    def id_for_all(self, name: str, id: str) -> str:
        """Return what an id that the provider has for one of a resource is among the ids of all resources."""
        prefix = "" if name == self.main else self.resources[name].id_prefix
        return id if name == self.main or (prefix and id.startswith(prefix)) else f"{name}:{id}"

    def id_prefixes(self, name: str) -> tuple[str, ...]:
        """Return what ids of a resource other than the main one begin with.

        Raises:
            InvalidRefError: there is none of that name.
        """
        if name not in self.resources:
            choices = ", ".join(f"{self.name}:{each}" for each in (self.main, *self.resources))
            raise InvalidRefError(f"{self.name} has no conversations called {name!a}; there is {choices}")
        prefix = self.resources[name].id_prefix
        return (f"{name}:", prefix) if prefix else (f"{name}:",)

    def has_details(self, id: str) -> bool:
        """Whether `get` brings more of a conversation than its list row holds."""
        _, resource, _ = self.resource_of(id)
        return resource.get is not None and not resource.complete_lists

    @property
    def narrows_by_time(self) -> bool:
        """Whether the provider itself narrows all its lists by time."""
        lists = [each for each in (self, *self.resources.values()) if each.list_page is not None]
        return all({"since", "until"} <= {*each.filters} for each in lists)

    @property
    def all_operations(self) -> tuple[Operation, ...]:
        """What can be done with one resource or another."""
        found = {operation for each in (self, *self.resources.values()) for operation in each.operations}
        return tuple(operation for operation in get_args(Operation) if operation in found)
