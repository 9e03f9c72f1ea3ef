"""A drain brings what webhooks told into a store: fetched once, tried again, and never lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub._files.recordings import name_of
from conversations_hub.errors import (
    AuthError,
    HubError,
    NotFoundError,
    OutageError,
    RateLimitError,
    RejectedError,
    StoreError,
    UnsupportedError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.hub import Download
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import (
    EndReason,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.stores import Checkpoint
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import Delivery, DrainReport, Inbox, RecordingsReport, drain, sync
from conversations_hub.webhooks import read_verified
from conversations_hub.wire import Flow

from ..support.clock import NOW, FakeClock
from ..support.deliveries import acme, delivery, written
from ..support.entries import entry
from ..support.public_hosts import hosts, keeping, media
from ..support.server import answer, serving

BARE = Conversation(provider="acme", id="c1", created_at=NOW)
SPOKEN = (TranscriptTurn(index=0, role=Role.USER, text="Hello, this is +1 415 555 0101."),)
WHOLE = msgspec.structs.replace(
    BARE, status=Status.ENDED, transcript=SPOKEN, transcript_state=TranscriptState.AVAILABLE
)

Outcome = Conversation | Exception


class Bench:
    """An inbox, a store and a provider, whose answers are set by the test."""

    def __init__(self, folder: Path) -> None:
        self.inbox = Inbox(folder / "inbox")
        self.store = SQLiteStore(folder / "c.db")
        self.clock = FakeClock()
        self.answers: dict[str, Outcome] = {}
        self.asked: list[str] = []
        self.options: dict[str, Any] = {}

    def get(self, account: Account, id: str) -> Flow[Conversation]:
        self.asked.append(f"{account.name}:{id}")
        found = self.answers.get(id, msgspec.structs.replace(WHOLE, id=id))
        if isinstance(found, Exception):
            raise found
        return found
        yield

    @asynccontextmanager
    async def hub(self) -> AsyncGenerator[Hub]:
        accounts = [Account("acme", key="sk-invented"), Account("acme", key="sk-invented", name="eu")]
        profile = self.options.get("profile", "bulk")
        async with Hub(accounts, adapters={"acme": acme(self.get)}, clock=self.clock.clock, profile=profile) as hub:
            yield hub

    async def drain(self, **options: Any) -> DrainReport:
        async with self.hub() as hub:
            return await drain(hub, self.store, self.inbox, clock=self.clock.clock, **options)

    def stored(self, ref: str = "acme:c1") -> Conversation | None:
        if not self.store.exists():
            return None
        with self.store.reader() as reader, suppress(NotFoundError):
            return reader.get(ref)
        return None

    async def counts(self) -> tuple[int, int, int]:
        status = await self.inbox.status()
        return status.new, status.done, status.dead


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    bench = Bench(tmp_path)
    async with bench.inbox:
        yield bench


# what it fetches


async def test_the_events_of_a_conversation_are_one_fetch(bench: Bench) -> None:
    kinds = (EventKind.STARTED, EventKind.ENDED, EventKind.TRANSCRIPT_READY, EventKind.ANALYSIS_READY)
    for number, kind in enumerate(kinds):
        await bench.inbox.keep(delivery(f"e{number}", kind=kind))
    await bench.inbox.keep(delivery("e9", "c2", account="eu"))
    report = await bench.drain()
    assert sorted(bench.asked) == ["default:c1", "eu:c2"]
    assert bench.stored() == WHOLE
    assert bench.stored("acme/eu:c2") is not None
    assert await bench.counts() == (0, 5, 0)
    assert report.complete
    assert (report.of("acme/default").new, report.of("acme/default").by_webhook) == (1, 1)


async def test_what_only_lists_showed_is_counted_as_lost(bench: Bench) -> None:
    others = [msgspec.structs.replace(WHOLE, id="c2"), msgspec.structs.replace(WHOLE, id="c3", created_at=None)]
    running = msgspec.structs.replace(BARE, id="c4", status=Status.IN_PROGRESS)
    await bench.store.open({})
    await bench.store.commit("acme/default", [entry(one) for one in (*others, running)], Checkpoint())
    await bench.store.close()
    await bench.inbox.keep(delivery("e1"))
    report = await bench.drain()
    one = report.of("acme/default")
    assert (one.by_webhook, one.by_poll_only) == (1, 1)
    assert "in seven days 1 by webhook, 1 by list only" in str(report)


async def test_a_started_conversation_is_told_only_and_other_events_are_nothing(bench: Bench) -> None:
    started = msgspec.structs.replace(BARE, status=Status.IN_PROGRESS)
    await bench.inbox.keep(delivery("e1", kind=EventKind.STARTED, conversation=started))
    await bench.inbox.keep(delivery("e2", "c2", kind=EventKind.STARTED))
    await bench.inbox.keep(delivery("e3", "c3", kind=EventKind.OTHER))
    await bench.drain()
    assert bench.asked == []
    assert bench.stored() == started
    assert (bench.stored("acme:c2"), bench.stored("acme:c3")) == (None, None)
    assert await bench.counts() == (0, 3, 0)


async def test_what_only_an_event_says_stays_through_later_syncs(bench: Bench) -> None:
    told = msgspec.structs.replace(BARE, status=Status.ENDED, end_reason=EndReason.TRANSFERRED)
    await bench.inbox.keep(delivery("e1", conversation=told))
    await bench.drain()
    found = bench.stored()
    assert found is not None
    assert (found.end_reason, found.transcript) == (EndReason.TRANSFERRED, SPOKEN)


async def test_an_event_that_anyone_may_have_sent_is_only_a_hint(bench: Bench) -> None:
    forged = msgspec.structs.replace(WHOLE, title="I am the king.", end_reason=EndReason.TRANSFERRED)
    await bench.inbox.keep(delivery("e1", conversation=forged, verified=False))
    await bench.drain()
    assert bench.stored() == WHOLE


async def test_what_is_stored_is_redacted(bench: Bench) -> None:
    told = msgspec.structs.replace(BARE, status=Status.ENDED, metadata={"from": "+1 415 555 0101"})
    await bench.inbox.keep(delivery("e1", conversation=told))
    await bench.drain(redact=PersonalData())
    assert bench.stored() is not None
    content = b"".join(file.read_bytes() for file in bench.store.path.parent.iterdir() if "c.db" in file.name)
    assert b"415 555" not in content


# recordings


EXPIRING = Recording(location="/audio.wav", access=RecordingAccess.PROVIDER_KEY, expires_at=NOW + timedelta(minutes=10))
LASTING = msgspec.structs.replace(EXPIRING, expires_at=None)


async def test_what_expires_is_downloaded_before_its_webhook_is_done(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str | None, int]] = []

    async def download(_hub: Hub, recording: Recording, path: Path, **_options: object) -> Download:
        asked.append((recording.ref, (await bench.inbox.status()).new))
        if len(asked) == 1:
            raise OutageError("down")
        await asyncio.to_thread(path.write_bytes, b"sound")
        return Download(path=path, size=5, media_type="audio/wav", sha256="")

    monkeypatch.setattr(Hub, "download", download)
    folder = tmp_path / "recordings"
    bench.answers = {
        id: msgspec.structs.replace(WHOLE, id=id, recordings=(LASTING,) if id == "c3" else (LASTING, EXPIRING))
        for id in ("c1", "c2", "c3")
    }
    for id in ("c1", "c2", "c3"):
        await bench.inbox.keep(delivery(id, id))
        report = await bench.drain(recordings=folder)
    assert asked == [("acme:c1", 1), ("acme:c2", 1)]
    assert [path.relative_to(folder) for path in folder.rglob("*.wav")] == [
        Path(name_of(msgspec.structs.replace(EXPIRING, ref="acme:c2"), 1))
    ]
    assert report.recordings == RecordingsReport()
    assert await bench.counts() == (0, 3, 0)
    await bench.inbox.replay()
    report = await bench.drain(recordings=folder)
    assert (report.recordings.downloaded, report.recordings.present) == (1, 1)
    assert "recordings: 1 downloaded" in str(report)
    assert report.to_dict()["recordings"]["downloaded"] == 1


async def test_a_link_that_only_a_webhook_has_is_downloaded(tmp_path: Path) -> None:
    call = {"call_id": "c1", "call_status": "ended", "call_type": "web_call", "agent_id": "a"}
    url = "https://media.example.com/opted_out.wav?signature=ten-minutes"
    body = msgspec.json.encode({"event": "call_ended", "call": call | {"recording_url": url}})
    events = tuple(read_verified("retell", body, verified=True))
    async with hosts(media(), names=("media.example.com",)) as storage, serving(answer(call)) as server:
        with keeping("retell", "media.example.com"):
            hub = Hub([Account("retell", key="k", base_url=server.url)], recordings_ssl=storage.ssl)
        async with hub, Inbox(tmp_path / "inbox") as inbox:
            one = delivery("e1", body=body)
            await inbox.keep(msgspec.structs.replace(one, provider="retell", events=events))
            report = await drain(hub, SQLiteStore(tmp_path / "c.db"), inbox, recordings=tmp_path / "recordings")
    assert report.recordings.downloaded == 1
    assert [asked.target for asked in storage.asked] == ["/opted_out.wav?signature=ten-minutes"]
    with SQLiteStore(tmp_path / "c.db").reader() as reader:
        [(recording, position, _)] = reader.recordings()
    assert (tmp_path / "recordings" / name_of(recording, position)).read_bytes() == b"sound"


# what fails


async def test_what_is_not_there_yet_is_tried_again_and_given_up_after_a_day(bench: Bench) -> None:
    bench.answers["c1"] = NotFoundError("no such conversation")
    await bench.inbox.keep(delivery("e1"))
    tried: list[float] = []
    while (await bench.counts())[0]:
        before = len(bench.asked)
        await bench.drain()
        if len(bench.asked) > before:
            tried.append(bench.clock.time - 1000.0)
        bench.clock.time += 1 if bench.clock.time < 1080 else 60
    assert tried[:4] == [0, 3, 10, 70]
    assert len(tried) == 8
    assert tried[-1] > timedelta(days=1).total_seconds()
    assert (await bench.inbox.status()).reasons == {"NotFoundError": 1}
    bench.answers.clear()
    assert await bench.inbox.replay(state="dead") == 1
    await bench.drain()
    assert bench.stored() == WHOLE


async def test_of_what_the_provider_never_has_the_event_stands_in(bench: Bench) -> None:
    bench.answers["c1"] = NotFoundError("no such conversation")
    told = msgspec.structs.replace(BARE, status=Status.FAILED)
    await bench.inbox.keep(delivery("e1", conversation=told))
    await bench.drain()
    assert bench.stored() == told
    assert await bench.counts() == (1, 0, 0)
    for _ in range(7):
        bench.clock.time += 86400
        await bench.drain()
    assert await bench.counts() == (0, 1, 0)
    bench.answers["c2"] = UnsupportedError("acme has no such request")
    await bench.inbox.keep(delivery("e2", "c2", conversation=msgspec.structs.replace(told, id="c2")))
    await bench.inbox.keep(delivery("e3", "c2"))
    await bench.drain()
    assert await bench.counts() == (0, 3, 0)


@pytest.mark.parametrize(
    "error", [RateLimitError("slower", retry_after=120.0), OutageError("down"), RateLimitError("slower")]
)
async def test_what_passes_counts_as_no_attempt(bench: Bench, error: HubError) -> None:
    bench.options["profile"] = "interactive"
    bench.answers["c1"] = error
    await bench.inbox.keep(delivery("e1"))
    for _ in range(12):
        await bench.drain()
        bench.clock.time += 600
    assert await bench.counts() == (1, 0, 0)
    bench.answers.clear()
    bench.clock.time += 600
    await bench.drain()
    assert bench.stored() == WHOLE


async def test_a_refused_key_stops_its_account_and_no_other(bench: Bench) -> None:
    bench.answers["c1"] = AuthError("the key is wrong")
    for number in range(40):
        await bench.inbox.keep(delivery(f"e{number}", "c1" if not number else f"d{number}"))
    await bench.inbox.keep(delivery("e", "c2", account="eu"))
    await bench.inbox.keep(delivery("e", "c2", account="nowhere"))
    report = await bench.drain()
    assert isinstance(report.of("acme/default").error, AuthError)
    assert "stopped: AuthError: the key is wrong" in str(report)
    assert report.of("acme/nowhere").error is not None
    assert bench.stored("acme/eu:c2") is not None
    assert len(bench.asked) < 40
    assert (await bench.counts())[0] > 0
    assert not report.complete
    assert report.to_dict()["complete"] is False


async def test_one_bad_conversation_holds_up_no_other(bench: Bench) -> None:
    bench.answers |= {"c1": KeyError("bug"), "c2": RejectedError("no"), "c3": WHOLE}
    for id in ("c1", "c2", "c3"):
        await bench.inbox.keep(delivery(id, id))
    bench.answers["c3"] = msgspec.structs.replace(WHOLE, id="c3")
    report = await bench.drain()
    assert bench.stored("acme:c3") is not None
    assert report.of("acme/default").postponed == 2


async def test_a_redactor_that_fails_holds_up_no_other(bench: Bench) -> None:
    def redact(one: Conversation) -> Conversation:
        if one.id == "c1":
            raise KeyError("+1 415 555 0101")
        return one

    for id in ("c1", "c2"):
        await bench.inbox.keep(delivery(id, id))
    report = await bench.drain(redact=redact)
    assert (bench.stored("acme:c1"), bench.stored("acme:c2") is not None) == (None, True)
    assert report.of("acme/default").postponed == 1
    assert "415" not in str(report)


async def test_without_a_store_nothing_is_lost(bench: Bench) -> None:
    await bench.inbox.keep(delivery("e1"))
    other = SQLiteStore(bench.store.path)
    await other.open({})
    with pytest.raises(StoreError, match="another sync"):
        await bench.drain()
    await other.close()
    assert await bench.counts() == (1, 0, 0)
    await bench.drain()
    assert bench.stored() == WHOLE


async def test_what_could_not_be_read_is_read_by_a_later_release(bench: Bench) -> None:
    def unreadable(body: bytes) -> Delivery:
        digest = sha256(body).digest()
        return msgspec.structs.replace(
            delivery("e1", body=body), events=(), digest=digest, unreadable="this release cannot read it"
        )

    event = Event(provider="acme", kind=EventKind.ENDED, id="e1", conversation_id="c1", conversation=BARE)
    await bench.inbox.keep(unreadable(written(event)))
    await bench.inbox.keep(unreadable(b"{"))
    assert await bench.inbox.replay(state="dead") == 2
    await bench.drain()
    await bench.drain()
    assert bench.stored() == WHOLE
    assert await bench.counts() == (0, 2, 1)


# going on


async def _until(enough: Callable[[], bool]) -> None:
    while not enough():  # noqa: ASYNC110  (it waits for a thread)
        await asyncio.sleep(0)


async def test_it_follows_until_it_is_stopped_and_gathers_meanwhile(bench: Bench) -> None:
    following = asyncio.ensure_future(bench.drain(follow=True))
    await _until(lambda: len(bench.clock.slept) > 2)
    began = bench.clock.time
    await bench.inbox.keep(delivery("e1", at=bench.clock.clock.now()))
    await _until(lambda: bench.stored() is not None)
    assert bench.clock.time - began >= 2
    assert bench.asked == ["default:c1"]
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    await bench.store.open({})  # it has been released
    await bench.store.close()


async def test_a_failure_ends_it_while_it_follows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def put_told(*_arguments: object, **_named: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(bench.store, "put_told", put_told)
    await bench.inbox.keep(delivery("e1", at=NOW - timedelta(minutes=1)))
    with pytest.raises(StoreError, match="the disk is full"):
        await bench.drain(follow=True)
    assert await bench.counts() == (1, 0, 0)


async def test_a_sync_runs_beside_it_on_one_store(bench: Bench) -> None:
    async with bench.hub() as hub, bench.store.shared():
        following = asyncio.ensure_future(drain(hub, bench.store, bench.inbox, follow=True, clock=bench.clock.clock))
        await bench.inbox.keep(delivery("e1", at=bench.clock.clock.now()))
        await sync(hub, bench.store, "acme", clock=bench.clock.clock)
        await _until(lambda: bench.stored() is not None)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await bench.store.told_since("acme/default", NOW)  # still open
