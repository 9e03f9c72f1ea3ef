"""`deliveries` shows what came in and what goes out, and tries what is dead again; `status` says how much there is."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result

from conversations_hub.serve import Outbox
from conversations_hub.serve._outbox import News
from conversations_hub.sync import Inbox

from ..support.clock import NOW
from ..support.command_line import run
from ..support.deliveries import delivery
from ..support.entries import said
from ..support.sqlite import kept_in

LATER = NOW + timedelta(minutes=1)


async def _filled(folder: Path) -> None:
    await kept_in(folder / "c.db", said("Hello."))
    async with Inbox(folder / "c.inbox") as inbox, Outbox(folder / "c.outbox") as outbox:
        for number, account in enumerate(("default", "eu", "eu")):
            await inbox.keep(delivery(f"e{number}", f"c{number}", account=account))
            [due] = await inbox.due(f"acme/{account}", LATER)
            state = "done" if number == 2 else "dead"
            await inbox.settle(await inbox.kept(due), LATER, state=state, error="NotFoundError")
        await inbox.keep(delivery("new", "c9"))
        news = [News(event=f"evt_{at}", digest=f"{at}", ref=f"acme:c{at}") for at in range(2)]
        for target in ("crm", "lake"):
            await outbox.add(target, news, "cursor", NOW)
            first, *_ = await outbox.take(target, NOW, 1)
            await outbox.postpone(target, first, None, "status 500")
        await outbox.note_gone("lake", NOW)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    asyncio.run(_filled(tmp_path))
    return tmp_path


def deliveries(folder: Path, *options: str) -> Result:
    return run("deliveries", *options, "--store", str(folder / "c.db"))


def test_what_is_there_and_what_is_dead_is_shown(folder: Path) -> None:
    done = deliveries(folder)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "webhooks: 1 waiting since 2026-11-20 12:00, 1 in the store, 2 dead",
        "changes for crm: 1 waiting, 1 dead; 1 because of status 500",
        "changes for lake: 1 waiting, 1 dead; 1 because of status 500; it wants no more",
        "  dead: 2026-11-20 12:00  acme-eu  acme/eu:c1  ended: NotFoundError",
        "  dead: 2026-11-20 12:00  acme-default  acme:c0  ended: NotFoundError",
        "  dead: 2026-11-20 12:00  lake  acme:c0  created: status 500",
        "  dead: 2026-11-20 12:00  crm  acme:c0  created: status 500",
    ]
    found = json.loads(deliveries(folder, "--json", "--limit", "1").stdout)
    assert (found["webhooks"]["dead"], found["targets"]["crm"]["waiting"], found["replayed"]) == (2, 1, None)
    assert [each["ref"] for each in (*found["dead_webhooks"], *found["dead_changes"])] == ["acme/eu:c1", "acme:c0"]


def test_what_is_dead_is_tried_again(folder: Path) -> None:
    assert deliveries(folder, "acme-eu", "crm", "--replay").stdout.splitlines()[-1] == "2 are tried again"
    found = json.loads(deliveries(folder, "--json", "--replay").stdout)
    assert found["replayed"] == 2
    assert (found["webhooks"]["new"], found["webhooks"]["dead"]) == (3, 0)
    assert {name: (one["waiting"], one["dead"], one["gone_at"]) for name, one in found["targets"].items()} == {
        "crm": (2, 0, None),
        "lake": (2, 0, None),
    }
    assert json.loads(deliveries(folder, "--json", "--replay", "--since", "2026-11-20").stdout)["replayed"] == 1


def test_it_says_what_is_meant(folder: Path, tmp_path: Path) -> None:
    for options in (("crm",), ("--since", "2h")):
        done = deliveries(folder, *options)
        assert (done.exit_code, "add --replay" in done.stderr) == (2, True)
    done = run("deliveries", "--store", str(tmp_path / "other.db"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "there is neither" in done.stderr
    assert not (tmp_path / "other.inbox").exists()


def test_the_status_of_a_store_has_what_is_beside_it(folder: Path) -> None:
    done = run("status", "--store", str(folder / "c.db"))
    assert "webhooks: 1 waiting since" in done.stdout
    assert "changes for crm: 1 waiting, 1 dead" in done.stdout
    found = json.loads(run("status", "--json", "--store", str(folder / "c.db")).stdout)
    assert (found["webhooks"]["dead"], found["forwards"]["lake"]["dead"]) == (2, 1)
    (folder / "c.inbox").unlink()
    (folder / "c.outbox").unlink()
    assert "webhooks" not in json.loads(run("status", "--json", "--store", str(folder / "c.db")).stdout)
