"""What providers might send, through all that the library does with it: nothing but a `HubError` may come out.

A round takes a recorded exchange, changes it at random, and reads it as a hub does. What was read is then shown, named,
redacted, kept in every store, found again, exported, and written in every format and read back, where nothing at all
may fail: it would fail each time anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from click.testing import CliRunner
from rich.console import Console
from yarl import URL

from conversations_hub import Conversation, Hub
from conversations_hub._cli import cli
from conversations_hub._cli.render import ConversationTable, render
from conversations_hub._merging import merge
from conversations_hub._scrub.signatures import without_signatures
from conversations_hub.adapter import Adapter
from conversations_hub.adapters import load
from conversations_hub.agents._listing import ToolLines, conversation_lines
from conversations_hub.agents._reading import Options, reading
from conversations_hub.errors import HubError, problem
from conversations_hub.events import Event
from conversations_hub.formats._csv import write_csv
from conversations_hub.formats._export import export_csv, export_jsonl, write_jsonl
from conversations_hub.policy import PROFILES
from conversations_hub.reading.json import Json
from conversations_hub.redaction import PersonalData
from conversations_hub.schema._document import document
from conversations_hub.stores import Checkpoint, Entry, Store, StoredVersion
from conversations_hub.stores._fingerprint import fingerprint, is_print_of
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.jsonl._reader import JSONLReader
from conversations_hub.stores.parquet import export_parquet
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.sync import sync
from conversations_hub.testing import Case, hostile_mutant, replay
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response

from . import exchanges
from .clock import FakeClock
from .fake_lane import fake_lanes
from .round_trips import check_round_trips

__all__ = ["fuzz"]

_MOST_CHANGES = 4
_SOME = 20
_WEIGHTS = {"list": 8, "get": 4, "start": 4, "webhook": 4}  # the others bring no conversation
_PROFILE = PROFILES["interactive"].but(attempts=1, deadline=1e9, breaks=False)
_NOWHERE = Response(404, {}, b'{"message": "not found"}')
_OURS = ("the adapter could not read", "the adapter has a bug", "this is a bug")
"""What is said where the library itself failed: nothing a provider sends may lead there."""


def fuzz(provider: str, rounds: int, folder: Path, seed: str = "") -> None:
    """Go through so many rounds with a provider's exchanges; raise what came out, with what leads to it again."""
    fuzzed = _Fuzz(provider, folder)
    asyncio.run(fuzzed.run(rounds, seed))
    with _told(f"{seed} {rounds} rounds of {provider}, kept together"):
        asyncio.run(fuzzed.keep())
        fuzzed.look()


class _Fuzz:
    def __init__(self, provider: str, folder: Path) -> None:
        self.adapter: Adapter = load(provider)
        self.cases = [case for case in exchanges.cases(provider).values() if _is_json(case)]
        self.weights = [_WEIGHTS.get(case.operation, 1) for case in self.cases]
        self.account = exchanges.account(provider)
        self.answers: list[Response] = []
        self.details: list[Response] = []
        self.asked_for = ""
        self.folder = folder
        self.read: dict[str, Conversation] = {}
        self.before: Conversation | None = None

    async def run(self, rounds: int, seed: str) -> None:
        with fake_lanes(self._answer):
            async with Hub([self.account], profile=_PROFILE, keep_raw=True, clock=FakeClock().clock) as hub:
                for number in range(rounds):
                    random = Random(f"{seed}{self.adapter.name} {number}")  # noqa: S311
                    [chosen] = random.choices(self.cases, self.weights)
                    case, changes = _mutated(chosen, random)
                    with _told(
                        f"round {number} of {self.adapter.name}{seed and f' from {seed}'}, {case.name}: {changes}"
                    ):
                        for conversation in await self._brought(hub, case, random):
                            self._use(conversation)

    async def _answer(self, url: URL) -> Response:
        answers = self.details if self.details and self.asked_for in str(url) else self.answers
        return answers.pop(0) if answers else _NOWHERE

    async def _brought(self, hub: Hub, case: Case, random: Random) -> list[Conversation]:
        """Do what was recorded, and return the conversations that came of it, however it ended."""
        found: list[Conversation] = []
        self.answers = list(case.answers)
        name, facts = self.adapter.name, case.facts
        kind = f":{facts['resource']}" if "resource" in facts else ""
        try:
            match case.operation:
                case "list":
                    walk = hub.list(f"{name}{kind}")
                    try:
                        async for page in walk.pages():
                            found += page.items
                            _check([issue.reason for issue in page.rejected])
                    finally:
                        await self._sync(hub, f"{name}{kind}", case, random)
                case "get":
                    found.append(await hub.get(f"{name}:{case.id}"))
                case "start":
                    options: dict[str, Any] = facts.get("options", {})
                    started = await hub.start(
                        f"{name}{kind}", agent=facts.get("agent"), to=facts.get("to"), provider_options=options
                    )
                    repr(started)
                    found.append(started.conversation)
                case "send":
                    turn = await hub.send(f"{name}:{case.id}", facts["text"])
                    _ = repr(turn), turn.to_json(), turn.to_dict()
                case "end":
                    await hub.end(f"{name}:{case.id}")
                case "delete":
                    await hub.delete(f"{name}:{case.id}")
                case "webhook":
                    found += _delivered(name, case)
                case _:
                    await hub.get(f"{name}:c1")
        except HubError as error:
            _check([error.reason])
            _ = str(error), repr(error), problem(error)
        return found

    async def _sync(self, hub: Hub, target: str, case: Case, random: Random) -> None:
        """Sync a list of which one row has details, into each store."""
        kind, _ = case.resource(self.adapter)
        kin = [one for one in self.cases if one.operation == "get" and one.resource(self.adapter)[0] is kind]
        details, _ = _mutated(random.choice(kin), random)
        _, self.asked_for = details.resource(self.adapter)
        row = random.choice(self._listed(case.name)).encode()
        answers = [
            Response(answer.status, answer.headers, answer.body.replace(row, self.asked_for.encode()))
            for answer in case.answers
        ]
        for store in (SQLiteStore(self.folder / "synced.db"), JSONLStore(self.folder / "synced.jsonl", overwrite=True)):
            self.answers, self.details = list(answers), list(details.answers)
            report = await sync(hub, store, target, verify=False, again=True, redact=PersonalData())
            self.details = []
            _check([str(account.error) for account in report.accounts if account.error])
            str(report)

    def _listed(self, name: str) -> list[str]:
        """Return the ids of a list as it was recorded."""
        [case] = [case for case in self.cases if case.name == name]
        return [one.id for one in replay(self.adapter, self.account, case).conversations]

    def _use(self, one: Conversation) -> None:
        _shown(one)
        assert msgspec.json.decode(document(one), type=Conversation) == one
        redacted = PersonalData()(without_signatures(one))
        assert is_print_of(fingerprint(one), one)
        assert fingerprint(msgspec.json.decode(msgspec.json.encode(one), type=Conversation)) == fingerprint(one)
        _shown(redacted)
        if self.before is not None:
            _shown(merge(self.before, one))
        self.before = one
        for rows in ("turns", "conversations"):
            for neutralized in (True, False):
                write_csv([one], _nothing, neutralized=neutralized, rows=rows)
        check_round_trips(one)
        kept = _named(without_signatures(one), f"{len(self.read)}-{one.id}")
        self.read[kept.ref] = kept

    async def keep(self) -> None:
        """Keep all that was read in each store."""
        for store in (SQLiteStore(self.folder / "read.db"), JSONLStore(self.folder / "read.jsonl")):
            await _filled(store, self.adapter.name, list(self.read.values()))

    def look(self) -> None:
        """Read what was kept, in each store and by each command, and export it."""
        conversations = list(self.read.values())
        database, lines = self.folder / "read.db", self.folder / "read.jsonl"
        told = [msgspec.json.decode(line, type=Conversation) for line in lines.read_bytes().splitlines()]
        assert {one.ref: one for one in told} == self.read
        JSONLReader(lines).status()
        with SQLiteReader(database) as archive:
            archive.status()
            assert {one.ref for one in archive.conversations()} == self.read.keys()
            for one in conversations:
                differ = _differences(archive.get(one.ref), one)
                assert not differ, f"{one.ref}: {differ}"
            for one in conversations[:_SOME]:
                words = " ".join(turn.text or "" for turn in one.transcript or ())[:60]
                for asked in (words, f'"{words}"', f"{words}*", one.title or "-"):
                    archive.search(asked, limit=3)
                    archive.search(asked, limit=3, anywhere=True)
            list(archive.recordings())
        for one in conversations[:_SOME]:
            for form in ("", "--json", "--raw"):
                self._command("get", one.ref, "--store", str(database), *filter(None, [form]))
        self._command("list", "--store", str(database))
        self._command("list", "--store", str(database), "--json")
        self._command("search", "the", "--store", str(database))
        export_jsonl(conversations, self.folder / "all.jsonl.gz")
        export_csv(conversations, self.folder / "all.csv")
        if find_spec("duckdb"):
            export_parquet(conversations, self.folder / "all.parquet")

    def _command(self, *words: str) -> None:
        done = CliRunner().invoke(cli, words)
        assert isinstance(done.exception, SystemExit | None), words
        assert done.exit_code in {0, 1}, f"{words}: {done.output}"


def _is_json(case: Case) -> bool:
    return all(answer.body[:1] in {b"{", b"["} for answer in case.answers)


def _mutated(case: Case, random: Random) -> tuple[Case, str]:
    """Return a case of which one answer was changed, and what was changed."""
    place = random.randrange(len(case.answers))
    answer = case.answers[place]
    mutant = hostile_mutant(answer.body, random, random.randint(1, _MOST_CHANGES))
    changed = Response(answer.status, answer.headers, mutant.body)
    answers = (*case.answers[:place], changed, *case.answers[place + 1 :])
    return Case(case.name, answers, case.facts), str(mutant)


def _delivered(provider: str, case: Case) -> Iterator[Conversation]:
    [delivery] = case.answers
    events: list[Event] = verify(
        provider, delivery.body, delivery.headers, None, case.facts["now"], insecure_accept_unsigned=True
    )
    for event in events:
        _ = repr(event), msgspec.json.encode(event)
        if event.conversation is not None:
            yield event.conversation


def _named(one: Conversation, id: str) -> Conversation:
    """Return a conversation under an id that no other has; its recordings name it, which those of a delivery do not."""
    one = msgspec.structs.replace(one, id=id)
    recordings = tuple(msgspec.structs.replace(recording, ref=one.ref) for recording in one.recordings)
    return msgspec.structs.replace(one, recordings=recordings)


def _check(reasons: list[str]) -> None:
    for reason in reasons:
        assert not any(ours in reason for ours in _OURS), reason


def _shown(one: Conversation) -> None:
    """Show a conversation in every way there is."""
    for lines in (conversation_lines(), ToolLines(None, failed=None)):
        msgspec.json.encode(lines(one))
    page = Options().page(500, 500)
    msgspec.json.encode(str(reading(one, page, part="both", cursor=None, tool="fuzz", include_system=True)))
    for text in (str(one), one.render(), one.render(tools=False, times=False), one.text):
        text.encode()
    _ = repr(one), one.ref, one.talk_time, one.is_finished, one.user_turns, one.agent_turns, one.human_agent_turns
    one.to_json().encode()
    said: Json = one.to_dict()
    msgspec.json.encode(said)
    for part in (*(one.transcript or ()), *one.participants, *one.recordings, *one.issues):
        _ = repr(part), part.to_dict(), part.to_json()
    for turn in one.transcript or ():
        _ = turn.started_at
    write_jsonl([one], _nothing)
    for is_terminal in (True, False):
        out = Console(file=StringIO(), force_terminal=is_terminal, width=80, markup=False, emoji=False, highlight=False)
        out.print(render(one))
        ConversationTable(out, is_cut=is_terminal).write(one)


def _differences(one: Conversation, other: Conversation) -> dict[str, object]:
    both = {name: (getattr(one, name), getattr(other, name)) for name in one.__struct_fields__}
    return {name: values for name, values in both.items() if values[0] != values[1]}


def _nothing(_: bytes) -> None:
    pass


async def _filled(store: Store, provider: str, conversations: list[Conversation]) -> None:
    await store.open({})
    try:
        account = f"{provider}/default"
        entries = [Entry(one, StoredVersion(b"row", fingerprint(one), None)) for one in conversations]
        await store.commit(account, entries, Checkpoint())
        await store.finish()
    finally:
        await store.close()


@contextmanager
def _told(where: str) -> Generator[None]:
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
