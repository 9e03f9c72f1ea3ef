"""`erase` and `prune` on the command line."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from conversations_hub._cli import cli
from conversations_hub.schema import Participant, ParticipantKind
from conversations_hub.stores._store import Checkpoint
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.entries import ACCOUNT, entry, said
from ..support.persons import called
from ..support.server import Answer, Asked, answer, serving
from ..support.sqlite import kept_in


def run(*arguments: str, typed: str | None = None, **environ: str) -> Result:
    return CliRunner().invoke(cli, arguments, input=typed, env=environ)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "c.db"
    asyncio.run(kept_in(path, called("+1 555 010 2030"), called(id="c2"), said("Call 555 010 2030.", id="c3")))
    return path


def there(path: Path) -> set[str]:
    with SQLiteReader(path) as archive:
        return {one.id for one in archive.conversations()}


def test_it_shows_first_and_asks(store: Path) -> None:
    planned = run("erase", "--phone", "555-010-2030", "--store", str(store), "--dry-run")
    assert planned.exit_code == 0
    assert "to be erased: 1 conversation in" in planned.stderr
    assert "also mentioned in 1 other conversations, which stay: acme:c3" in planned.stderr
    refused = run("erase", "acme:c1", "--store", str(store), typed="n\n")
    assert refused.exit_code == 1
    assert "Permanently erase 1 conversation?" in refused.stderr
    assert there(store) == {"c1", "c2", "c3"}
    done = run("erase", "acme:c1", "--store", str(store), typed="y\n")
    assert done.exit_code == 0
    assert there(store) == {"c2", "c3"}


def test_the_receipt_is_json(store: Path, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    done = run("erase", "acme:c1", "--store", str(store), "--yes", "--receipt", str(receipt), "--json")
    told = msgspec.json.decode(receipt.read_bytes())
    assert msgspec.json.decode(done.stdout) == told
    assert told["conversations"] == ["acme:c1"]
    assert told["erased_at"] is not None


def test_what_is_not_said_or_not_there_is_said(store: Path) -> None:
    nothing = run("erase", "--store", str(store))
    assert nothing.exit_code == 2
    assert "say what to erase" in nothing.stderr
    short = run("erase", "--phone", "123", "--store", str(store))
    assert short.exit_code == 2
    assert "at least 7 digits" in short.stderr
    nobody = run("erase", "acme:nobody", "--store", str(store), "--yes")
    assert nobody.exit_code == 0
    assert "0 conversations" in nobody.stderr


async def test_it_is_deleted_at_the_provider_where_that_can(tmp_path: Path) -> None:
    customer = Participant(kind=ParticipantKind.CUSTOMER, phone="+1 555 010 2030")
    ours = [msgspec.structs.replace(said(id=id), provider="tavus", participants=(customer,)) for id in ("c1", "c2")]
    path = tmp_path / "c.db"
    await kept_in(path, *ours)

    async def tavus(asked: Asked, _writer: object) -> Answer:
        if asked.method == "DELETE" and "/c2" in asked.target:
            return answer({"message": "no right"}, 403)
        return answer(b"", 204)

    async with serving(tavus) as server:
        done = await asyncio.to_thread(
            run,
            *("erase", "--phone", "15550102030", "--at-provider", "--store", str(path), "--yes", "--json"),
            TAVUS_API_KEY="key",
            TAVUS_BASE_URL=server.url,
        )
    assert done.exit_code == 1, "one of them is still there"
    outcomes = msgspec.json.decode(done.stdout)["at_providers"]
    assert outcomes["tavus:c1"] == "deleted"
    assert outcomes["tavus:c2"].startswith("not deleted: ForbiddenError")
    assert there(path) == set()


def test_prune_takes_out_what_is_old(store: Path) -> None:
    kept = run("prune", "--keep", "2026-01-01", "--store", str(store), "--yes")
    assert (kept.exit_code, there(store)) == (0, {"c1", "c2", "c3"})
    gone = run("prune", "--keep", "2026-12-01", "--store", str(store), "--yes")
    assert (gone.exit_code, there(store)) == (0, set())


def test_a_sync_that_keeps_so_much_erases_what_is_older(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "c.db"

    def oldest() -> datetime:
        with SQLiteReader(path) as archive:
            instants = (one.created_at or one.started_at for one in archive.conversations())
            return min(at for at in instants if at is not None)

    for more in (("--keep", "36500d"), ("--keep", "6h"), ("--again",)):
        done = run("sync", "tavus", "--store", str(path), *more, **environ)
        assert done.exit_code == 0, done.output
        is_all = more == ("--keep", "36500d")
        assert (oldest() < datetime.now(UTC) - timedelta(hours=7)) is is_all, more


def test_json_lines_are_erased_from_and_pruned_by_the_same_commands(environ: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    store = ("--store", f"jsonl:{path}")
    assert run("sync", "tavus", *store, **environ).exit_code == 0
    first, *rest = refs = [msgspec.json.decode(line)["ref"] for line in path.read_bytes().splitlines()]
    gone = run("erase", first, *store, "--yes", "--json")
    assert (gone.exit_code, msgspec.json.decode(gone.stdout)["conversations"]) == (0, [first])
    for keep in ("36500d", "6h"):
        assert run("sync", "tavus", *store, "--keep", keep, **environ).exit_code == 0
        left = {msgspec.json.decode(line)["ref"] for line in path.read_bytes().splitlines()}
        assert (left == set(rest)) is (keep == "36500d")
        assert left < set(refs)


async def test_the_tables_of_a_parquet_store_are_written_anew(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    from conversations_hub.stores.parquet import ParquetStore  # noqa: PLC0415

    store = ParquetStore(tmp_path / "p")
    await store.open({})
    both = [called("+1 555 010 2030", name="Rumpelstilz"), called(id="c2")]
    await store.commit(ACCOUNT, [entry(one) for one in both], Checkpoint())
    await store.finish()
    await store.close()
    assert b"Rumpelstilz" in (tmp_path / "p" / "conversations.parquet").read_bytes()
    done = run("erase", "acme:c1", "--store", f"parquet:{tmp_path / 'p'}", "--yes")
    assert done.exit_code == 0
    assert not any(b"Rumpelstilz" in file.read_bytes() for file in (tmp_path / "p").iterdir())
