"""Official SDKs verify what our simulator signs, and we verify what they sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from multidict import CIMultiDict

from conversations_hub.errors import WebhookError
from conversations_hub.signing.webhooks import STANDARD_WEBHOOKS
from conversations_hub.testing import Simulator
from conversations_hub.webhooks import verify

pytestmark = pytest.mark.outside

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def _delivered(provider: str) -> tuple[str, list[Any]]:
    simulator = Simulator(conversations=40, providers=[provider])
    world = simulator.worlds[provider]
    sent = [one for truth in world.newest() for one in simulator.delivered(provider, world.id(truth))]
    assert len(sent) > 20
    return simulator.secret(provider), sent


def test_elevenlabs_believes_our_simulator() -> None:
    webhooks = pytest.importorskip("elevenlabs.webhooks_custom").WebhooksClient(client_wrapper=None)
    secret, sent = _delivered("elevenlabs")
    for one in sent:
        event = webhooks.construct_event(one.body.decode(), CIMultiDict(one.headers)["elevenlabs-signature"], secret)
        assert event["type"] == one.kind
    with pytest.raises(Exception, match="Signature"):
        webhooks.construct_event(
            sent[0].body.decode() + " ", CIMultiDict(sent[0].headers)["elevenlabs-signature"], secret
        )


def test_retell_believes_our_simulator() -> None:
    sdk = pytest.importorskip("retell.lib.webhook_auth")
    secret, sent = _delivered("retell")
    for one in sent:
        assert sdk.verify(one.body.decode(), secret, CIMultiDict(one.headers)["x-retell-signature"])
        assert not sdk.verify(one.body.decode() + " ", secret, CIMultiDict(one.headers)["x-retell-signature"])


def test_we_believe_what_retell_signs() -> None:
    sdk = pytest.importorskip("retell.lib.webhook_auth")
    secret, sent = _delivered("retell")
    now = datetime.now(UTC)
    for one in sent:
        headers = {"X-Retell-Signature": sdk.symmetric["sign"](one.body.decode(), secret)}
        assert all(event.verified for event in verify("retell", one.body, headers, secret, now))
        with pytest.raises(WebhookError):
            verify("retell", one.body, headers, secret, now + timedelta(seconds=400))


def test_we_believe_what_standard_webhooks_signs() -> None:
    sdk = pytest.importorskip("standardwebhooks").Webhook(SECRET)
    now = datetime.now(UTC)
    body = '{"conversation_id": "c1", "event_type": "system.shutdown"}'
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sdk.sign("msg_1", now, body),
    }
    [event] = verify("tavus", body.encode(), headers, SECRET, now, scheme=STANDARD_WEBHOOKS)
    assert event.verified
    assert sdk.verify(body, headers)["conversation_id"] == "c1"
