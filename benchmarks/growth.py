"""Whether what one of many costs stays the same where there are ten times as many.

    python benchmarks/growth.py [--conversations N] [--accounts N] [--turns N] [--rounds N] [--smoke]

Each cost is measured with a tenth of N and with N in turn, in one run. Told is what one of N costs, divided by what one
of the tenth costs: 1 is linear, 10 is what is done for each of all the others as well. What must not grow at all is
told as it is. It takes some minutes, and with `--conversations 1000000 --rounds 1` hours. It needs Linux, and for a
million conversations 10 GB in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing, closing, suppress
from functools import partial
from itertools import groupby, islice
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import msgspec
from answering import CHANGED, COUNTED, answering, conversation_id
from measured import Figure, is_smoke, keep
from process import bytes_read, bytes_written, held, most_held
from stall import LONGEST_STALL, Gaps, hub_of, ticking
from store import Speech, conversations, latin_word

from conversations_hub import Account, Conversation, Hub
from conversations_hub._cli.stored import opened
from conversations_hub._transport import Connections
from conversations_hub.adapters import load
from conversations_hub.schema import Status
from conversations_hub.signals import PageRead, Signal
from conversations_hub.stores import Store
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._reader import StoreReader
from conversations_hub.stores._store import Checkpoint, Entry, StoredVersion
from conversations_hub.stores._url import StoreURL
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import SyncReport, sync

TURNS = 10  # of a conversation
FEW = 40  # conversations, however many there are
MOST_GROWTH = 1.3  # what is measured is never quite the same
MOST_ASKED_AGAIN = 1.1  # pages, for each that was left
MOST_WRITTEN = 1.0  # per cent of a file, by a run that brings nothing
STOPS = 3
OF_AN_ACCOUNT = 20
_REPEATS = 11
_AT_ONCE = 500
_OF_IT = "% of the file"


class Cost(msgspec.Struct, frozen=True):
    """What one of many costs, which is not to grow with their number."""

    what: str
    value: float
    unit: str


class Bound(msgspec.Struct, frozen=True):
    """What stays below a bound, however many there are."""

    what: str
    value: float
    unit: str
    at_most: float | None = None


Measure = Callable[[int], Sequence[Cost | Bound]]

# a sync, a run that brings nothing, and one that brings little

STORES: Mapping[str, Callable[[Path], Store]] = {"SQLite": SQLiteStore, "JSON lines": JSONLStore}


class Took(msgspec.Struct, frozen=True):
    """What a sync took."""

    processor: float
    """Seconds."""
    written: int
    """Bytes, to files."""
    held: float
    """MB of memory at most, beyond what there was before."""


def sync_thrice(kind: str, small: str, url: str, conversations: int) -> tuple[list[Took], int]:
    """Sync what is new, nothing, and a hundredth, into one store; return what each took, and how large the store is."""
    with TemporaryDirectory() as folder:
        asyncio.run(synced(STORES[kind](Path(folder, "small")), small))  # imports
        path = Path(folder, "store")
        base, took = held(), list[Took]()
        for where, brought in ((url, conversations), (url, 0), (f"{url}{CHANGED}", ceil(conversations / 100))):
            worked, written = time.process_time(), bytes_written()
            report = asyncio.run(synced(STORES[kind](path), where))
            took.append(Took(time.process_time() - worked, bytes_written() - written, most_held() - base))
            assert report.accounts[0].written == brought, report
        return took, path.stat().st_size


async def synced(store: Store, url: str) -> SyncReport:
    """Sync all of one account."""
    async with hub_of(url) as hub:
        report = await sync(hub, store)
    assert report.complete, report
    return report


def syncing(small: str, size: int) -> list[Cost | Bound]:
    """Measure the three runs into each kind of store, in a process of its own."""
    costs: list[Cost | Bound] = []
    with answering("tavus", size, TURNS) as url:
        for kind in STORES:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                (whole, nothing, little), stored = process.submit(sync_thrice, kind, small, url, size).result()
            most = MOST_WRITTEN if kind == "JSON lines" else None
            costs += [
                Cost(f"sync into {kind}", 1e6 * whole.processor / size, "µs"),
                Cost(f"sync into {kind}, nothing new", 1e6 * nothing.processor / size, "µs"),
                Cost(f"sync into {kind}, 1 % changed", 1e6 * little.processor / size, "µs"),
                Cost(f"sync into {kind}, memory", 1e3 * whole.held / size, "kB"),
                Bound(f"sync into {kind}, memory in all", whole.held, "MB"),
                Bound(f"{kind}, written for nothing new", 100 * nothing.written / stored, _OF_IT, most),
                Bound(f"{kind}, written for 1 % changed", 100 * little.written / stored, _OF_IT),
            ]
    return costs


# a list that cannot be narrowed, stopped and gone on with


def asked(url: str) -> Mapping[str, int]:
    """Return what a provider counted."""
    with urlopen(url + COUNTED) as answer:  # noqa: S310  (our own server)
        counted: dict[str, int] = json.load(answer)
    return counted


async def stop(url: str, path: Path, pages: int) -> None:
    """Sync, and be stopped once so many pages were read."""
    read = 0

    def watch(signal: Signal) -> None:
        nonlocal read
        read += isinstance(signal, PageRead)
        if read == pages:
            running.cancel()

    async with Hub([Account("tavus", key="key", base_url=url)], profile="bulk", on_signal=watch) as hub:
        running = asyncio.create_task(sync(hub, SQLiteStore(path)))
        with suppress(asyncio.CancelledError):
            await running


async def list_in_two(url: str, pages: int) -> None:
    """List so many pages, and go on from there with another walk."""
    cursor: str | None = None
    async with hub_of(url) as hub:
        found = hub.list("tavus").pages()
        for _ in range(pages):
            cursor = (await anext(found)).cursor
        await found.aclose()
        async for _ in hub.list("tavus", cursor=cursor).pages():
            pass


def going_on(size: int) -> list[Cost | Bound]:
    """Measure how many pages are asked for where a walk goes on, for each that was left."""
    pages = ceil(size / (load("tavus").page_size or size))
    passes = 2  # the second to see that nothing was missed
    with answering("tavus", size, 1) as url, TemporaryDirectory() as folder:
        path = Path(folder, "store")
        each = max(1, passes * pages // (STOPS + 1))
        asyncio.run(stop(url, path, each))
        left = passes * pages - asked(url)["pages"]
        for _ in range(STOPS - 1):
            asyncio.run(stop(url, path, each))
        asyncio.run(synced(SQLiteStore(path), url))
        synced_in = asked(url)["pages"]
        asyncio.run(list_in_two(url, max(1, pages // 2)))
        listed_in = asked(url)["pages"] - synced_in
    made, unit = synced_in - passes * pages + left, "pages"
    return [
        Bound(f"pages for each left, a sync stopped {STOPS} times", made / left, unit, MOST_ASKED_AGAIN),
        Bound("pages for each there is, a list in two parts", listed_in / pages, unit, MOST_ASKED_AGAIN),
    ]


# a store that knows nothing of what is in it


def placed(number: int, one: Conversation) -> Conversation:
    """Make the oldest those of others: whoever looks for them from the newest on passes all there are."""
    if number >= FEW:
        return one
    assert one.transcript
    said = (msgspec.structs.replace(one.transcript[0], text="quinquagesima"), *one.transcript[1:])
    others = {"provider": "retell"} if number < FEW // 2 else {"account": "eu"}
    return msgspec.structs.replace(one, **others, status=Status.FAILED, transcript=said)


async def fill(path: Path, speech: Speech, count: int) -> None:
    """Fill a store, and take from it what SQLite remembers to plan by."""
    store = SQLiteStore(path)
    await store.open({})
    spoken = (placed(number, one) for number, one in enumerate(conversations(speech, count, TURNS)))
    for account, ones in groupby(spoken, lambda one: f"{one.provider}/{one.account}"):
        while entries := [Entry(one, StoredVersion(b"row", fingerprint(one), None)) for one in islice(ones, _AT_ONCE)]:
            await store.commit(account, entries, Checkpoint())
    await store.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE IF EXISTS sqlite_stat1")
        database.commit()


def first(found: Iterator[Conversation]) -> list[Conversation]:
    """Take what fits on a screen, and leave the rest."""
    return list(islice(found, 20))


READS: Mapping[str, tuple[Sequence[str], Callable[[StoreReader], Any]]] = {
    "get": (["tavus"], lambda archive: archive.get(f"tavus:{conversation_id(FEW)}")),
    "get of an account": (["tavus/eu"], lambda archive: archive.get(f"tavus/eu:{conversation_id(FEW - 1)}")),
    "list, 20": ([], lambda archive: first(archive.conversations(limit=20))),
    "list, 20 of a provider": (["tavus"], lambda archive: first(archive.conversations("tavus", limit=20))),
    "list, 20 of a small one": (["retell"], lambda archive: first(archive.conversations("retell", limit=20))),
    "list, 20 of an account": (["tavus/eu"], lambda archive: first(archive.conversations("tavus/eu", limit=20))),
    "list, 20 of a status": ([], lambda archive: first(archive.conversations(status="failed", limit=20))),
    "export, first of all": ([], lambda archive: first(archive.conversations())),
    "export, first of a provider": (["tavus"], lambda archive: first(archive.conversations("tavus"))),
    "export, first of two": (["tavus", "retell"], lambda archive: first(archive.conversations("tavus", "retell"))),
    f"search, a word in {FEW} turns": ([], lambda archive: archive.search("quinquagesima").hits),
    f"search, a word in {FEW // 2} turns of a provider": (
        ["retell"],
        lambda archive: archive.search("quinquagesima", "retell").hits,
    ),
}
"""Whom a command names, which it looks up first, and what it reads."""


def reading(size: int) -> list[Cost | Bound]:
    """Measure what commands take that show a few of many."""
    costs: list[Cost | Bound] = []
    with TemporaryDirectory() as folder:
        path = Path(folder, "store")
        speech = Speech(latin_word, " ")
        asyncio.run(fill(path, speech, size))
        for what, (targets, read) in READS.items():
            before, spent = bytes_read(), list[float]()
            for _ in range(_REPEATS):
                worked = time.process_time()
                with opened(StoreURL("sqlite", path), targets) as archive:
                    assert read(archive)
                spent.append(1000 * (time.process_time() - worked))
            kilobytes = (bytes_read() - before) / _REPEATS / 1000
            costs += [Cost(what, median(spent), "ms"), Cost(f"{what}, read", kilobytes, "kB")]
        (common, _), *_ = speech.turns.most_common(1)
        with opened(StoreURL("sqlite", path), []) as archive:
            worked = time.process_time()
            turns = archive.search(common).total
            searched = time.process_time()
            assert sum(1 for _ in archive.conversations()) == size
            exported = time.process_time()
        costs.append(Cost("search, the commonest word, a turn", 1e6 * (searched - worked) / turns, "µs"))
        costs.append(Cost("export, a conversation", 1e6 * (exported - searched) / size, "µs"))
    return costs


# one conversation of many turns


async def get_long(url: str, gaps: Gaps, turns: int) -> float:
    """Get it, and return the seconds of processor time that takes."""
    async with hub_of(url) as hub, ticking(gaps):
        worked = time.process_time()
        found = await hub.get(f"tavus:{conversation_id(0)}")
        spent = time.process_time() - worked
    assert len(found.transcript or ()) == turns
    return spent


async def sync_long(url: str, gaps: Gaps, store: Store) -> float:
    """Sync it, and return the seconds of processor time that takes."""
    async with ticking(gaps):
        worked = time.process_time()
        await synced(store, url)
        return time.process_time() - worked


def long_conversation(turns: int) -> list[Cost | Bound]:
    """Measure a conversation of so many turns, and how long others on the loop wait for it."""
    with answering("tavus", 1, turns) as url, TemporaryDirectory() as folder:
        gaps = {"get": Gaps()}
        spent = {"get": asyncio.run(get_long(url, gaps["get"], turns))}
        for kind, make in STORES.items():
            what = f"sync into {kind}"
            gaps[what] = Gaps()
            spent[what] = asyncio.run(sync_long(url, gaps[what], make(Path(folder, kind))))
    costs: list[Cost | Bound] = []
    for what, seconds in spent.items():
        costs.append(Cost(f"{what}, a turn", 1e6 * seconds / turns, "µs"))
        costs.append(Bound(f"{what}, the longest stall", max(gaps[what].late), "ms", LONGEST_STALL))
    return costs


# many accounts


def hub_of_many(url: str, accounts: int) -> Hub:
    """Make a hub of so many accounts."""
    named = [Account("tavus", key="key", name=f"a{number}", base_url=url) for number in range(accounts)]
    return Hub(named, profile="bulk")


async def walk_all(url: str, accounts: int) -> None:
    """List all accounts with transcripts."""
    delivered = 0
    async with hub_of_many(url, accounts) as hub:
        walk = hub.list(transcripts=True)
        async for _ in walk:
            delivered += 1
    assert walk.report.complete, walk.report
    assert delivered == accounts * OF_AN_ACCOUNT


async def list_first(url: str, accounts: int) -> float:
    """List until the first conversation comes, and return the seconds of processor time for each account walked."""
    worked = time.process_time()
    async with hub_of_many(url, accounts) as hub, aclosing(aiter(hub.list(transcripts=True))) as found:
        await anext(found)
        return (time.process_time() - worked) / min(accounts, hub.accounts_at_once)


async def get_from_each(url: str, accounts: int) -> float:
    """Get a conversation of each account in turn, and return the seconds of processor time that one takes."""
    async with hub_of_many(url, accounts) as hub:
        worked = time.process_time()
        for number in range(accounts):
            await hub.get(f"tavus/a{number}:{conversation_id(0)}")
        return (time.process_time() - worked) / accounts


def many_accounts(accounts: int) -> list[Cost | Bound]:
    """Measure a walk over so many accounts, its beginning, and a conversation of each."""
    with answering("tavus", OF_AN_ACCOUNT, TURNS) as url:
        worked = time.process_time()
        asyncio.run(walk_all(url, accounts))
        spent = time.process_time() - worked
        counted = asked(url)
        begun = asyncio.run(list_first(url, accounts))
        got = asyncio.run(get_from_each(url, accounts))
    requests = (counted["pages"] + counted["details"]) / accounts
    return [
        Cost("list with transcripts, an account", 1e6 * spent / accounts, "µs"),
        Cost("list with transcripts, the first one, an account at a time", 1e6 * begun, "µs"),
        Cost("get, an account's first", 1e6 * got, "µs"),
        Bound("list with transcripts, an account", requests, "requests", 1 + OF_AN_ACCOUNT),
        Bound("list with transcripts, open at most", counted["connections"], "connections", Connections().most),
    ]


def compared(measure: Measure, size: int, noun: str, rounds: int) -> tuple[list[Figure], dict[str, Any]]:
    """Measure with a tenth and with all in turn; return the figures, and what they were made of."""
    runs = [(measure(size // 10), measure(size)) for _ in range(rounds)]
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    for place, told in enumerate(runs[0][1]):
        tenths, wholes = ([run[side][place].value for run in runs] for side in (0, 1))
        details[f"{told.what}, {told.unit}"] = {str(size // 10): tenths, str(size): wholes}
        here, before = (f"{median(values):,.4g} {told.unit}" for values in (wholes, tenths))
        against = f"{here} with {size:,} {noun}, {before} with {size // 10:,}"
        if isinstance(told, Cost):
            ratio = median(whole / tenth for tenth, whole in zip(tenths, wholes, strict=True))
            figures.append(Figure(what=told.what, against=against, value=ratio, at_most=MOST_GROWTH))
        else:
            value, most = median(wholes), told.at_most
            figures.append(Figure(what=told.what, against=against, value=value, unit=told.unit, at_most=most))
    return figures, details


def arguments() -> argparse.Namespace:
    """Return how many of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name, many, few in (
        ("conversations", 20_000, 500),
        ("accounts", 500, 20),
        ("turns", 100_000, 1_000),
        ("rounds", 3, 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=few if is_smoke() else many, metavar="N")
    parser.add_argument("--smoke", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Measure all of it."""
    many = arguments()
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    with answering("tavus", FEW, TURNS) as small:
        parts: list[tuple[Measure, int, str]] = [
            (partial(syncing, small), many.conversations, "conversations"),
            (going_on, many.conversations, "conversations"),
            (reading, many.conversations, "conversations"),
            (long_conversation, many.turns, "turns"),
            (many_accounts, many.accounts, "accounts"),
        ]
        for measure, size, noun in parts:
            found, made_of = compared(measure, size, noun, many.rounds)
            figures += found
            details |= made_of
    keep("growth", figures, details)


if __name__ == "__main__":
    main()
