"""Receive webhooks of several providers, and keep a store up to date with them.

    python examples/webhook_receiver.py accounts.toml conversations.db

`accounts.toml` holds the accounts and the endpoints:

    [[account]]
    provider = "elevenlabs"
    key_env = "ELEVENLABS_API_KEY"

    [[webhook]]  # POST http://127.0.0.1:8080/hooks/elevenlabs
    provider = "elevenlabs"
    secrets_env = ["ELEVENLABS_WEBHOOK_SECRET"]

To try it, run `conversations-hub simulate --port 8090 --webhooks-to http://127.0.0.1:8080/hooks`. Set the
variables that it prints, and add `base_url = "http://127.0.0.1:8090/elevenlabs"` to the account.

A delivery is on the disk before it is acknowledged. Then the conversation is fetched, joined with what only the event
says, and stored. A webhook can be lost, so run `conversations-hub sync` once a day, too.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from conversations_hub import Hub
from conversations_hub.serve import Inbox, Receiver, drain, endpoints_from_file, hooks_app
from conversations_hub.stores.sqlite import SQLiteStore


def application(accounts: Path, store: Path) -> web.Application:
    """Return a web application that receives at /hooks and stores what it hears of."""
    inbox = Inbox(store.with_suffix(".inbox"))

    async def work(_app: web.Application) -> AsyncIterator[None]:
        async with Hub.from_file(accounts, profile="bulk") as hub, inbox:
            draining = asyncio.create_task(drain(hub, SQLiteStore(store), inbox, follow=True))
            yield
            draining.cancel()
            with suppress(asyncio.CancelledError):
                await draining

    app = web.Application()
    app.add_subapp("/hooks", hooks_app(Receiver(endpoints_from_file(accounts), inbox.keep)))
    app.cleanup_ctx.append(work)
    return app


if __name__ == "__main__":
    try:
        accounts, store = map(Path, sys.argv[1:])
    except ValueError:
        sys.exit(__doc__)
    web.run_app(application(accounts, store), host="127.0.0.1", port=8080)
