"""`demo`: fetch from every provider at once, simulated in this process, and show the result."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import aclosing, contextmanager
from tempfile import TemporaryDirectory

import msgspec
from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from ..adapters import BUILTIN
from ..hub import AccountReport, Hub, Report, Walk
from ..schema import Conversation, Status, TranscriptState
from ..stores import ReadableStore, open_store, put
from ..testing import Faults, Simulator
from .render import ConversationTable, console, render
from .search import show_hit
from .serve import show
from .terminal import escaped, write_json

__all__ = ["run"]

_FAULTS = Faults(latency=0.03, jitter=0.06, outage=0.04)
_LATENCY = _FAULTS.latency + _FAULTS.jitter / 2


class _Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The fetched conversations, and the report."""

    conversations: Sequence[Conversation]
    report: Report
    seconds: float


def run(*, conversations: int, chats: int | None, seed: int, page: bool, as_json: bool) -> bool:
    """Fetch everything and show it, or write numbers as JSON; return whether no provider failed."""
    out = console(stderr=as_json)
    slowest = _FAULTS.latency + _FAULTS.jitter
    out.print("conversations-hub demo", style="bold")
    out.print(
        f"{len(BUILTIN)} providers, simulated in this process: no key, no network. An answer takes"
        f" {_FAULTS.latency * 1000:g} to {slowest * 1000:g} ms, and one in {1 / _FAULTS.outage:g} is deliberately a"
        " server error.\n"
    )
    fetched = asyncio.run(_fetch(out, conversations, conversations // 4 if chats is None else chats, seed))
    if as_json:
        _write_numbers(fetched)
    else:
        _show_numbers(out, fetched)
        _show_some(out, fetched.conversations)
        _show_one(out, fetched.conversations)
        _show_search(out, fetched.conversations)
        _show_code(out)
    if page:
        with _stored(fetched.conversations) as store:
            show(store)
    return not fetched.report.errors


# fetching


async def _fetch(out: Console, conversations: int, chats: int, seed: int) -> _Fetched:
    simulator = Simulator(conversations=conversations, chats=chats, seed=seed, faults=_FAULTS)
    async with simulator, Hub.from_env(environ=simulator.environment(), profile="bulk") as hub:
        walk = hub.list(transcripts=True, on_error=lambda error: out.print(escaped(str(error)), style="red"))
        found: list[Conversation] = []
        began = time.perf_counter()
        with _progress(out, walk, conversations) as advance:
            async with aclosing(aiter(walk)) as stream:
                async for conversation in stream:
                    found.append(conversation)
                    advance(conversation.provider)
        return _Fetched(conversations=found, report=walk.report, seconds=time.perf_counter() - began)


@contextmanager
def _progress(out: Console, walk: Walk, total: int) -> Generator[Callable[[str], None]]:
    """Show how far each provider is: a bar on a terminal, elsewhere one line when it is done."""
    if out.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("conversations"))
        with Progress(*columns, console=out) as bars:
            tasks = {name: bars.add_task(name, total=total) for name in BUILTIN}
            come: Counter[str] = Counter()

            def advance(provider: str) -> None:
                come[provider] += 1
                bars.update(tasks[provider], completed=come[provider], total=max(total, come[provider]))

            yield advance
        return
    shown: set[str] = set()

    def tell(*, is_over: bool = False) -> None:
        for account in walk.report.accounts:
            # A list may be read to its end before all of it is delivered.
            is_done = account.elapsed and (is_over or account.delivered >= account.listed)
            if is_done and account.where not in shown:
                shown.add(account.where)
                out.print(f"{account.where}: {account.delivered} conversations in {account.elapsed:.1f} s")

    yield lambda _provider: tell()
    tell(is_over=True)


# numbers

_Row = dict[str, float]

_KINDS = {
    "ended": {Status.ENDED},
    "running": {Status.QUEUED, Status.RINGING, Status.IN_PROGRESS, Status.PROCESSING},
    "no answer": {Status.NO_ANSWER},
    "failed": {Status.FAILED},
    "other": {Status.CANCELLED, Status.UNKNOWN},
}
_STATES = {
    "transcripts": {TranscriptState.AVAILABLE},
    "pending": {TranscriptState.PENDING},
    "restricted": {TranscriptState.RESTRICTED},
    "none": {TranscriptState.UNAVAILABLE, TranscriptState.NOT_LOADED, TranscriptState.TRUNCATED},
}


def _numbers(fetched: _Fetched) -> tuple[dict[str, _Row], dict[str, _Row]]:
    """Return by provider what was fetched, and how."""
    came: dict[str, _Row] = {}
    how: dict[str, _Row] = {}
    for account in fetched.report.accounts:
        provider = account.where.partition("/")[0]
        came[provider] = _contents([found for found in fetched.conversations if found.provider == provider])
        how[provider] = _course(account)
    return came, how


def _write_numbers(fetched: _Fetched) -> None:
    came, how = _numbers(fetched)
    for provider in came:
        numbers = {name.replace(" ", "_"): number for name, number in {**came[provider], **how[provider]}.items()}
        write_json(msgspec.json.encode({"provider": provider, **numbers}))


def _show_numbers(out: Console, fetched: _Fetched) -> None:
    came, how = _numbers(fetched)
    in_all = {**_sum(how.values()), "per second": fetched.report.delivered / fetched.seconds}
    out.print(
        f"\n{fetched.report.delivered:,} conversations in {fetched.seconds:.1f} s; one after another, the"
        f" {in_all['requests']:,.0f} requests would have taken {in_all['requests'] * _LATENCY:.0f} s.\n"
    )
    out.print(_table(came, _sum(came.values())))
    out.print()
    out.print(_table(how, in_all))
    for account in fetched.report.accounts:
        for warning in account.warnings:
            out.print(f"{account.where}: {warning}", style="yellow")


def _contents(found: Sequence[Conversation]) -> _Row:
    counts = Counter(conversation.status for conversation in found)
    kinds = {kind: sum(counts[status] for status in statuses) for kind, statuses in _KINDS.items()}
    turns = sum(len(conversation.transcript or ()) for conversation in found)
    return {"conversations": len(found), "turns": turns, **kinds}


def _course(account: AccountReport) -> _Row:
    states = {name: sum(account.transcripts[state] for state in states) for name, states in _STATES.items()}
    speed = account.delivered / account.elapsed
    return {**states, "requests": account.requests, "retried": account.retries, "per second": speed}


def _sum(rows: Iterable[_Row]) -> _Row:
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row)
    return dict(total)


def _table(rows: dict[str, _Row], in_all: _Row) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1), show_footer=True)
    table.add_column("provider", footer="total")
    for heading, total in in_all.items():
        table.add_column(heading, footer=f"{total:,.0f}", justify="right")
    for provider, row in rows.items():
        table.add_row(provider, *(f"{number:,.0f}" for number in row.values()))
    return table


# conversations

_GOOD_LENGTH = 12


def _title(out: Console, words: str) -> None:
    out.print(f"\n{words}\n", style="bold")


def _show_some(out: Console, conversations: Sequence[Conversation]) -> None:
    of_each = ([one for one in conversations if one.provider == name] for name in BUILTIN)
    # Of each provider the newest that has ended, if possible one with a transcript.
    some = [min(found, key=lambda one: (_kind(one), not one.transcript)) for found in of_each if found]
    if some:
        _title(out, "A few of them")
        lines = ConversationTable(out, ref_width=max(len(conversation.ref) for conversation in some))
        for conversation in some:
            lines.write(conversation)


def _kind(one: Conversation) -> int:
    return next(place for place, kind in enumerate(_KINDS.values()) if one.status in kind)


def _show_one(out: Console, conversations: Sequence[Conversation]) -> None:
    spoken = [conversation for conversation in conversations if conversation.transcript]
    if spoken:
        _title(out, "One of them, rendered")
        out.print(Panel(render(max(spoken, key=_interest)), box=box.ROUNDED, padding=(1, 2)))


def _interest(conversation: Conversation) -> tuple[bool, bool, int]:
    turns = conversation.transcript or ()
    has_tools = any(turn.tool_calls for turn in turns)
    is_timed = any(turn.start for turn in turns)
    return has_tools, is_timed, -abs(len(turns) - _GOOD_LENGTH)


# a search

_WORDS = "refund"
_MOST_HITS = 3


def _show_search(out: Console, conversations: Sequence[Conversation]) -> None:
    with _stored(conversations) as store:
        began = time.perf_counter()
        with store.reader() as reader:
            hits = reader.search(_WORDS, limit=1000).hits
        spent = time.perf_counter() - began
    turns = sum(len(one.transcript or ()) for one in conversations)
    _title(out, f"All {turns:,} turns in a store, searched for {_WORDS!r}: {len(hits)} found in {1000 * spent:.0f} ms")
    for hit in list({hit.ref.partition(":")[0]: hit for hit in hits}.values())[:_MOST_HITS]:
        show_hit(out, hit)


@contextmanager
def _stored(conversations: Sequence[Conversation]) -> Generator[ReadableStore]:
    with TemporaryDirectory() as folder:
        store = open_store(f"sqlite:{folder}/conversations.db")
        asyncio.run(put(store, *conversations))
        yield store


_CODE = """\
from conversations_hub import Hub

async with Hub.from_env() as hub:
    async for conversation in hub.list(transcripts=True):
        print(conversation.ref, conversation.status, conversation.text)"""


_NEXT = {
    "conversations-hub demo --page": "all of these in your browser",
    "conversations-hub list": f"your own conversations, once {BUILTIN[0].upper()}_API_KEY is set",
    "conversations-hub sync": "copy all of them into a store that can be searched",
    "conversations-hub providers": "what each provider can do",
    "conversations-hub simulate": "these simulated providers, for your own code",
}


def _show_code(out: Console) -> None:
    _title(out, "The same in Python, for `python -m asyncio`")
    out.print(Text(_CODE, style="cyan"))
    _title(out, "What next")
    widest = max(map(len, _NEXT))
    for command, purpose in _NEXT.items():
        out.print(f"{command:<{widest}}  {purpose}")
