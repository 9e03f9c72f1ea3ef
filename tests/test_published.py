"""Adapters of other packages take part everywhere; a broken one is named, and breaks nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conversations_hub import Hub
from conversations_hub.adapters import BUILTIN, available, load, usable
from conversations_hub.cli import cli
from conversations_hub.errors import AuthError, ConfigurationError, PartialError, PayloadError
from conversations_hub.sync import sync
from conversations_hub.sync.plan import plan
from conversations_hub.sync.sqlite import SQLiteStore

from .server import Asked, answer, serving
from .test_adding_a_provider import CALL, PAGE
from .test_hub import Tavus, until_it_fails

EXAMPLE: str = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
NO_ACCOUNTS: dict[str, str | None] = {f"{provider.upper()}_API_KEY": None for provider in BUILTIN}

Publish = Callable[..., None]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Install packages as pip would, each of one module that holds an adapter."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    modules: list[str] = []

    def publish(name: str = "acme", module: str = EXAMPLE, points: str = "{name} = {name}_calls:ADAPTER") -> None:
        modules.append(f"{name}_calls")
        (tmp_path / f"{name}_calls.py").write_text(module)
        metadata = tmp_path / f"{name}_calls-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-calls\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[conversations_hub.adapters]\n{points.format(name=name)}\n")

    yield publish
    for module in modules:
        sys.modules.pop(module, None)


async def _acme(asked: Asked, _writer: asyncio.StreamWriter) -> bytes:
    if asked.headers.get("authorization") != "Bearer key-of-acme":
        return answer({"message": "who are you?"}, 401)
    return answer({"calls": [CALL], "next": ""} if asked.target.startswith("/v1/calls?") else CALL)


@asynccontextmanager
async def _environ() -> AsyncGenerator[dict[str, str]]:
    """Serve Acme and a Tavus of two conversations, and name the accounts at both."""
    async with serving(_acme) as acme, serving(Tavus(2)) as tavus:
        yield {
            "ACME_API_KEY": "key-of-acme",
            "ACME_BASE_URL": acme.url,
            "TAVUS_API_KEY": "key-of-tavus",
            "TAVUS_BASE_URL": tavus.url,
        }


SEPARATE: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}


async def _run(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    """Run a command in a thread, so that what it asks is answered."""
    return await asyncio.to_thread(
        CliRunner(**SEPARATE).invoke, cli, arguments, env={**NO_ACCOUNTS, "COLUMNS": "100", **(environ or {})}
    )


# what works


async def test_a_published_adapter_takes_part_in_the_hub(publish: Publish) -> None:
    publish()
    assert available() == (*BUILTIN, "acme")
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        assert hub.accounts() == ("tavus/default", "acme/default")
        assert sorted([conversation.ref async for conversation in hub.list(transcripts=True)]) == [
            "acme:7",
            "tavus:c0",
            "tavus:c1",
        ]
        assert (await hub.get("acme:7")).text == "assistant: Hello."
        async with Hub.from_env(["tavus"], environ=environ) as narrow:
            assert narrow.accounts() == ("tavus/default",)


async def test_a_published_adapter_takes_part_in_the_commands(publish: Publish) -> None:
    publish()
    async with _environ() as environ:
        listed = await _run("list", "--json", environ=environ)
        shown = await _run("get", "acme:7", environ=environ)
        examined = await _run("doctor", "--json", environ=environ)
    assert {json.loads(line)["ref"] for line in listed.stdout.splitlines()} == {"acme:7", "tavus:c0", "tavus:c1"}
    assert "Hello." in shown.stdout
    assert {json.loads(line)["provider"] for line in examined.stdout.splitlines()} == {"acme", "tavus"}
    assert (listed.exit_code, shown.exit_code) == (0, 0)
    told = await _run("providers", "--json")
    assert [json.loads(line)["provider"] for line in told.stdout.splitlines()] == [*BUILTIN, "acme"]
    assert "acme https://docs.acme.example" in (await _run("providers")).stdout.splitlines()


async def test_a_hub_without_accounts_names_the_key_of_a_published_adapter_too(publish: Publish) -> None:
    publish()
    async with Hub() as hub:
        with pytest.raises(ConfigurationError, match="ACME_API_KEY"):
            hub.list()


# what is broken


def _without(line: str, instead: str = "") -> str:
    assert line in EXAMPLE
    return EXAMPLE.replace(line, instead)


BROKEN = {
    "a module that is missing": (EXAMPLE + "\nimport acme_sdk\n", "ModuleNotFoundError: No module named 'acme_sdk'"),
    "an error as it is imported": (EXAMPLE + "\nraise KeyError('sk-canary')\n", "KeyError"),
    "an end to everything": (EXAMPLE + "\nimport sys; sys.exit('sk-canary')\n", "SystemExit"),
    "a syntax of its own": (EXAMPLE + "\nthis is no Python\n", "SyntaxError"),
    "another contract": (_without("    sign=bearer,\n"), "TypeError"),
    "no adapter at all": (EXAMPLE + "\nADAPTER = 'sk-canary'\n", "holds no adapter named 'acme'"),
    "an adapter of another name": (_without('    name="acme",', '    name="other",'), "holds no adapter named 'acme'"),
}
broken = pytest.mark.parametrize(("module", "why"), BROKEN.values(), ids=BROKEN)


@broken
async def test_a_broken_adapter_fails_for_its_own_account_alone(publish: Publish, module: str, why: str) -> None:
    publish(module=module)
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        walk = hub.list()
        found, error = await until_it_fails(walk)
        assert [conversation.ref for conversation in found] == ["tavus:c0", "tavus:c1"]
        assert isinstance(error, PartialError)
        assert error.errors.keys() == walk.report.errors.keys() == {"acme/default"}
        for call in (hub.get, hub.end, hub.delete):
            with pytest.raises(ConfigurationError, match=why) as caught:
                await call("acme:7")
            assert "acme_calls:ADAPTER of the package acme-calls" in caught.value.reason
            assert "sk-canary" not in str(caught.value) + str(error)
        assert (await hub.get("tavus:c0")).id == "c0"


@broken
async def test_a_broken_adapter_is_named_by_the_commands(publish: Publish, module: str, why: str) -> None:
    publish(module=module)
    told = await _run("providers", "--json")
    assert [json.loads(line)["provider"] for line in told.stdout.splitlines()] == list(BUILTIN)
    assert told.exit_code == 0
    async with _environ() as environ:
        listed = await _run("list", "--json", environ=environ)
        examined = await _run("doctor", "--json", environ=environ)
    assert [json.loads(line)["ref"] for line in listed.stdout.splitlines()] == ["tavus:c0", "tavus:c1"]
    diagnoses = {one["provider"]: one for one in map(json.loads, examined.stdout.splitlines())}
    assert [finding["check"] for finding in diagnoses["acme"]["findings"]] == ["adapter"]
    assert "reachable" in [finding["check"] for finding in diagnoses["tavus"]["findings"]]
    assert (listed.exit_code, examined.exit_code) == (1, 1)
    for named in (told.stderr, listed.stderr, examined.stdout):
        assert re.search(why, named)
        assert "acme" in named
        assert "sk-canary" not in named


async def test_a_broken_adapter_costs_a_sync_and_a_plan_nothing_of_others(publish: Publish, tmp_path: Path) -> None:
    publish(module="raise ValueError")
    store = SQLiteStore(tmp_path / "conversations.db")
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        planned = {one.where: one for one in await plan(hub, None)}
        report = await sync(hub, store)
    told = {account.where: account for account in report.accounts}
    assert (told["tavus/default"].new, told["tavus/default"].error) == (2, None)
    assert isinstance(told["acme/default"].error, ConfigurationError)
    assert (planned["tavus/default"].error, planned["acme/default"].error is None) == (None, False)


def test_a_package_whose_entry_points_nobody_can_read_costs_no_other(publish: Publish) -> None:
    publish("other", points="this is no entry point")
    publish()
    assert available() == (*BUILTIN, "acme")
    assert load("acme").name == "acme"


def test_a_name_that_no_ref_could_begin_with_is_a_broken_one(publish: Publish) -> None:
    publish(module=_without('    name="acme",', '    name="Acme-1",'), points="Acme-1 = {name}_calls:ADAPTER")
    with pytest.raises(ConfigurationError, match="holds no adapter named 'Acme-1'"):
        load("Acme-1")
    assert usable("Acme-1").operations == (*usable("tavus").operations, "send")


# what goes wrong only when it is used


@pytest.mark.parametrize(("part", "key"), [("sign", "key-of-acme"), ("refusal", "bad-key")])
async def test_an_adapter_made_for_another_contract_fails_for_its_own_account_alone(
    publish: Publish, part: str, key: str
) -> None:
    publish(module=f"{EXAMPLE}\nADAPTER = msgspec.structs.replace(ADAPTER, {part}=lambda: None)\n")
    async with _environ() as environ, Hub.from_env(environ=environ | {"ACME_API_KEY": key}) as hub:
        with pytest.raises(PayloadError, match="acme/default get: the adapter has a bug: TypeError"):
            await hub.get("acme:7")
        found, error = await until_it_fails(hub.list())
    assert len(found) == 2
    assert isinstance(error, PartialError)
    assert type(error.errors["acme/default"]) is PayloadError


async def test_a_flow_made_for_another_contract_fails_for_its_own_account_alone(publish: Publish) -> None:
    publish(module=f"{EXAMPLE}\nADAPTER = msgspec.structs.replace(ADAPTER, get=list_page, list_page=get)\n")
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        with pytest.raises(PayloadError, match="acme/default get: the adapter could not read the answer: TypeError"):
            await hub.get("acme:7")
        found, error = await until_it_fails(hub.list())
    assert len(found) == 2
    assert isinstance(error, PartialError)
    assert type(error.errors["acme/default"]) is PayloadError


async def test_another_of_its_lists_made_for_another_contract_fails_like_its_first(publish: Publish) -> None:
    chats = "from conversations_hub.adapter import Resource\nCHATS = Resource(list_page=get, get=list_page)"
    publish(
        module=f"{EXAMPLE}\n{chats}\nADAPTER = msgspec.structs.replace(ADAPTER, resources={{'chats': CHATS}})\n",
    )
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        with pytest.raises(PayloadError, match="acme/default get: the adapter could not read the answer: TypeError"):
            await hub.get("acme:chats:7")
        found, error = await until_it_fails(hub.list())
    assert sorted(conversation.ref for conversation in found) == ["acme:7", "tavus:c0", "tavus:c1"]
    assert isinstance(error, PartialError)
    assert type(error.errors["acme/default"]) is PayloadError


async def test_the_refusals_of_a_published_adapter_are_its_own(publish: Publish) -> None:
    publish()
    async with _environ() as environ, Hub.from_env(environ=environ | {"ACME_API_KEY": "bad-key"}) as hub:
        with pytest.raises(AuthError, match=r"who are you\?"):
            await hub.get("acme:7")
