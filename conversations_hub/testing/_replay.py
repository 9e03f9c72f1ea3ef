"""Recorded exchanges, replayed: a folder of answers, and what an adapter reads from them.

A folder holds `<operation>[.<label>].<n>.http`, the answers of one flow in order; `error.<status>[.<label>].http`, a
refusal; `webhook.<event>.http`, a delivery; and `fixture.toml`, with the account and a table for each case. A table has
the source, the arguments of the operation, and the name of the `resource` unless it is the main one; for a delivery,
its secret and the instant when it arrived.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..account import Account
from ..adapter import Adapter, Query, RawPage, Resource, Start, Started
from ..errors import HubError
from ..events import Event
from ..schema import Conversation, TranscriptTurn
from ..webhooks import verify
from ..wire import Flow, Request, Response
from ._flows import Driven, drive, drive_from

__all__ = ["Case", "Replayed", "account_of", "cases_in", "delivered", "read_exchange", "replay", "walk"]


class Case(msgspec.Struct, frozen=True):
    """One recorded operation: its arguments and its answers."""

    name: str
    """The name of its files, without number and extension: `get.c123`."""
    answers: tuple[Response, ...]
    facts: Mapping[str, Any]
    """Its table in `fixture.toml`."""

    @property
    def operation(self) -> str:
        """The operation; `error` for a refusal, `webhook` for a delivery."""
        return self.name.partition(".")[0]

    @property
    def id(self) -> str:
        """The id of its conversation."""
        return str(self.facts.get("id", self.name.partition(".")[2]))

    def resource(self, adapter: Adapter) -> tuple[Resource, str]:
        """Return its resource, and the provider's own id of the conversation."""
        if "resource" in self.facts:
            return adapter.resources[self.facts["resource"]], self.id
        if self.operation in {"list", "start"}:
            return adapter, self.id
        _, resource, id = adapter.resource_of(self.id)
        return resource, id

    @property
    def query(self) -> Query:
        """The query of a list."""
        return msgspec.convert(self.facts.get("query", {}), Query)


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The requests of an adapter in a case, and its results."""

    requests: tuple[Request, ...] = ()
    pages: tuple[RawPage, ...] = ()
    conversation: Conversation | None = None
    """The result of `get` or `start`."""
    started: Started | None = None
    turn: TranscriptTurn | None = None
    refusal: HubError | None = None
    events: tuple[Event, ...] = ()

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """All conversations in the results."""
        listed = tuple(page.normalize(row) for page in self.pages for row in page.rows)
        delivered = tuple(event.conversation for event in self.events if event.conversation is not None)
        return listed + delivered if self.conversation is None else (self.conversation,)


def cases_in(folder: Path) -> dict[str, Case]:
    """Read the cases of a folder, by name."""
    facts = tomllib.loads((folder / "fixture.toml").read_text())
    answers: dict[str, list[Response]] = {}
    for path in sorted(folder.glob("*.http"), key=_order):
        answers.setdefault(_case_of(path), []).append(read_exchange(path))
    return {name: Case(name, tuple(found), facts.get(name, {})) for name, found in answers.items()}


def account_of(folder: Path, adapter: Adapter) -> Account:
    """Return the account of a folder; its key is invented."""
    facts = tomllib.loads((folder / "fixture.toml").read_text())["account"]
    return Account(adapter.name, key=facts["key"], settings=facts.get("settings", {}))


def _case_of(path: Path) -> str:
    name, _, number = path.stem.rpartition(".")
    return name if number.isdigit() and not path.stem.startswith(("error.", "webhook.")) else path.stem


def _order(path: Path) -> tuple[str, int]:
    number = path.stem.rpartition(".")[2]
    return _case_of(path), int(number) if number.isdigit() else 0


def read_exchange(path: Path) -> Response:
    """Read a recorded answer: a status line, headers, a blank line, the body.

    A delivery begins with its request line instead, and has the status 0.
    """
    head, _, body = path.read_bytes().partition(b"\n\n")
    line, *headers = head.decode().splitlines()
    status = int(line.split()[1]) if line.startswith("HTTP/") else 0
    named = (header.partition(":") for header in headers)
    return Response(status, {name.strip().lower(): value.strip() for name, _, value in named}, body.strip())


def replay(adapter: Adapter, account: Account, case: Case) -> Replayed:
    """Run a case with its answers; raises the errors of the adapter."""
    if case.operation == "error":
        return Replayed(refusal=adapter.refusal(case.answers[0]))
    if case.operation == "webhook":
        return Replayed(events=tuple(delivered(adapter, case)))
    if case.operation == "list":
        driven = tuple(walk(adapter, account, case))
        requests = tuple(request for page in driven for request in page.requests)
        return Replayed(requests=requests, pages=tuple(page.result for page in driven))
    done = drive(_flow(adapter, account, case), *case.answers)
    match done.result:
        case Started() as started:
            return Replayed(requests=done.requests, started=started, conversation=started.conversation)
        case Conversation() as conversation:
            return Replayed(requests=done.requests, conversation=conversation)
        case TranscriptTurn() as turn:
            return Replayed(requests=done.requests, turn=turn)
        case _:
            return Replayed(requests=done.requests)


def delivered(adapter: Adapter, case: Case) -> list[Event]:
    """Verify a recorded delivery with its secret, at the instant when it arrived."""
    [delivery] = case.answers
    secret = case.facts.get("secret")
    now = case.facts["now"]
    unsigned = secret is None
    return verify(adapter.name, delivery.body, delivery.headers, secret, now, insecure_accept_unsigned=unsigned)


def walk(
    adapter: Adapter, account: Account, case: Case, *, cursor: str | None = None, skip: int = 0
) -> Iterator[Driven[RawPage]]:
    """Walk a recorded list page by page; with `cursor`, from the answer after the first `skip` answers.

    A page takes as many answers as it asks for.
    """
    resource, _ = case.resource(adapter)
    if resource.list_page is None:
        raise AssertionError(f"{adapter.name} cannot list")
    left: list[Response | Exception] = [*case.answers[skip:]]
    while left:
        driven = drive_from(left, resource.list_page(account, case.query, cursor))
        yield driven
        cursor = driven.result.cursor
        if cursor is None:
            return


def _flow(adapter: Adapter, account: Account, case: Case) -> Flow[Any]:
    facts = case.facts
    resource, id = case.resource(adapter)
    operation: Callable[..., Flow[Any]] = getattr(resource, case.operation)
    match case.operation:
        case "start":
            return operation(
                account, Start(agent=facts.get("agent"), to=facts.get("to"), options=facts.get("options", {}))
            )
        case "delete":
            return operation(account, id, facts.get("options", {}))
        case "send":
            return operation(account, id, facts["text"])
        case _:
            return operation(account, id)
