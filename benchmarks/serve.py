"""What the gateway takes: of time for pages, also late in a list and beside long searches, and of memory for a stream.

    python benchmarks/serve.py [CONVERSATIONS] [--smoke]

A store is filled with conversations of ten turns, 200,000 of them, which takes some minutes; `conversations-hub serve`
then shows it from a process of its own. Each time is a ratio of medians, of requests that take turns. It needs Linux,
and 1 GB in the folder for temporary files.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from measured import Figure, is_smoke, keep
from process import held, most_held
from store import Speech, conversations, latin_word

from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._store import Checkpoint, Entry, StoredVersion
from conversations_hub.stores.sqlite import SQLiteStore

TURNS = 10
PAGES = 400
HOSTILE = 3
MOST_OF_NOTHING, MOST_OF_FIRST, MOST_BESIDE_SEARCHES = 4.0, 2.0, 10.0
MOST_GROWN = 16.0  # MB
_AT_ONCE = 500


class Client:
    """Asks over one connection that stays open."""

    def __init__(self, place: dict[str, Any]) -> None:
        self._port = int(place["url"].rstrip("/").rpartition(":")[2])
        self._headers = {"Authorization": f"Bearer {place['token']}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port)

    def __call__(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body; a gateway that says to wait is asked again."""
        while True:
            self._connection.request("GET", path, headers=self._headers)
            answer = self._connection.getresponse()
            body = answer.read()
            if answer.status != http.client.TOO_MANY_REQUESTS:
                return answer.status, body
            time.sleep(float(answer.headers["Retry-After"]))


async def fill(path: Path, count: int) -> None:
    """Fill a store."""
    store, batch = SQLiteStore(path), list[Entry]()
    await store.open({})
    for number, one in enumerate(conversations(Speech(latin_word, " "), count, TURNS), start=1):
        batch.append(Entry(one, StoredVersion(b"row", fingerprint(one), None)))
        if len(batch) == _AT_ONCE or number == count:
            await store.commit("tavus/default", batch, Checkpoint())
            batch = []
    await store.close()


@contextmanager
def served(path: Path) -> Generator[dict[str, Any]]:
    """Serve a store from a process of its own; yield its address and token."""
    command = [sys.executable, "-m", "conversations_hub", "serve", "--store", str(path), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline()) | {"process": process.pid}
        finally:
            process.terminate()


def milliseconds(ask: Callable[[], tuple[int, bytes]]) -> float:
    """Return how long an answer takes."""
    began = time.perf_counter()
    status, _ = ask()
    assert status == http.client.OK, status
    return 1000 * (time.perf_counter() - began)


def streamed(place: dict[str, Any], count: int) -> float:
    """Stream all conversations, and return by how many MB the gateway's memory grew meanwhile at most."""
    Client(place)("/v1/conversations")
    before = held(place["process"])
    connection = http.client.HTTPConnection("127.0.0.1", int(place["url"].rstrip("/").rpartition(":")[2]))
    connection.request("GET", "/v1/conversations.jsonl", headers={"Authorization": f"Bearer {place['token']}"})
    answer, last = connection.getresponse(), b""
    while line := answer.readline():
        last = line
    assert json.loads(last) == {"end": True, "count": count}
    connection.close()
    return most_held(place["process"]) - before


def cursor_of_page(ask: Client, limit: int, number: int) -> str:
    """Walk from the first page, and return the cursor that leads to a later one."""
    cursor = ""
    for _ in range(number - 1):
        _, body = ask(f"/v1/conversations?limit={limit}{cursor}")
        cursor = f"&cursor={json.loads(body)['cursor']}"
    return cursor


@contextmanager
def searching(place: dict[str, Any]) -> Generator[list[int]]:
    """Search for what is nearly everywhere, all the time, and yield the statuses of the answers."""
    ended, statuses = threading.Event(), list[int]()

    def search() -> None:
        ask = Client(place)
        while not ended.is_set():
            # Three letters that begin very many words, and the order that looks at the most of what they match.
            statuses.append(ask("/v1/search?q=bab*%20OR%20dab*%20OR%20fab*%20OR%20gab*&order=best&limit=100")[0])

    threads = [threading.Thread(target=search) for _ in range(HOSTILE)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def main() -> None:
    """Measure all of it."""
    count = 2000 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 200_000)
    rounds = 5 if is_smoke() else 200
    pages = min(PAGES, count // 50)
    with TemporaryDirectory() as folder:
        path = Path(folder, "conversations.db")
        asyncio.run(fill(path, count))
        with served(path) as place:
            grown = streamed(place, count)
        with served(path) as place:
            ask = Client(place)
            last = cursor_of_page(ask, 50, pages)
            spent: dict[str, list[float]] = {"nothing": [], "first": [], "last": [], "beside": []}
            for _ in range(rounds):
                spent["nothing"].append(milliseconds(lambda: ask("/healthz")))
                spent["first"].append(milliseconds(lambda: ask("/v1/conversations?limit=10")))
                spent["last"].append(milliseconds(lambda: ask(f"/v1/conversations?limit=10{last}")))
            with searching(place) as statuses:
                time.sleep(0.5)
                spent["beside"] = [milliseconds(lambda: ask("/v1/conversations?limit=10")) for _ in range(rounds)]
    found = {name: median(values) for name, values in spent.items()}
    figures = [
        Figure(
            what=f"first page of {count:,}",
            against="/healthz",
            value=found["first"] / found["nothing"],
            at_most=MOST_OF_NOTHING,
        ),
        Figure(
            what=f"a page behind {pages * 50:,} conversations",
            against="the first page",
            value=found["last"] / found["first"],
            at_most=MOST_OF_FIRST,
        ),
        Figure(
            what=f"first page beside {HOSTILE} long searches",
            against="alone",
            value=found["beside"] / found["first"],
            at_most=MOST_BESIDE_SEARCHES,
        ),
    ]
    figures.append(
        Figure(
            what=f"memory while all {count:,} are streamed",
            against="a page",
            value=grown,
            unit="MB",
            at_most=MOST_GROWN,
        )
    )
    keep(
        "serve", figures, {"ms": found, "searches": len(statuses), "p95 beside": sorted(spent["beside"])[-rounds // 20]}
    )


if __name__ == "__main__":
    main()
