"""What a store costs: time and bytes per conversation, memory over 200,000 of them, and how quickly a word is found.

    python benchmarks/store.py [CONVERSATIONS] [--smoke]

First a sync of 5,000 conversations of 40 turns is measured beside a pull by hand of the same, in turn. Then a store is
filled with conversations of which each turn says twelve words, some common and most rare, as people do, and searched.
The same then in Chinese, where no blanks stand between words, with a tenth as many. It takes five minutes, for which
`make bench` has no room. It needs Linux, and 2 GB in the folder for temporary files.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from answering import answering, conversation_id
from measured import Figure, is_smoke, keep
from process import held
from pull import pull

from conversations_hub import Account, Conversation, Hub, TranscriptTurn
from conversations_hub.schema import Agent, Participant, ParticipantKind, Role, Status, TranscriptState
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._store import Checkpoint, Entry, StoredVersion
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.sync import sync

TURNS = 40
WORDS = 12  # in a turn
SLOT = 6.25  # seconds from turn to turn; whole ones would be too coarse to be measured
VOCABULARY = 30_000
RARE = 0.01  # the share of the turns in which a rare word stands, at most
QUERIES = 300
MOST_OF_HAND, MOONSHOT = 2.0, 1.5
MOST_GROWTH = 1.2
SLOWEST = 50.0  # milliseconds
_AT_ONCE = 500


async def by_hand(url: str, path: Path) -> float:
    """Return the seconds of processor time of pulling all conversations by hand."""
    began = time.process_time()
    await pull(url, path)
    return time.process_time() - began


async def synced(url: str, conversations: int, path: Path) -> float:
    """Return the seconds of processor time of syncing them."""
    async with Hub([Account("tavus", key="key", base_url=url)], profile="bulk") as hub:
        began = time.process_time()
        report = await sync(hub, SQLiteStore(path))
        spent = time.process_time() - began
    assert report.complete, report
    assert report.accounts[0].new == conversations, report
    return spent


def compare(conversations: int, rounds: int) -> Figure:
    """Measure both in turn; the first round is for imports, and to see that both write the same."""
    ratios: list[float] = []
    with answering("tavus", conversations, TURNS) as url, TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            hand, ours = Path(folder, f"by hand {number}.db"), Path(folder, f"{number}.db")
            theirs = asyncio.run(by_hand(url, hand))
            ratio = asyncio.run(synced(url, conversations, ours)) / theirs
            if number:
                ratios.append(ratio)
            else:
                assert written(hand) == written(ours)
    what, against = f"sync of {conversations:,} conversations, processor", "a pull by hand into the same tables"
    return Figure(what=what, against=against, value=median(ratios), at_most=MOST_OF_HAND, at_best=MOONSHOT)


def written(path: Path) -> Sequence[object]:
    """Return what is said in a store, who says it and when, and how much of it is found."""
    with closing(sqlite3.connect(path)) as database:
        said = database.execute(
            "SELECT id, title, created_at, updated_at, turns.position, role, text, start, turns.duration, timestamp,"
            " participant, kind FROM turns JOIN conversations ON turns.conversation = conversations.key"
            " JOIN participants ON participants.conversation = turns.conversation AND participant ="
            " participants.position ORDER BY id, turns.position"
        )
        found = database.execute("SELECT count(*) FROM turns_text WHERE turns_text MATCH 'order'")
        return [*said, *found]


class Speech:
    """Says turns of which the nth word of the vocabulary is about n times as rare as the first."""

    def __init__(self, word: Callable[[int], str], blank: str) -> None:
        self._chance = random.Random(0)  # noqa: S311  (no secret)
        self._blank = blank
        self.words = [word(number) for number in range(VOCABULARY)]
        self._weights = [1.0 / (number + 3) for number in range(VOCABULARY)]
        self.turns: Counter[str] = Counter()
        """In how many turns each word stands."""
        self._ready = self._some()

    def turn(self) -> str:
        """Return what is said next."""
        return next(self._ready)

    def _some(self) -> Iterator[str]:
        while True:
            said = self._chance.choices(self.words, self._weights, k=WORDS * 1000)
            for begin in range(0, len(said), WORDS):
                words = said[begin : begin + WORDS]
                self.turns.update(set(words))
                yield self._blank.join(words)


def latin_word(number: int) -> str:
    """Return a word of as many syllables as its number has pairs of digits."""
    letters = ""
    while number or not letters:
        number, place = divmod(number, 100)
        letters += "bdfghjklmnprstvwxyzq"[place // 5] + "aeiou"[place % 5]
    return letters


def _chinese_word(number: int) -> str:
    """Return a word of one to four characters, of which few are common and most are rare."""
    chance = random.Random(number)  # noqa: S311  (no secret)
    return "".join(chance.choices(_CHARACTERS, _COMMON, k=chance.choice((1, 2, 2, 2, 2, 3, 4))))


_CHARACTERS = [chr(0x4E00 + number) for number in range(3500)]
_COMMON = [1 / (number + 10) for number in range(3500)]


def conversations(speech: Speech, count: int, length: int = TURNS) -> Iterator[Conversation]:
    """Yield so many conversations of so many turns, the oldest first."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    roles = (Role.USER, Role.ASSISTANT)
    for number in range(count):
        started = begin + timedelta(minutes=number)
        turns = tuple(
            TranscriptTurn(
                index=at, role=roles[at % 2], text=speech.turn(), start=SLOT * at, duration=5.5, participant=at % 2
            )
            for at in range(length)
        )
        yield Conversation(
            provider="tavus",
            id=conversation_id(number),
            status=Status.ENDED,
            agent=Agent(id="p1", name="Agent"),
            participants=(Participant(kind=ParticipantKind.CUSTOMER), Participant(kind=ParticipantKind.AI_AGENT)),
            created_at=started,
            started_at=started,
            ended_at=started + timedelta(seconds=SLOT * length),
            duration=SLOT * length,
            transcript=turns,
            transcript_state=TranscriptState.AVAILABLE,
            metadata={"order": number},
        )


async def fill(path: Path, found: Iterable[Conversation], count: int) -> list[float]:
    """Fill a store with so many conversations; return the MB in use after each tenth."""
    store = SQLiteStore(path)
    await store.open({})
    samples: list[float] = []
    batch: list[Entry] = []
    for number, one in enumerate(found, start=1):
        batch.append(Entry(one, StoredVersion(b"row", fingerprint(one), None)))
        if len(batch) == _AT_ONCE or number == count:
            await store.commit("tavus/default", batch, Checkpoint())
            batch = []
        if number % (count // 10) == 0:
            samples.append(held())
    await store.finish()
    await store.close()
    return samples


def searched(path: Path, queries: Sequence[str]) -> list[float]:
    """Return the milliseconds that each search took."""
    spent: list[float] = []
    with SQLiteReader(path) as archive:
        for query in queries:
            began = time.perf_counter()
            archive.search(query)
            spent.append(1000 * (time.perf_counter() - began))
    return spent


def stored(language: str, speech: Speech, count: int) -> tuple[list[Figure], list[float]]:
    """Measure a store of conversations; return the MB that were in use while it was filled, too."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "conversations.db")
        began = time.perf_counter()
        samples = asyncio.run(fill(path, conversations(speech, count), count))
        filled = time.perf_counter() - began
        size = path.stat().st_size / count / 1000
        rare = [word for word in speech.words if 0 < speech.turns[word] <= RARE * count * TURNS]
        chance = random.Random(1)  # noqa: S311  (no secret)
        queries = [" ".join(chance.sample(rare, 1 + number % 3)) for number in range(QUERIES)]
        searched(path, queries[:3])
        slow = sorted(searched(path, queries))[int(0.95 * QUERIES)]
        # One word only, and one that stands in as many turns as a rare one may.
        limit = max(rare, key=lambda word: speech.turns[word])
        at_the_limit = median(searched(path, [limit] * 5))
        common, stands_in = speech.turns.most_common(1)[0]
        commonest = median(searched(path, [common] * 3))
    named = f"{count:,}{language} conversations of {TURNS} turns"
    search = f"search,{language}" if language else "search"
    figures = [
        Figure(
            what=f"memory, {named}", against="itself at a tenth", value=samples[-1] / samples[0], at_most=MOST_GROWTH
        ),
        Figure(what=f"size of {named}", against="a conversation, the index with it", value=size, unit="kB"),
        Figure(what=f"filling, {named}", against="a conversation", value=1e6 * filled / count, unit="µs"),
        Figure(what=f"{search}, p95", against="one to three rare words", value=slow, unit="ms", at_most=SLOWEST),
        Figure(
            what=f"{search}, a word at the limit",
            against=f"in {speech.turns[limit]:,} turns",
            value=at_the_limit,
            unit="ms",
        ),
        Figure(what=f"{search}, the commonest word", against=f"in {stands_in:,} turns", value=commonest, unit="ms"),
    ]
    return figures, samples


def main() -> None:
    """Measure all of it."""
    count = 500 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 200_000)
    figures = [compare(200 if is_smoke() else 5000, 1 if is_smoke() else 3)]
    english, samples = stored("", Speech(latin_word, " "), count)
    chinese, _ = stored(" Chinese", Speech(_chinese_word, ""), max(500, count // 10))
    keep("store", [*figures, *english, *chinese[1:]], {"MB": samples})


if __name__ == "__main__":
    main()
