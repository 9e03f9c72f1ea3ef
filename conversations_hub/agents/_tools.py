"""The set of tools for a store, a hub or both; one that could not work is not in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from .._refs import Target
from ..errors import ConfigurationError
from ..hub import Clock, Hub
from ..redaction import PersonalData, Redact
from ..stores import ReadableStore, open_store
from ..stores.jsonl import JSONLStore
from ._acting import Acting, Confirm
from ._answers import Answer
from ._live import Live
from ._reading import Options
from ._source import Pins, Source
from ._stored import Stored

__all__ = ["ACTING", "NAMES", "Tool", "tools"]

Tool = Callable[..., Coroutine[Any, Any, Answer]]
"""An async function with a docstring, annotated arguments and an `Answer`."""

Allowed = Literal["start", "send"]

ACTING: Final = {"start": "start_conversation", "send": "send_message"}
"""The tools that do something, by the word that allows them."""

NAMES: Final = (
    "describe_sources",
    "search_conversations",
    "list_conversations",
    "get_conversation",
    "read_around",
    "compare_conversations",
    "count_conversations",
    "find_tool_calls",
    "what_is_missing",
    "refresh_conversation",
    *ACTING.values(),
)
"""The names of all tools, in the order in which a model is shown them."""


def tools(
    hub: Hub | None = None,
    store: str | ReadableStore | None = "conversations.db",
    *,
    allow: Collection[Allowed] = (),
    only: Collection[str] | None = None,
    providers: Collection[str] = (),
    since: str | datetime | None = None,
    redact: bool | Redact = False,
    include_system: bool = False,
    metadata: Collection[str] = (),
    count: Callable[[str], int] | None = None,
    disarm: bool = True,
    confirm: Confirm | None = None,
    acts_per_hour: int = 10,
    allow_numbers: Collection[str] | None = None,
    start_options: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    clock: Clock | None = None,
) -> list[Tool]:
    """Return the tools for an agent, as plain async functions that any framework can read.

    Each returns a dataclass whose `str` is what a model reads; an error is a `HubError`, which `in_words` puts in words
    for a model. What people said stands between marks that no text can close, without anything that a host would
    render. A tool that could not work is left out: without a store all that look through one, without a hub
    `refresh_conversation`.

    Args:
        hub: Asks providers; None: nothing is ever sent.
        store: A store, or where it is, as for `open_store`; None: providers are asked instead.
        allow: What may be done besides reading: `start`, `send`. Needs `confirm` and a hub.
        only: The names of the only tools to return; None: all.
        providers: The only accounts that are shown, as `tavus` or `tavus/eu`; empty: all.
        since: The instant from which conversations are shown, also as a text such as `90d`; None: all.
        redact: Whether to remove personal data from all that is shown, as `sync --redact` does; or a redactor.
        include_system: Whether prompts and internal notes are shown.
        metadata: The names of metadata that are shown with a conversation; no others are.
        count: Counts the tokens of a text; None: its bytes in UTF-8, divided by four.
        disarm: Whether images, links, HTML and code blocks in answers are taken apart. False only for a program that
            shows answers nowhere: an assistant that renders them would load an image, whose address carries words away.
        confirm: Asks a person before each act. `always` asks nobody; `mcp.elicited` asks through the MCP host.
        acts_per_hour: How many acts there may be in an hour.
        allow_numbers: The only numbers that may be called; None: any.
        start_options: More members of a provider's own request to start a conversation, by provider, such as the number
            to call from; a model neither sees nor chooses them.
        clock: Time, for tests.

    Raises:
        ConfigurationError: neither hub nor store; an unknown name; an act without anyone to confirm it.
        InvalidRefError: a malformed account or store.
    """
    clock = clock or Clock()
    if unknown := [name for name in only or () if name not in NAMES]:
        raise ConfigurationError(f"no tool {unknown[0]!a}: choose from {', '.join(NAMES)}")
    if unknown := [word for word in allow if word not in ACTING]:
        raise ConfigurationError(f"nothing called {unknown[0]!a} can be allowed: choose from {', '.join(ACTING)}")
    redactor = PersonalData() if redact is True else redact or None
    pins = Pins(tuple(map(Target.parse, providers)), since, redactor)
    pins.earliest(clock.now())  # raises here, and not in every call
    options = Options(include_system=include_system, metadata=frozenset(metadata), count=count, disarm=disarm)
    found: list[Tool] = []
    if store is not None:
        opened = open_store(store) if isinstance(store, str) else store
        found += _stored(Stored(Source(opened, pins, clock), options), opened)
    if hub is None:
        if store is None:
            raise ConfigurationError("tools need a store, a hub or both")
        if allow:
            raise ConfigurationError("only a hub can start conversations or send messages: pass one, or allow nothing")
    else:
        live = Live(hub, pins, options, clock)
        if store is None:
            found += [live.describe_sources, live.list_conversations, live.get_conversation, live.read_around]
        found.append(live.refresh_conversation)
        if allow and confirm is None:
            raise ConfigurationError("nobody would be asked before an act: pass confirm=, or allow nothing")
        if confirm is not None:
            acting = Acting(
                hub,
                live,
                options,
                clock,
                confirm=confirm,
                per_hour=acts_per_hour,
                numbers=allow_numbers,
                start_options=start_options,
            )
            found += [getattr(acting, name) for word, name in ACTING.items() if word in allow]
    return [tool for tool in found if only is None or tool.__name__ in only]


def _stored(stored: Stored, store: ReadableStore) -> Sequence[Tool]:
    return [
        stored.describe_sources,
        *([] if isinstance(store, JSONLStore) else [stored.search_conversations]),  # it has no index
        stored.list_conversations,
        stored.get_conversation,
        stored.read_around,
        stored.compare_conversations,
        stored.count_conversations,
        stored.find_tool_calls,
        stored.what_is_missing,
    ]
