"""What a gateway shows of the webhooks that come in and of the changes that go out beside it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from conversations_hub.errors import OutageError
from conversations_hub.serve import Delivery, ForwardReport, Inbox, Outbox, Pipeline, Receiver
from conversations_hub.sync import DrainReport

from ..support.clock import NOW, at
from ..support.deliveries import delivery
from ..support.gateway import asking
from ..support.receiving import BODY, ENDPOINTS, TOKEN, pieces, signed
from ..support.sqlite import kept_in

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    await kept_in(tmp_path / "c.db")
    return tmp_path / "c.db"


async def died(inbox: Inbox, *deliveries: Delivery) -> None:
    """Keep deliveries, and give their events up."""
    for one in deliveries:
        await inbox.keep(one)
        [due] = await inbox.due(f"{one.provider}/{one.account}", LATER)
        await inbox.settle(await inbox.kept(due), LATER, state="dead", error="NotFoundError")


async def test_what_is_in_the_inbox_is_shown_without_what_was_sent(store: Path, tmp_path: Path) -> None:
    async with Inbox(tmp_path / "inbox") as inbox:
        await died(inbox, *(delivery(f"e{at}", f"c{at}", body=b"canary", account="eu") for at in range(5)))
        await inbox.keep(msgspec.structs.replace(delivery(None, body=b"{canary"), events=(), unreadable="no JSON"))
        await inbox.keep(delivery("new", at=NOW - timedelta(minutes=2)))
        async with asking(store, pipeline=Pipeline(inbox=inbox)) as ask:
            told = await ask("/v1/inbox?limit=4")
            found = told.json()
            assert (found["new"], found["done"], found["dead"]) == (1, 0, 6)
            assert found["oldest"] == "2026-11-20T11:58:00Z"
            assert found["reasons"] == {"NotFoundError": 5, "no JSON": 1}
            first, second = found["events"][:2]
            assert (first["ref"], first["account"], first["error"]) == (None, "acme/default", "no JSON")
            assert second == {
                "endpoint": "acme-eu",
                "account": "acme/eu",
                "ref": "acme/eu:c4",
                "kind": "ended",
                "occurred_at": None,
                "received_at": "2026-11-20T12:00:00Z",
                "settled_at": "2026-11-20T12:01:00Z",
                "verified": True,
                "times": 1,
                "error": "NotFoundError",
            }
            rest = (await ask(f"/v1/inbox?limit=4&cursor={found['cursor']}")).json()
            assert [each["ref"] for each in rest["events"]] == ["acme/eu:c1", "acme/eu:c0"]
            assert rest["cursor"] is None
            assert b"canary" not in told.body
            assert (await ask("/v1/inbox?cursor=x")).kind == "invalid_argument"
            assert (await ask("/v1/inbox", who="counter")).kind == "scope"
            assert (await ask("/v1/inbox", who=None)).kind == "no_token"


async def test_without_an_inbox_it_says_how_to_get_one(store: Path) -> None:
    async with asking(store) as ask:
        told = await ask("/v1/inbox")
        assert (told.status, told.kind) == (501, "unsupported")
        assert "--hooks" in told.json()["detail"]


async def test_what_comes_and_goes_is_counted(store: Path, tmp_path: Path) -> None:
    async with Inbox(tmp_path / "inbox") as inbox, Outbox(tmp_path / "outbox") as outbox:
        receiver = Receiver(ENDPOINTS, inbox.keep, clock=at(NOW - timedelta(seconds=90)))
        for headers in (signed(BODY), signed(BODY), (), ()):
            await receiver.answer("POST", "/acme", headers, pieces(BODY))
        await receiver.answer("POST", f"/nothing/{TOKEN}", (), pieces(BODY))
        await died(inbox, delivery("dead", account="eu"))
        drained = DrainReport()
        drained.of("acme/default").new = 2
        drained.of("acme/eu").new = 3
        drained.of("acme/eu").failures.note(OutageError("down"))
        await outbox.add("crm", [], "cursor", NOW)
        forwarded = {"crm": ForwardReport(confirmed=7, failures=Counter({"status 500": 2, "status 502": 1}), dead=1)}
        pipeline = Pipeline(receiver=receiver, inbox=inbox, drained=drained, outbox=outbox, forwarded=forwarded)
        async with asking(store, pipeline=pipeline) as ask:
            said = (await ask("/metrics")).body.decode().splitlines()
            again = (await ask("/metrics")).body.decode().splitlines()
    for line in (
        'webhook_requests_total{endpoint="acme",status="200"} 2',
        'webhook_requests_total{endpoint="acme",status="401"} 2',
        'webhook_requests_total{endpoint="",status="404"} 1',
        'webhook_refused{endpoint="acme"} 2',
        "inbox_pending 1",
        "inbox_dead 1",
        "inbox_oldest_seconds 90",
        'drain_total{provider="acme",outcome="new"} 5',
        'drain_total{provider="acme",outcome="dead"} 0',
        'forward_pending{target="crm"} 0',
        'forward_dead{target="crm"} 0',
        'forward_gone{target="crm"} 0',
        'forward_total{target="crm",outcome="confirmed"} 7',
        'forward_total{target="crm",outcome="failed"} 3',
        'forward_total{target="crm",outcome="dead"} 1',
    ):
        assert f"conversations_hub_{line}" in said
        assert f"conversations_hub_{line}" in again
    assert not any(TOKEN in line for line in said)


async def test_a_file_that_cannot_be_read_is_left_out_of_the_counters(store: Path, tmp_path: Path) -> None:
    pipeline = Pipeline(inbox=Inbox(tmp_path / "inbox"), outbox=Outbox(tmp_path / "outbox"))  # neither is open
    async with asking(store, pipeline=pipeline) as ask:
        told = await ask("/metrics")
        assert told.status == 200
        values = [line for line in told.body.decode().splitlines() if not line.startswith("#")]
        assert not any("inbox" in line or "forward" in line for line in values)
        assert (await ask("/readyz")).kind == "store"
        assert (await ask("/v1/inbox")).kind == "store"


async def test_it_is_ready_as_long_as_webhooks_can_be_kept_and_says_what_to_look_at(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Inbox(tmp_path / "inbox") as inbox:
        receiver = Receiver(ENDPOINTS, inbox.keep, clock=at(NOW))
        async with asking(store, pipeline=Pipeline(receiver=receiver, inbox=inbox)) as ask:
            assert (await ask("/readyz", who=None)).json() == {"status": "ready", "warnings": []}
            await inbox.keep(delivery("e1", at=NOW - timedelta(minutes=7)))
            for _ in range(3):
                await receiver.answer("POST", "/acme", (), pieces(BODY))
            assert (await ask("/readyz", who=None)).json() == {
                "status": "ready",
                "warnings": [
                    "3 deliveries to acme were refused in a row: is its secret right?",
                    "the oldest webhook that is not in the store yet came 7 minutes ago",
                ],
            }
            await receiver.answer("POST", "/acme", signed(BODY), pieces(BODY))
            assert len((await ask("/readyz", who=None)).json()["warnings"]) == 1
            monkeypatch.setattr(Inbox, "is_lost", True)
            told = await ask("/readyz", who=None)
            assert (told.status, told.kind) == (503, "store")
