"""Every change of a store reaches every target, signed, in order for each conversation, until it is confirmed."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub import Conversation
from conversations_hub._transport import Clock
from conversations_hub.errors import ConfigurationError, StoreError
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import Role, Status, TranscriptState, TranscriptTurn
from conversations_hub.secret import Secret
from conversations_hub.serve import ForwardReport, ForwardTarget, Outbox, forward
from conversations_hub.signing._delivery import Received
from conversations_hub.signing.webhooks import STANDARD_WEBHOOKS
from conversations_hub.stores import put
from conversations_hub.stores.sqlite import SQLiteStore

from ..support.clock import NOW
from ..support.server import Answer, Asked, Scripted, answer, serving

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TAKEN = answer({})


def one(id: str, words: str = "Hello.", provider: str = "acme", account: str = "default") -> Conversation:
    turn = TranscriptTurn(index=0, role=Role.USER, text=words)
    return Conversation(
        provider=provider,
        account=account,
        id=id,
        status=Status.ENDED,
        transcript=(turn,),
        transcript_state=TranscriptState.AVAILABLE,
        raw=b"{}" if provider == "raw" else None,
    )


class Desk:
    """A store, its outbox, and the time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = SQLiteStore(folder / "c.db")
        self.now = NOW

    async def forward(self, *targets: ForwardTarget, from_start: bool = True, **options: object) -> list[ForwardReport]:
        """Send what is due, and return the reports."""
        clock = Clock(now=lambda: self.now, monotonic=lambda: 0.0, roll=lambda: 0.0)
        async with Outbox(self.folder / "c.outbox") as outbox:
            found = await forward(self.store, outbox, targets, from_start=from_start, clock=clock, **options)  # type: ignore[arg-type]
        return [found[target.name] for target in targets]

    async def replay(self, name: str, since: datetime | None = None) -> int:
        async with Outbox(self.folder / "c.outbox") as outbox:
            return await outbox.replay(name, self.now, since=since)

    async def erase(self, ref: str) -> None:
        with self.store.reader() as reader:
            reader.erase(ref)


def target(server: Scripted, name: str = "crm", **options: object) -> ForwardTarget:
    settings = {"url": f"{server.url}/hook", "secret": Secret(SECRET), "name": name, "allow_private": True} | options
    return ForwardTarget(**settings)  # type: ignore[arg-type]


def said(asked: Asked) -> tuple[str, str, str | None]:
    """Return the kind, the ref, and what was said, of a delivery whose signature is right."""
    claim = STANDARD_WEBHOOKS.claim(Received(headers=asked.headers, body=asked.body))
    assert STANDARD_WEBHOOKS.matches(claim, STANDARD_WEBHOOKS.key(SECRET))
    event = json.loads(asked.body)
    conversation = event["data"].get("conversation")
    words = conversation and conversation["transcript"][0]["text"]
    return event["type"].removeprefix("conversation."), event["data"]["ref"], words


async def test_a_target_hears_of_what_was_written_changed_and_erased(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(TAKEN) as server:
        await put(desk.store, one("c1"))
        await desk.forward(target(server))
        await put(desk.store, one("c1", "Goodbye."), one("c2"))
        await desk.forward(target(server))
        await desk.erase("acme:c1")
        [report] = await desk.forward(target(server))
        assert [said(asked) for asked in server.asked[:1]] == [("created", "acme:c1", "Hello.")]
        assert sorted(said(asked) for asked in server.asked[1:3]) == [
            ("created", "acme:c2", "Hello."),
            ("updated", "acme:c1", "Goodbye."),
        ]
        assert [said(asked) for asked in server.asked[3:]] == [("erased", "acme:c1", None)]
        assert report.confirmed == 1
        assert len({asked.headers["webhook-id"] for asked in server.asked}) == 4
        assert server.asked[0].headers["webhook-timestamp"] == str(int(NOW.timestamp()))
        assert not any(b'"raw":"' in asked.body for asked in server.asked)


async def test_a_new_target_hears_of_what_happens_from_now_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await put(desk.store, one("c1"))
    async with serving(TAKEN) as server:
        await desk.forward(target(server), from_start=False)
        await put(desk.store, one("c2"))
        await desk.forward(target(server), from_start=False)
        assert [said(asked)[1] for asked in server.asked] == ["acme:c2"]


@pytest.mark.parametrize("failure", [answer(status=500), answer(status=404), answer(status=302), None])
async def test_what_fails_is_sent_again_with_the_same_id(failure: Answer, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(failure, TAKEN) as server:
        await put(desk.store, one("c1"))
        [report] = await desk.forward(target(server))
        assert (report.confirmed, report.failures.total()) == (0, 1)
        [report] = await desk.forward(target(server))
        assert report.confirmed == 0  # it is not due yet
        desk.now += timedelta(seconds=6)
        [report] = await desk.forward(target(server))
        assert report.confirmed == 1
        first, second = server.asked
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.headers["webhook-timestamp"] < second.headers["webhook-timestamp"]


async def test_of_several_changes_while_it_is_down_a_target_hears_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(answer(status=503), TAKEN) as server:
        await put(desk.store, one("c1"))
        await desk.forward(target(server))
        for words in ("One.", "Two.", "Three."):
            await put(desk.store, one("c1", words))
            await desk.forward(target(server))
        desk.now += timedelta(seconds=6)
        await desk.forward(target(server))
        assert [said(asked) for asked in server.asked] == [
            ("created", "acme:c1", "Hello."),
            ("created", "acme:c1", "Three."),
        ]


async def test_a_target_that_is_down_is_asked_with_one_delivery_at_a_time(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(answer(status=503)) as server:
        await put(desk.store, *(one(f"c{number}") for number in range(40)))
        await desk.forward(target(server))
        assert len(server.asked) <= 8
        before = len(server.asked)
        desk.now += timedelta(seconds=60)
        await desk.forward(target(server))
        assert len(server.asked) <= before + 8


async def test_a_target_decides_how_long_it_is_left_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(answer(status=429, headers={"Retry-After": "3600"}), TAKEN) as server:
        await put(desk.store, one("c1"))
        await desk.forward(target(server))
        desk.now += timedelta(minutes=59)
        assert (await desk.forward(target(server)))[0].confirmed == 0
        desk.now += timedelta(minutes=2)
        assert (await desk.forward(target(server)))[0].confirmed == 1


async def test_what_was_given_up_is_kept_and_can_be_sent_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    works = [False]

    async def answers(_asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        return TAKEN if works[0] else answer(status=400)

    async with serving(answers) as server:
        await put(desk.store, one("c1"))
        began = desk.now
        reports = [*await desk.forward(target(server))]
        while not reports[-1].dead:
            desk.now += timedelta(days=1)
            reports += await desk.forward(target(server))
        assert desk.now - began >= timedelta(days=4)
        async with Outbox(tmp_path / "c.outbox") as outbox:
            status = (await outbox.status())["crm"]
        assert (status.waiting, status.dead, status.errors) == (0, 1, {"status 400": 1})
        works[0] = True
        assert await desk.replay("crm") == 1
        assert (await desk.forward(target(server)))[0].confirmed == 1


async def test_a_target_that_forgot_is_told_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(TAKEN) as server:
        await put(desk.store, one("c1"))
        await desk.forward(target(server))
        desk.now += timedelta(hours=2)
        await put(desk.store, one("c2"))
        await desk.forward(target(server))
        assert await desk.replay("crm", since=desk.now - timedelta(hours=1)) == 1
        await desk.forward(target(server))
        assert [said(asked)[1] for asked in server.asked] == ["acme:c1", "acme:c2", "acme:c2"]


async def test_a_target_that_wants_no_more_gets_no_more(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(answer(status=410), TAKEN) as server:
        await put(desk.store, one("c1"))
        [report] = await desk.forward(target(server))
        assert report.is_gone
        desk.now += timedelta(days=1)
        [report] = await desk.forward(target(server))
        assert report.is_gone
        assert len(server.asked) == 1
        await desk.replay("crm")
        assert (await desk.forward(target(server)))[0].confirmed == 1


async def test_what_is_replayed_by_another_process_is_sent_by_the_one_that_runs(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk_is_idle = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        desk_is_idle.set()
        await asyncio.sleep(0)

    async with serving(answer(status=410), TAKEN) as server, Outbox(tmp_path / "c.outbox") as outbox:
        await put(desk.store, one("c1"))
        clock = Clock(now=lambda: desk.now, monotonic=lambda: 0.0, roll=lambda: 0.0, sleep=sleep)
        running = asyncio.create_task(
            forward(desk.store, outbox, [target(server)], follow=True, from_start=True, clock=clock)
        )
        await desk_is_idle.wait()
        assert len(server.asked) == 1
        assert await desk.replay("crm") == 0  # it waits, and its target is asked again
        desk.now += timedelta(seconds=6)
        await server.has_been_asked(2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert [said(asked)[1] for asked in server.asked] == ["acme:c1", "acme:c1"]


async def test_what_is_dead_is_shown_with_why(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(answer(status=500)) as server:
        for number in range(3):
            await put(desk.store, one(f"c{number}"))
            desk.now += timedelta(seconds=1)
            await desk.forward(target(server))
        for _ in range(12):
            desk.now += timedelta(days=2)
            await desk.forward(target(server))
    async with Outbox(tmp_path / "c.outbox") as outbox:
        found = await outbox.dead(most=2)
        assert [(one.ref, one.kind, one.attempts, one.error) for one in found] == [
            ("acme:c2", "created", 12, "status 500"),
            ("acme:c1", "created", 12, "status 500"),
        ]
        assert found[0].changed_at == NOW + timedelta(seconds=3)


async def test_a_slow_target_holds_up_no_other(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    may_answer = asyncio.Event()

    async def waits(_asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        await may_answer.wait()
        return TAKEN

    async with serving(waits) as slow, serving(TAKEN) as quick:
        await put(desk.store, *(one(f"c{number}") for number in range(20)))
        running = asyncio.create_task(desk.forward(target(slow, "slow"), target(quick, "quick")))
        await quick.has_been_asked(20)
        assert slow.at_once <= 8
        may_answer.set()
        assert [report.confirmed for report in await running] == [20, 20]


async def test_a_target_hears_only_of_what_it_is_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(TAKEN) as server:
        each = [one("c1", account="eu"), one("c2", provider="tavus"), one("c3", provider="tavus", account="eu")]
        await put(desk.store, *each)
        await desk.forward(target(server, "a", providers=["tavus"]), target(server, "b", accounts=["eu"]))
        assert sorted(said(asked)[1] for asked in server.asked) == [
            *("acme/eu:c1", "tavus/eu:c3", "tavus/eu:c3", "tavus:c2"),
        ]
        server.asked.clear()
        only = target(server, "c", kinds=["updated"])
        await desk.forward(only)
        await put(desk.store, one("c2", "Again.", provider="tavus"))
        await desk.forward(only)
        await desk.erase("tavus:c2")
        await desk.forward(only)
        assert [said(asked) for asked in server.asked] == [("updated", "tavus:c2", "Again.")]


async def test_personal_data_is_taken_out_before_it_leaves(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(TAKEN) as server:
        await put(desk.store, one("c1", "Write to jane@example.com."))
        await desk.forward(target(server), redact=PersonalData())
        assert "jane" not in server.asked[0].body.decode()


async def test_a_private_address_is_not_asked_unless_it_may_be(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with serving(TAKEN) as server:
        port = server.url.rpartition(":")[2]
        await put(desk.store, one("c1"))
        [report] = await desk.forward(target(server, url=f"https://127.0.0.1:{port}", allow_private=False))
        assert dict(report.failures) == {"its address is not public: allow_private allows it": 1}
        assert not server.connections


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "http://crm.example"}, "must begin with https"),
        ({"url": "https://jane:word@crm.example"}, "must not hold a user name"),
        ({"url": "crm"}, "is malformed"),
        ({"url": "https://crm.example:99999"}, "is malformed"),
        ({"url": "ftp://crm.example", "allow_private": True}, "must begin with https"),
        ({"secret": Secret("short")}, "24 to 64 random bytes"),
        ({"name": "a b"}, "name of a target"),
    ],
)
def test_a_target_that_cannot_be_is_refused(wrong: dict[str, object], words: str) -> None:
    good = {"url": "https://crm.example", "secret": Secret(SECRET)}
    with pytest.raises(ConfigurationError, match=words) as caught:
        ForwardTarget(**(good | wrong))  # type: ignore[arg-type]
    assert "word@" not in str(caught.value)
    assert "short" not in str(caught.value)


async def test_two_of_one_name_are_refused_and_an_outbox_is_one_process_s(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    same = ForwardTarget(url="https://crm.example", secret=Secret(SECRET))
    with pytest.raises(ConfigurationError, match="two targets are named"):
        await desk.forward(same, same)
    async with Outbox(tmp_path / "c.outbox") as outbox, outbox.sending():
        with pytest.raises(StoreError, match=r"another process is forwarding from this outbox: .* is locked"):
            await desk.forward(same)
    (tmp_path / "c.outbox").chmod(0o666)
    with pytest.raises(StoreError, match="others"):
        await desk.forward(same)


STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 3)),
    st.tuples(st.just("erase"), st.integers(0, 3)),
    st.tuples(st.just("forward"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.sampled_from([1, 60, 100_000])),
)


class Memory:
    """A target that takes a few deliveries, then one of which it does not say so, and then none."""

    def __init__(self) -> None:
        self.takes = 0
        self.view: dict[str, str | None] = {}

    async def __call__(self, asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        self.takes -= 1
        if self.takes < -1:
            return None
        _, ref, words = said(asked)
        self.view[ref] = words
        return TAKEN if self.takes >= 0 else None


@settings(max_examples=12)
@given(st.lists(STEPS, max_size=12))
def test_whatever_fails_and_whenever_a_target_ends_with_what_is_in_the_store(steps: list[tuple[str, int]]) -> None:
    async def play(desk: Desk, memory: Memory, server: Scripted) -> None:
        await put(desk.store, one("c0"))
        for number, (step, value) in enumerate(steps):
            if step == "put":
                await put(desk.store, one(f"c{value}", f"Words {number}."))
            elif step == "wait":
                desk.now += timedelta(seconds=value)
            elif step == "forward":
                memory.takes = value
                await desk.forward(target(server))
            elif f"acme:c{value}" in refs_in(desk):
                await desk.erase(f"acme:c{value}")
        memory.takes = 10_000
        for _ in range(3):
            desk.now += timedelta(days=2)
            await desk.forward(target(server))
        with desk.store.reader() as reader:
            kept = {each.ref: reader.get(each.ref).text for each in reader.conversations()}
        assert {ref: f"user: {words}" for ref, words in memory.view.items() if words is not None} == kept

    async def run(folder: Path) -> None:
        memory = Memory()
        async with serving(memory) as server:
            await play(Desk(folder), memory, server)

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


def refs_in(desk: Desk) -> set[str]:
    with desk.store.reader() as reader:
        return {each.ref for each in reader.conversations()}
