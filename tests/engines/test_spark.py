"""Spark reads all there is, once, whatever is killed; filters ask less; and no key is in what Spark writes."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conversations_hub.engines import Source, plan, read, row
from conversations_hub.engines._rows import Row
from conversations_hub.engines.spark import Conversations
from conversations_hub.testing import Simulator

from ..support.redactors import TO_KILL

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(300),
    # Spark's own client leaves its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

_PROVIDERS = ("vapi", "tavus", "retell")
_REDACT = "tests.support.redactors:kill_when_told"
_STEP = "2h"


class Engine(NamedTuple):
    """Spark, and the simulated providers that its workers read."""

    spark: Any
    simulator: Simulator
    folder: Path
    since: datetime

    @property
    def kills(self) -> Path:
        """The folder of `kill_when_told`."""
        return self.folder / "kills"

    def frame(self, **options: str) -> Any:
        """Return all conversations."""
        given = {"since": self.since.isoformat(), "step": _STEP, "redact": _REDACT} | options
        return self.spark.read.format("conversations").options(**given).load()

    def rows(self) -> list[Row]:
        """Return the rows that Spark should find, read here."""
        return [row(one) for partition in self.partitions() for one in read(partition)]

    def found(self) -> set[tuple[str, str, str]]:
        """Return their keys."""
        return {each[:3] for each in self.rows()}

    def partitions(self) -> list[Any]:
        """Return the partitions that Spark plans, without the redactor."""
        return plan(Source(), self.since, datetime.now(UTC), timedelta(hours=2))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if shutil.which("java") is None:
        pytest.skip("NOT TRIED: Spark. Install Java 17, such as openjdk-17-jre-headless, and run `make engines`.")
    session = pytest.importorskip("pyspark.sql", reason="NOT TRIED: Spark. Run `make engines`.").SparkSession
    folder = tmp_path_factory.mktemp("spark")
    for name in ("events", "kills"):
        (folder / name).mkdir()
    with pytest.MonkeyPatch.context() as environ, Simulator(conversations=40, providers=_PROVIDERS) as simulator:
        for name, value in simulator.environment().items():
            environ.setenv(name, value)
        environ.setenv("PYSPARK_PYTHON", sys.executable)
        environ.setenv(TO_KILL, str(folder / "kills"))
        settings = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.python.filterPushdown.enabled": "true",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": (folder / "events").as_uri(),
            "spark.log.level": "OFF",
        }
        builder = session.builder.master("local[2,4]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        spark.dataSource.register(Conversations)
        yield Engine(spark, simulator, folder, datetime.now(UTC) - timedelta(hours=20))
        spark.stop()


def test_nine_killed_workers_lose_nothing_and_double_nothing(engine: Engine, tmp_path: Path) -> None:
    found = [[*read(partition)] for partition in engine.partitions()]
    for conversations in [each for each in found if each][:9]:
        (engine.kills / conversations[len(conversations) // 2].id).touch()
    assert len(list(engine.kills.iterdir())) == 9
    engine.frame().write.parquet(str(tmp_path / "lake"))
    assert list(engine.kills.iterdir()) == []
    lake = engine.spark.read.parquet(str(tmp_path / "lake")).collect()
    keys = [(each.provider, each.account, each.id) for each in lake]
    assert len(keys) == len(set(keys))
    assert set(keys) == engine.found()


def test_a_filter_on_a_provider_asks_only_that_provider(engine: Engine) -> None:
    before = dict(engine.simulator.requests)
    number = engine.frame().filter("provider = 'vapi'").count()
    assert [name for name, asked in engine.simulator.requests.items() if asked > before.get(name, 0)] == ["vapi"]
    assert number == len([key for key in engine.found() if key[0] == "vapi"])


@pytest.mark.parametrize("condition", ["created_at >= '{}'", "created_at < '{}'", "created_at is null"])
def test_filters_find_what_they_would_find_afterwards(condition: str, engine: Engine) -> None:
    middle = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=9)
    found = engine.frame().filter(condition.format(middle.strftime("%Y-%m-%d %H:%M:%S"))).collect()
    expected = {
        each.id
        for each in engine.rows()
        if (each.created_at is None if "null" in condition else _holds(condition, each.created_at, middle))
    }
    assert {each.id for each in found} == expected
    assert expected or "null" in condition


def _holds(condition: str, at: datetime | None, middle: datetime) -> bool:
    return at is not None and (at >= middle if ">=" in condition else at < middle)


def test_a_crash_between_the_sink_and_the_checkpoint_doubles_nothing(engine: Engine, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "sink.db", check_same_thread=False)
    database.execute("CREATE TABLE seen (provider, account, id, content, PRIMARY KEY (provider, account, id))")
    batches: list[int] = []

    def merge(crashes: bool, frame: Any, _number: int) -> None:  # noqa: FBT001  (Spark passes the others by position)
        rows = [(each.provider, each.account, each.id, each.content) for each in frame.collect()]
        with database:
            database.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?)", rows)
        batches.append(len(rows))
        if crashes:
            raise RuntimeError("between the two commits")

    def run(settle: str, *, crashes: bool = False) -> int:
        given = {"since": engine.since.isoformat(), "step": "1d", "settle": settle, "reread": ""}
        stream = engine.spark.readStream.format("conversations").options(**given).load()
        sink = stream.writeStream.foreachBatch(partial(merge, crashes))
        query = sink.option("checkpointLocation", str(tmp_path / "checkpoint")).trigger(availableNow=True).start()
        if crashes:
            with pytest.raises(import_module("pyspark.errors").StreamingQueryException):
                query.awaitTermination()
        else:
            query.awaitTermination()
        return int(database.execute("SELECT count(*) FROM seen").fetchone()[0])

    after_crash = run("6h", crashes=True)
    assert after_crash > 0
    assert run("6h") == after_crash
    assert batches[0] == batches[1]
    everything = run("0s")
    assert everything == run("0s") == len(engine.found())
    database.close()


def test_no_key_is_in_a_plan_an_event_log_or_a_checkpoint(engine: Engine, tmp_path: Path) -> None:
    frame = engine.frame(targets="vapi")
    frame.write.parquet(str(tmp_path / "lake"))
    written = [path for root in (engine.folder, tmp_path) for path in root.rglob("*") if path.is_file()]
    assert any("events" in str(path) for path in written)
    plans = frame._jdf.queryExecution().toString()
    keys = [value for name, value in engine.simulator.environment().items() if name.endswith("_API_KEY")]
    assert len(keys) == len(_PROVIDERS)
    for key in keys:
        assert key not in plans
        assert not [path for path in written if key.encode() in path.read_bytes()]
