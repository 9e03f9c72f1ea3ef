"""The web back end, with FastAPI: `make web` runs these."""

from __future__ import annotations

import pytest

from conversations_hub.testing import Simulator

from ..support.asgi import answered, running
from ..support.example import example

pytest.importorskip("fastapi", reason="`make web` runs the tests with FastAPI, which is not installed here")


async def test_it_lists_gets_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Simulator(conversations=30, providers=["vapi", "retell"]) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        app = example("web_back_end").app
        async with running(app):
            found = await answered(app, "/conversations", "limit=5")
            assert (found.status, len(found.json())) == (200, 5)
            ref = found.json()[0]["ref"]
            assert (await answered(app, "/conversation", f"ref={ref}")).json()["ref"] == ref
            text = await answered(app, "/transcript", f"ref={ref}")
            assert (text.status, text.media_type.partition(";")[0]) == (200, "text/plain")
            assert ref in text.body.decode()
            missing = await answered(app, "/conversation", "ref=vapi:no-such-call")
            assert (missing.status, missing.media_type) == (404, "application/problem+json")
            assert (await answered(app, "/conversations", "limit=0")).status == 422
            simulator.script("vapi", [401] * 50)
            left = await answered(app, "/conversations")
            assert {one["provider"] for one in left.json()} == {"retell"}
