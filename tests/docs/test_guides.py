"""The guides that have no test of their own: their examples run."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import msgspec
import pytest
from yarl import URL

from conversations_hub import Hub, schema
from conversations_hub._cli import cli
from conversations_hub.errors import OutageError
from conversations_hub.hub._from_file import SharedLimit
from conversations_hub.policy import PROFILES
from conversations_hub.policy._budget import RetryBudget
from conversations_hub.redaction import PersonalData
from conversations_hub.stores import open_store
from conversations_hub.sync import sync
from conversations_hub.testing import Simulator

from ..support.page_examples import blocks, exec_block
from ..support.paths import DOCS, ROOT

GUIDES = DOCS / "guides"


def _code(page: str, language: str) -> list[str]:
    return [code for each, code in blocks(GUIDES / page) if each == language]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    """Serve two providers, set their variables, and work in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    with Simulator(conversations=40, providers=["tavus", "retell"]) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        yield simulator


@pytest.fixture
async def store(simulator: Simulator) -> None:
    """Fill `conversations.db`."""
    async with Hub.from_env(environ=simulator.environment(), profile="bulk") as hub:
        await sync(hub, open_store("conversations.db"))


@pytest.fixture
def printed() -> list[tuple[object, ...]]:
    return []


@pytest.fixture
def names(printed: list[tuple[object, ...]]) -> dict[str, object]:
    def tell(*words: object) -> None:
        printed.append(words)

    return {"print": tell}


# In a notebook


@pytest.mark.usefixtures("simulator")
async def test_a_notebook_s_cells_run_from_the_first_to_the_last(
    names: dict[str, object], printed: list[tuple[object, ...]]
) -> None:
    for cell in _code("notebook.md", "python"):
        await exec_block(cell, names)
    assert "Mira" in str(printed[0])
    assert printed[1] == (50,)
    assert [words[0] for words in printed[2:]] == [{"provider": "retell"}, {"provider": "tavus"}]


# Look at a store


@pytest.mark.usefixtures("store")
def test_a_store_is_looked_at(names: dict[str, object], printed: list[tuple[object, ...]], tmp_path: Path) -> None:
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in _code("looking.md", "sh"):
        subprocess.run(command, shell=True, env=environ, check=True)  # noqa: S602  (our own page)
    plain, duckdb = [code for code in _code("looking.md", "python") if not re.search("import (pandas|polars)", code)]
    exec(plain, names)  # noqa: S102
    assert {words[0] for words in printed} <= {"tavus", "retell"}
    printed.clear()
    exec(duckdb, names)  # noqa: S102
    assert re.search(r"retell\b.*\btavus\b", str(printed[0][0]), re.DOTALL)
    assert (tmp_path / "conversations.csv").read_text().count("tavus:") >= 40


@pytest.mark.outside
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("library", ["pandas", "polars"])
async def test_a_store_is_a_data_frame(
    library: str, names: dict[str, object], printed: list[tuple[object, ...]]
) -> None:
    pytest.importorskip(library)
    [example] = [code for code in _code("looking.md", "python") if f"import {library}" in code]
    await exec_block(example, names)
    assert re.search("tavus|assistant", str(printed[0][0]))


# Keep a store fresh


def _named_by(words: list[str]) -> str | None:
    """Return the command that the words call; raise `UsageError` if it refuses its options."""
    command, *arguments = words
    return cli.commands[command].make_context(command, arguments).info_name


def test_the_unit_of_systemd_starts_a_sync() -> None:
    [unit] = _code("fresh.md", "ini")
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd tells cases apart
    parser.read_string(unit)
    program, *arguments = parser["Service"]["ExecStart"].split()
    assert program.endswith("/conversations-hub")
    assert _named_by(arguments) == "sync"
    assert parser["Service"]["RestartPreventExitStatus"] == "2"


def test_the_container_starts_a_sync_without_a_shell() -> None:
    [file] = _code("fresh.md", "dockerfile")
    entry, command = (json.loads(found) for found in re.findall(r"^(?:ENTRYPOINT|CMD) (.*)$", file, re.MULTILINE))
    assert entry == ["conversations-hub"]
    assert _named_by(command) == "sync"


def test_the_job_of_kubernetes_starts_a_sync() -> None:
    yaml = pytest.importorskip("yaml", reason="`make newest` and `make lowest` do without it")
    [manifest] = _code("fresh.md", "yaml")
    pod = yaml.safe_load(manifest)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert _named_by(container["args"]) == "sync"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert pod["volumes"][1]["secret"]["defaultMode"] == 0o440


class _EnoughError(Exception):
    pass


@pytest.mark.usefixtures("simulator")
async def test_a_program_hears_of_every_change(names: dict[str, object], printed: list[tuple[object, ...]]) -> None:
    def save(cursor: str) -> None:
        if len(printed) == 80:
            raise _EnoughError(cursor)

    [example] = _code("fresh.md", "python")
    with pytest.raises(_EnoughError):
        await exec_block(example, {**names, "save": save})
    refs = {words[0] for words in printed}
    assert len(refs) == 80
    assert "tavus:c8525181d6e" in refs


# People's rights


class _Analyzer:
    """Stands in for Presidio's, which needs a language model."""

    def analyze(self, text: str, language: str, entities: list[str]) -> list[SimpleNamespace]:
        assert (language, entities) == ("en", ["PERSON"])
        return [SimpleNamespace(start=each.start(), end=each.end()) for each in re.finditer("Mira", text)]


async def test_names_are_removed(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    presidio = ModuleType("presidio_analyzer")
    presidio.AnalyzerEngine = _Analyzer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "presidio_analyzer", presidio)
    [example] = _code("personal-data.md", "python")
    store = open_store("conversations.db")
    async with Hub.from_env(environ=simulator.environment(), profile="bulk") as hub:
        names: dict[str, Any] = {"hub": hub, "store": store, "sync": sync, "PersonalData": PersonalData}
        await exec_block(example, names)
    assert names["report"].complete
    with store.reader() as reader:
        found = reader.get("tavus:c8525181d6e")
    assert found is not None
    assert found.user_turns[0].text == "Hi, this is [name]. My order 96473 has not arrived."


# Operating it


def test_the_accounts_are_read(tmp_path: Path) -> None:
    accounts, _ = _code("operating.md", "toml")
    path = tmp_path / "accounts.toml"
    path.write_text(accounts)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "anyreach").write_text("ak_invented.key")
    (tmp_path / "keys" / "anyreach").chmod(0o600)
    hub = Hub.from_file(path, environ={"TAVUS_EU_KEY": "invented", "VAPI_KEY": "invented"})
    assert hub.accounts() == ("tavus/eu", "anyreach/default", "vapi/default")
    assert hub.unusable == {}
    proxies = [lane.proxy_to(URL("https://media.example.com")) for lane in hub.lanes()]
    assert [proxy and proxy.name for proxy in proxies] == ["proxy.example.com:3128", "proxy.example.com:3128", None]


def test_a_rate_is_shared() -> None:
    _, shared = _code("operating.md", "toml")
    told = tomllib.loads(shared)["limiter"]
    assert msgspec.convert(told, SharedLimit).rates == {"vapi/default": 20.0}


@pytest.mark.usefixtures("simulator")
async def test_requests_are_counted(names: dict[str, object], printed: list[tuple[object, ...]]) -> None:
    [counting] = [code for code in _code("operating.md", "python") if "on_signal" in code]
    await exec_block(counting, names)
    assert printed == [(True, set())]


@pytest.mark.usefixtures("simulator")
async def test_logs_are_written(names: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "conversations_hub")  # at the end, it is as before
    logging.getLogger("conversations_hub").setLevel(logging.WARNING)
    [configured] = [code for code in _code("operating.md", "python") if "import logging" in code]
    await exec_block(configured, names)
    async with Hub.from_env() as hub:
        await hub.get("tavus:c8525181d6e")
    assert any("GET /v2/conversations/{id} -> 200" in message for message in caplog.messages)
    assert "c8525181d6e" not in caplog.text


# The first page, errors, the schema


def test_the_first_page_shows_the_example_of_the_readme() -> None:
    [example] = [code for language, code in blocks(DOCS / "index.md") if language == "python"]
    assert example in (ROOT / "README.md").read_text()


@pytest.mark.usefixtures("simulator")
async def test_an_error_is_caught_as_shown(names: dict[str, Any]) -> None:
    [example] = [code for language, code in blocks(DOCS / "reference" / "errors.md") if language == "python"]
    await exec_block(example, names)
    async with Hub.from_env() as hub:
        assert await names["title_of"](hub, "tavus:c8525181d6e") == "Order 96473"
        assert await names["title_of"](hub, "tavus:c0") is None


def test_the_page_on_the_schema_names_every_state_status_and_role() -> None:
    page = (DOCS / "explanation" / "schema.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)[-6:] == [each.value for each in schema.TranscriptState]
    for each in (*schema.Status, *schema.Role):
        assert f"`{each.value}`" in page


def test_the_page_on_rates_has_the_code_s_numbers() -> None:
    page = (DOCS / "explanation" / "rates.md").read_text()
    budget = RetryBudget()
    retries = sum(budget.take(OutageError("down")) is not None for _ in range(100))
    assert f"it is spent after {retries} retries" in page
    assert {profile.in_flight for profile in PROFILES.values()} == {64}
    assert "at most 64 of an account are under way" in page
