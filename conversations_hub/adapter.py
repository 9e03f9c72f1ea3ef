"""The contract between the hub and a provider's adapter.

An adapter is a value that holds functions. None of them does I/O: those that talk to the provider are generators that
yield `Request` and receive `Response`. An adapter supports the operations whose functions it holds; nothing else
declares them.
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
    "Authorization",
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
    "Token",
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
"""An operation of the hub."""

Filter = Literal["since", "until", "status", "agent", "updated_since"]
"""A filter of a list."""

Feature = Literal["tool calls", "interruptions", "word timing", "recording"]
"""A detail of conversations that some providers report and others do not."""

Support = Literal["specification", "documentation", "inferred"]
"""What an adapter was checked against, strongest first."""


class Coverage(msgspec.Struct, frozen=True):
    """How many of a conversation's members, by the provider's own specification, an adapter reads."""

    read: int
    members: int
    """In all payloads of a conversation; those that are not read are left to `raw`, with a reason."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to list, in the hub's terms; an adapter passes on the filters that its provider supports."""

    since: datetime | None = None
    """Aware, inclusive."""
    until: datetime | None = None
    """Aware, exclusive."""
    status: Status | None = None
    agent: str | None = None
    """The provider's id of the agent."""
    page_size: int | None = None
    """Rows per page; None: the adapter's maximum."""
    updated_since: datetime | None = None
    """Aware, inclusive: when a conversation changed last."""
    newest_first: bool = False
    """Whether to list the newest rows first, instead of in the order that is safest to page through."""
    options: Mapping[str, Any] = {}
    """More of the provider's own filters, by the provider's names."""


class RawPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page as the provider sent it; the hub decodes its rows one by one."""

    rows: Sequence[msgspec.Raw]
    normalize: Callable[[msgspec.Raw], Conversation]
    cursor: str | None = None
    """Where the next page begins; None: this is the last page."""
    warning: str | None = None
    """What the caller should know about this page, for the report."""


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation to start."""

    agent: str | None = None
    to: str | None = None
    """The number or address to call, if the channel needs one."""
    options: Mapping[str, Any] = {}
    """More members of the provider's own request."""

    def __repr__(self) -> str:
        return "<Start>"  # the number is personal data, and the options may hold some


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A started conversation, and how to join it."""

    conversation: Conversation
    join_url: str | None = None
    token: Secret | None = None
    """The credential to join with; `token.reveal()` returns its text."""

    def __repr__(self) -> str:
        return f"<Started {self.conversation.ref}>"  # anyone who has the URL may join


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A credential that expires, for which an account's key was exchanged."""

    secret: Secret
    lifetime: float | None = None
    """Seconds; None: it does not expire, or is refused when it has."""


class Authorization(msgspec.Struct, frozen=True, kw_only=True):
    """How an account's key is exchanged for a token. `Adapter.sign` then gets an account whose key is the token."""

    flow: Callable[[Account], Flow[Token]]
    sign: Callable[[Request, Account, datetime], Request]
    """Signs the requests of the flow with the account's own key; they may go to one of the `artifact_hosts`."""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of conversation that a provider keeps, with its own list. Operations that are None are not supported."""

    list_page: Callable[[Account, Query, str | None], Flow[RawPage]] | None = None
    normalize: Callable[[bytes | msgspec.Raw], Conversation] | None = None
    """Reads a conversation as its list has it, without the page around it, such as one that somebody saved."""
    get: Callable[[Account, str], Flow[Conversation]] | None = None
    only_in_get: tuple[str, ...] = ()
    """Members of which `get` receives at least one and a list row has none, where rows and answers look alike: without
    them, what somebody saved is a row. Conversations that nobody took part in may lack them, too."""
    start: Callable[[Account, Start], Flow[Started]] | None = None
    end: Callable[[Account, str], Flow[None]] | None = None
    delete: Callable[[Account, str, Mapping[str, Any]], Flow[None]] | None = None
    send: Callable[[Account, str, str], Flow[TranscriptTurn]] | None = None
    complete_lists: bool = True
    """Whether list rows hold everything that `get` returns; if not, `transcripts=True` calls `get` for each row."""
    page_size: int | None = None
    """Rows per page unless the query sets another number; None: unknown, and the provider may allow fewer."""
    newest_first: bool = False
    """Whether the newest rows come first, at least if the query requests that; False: the order is unknown."""
    counted: bool = False
    """Whether pages are found by a count of rows or pages, so that rows added or removed before a page shift it."""
    filters: tuple[Filter, ...] = ()
    """The filters that the provider applies itself; the hub applies the others to the rows."""
    id_prefix: str = ""
    """Prefix of the ids of this kind, if it distinguishes them; otherwise the hub prefixes the resource's name."""
    payloads: tuple[type, ...] = ()
    """The types that `raw` is decoded with; a member that none of them has is unknown."""
    left_to_raw: Mapping[str, str] = {}
    """Known members that are not read, each with the reason. A star covers all below it: `events[].properties.*`."""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The supported operations."""
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
    """One provider. The adapter is also the provider's main resource, and may hold others."""

    name: str
    base_url: str
    base_urls: tuple[str, ...] = ()
    """Other addresses of the provider's API, which get the key too: for requests that name one as their `base_url`."""
    docs: str
    sign: Callable[[Request, Account, datetime], Request]
    authorization: Authorization | None = None
    """None: the account's key itself signs requests."""
    refusal: Callable[[Response], HubError] = by_status
    """Returns the error for a response outside 2xx."""
    main: str = "conversations"
    """Name of the main resource: `calls`."""
    resources: Mapping[str, Resource] = {}
    """Other resources, by name: `chats`. A walk covers all of them."""
    unlisted: tuple[str, ...] = ()
    """Kinds of conversations that the provider keeps but this adapter does not list, in words for the report."""
    settings: tuple[str, ...] = ()
    """Names of the settings that an account may need besides its key."""
    secret_settings: tuple[str, ...] = ()
    """Those that are credentials: like the key, they are removed from the provider's messages."""
    secret_fields: frozenset[str] = frozenset()
    """Members of the provider's JSON whose values become `***` wherever it is kept, at any depth: in `raw`, `metadata`,
    collected values, and arguments and results of tools. A trailing star in a name matches any suffix."""
    requests_per_second: float | None = None
    """The documented rate limit per account; None: not documented."""
    undated: bool = False
    """Whether a time filter of the provider leaves out conversations without an instant, such as unanswered calls."""
    lookback: timedelta = timedelta(days=1)
    """How late a conversation may appear in its list, or change there: a sync lists that far back again."""
    retention: timedelta | None = None
    """How long conversations are kept unless an account sets another time; None: until deleted, or unknown."""
    webhook: Webhook | None = None
    recording: Callable[[Account, Recording], Flow[str]] | None = None
    """Fetches the URL of a recording if its location does not give it; that URL needs no key."""
    recording_hosts: tuple[str, ...] = ()
    """Hosts that keep recordings besides the provider's API; each includes all its subdomains."""
    artifact_hosts: tuple[str, ...] = ()
    """Hosts that keep other parts of conversations, such as transcripts, for requests that go elsewhere; each includes
    all its subdomains."""
    shows: tuple[Feature, ...] = ()
    """The details that the provider reports, for conversations that have them."""
    response_metric: str | None = None
    """The one among a turn's metrics that says how many seconds passed from the end of the user's words to the first
    sound of the answer, not a part of that; None if the provider does not say."""
    tool_metric: str | None = None
    """The one among the metrics of a tool's result that says how many seconds the tool took; None if the provider does
    not say."""
    tells_transfers: bool = False
    """Whether a conversation that was handed to a person says so, by its end reason or its participants."""
    support: Support = "inferred"
    """What this was checked against."""
    coverage: Coverage | None = None
    """How much of the provider's own specification is read; None if there is no specification."""
    notes: tuple[str, ...] = ()
    """What its users should know and no other field says, such as what each setting means: sentences in Markdown."""

    def resource_of(self, id: str) -> tuple[str, Resource, str]:
        """Return the name of the resource that an id belongs to, the resource, and the provider's own id."""
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
        """Return the hub's id, unique among all resources, for the provider's id in the resource `name`."""
        prefix = "" if name == self.main else self.resources[name].id_prefix
        return id if name == self.main or (prefix and id.startswith(prefix)) else f"{name}:{id}"

    def id_prefixes(self, name: str) -> tuple[str, ...]:
        """Return the prefixes of the ids of a resource other than the main one.

        Raises:
            InvalidRefError: no other resource has that name.
        """
        if name not in self.resources:
            choices = ", ".join(f"{self.name}:{each}" for each in (self.main, *self.resources))
            raise InvalidRefError(f"{self.name} has no kind of conversation called {name!a}: choose from {choices}")
        prefix = self.resources[name].id_prefix
        return (f"{name}:", prefix) if prefix else (f"{name}:",)

    def has_details(self, id: str) -> bool:
        """Whether `get` returns more of a conversation than its list row holds."""
        _, resource, _ = self.resource_of(id)
        return resource.get is not None and not resource.complete_lists

    @property
    def narrows_by_time(self) -> bool:
        """Whether the provider itself filters all its lists by time."""
        lists = [each for each in (self, *self.resources.values()) if each.list_page is not None]
        return all({"since", "until"} <= {*each.filters} for each in lists)

    @property
    def narrows_by_update(self) -> bool:
        """Whether the provider itself filters all its lists by when conversations changed last."""
        lists = [each for each in (self, *self.resources.values()) if each.list_page is not None]
        return bool(lists) and all("updated_since" in each.filters for each in lists)

    @property
    def all_operations(self) -> tuple[Operation, ...]:
        """The operations that at least one resource supports."""
        found = {operation for each in (self, *self.resources.values()) for operation in each.operations}
        return tuple(operation for operation in get_args(Operation) if operation in found)
