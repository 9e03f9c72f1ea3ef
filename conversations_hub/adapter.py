"""The contract: what a provider must say about itself to be served by the hub.

An adapter is a value that holds functions. None of them does I/O: what must talk to the provider is a generator that
yields `Request` and receives `Response`. What it holds decides what it can do; nothing is declared beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeVar, get_args
from urllib.parse import urlsplit

import msgspec

from .errors import (
    ConfigurationError,
    HubError,
    InvalidRefError,
    PayloadError,
    ProviderError,
    RejectedError,
    for_status,
)
from .frames import bared
from .payload import decoded_or_none
from .proxy import ProxyChoice, Route, route
from .schema import Analysis, Conversation, Recording, Status, TranscriptTurn
from .signing import Secret
from .signing.schemes import Scheme
from .wire import Flow, Request, Response

__all__ = [
    "Account",
    "Adapter",
    "Coverage",
    "Event",
    "EventKind",
    "Feature",
    "Filter",
    "Listing",
    "Operation",
    "Query",
    "Resource",
    "Start",
    "Started",
    "Support",
    "Webhook",
    "answered",
    "by_status",
    "cut",
    "refused",
    "wrong_with_base_url",
]

T = TypeVar("T")

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


_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.IGNORECASE)


class Account:
    """One set of credentials at one provider.

    `base_url` takes the place of the provider's own and may carry a path. It must be `https:`, but for loopback or
    with `allow_insecure`. `settings` is what this provider needs beside the key; since that may be a second key, each
    is kept as a `Secret`. `proxy` takes the place of the hub's own: the URL of an HTTP proxy, empty for none. `ca_file`
    names a PEM file of certificates to trust beside the system's. Raises `ConfigurationError` for what cannot be right.
    """

    __slots__ = ("base_url", "ca_file", "key", "name", "provider", "route", "settings")

    @bared
    def __init__(
        self,
        provider: str,
        *,
        key: str | Secret,
        base_url: str | None = None,
        name: str = "default",
        settings: Mapping[str, str | Secret] | None = None,
        allow_insecure: bool = False,
        proxy: ProxyChoice | None = None,
        ca_file: str | os.PathLike[str] | None = None,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigurationError("an account's name is 1 to 64 letters, digits, '_', '.' or '-'", provider=provider)
        if not key:
            raise ConfigurationError(
                f"no key: pass it as key=…, or set {provider.upper()}_API_KEY and use Hub.from_env()", provider=provider
            )
        self.provider = provider
        self.name = name
        self.key = key if isinstance(key, Secret) else Secret(key, f"key of {provider}/{name}")
        self.base_url = None if base_url is None else _checked(base_url, provider, allow_insecure=allow_insecure)
        self.settings: Mapping[str, Secret] = {
            setting: value if isinstance(value, Secret) else Secret(value, f"{setting} of {provider}/{name}")
            for setting, value in (settings or {}).items()
        }
        self.route: Route | None = None if proxy is None else route(proxy)
        self.ca_file = None if ca_file is None else os.fspath(ca_file)

    def __repr__(self) -> str:
        return f"Account({self.provider}/{self.name})"


def _checked(base_url: str, provider: str, *, allow_insecure: bool) -> str:
    wrong = wrong_with_base_url(base_url, allow_insecure=allow_insecure)
    if wrong:
        raise ConfigurationError(f"the base URL {wrong}", provider=provider)
    return base_url.rstrip("/")


def wrong_with_base_url(base_url: object, *, allow_insecure: bool = False) -> str | None:
    """Say why no key may be sent there, as in "is malformed"; None: it may."""
    if not isinstance(base_url, str):
        return "must be text"
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is malformed"
    if not host or parts.scheme not in {"http", "https"}:
        return "must start with https:// and name a host"
    if "@" in parts.netloc:
        return "must not hold a user name or password"
    if any(not "!" <= character <= "~" or character in "?#\\" for character in base_url):
        return "may hold a path, but no query, fragment, backslash or blank"
    if parts.scheme == "http" and not (allow_insecure or _is_loopback(host)):
        return "is plain http, so the key could be read on the way: use https, or pass allow_insecure=True"
    return None


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415  (5 ms, and only plain http asks)

    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


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


class Listing(msgspec.Struct, frozen=True, kw_only=True):
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


class EventKind(StrEnum):
    """What a webhook tells."""

    STARTED = "started"
    ENDED = "ended"
    TRANSCRIPT_READY = "transcript_ready"
    RECORDING_READY = "recording_ready"
    ANALYSIS_READY = "analysis_ready"
    UPDATED = "updated"
    OTHER = "other"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a provider's webhook told."""

    provider: str
    kind: EventKind
    provider_kind: str | None = None
    """The provider's word for the kind, as sent."""
    id: str | None = None
    """What tells this event from every other, for those who must not handle it twice; None where nothing does."""
    resource: str | None = None
    """The kind of conversation it is about, where it is not the main one: `chats`."""
    conversation_id: str | None = None
    """The conversation's id; None where it is about none. Adapters give the provider's own, and `verify` puts the name
    of the kind before it where a hub does."""
    conversation: Conversation | None = None
    """What it brought of the conversation, read as `get` reads it."""
    related_ids: Mapping[str, str] = {}
    """The provider's other ids of what it is about, where it brings no conversation: by them one may be found."""
    analysis: Analysis | None = None
    """What was found out about a conversation that it does not name."""
    occurred_at: datetime | None = None
    """UTC."""
    verified: bool = False
    """Whether its signature was checked; whoever knows the address can send what was not."""
    signed_members: tuple[str, ...] | None = None
    """The members of the body that alone were signed, such as `call.call_id`; None: all of it, if any."""

    def __repr__(self) -> str:
        return f"<Event {self.provider} {self.kind.value} of {self.conversation_id or 'no conversation'}>"

    @property
    def protected(self) -> bool:
        """Whether nobody can have changed what it brings.

        Where it is verified and not protected, the sender knew the secret, or changed what somebody sent who knew it:
        of what it brings, only `signed_members` are sure, and the rest is best fetched.
        """
        return self.verified and self.signed_members is None

    @property
    def to_fetch(self) -> str | None:
        """The ref to give to `hub.get`, because the transcript was not part of the event; None where it was."""
        if self.conversation_id is None or (self.conversation and self.conversation.transcript is not None):
            return None
        return f"{self.provider}:{self.conversation_id}"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """How to read what a provider delivers by itself."""

    events: Callable[[bytes], Sequence[Event]]
    """Reads a well-formed body whose signature was checked."""
    scheme: Scheme | None = None
    """How deliveries are signed; None: they are not."""
    forms: bool = False
    """Whether deliveries may be forms: `events` then reads their fields as a JSON object, a name that comes more than
    once with a list of its values."""
    largest_body: int = 2 * 1024 * 1024
    """Bytes; larger deliveries are refused unread."""


def cut(words: str, most: int = 200) -> str:
    """Return a provider's words as one line of at most so many characters that is safe to log and to print."""
    start = words[: most + 1]
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in start)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def refused(
    response: Response, words: str | None, kind: type[ProviderError] | None = None, *, retryable: bool | None = None
) -> ProviderError:
    """Return the error for a refusal: its class by status unless given, the provider's words where there are any.

    They are whole: the transport takes the credentials out of them, and cuts them after that.
    """
    said = words or "the provider gave no reason"
    return (kind or for_status(response.status))(said, status=response.status, retryable=retryable)


_reason = msgspec.json.Decoder(dict[str, Any])


def by_status(response: Response) -> HubError:
    """Return the error of a refusal by its status, with the words of its `message`, `error` or `detail`."""
    body = decoded_or_none(response.body, _reason) or {}
    words = (body.get(name) for name in ("message", "error", "detail"))
    return refused(response, next((word for word in words if isinstance(word, str) and word), None))


def answered(response: Response, read: Callable[[bytes], T], words: Callable[[Response], str | None]) -> T:
    """Read a 2xx answer; what turns out to be an error under HTTP 200 is raised as the refusal it is."""
    try:
        return read(response.body)
    except PayloadError as error:
        failure = error
    said = words(response)
    raise refused(response, said, RejectedError) if said else failure


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of conversation that a provider keeps, with its own list. A function it does not hold cannot be done."""

    list_page: Callable[[Account, Query, str | None], Flow[Listing]] | None = None
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
