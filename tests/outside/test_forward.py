"""The library of Standard Webhooks believes what we forward, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conversations_hub.secret import Secret
from conversations_hub.serve import ForwardTarget, Outbox, forward
from conversations_hub.stores import put
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.testing.stores._full import FULL

from ..support.entries import said
from ..support.server import answer, serving

pytestmark = pytest.mark.outside

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


async def test_standard_webhooks_believes_what_we_forward(tmp_path: Path) -> None:
    sdk: Any = pytest.importorskip("standardwebhooks")
    receiver, stranger = sdk.Webhook(SECRET), sdk.Webhook(OTHER)
    store = SQLiteStore(tmp_path / "c.db")
    async with serving(answer({})) as server, Outbox(tmp_path / "outbox") as outbox:
        target = ForwardTarget(url=f"{server.url}/hook", secret=Secret(SECRET), name="crm", allow_private=True)

        async def forwarded() -> None:
            await forward(store, outbox, [target], from_start=True)

        await put(store, FULL, said("Grüße, 你好 \u2028 <&>", id="c2", raw=b"{}"))
        await forwarded()
        await put(store, said("More.", id="c2", raw=b"{}"))
        await forwarded()
        with store.reader() as reader:
            reader.erase("acme:c2")
        await forwarded()
        believed = [receiver.verify(asked.body, asked.headers) for asked in server.asked]
        assert [(event["type"], event["data"]["ref"]) for event in believed[2:]] == [
            ("conversation.updated", "acme:c2"),
            ("conversation.erased", "acme:c2"),
        ]
        assert {event["data"]["ref"] for event in believed[:2]} == {FULL.ref, "acme:c2"}
        for asked in server.asked:
            for body, headers, library in (
                (asked.body + b" ", asked.headers, receiver),
                (asked.body, asked.headers | {"webhook-id": "evt_another"}, receiver),
                (asked.body, asked.headers | {"webhook-timestamp": "1600000000"}, receiver),
                (asked.body, asked.headers, stranger),
            ):
                with pytest.raises(sdk.WebhookVerificationError):
                    library.verify(body, headers)
