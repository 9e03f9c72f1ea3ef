"""The page on many processes: every recipe brings all there is, once, where its package is installed."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from conversations_hub import Conversation
from conversations_hub.engines import Source, pages, plan, read, row
from conversations_hub.testing import Simulator

from ..support.clock import ManualClock
from ..support.page_examples import Block, exec_block
from ..support.paths import DOCS

PAGE = DOCS / "guides" / "scaling.md"
Key = tuple[str, str, str]

engine = [
    pytest.mark.engine,
    pytest.mark.timeout(180),
    # The packages of others warn of their own affairs.
    pytest.mark.filterwarnings("default", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


def _section(heading: str) -> list[Block]:
    """Return the blocks below a heading, up to the next."""
    sections = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    return [Block(*found) for found in re.findall(r"```(\w+)\n(.*?)```", sections[heading], re.DOTALL)]


class Workplace:
    """The names that the examples know, and what they have written."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake
        self.written: list[Conversation] = []
        until = datetime.now(UTC)
        self.names: dict[str, Any] = {
            "__name__": "page",
            "LAKE": str(lake),
            "source": Source(targets=("vapi", "retell")),
            "since": until - timedelta(hours=20),
            "until": until,
            "plan": plan,
            "pages": pages,
            "read": read,
            "row": row,
            "write": self.write,
        }

    async def write(self, page: tuple[Conversation, ...]) -> None:
        """Stand in for the reader's own store."""
        self.written += page

    async def run(self, heading: str) -> None:
        """Run the examples below a heading."""
        for block in _section(heading):
            if block.language == "python":
                await exec_block(block.code, self.names)

    @property
    def due(self) -> set[Key]:
        """The keys that all recipes must bring."""
        found = plan(self.names["source"], self.names["since"], self.names["until"])
        return {row(one)[:3] for partition in found for one in read(partition)}

    @property
    def in_lake(self) -> set[Key]:
        """The keys in the lake."""
        parquet = import_module("pyarrow.parquet")
        columns = ["provider", "account", "id"]
        rows = [
            tuple(found[name] for name in columns)
            for path in self.lake.rglob("*.parquet")
            for found in parquet.ParquetFile(path).read(columns=columns).to_pylist()
        ]
        assert len(rows) == len(set(rows))
        return {(provider, account, id) for provider, account, id in rows}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    monkeypatch.chdir(tmp_path)
    level = logging.root.level
    # Nothing begins or ends between what a recipe reads and what is due.
    with Simulator(conversations=30, providers=["vapi", "retell"], clock=ManualClock()) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        entry = '[[account]]\nprovider = "{0}"\nkey_env = "{1}_API_KEY"\nbase_url = "{2}"\n'
        accounts = [entry.format(name, name.upper(), simulator.base_url(name)) for name in ("vapi", "retell")]
        (tmp_path / "accounts.toml").write_text("".join(accounts))
        (tmp_path / "accounts.toml").chmod(0o600)
        yield Workplace(tmp_path / "lake")
    # Some of the packages silence the loggers of everybody else.
    logging.root.setLevel(level)
    for name in ("conversations_hub.engines", "conversations_hub.limiter"):
        logging.getLogger(name).disabled = False


async def working(place: Workplace) -> None:
    """Define `work`, as the page does for all of its queues."""
    pytest.importorskip("pyarrow", reason="NOT TRIED: Parquet. Run `make engines`.")
    await place.run("A lake without an engine")


def lacks(package: str) -> Any:
    return pytest.importorskip(
        package, reason=f"NOT TRIED: {package}, which is not installed here. Run `make engines`."
    )


async def test_partitions_are_read_and_a_pool_brings_all(place: Workplace) -> None:
    first, pool = _section("Partitions")
    await exec_block(first.code, place.names)
    assert len(place.names["partitions"]) == 2 * 13 + 1  # weeks of ninety days, and what Retell's filter leaves out
    place.names["since"] = place.names["until"] - timedelta(hours=20)
    await exec_block(pool.code, place.names)
    await place.names["main"]()
    keys = [row(one)[:3] for one in place.written]
    assert len(keys) == len(set(keys))
    assert set(keys) == place.due


class TestRecipes:
    pytestmark = engine

    async def test_objects(self, place: Workplace) -> None:
        await working(place)
        for _ in range(2):  # a second attempt replaces the first
            for partition in plan(place.names["source"], place.names["since"], place.names["until"]):
                await asyncio.to_thread(place.names["work"], partition)
        assert place.in_lake == place.due

    async def test_dask(self, place: Workplace) -> None:
        distributed = lacks("dask.distributed")
        await working(place)
        numbers = {"n_workers": 1, "processes": False, "dashboard_address": None}
        with distributed.LocalCluster(**numbers) as cluster:
            place.names["ADDRESS"] = cluster
            await asyncio.to_thread(_run, place, "Dask")
        assert place.in_lake == place.due

    async def test_celery(self, place: Workplace) -> None:
        lacks("celery")
        worker = lacks("celery.contrib.testing.worker")
        await working(place)
        place.names["BROKER"] = "memory://"
        await place.run("Celery")
        with worker.start_worker(place.names["app"], pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
            place.names["send"]()
            await _until_all_is_there(place)

    async def test_taskiq(self, place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
        lacks("taskiq")
        monkeypatch.setitem(sys.modules, "page", ModuleType("page"))  # where it looks for the names of types
        await place.run("taskiq")
        broker = place.names["broker"]
        await broker.startup()
        await place.names["send"]()
        await broker.wait_all()
        await broker.shutdown()
        assert {row(one)[:3] for one in place.written} == place.due

    async def test_ray(self, place: Workplace) -> None:
        ray = lacks("ray")
        await working(place)
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
        try:
            await place.run("Ray")
        finally:
            ray.shutdown()
        assert place.in_lake == place.due

    async def test_dagster(self, place: Workplace) -> None:
        dagster = lacks("dagster")
        await working(place)
        await place.run("Dagster")
        midnight = place.names["until"].replace(hour=0, minute=0, second=0, microsecond=0)
        place.names |= {"since": midnight - timedelta(days=1), "until": midnight}
        day = place.names["since"].date().isoformat()
        assert dagster.materialize([place.names["conversations"]], partition_key=day).success
        assert place.in_lake == place.due

    async def test_airflow(self, place: Workplace) -> None:
        lacks("airflow")
        await working(place)
        await place.run("Airflow")

    async def test_dlt(self, place: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        dlt = lacks("dlt")
        monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
        place.names["DESTINATION"] = dlt.destinations.duckdb(str(tmp_path / "lake.duckdb"))
        await place.run("dlt")
        with place.names["pipeline"].sql_client() as client:
            found = client.execute_sql("SELECT provider, account, id FROM conversations")
        assert set(found) == place.due

    async def test_iceberg(self, place: Workplace, tmp_path: Path) -> None:
        catalogs = lacks("pyiceberg.catalog.sql")
        await working(place)
        await place.run("Iceberg")
        (tmp_path / "warehouse").mkdir()
        places = {"uri": f"sqlite:///{tmp_path}/catalog.db", "warehouse": f"file://{tmp_path}/warehouse"}
        catalog = catalogs.SqlCatalog("calls", **places)
        catalog.create_namespace("calls")
        table = catalog.create_table("calls.conversations", place.names["SCHEMA"])
        rows = _rows(place)
        for _ in range(2):
            place.names["upsert"](table, [*rows, rows[0]])
        found = table.scan(selected_fields=("provider", "account", "id")).to_arrow().to_pylist()
        assert sorted(tuple(each.values()) for each in found) == sorted(place.due)
        catalog.engine.dispose()


def _run(place: Workplace, heading: str) -> None:
    asyncio.run(place.run(heading))


async def _until_all_is_there(place: Workplace) -> None:
    ends = time.monotonic() + 120
    due = place.due
    while place.in_lake != due:
        assert time.monotonic() < ends
        await asyncio.sleep(0.1)


def _rows(place: Workplace) -> list[dict[str, Any]]:
    found = plan(place.names["source"], place.names["since"], place.names["until"])
    return [row(one)._asdict() for partition in found for one in read(partition)]


class TestDelta:
    """What the merge of the page must hold."""

    pytestmark = engine

    @pytest.fixture
    async def merge(self, place: Workplace) -> Any:
        lacks("deltalake")
        await working(place)
        [*_, delta] = _section("Delta Lake")
        await exec_block(delta.code, place.names)
        return place.names["merge"]

    def table(self, place: Workplace) -> Any:
        return import_module("deltalake").DeltaTable(str(place.lake))

    def rows(self, place: Workplace) -> list[dict[str, Any]]:
        return [dict(each) for each in self.table(place).to_pyarrow_table().to_pylist()]

    def told(self, place: Workplace, name: str) -> int:
        return int(self.table(place).history(1)[0]["operationMetrics"][name])

    def test_two_rows_of_a_key_are_one(self, place: Workplace, merge: Any) -> None:
        [first, *_] = rows = _rows(place)
        merge([first | {"content": "old"}, *rows], application="a", batch=0)
        assert sorted(each["id"] for each in self.rows(place)) == sorted(each["id"] for each in rows)
        assert "old" not in {each["content"] for each in self.rows(place)}

    def test_a_batch_that_comes_again_is_left_out_the_first_too(self, place: Workplace, merge: Any) -> None:
        rows = _rows(place)
        merge(rows, application="a", batch=0)
        version = self.table(place).version()
        merge([], application="a", batch=1)
        merge(rows, application="a", batch=0)
        assert self.table(place).version() == version

    def test_only_what_changed_is_written(self, place: Workplace, merge: Any) -> None:
        rows = _rows(place)
        merge(rows, application="a", batch=0)
        merge([rows[0] | {"content": "new"}, *rows[1:]], application="a", batch=1)
        assert (self.told(place, "num_target_rows_updated"), self.told(place, "num_target_rows_inserted")) == (1, 0)

    @pytest.mark.parametrize(("before", "after"), [("unknown", "2026-11-20"), ("2026-11-20", "2026-11-21")])
    def test_a_row_whose_day_changes_moves(self, before: str, after: str, place: Workplace, merge: Any) -> None:
        [first, *_] = _rows(place)
        merge([first | {"day": before}], application="a", batch=0)
        merge([first | {"day": after, "content": "new"}], application="a", batch=1)
        assert [(each["day"], each["content"]) for each in self.rows(place)] == [(after, "new")]

    def test_only_the_days_of_the_batch_are_read(self, place: Workplace, merge: Any) -> None:
        [first, *_] = _rows(place)
        days = [f"2026-{month:02}-15" for month in range(1, 11)]
        merge([first | {"day": day, "id": f"id-{day}"} for day in days], application="a", batch=0)
        merge([first | {"day": days[0], "id": f"id-{days[0]}", "content": "new"}], application="a", batch=1)
        assert self.told(place, "num_target_files_scanned") == 1
