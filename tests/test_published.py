"""Adapters of other packages take part everywhere; a broken one is named, and breaks nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from click.testing import Result

from conversations_hub import Hub
from conversations_hub.adapters import BUILTIN, available, load, usable
from conversations_hub.errors import AuthError, ConfigurationError, PartialError, PayloadError
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import plan, sync
from conversations_hub.webhooks import verify

from .support.acme import CALL, PAGE
from .support.command_line import run
from .support.frames import shown
from .support.iterators import until_it_fails
from .support.server import Asked, answer, serving
from .support.tavus_server import Tavus

EXAMPLE: str = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
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


async def _run(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    """Run a command in a thread, so that what it asks is answered."""
    return await asyncio.to_thread(run, *arguments, environ=environ)


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
    "a key over plain http": (
        _without("https://api.acme.example", "http://api.acme.example"),
        "holds an adapter whose base URL is plain http",
    ),
    "a key in the base URL": (
        _without("https://api.acme.example", "https://user:sk-canary@api.acme.example"),
        "holds an adapter whose base URL must not contain a user name",
    ),
    "a key over plain http to another address": (
        _without("    sign=bearer,\n", '    sign=bearer,\n    base_urls=("http://other.acme.example",),\n'),
        "holds an adapter whose base URL is plain http",
    ),
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


OTHER = "acme = other_calls:ADAPTER"


def test_two_adapters_of_one_name_are_refused_and_both_are_named(publish: Publish) -> None:
    publish()
    publish("other", points=OTHER)
    assert available() == (*BUILTIN, "acme")
    with pytest.raises(ConfigurationError) as caught:
        load("acme")
    for place in ("acme_calls:ADAPTER of the package acme-calls", "other_calls:ADAPTER of the package other-calls"):
        assert place in caught.value.reason
    assert not {"acme_calls", "other_calls"} & sys.modules.keys()


def test_two_adapters_of_one_name_in_one_package_are_refused(publish: Publish) -> None:
    publish(points="acme = acme_calls:ADAPTER\nacme = acme_calls:OTHER")
    with pytest.raises(ConfigurationError, match="'acme' is published more than once"):
        load("acme")


def test_a_package_that_is_installed_twice_is_one(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    old = tmp_path / "old" / "acme_calls-0.9.dist-info"
    shutil.copytree(tmp_path / "acme_calls-1.0.dist-info", old)
    (old / "entry_points.txt").write_text("[conversations_hub.adapters]\nacme = acme_calls:GONE\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(old.parent)])
    assert load("acme").name == "acme"


async def test_two_adapters_of_one_name_cost_no_other_account(publish: Publish) -> None:
    publish()
    publish("other", points=OTHER)
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        found, error = await until_it_fails(hub.list())
    assert [conversation.ref for conversation in found] == ["tavus:c0", "tavus:c1"]
    assert isinstance(error, PartialError)
    assert error.errors.keys() == {"acme/default"}


def test_of_packages_whose_metadata_nobody_can_read_each_is_another(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()

    def name(_distribution: Distribution) -> str:
        raise KeyError("Name")

    monkeypatch.setattr(Distribution, "name", property(name))
    assert load("acme").name == "acme"
    publish("other", points=OTHER)
    with pytest.raises(ConfigurationError, match=r"more than once, as .*_calls:ADAPTER of an unnamed package and "):
        load("acme")


# what goes wrong only when it is used

LIES = {
    "a signer that returns nothing": "sign=lambda *asked: None",
    "a signer that raises": "sign=lambda *asked: 1 / 0",
    "a header nobody may send": "sign=lambda request, account, now: msgspec.structs.replace("
    "request, headers={'X-Key': account.key.reveal() + '\\r\\nX: y'})",
    "a header that is no text": "sign=lambda request, account, now: msgspec.structs.replace("
    "request, headers={'X-Key': account.key})",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_what_a_signer_does_wrong_is_its_accounts_failure_and_shows_no_key(publish: Publish, lie: str) -> None:
    publish(module=f"{EXAMPLE}\nADAPTER = msgspec.structs.replace(ADAPTER, {lie})\n")
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        with pytest.raises(PayloadError, match="acme/default get: the adapter has a bug: ") as caught:
            await hub.get("acme:7")
        found, _ = await until_it_fails(hub.list())
    assert len(found) == 2
    assert not any("key-of-acme" in variable for variable in shown(caught.value))


@pytest.mark.parametrize("said", ["'no'", "None", "ValueError('no')"])
async def test_a_refusal_that_is_none_is_its_accounts_failure(publish: Publish, said: str) -> None:
    publish(module=f"{EXAMPLE}\nADAPTER = msgspec.structs.replace(ADAPTER, refusal=lambda response: {said})\n")
    async with _environ() as environ, Hub.from_env(environ=environ | {"ACME_API_KEY": "bad-key"}) as hub:
        with pytest.raises(PayloadError, match="acme/default get: the adapter has a bug: TypeError"):
            await hub.get("acme:7")


async def test_a_list_that_is_none_and_rows_that_are_none_are_its_accounts_failure(publish: Publish) -> None:
    module = f"{EXAMPLE}\ndef listed(*asked):\n    return {{}}\n    yield\n"
    publish(module=f"{module}\nADAPTER = msgspec.structs.replace(ADAPTER, list_page=listed)\n")
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        with pytest.raises(PayloadError, match="acme/default list: the adapter has a bug: its list is a dict"):
            await anext(aiter(hub.list("acme")))


@pytest.mark.parametrize(
    "row", ["None", "7", "Conversation(provider='acme', id=None)", "Conversation(provider='acme', id=7)"]
)
async def test_a_row_that_is_no_conversation_is_set_apart(publish: Publish, row: str) -> None:
    module = _without("normalize=normalize,", f"normalize=lambda row: {row},")
    publish(module=module)
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        [page] = [page async for page in hub.list("acme").pages()]
    assert page.items == ()
    [rejected] = page.rejected
    assert rejected.reason.startswith("the adapter could not read the row: ")


async def test_whatever_a_conversation_claims_it_is_its_account_s(publish: Publish) -> None:
    publish(module=_without('provider="acme",', 'provider="tavus", account="eu",'))
    async with _environ() as environ, Hub.from_env(environ=environ) as hub:
        assert (await hub.get("acme:7")).ref == "acme:7"
        assert [conversation.ref async for conversation in hub.list("acme")] == ["acme:7"]


def test_whatever_an_event_claims_it_is_its_provider_s(publish: Publish) -> None:
    events = (
        "\nfrom conversations_hub.events import Event, EventKind, Webhook\n"
        "def events(body):\n"
        "    found = normalize(body)\n"
        "    return [Event(provider='tavus', kind=EventKind.ENDED, conversation_id='7', conversation=found)]\n"
        "ADAPTER = msgspec.structs.replace(ADAPTER, webhook=Webhook(events=events))\n"
    )
    publish(module=_without('provider="acme",', 'provider="tavus",') + events)
    now = datetime(2026, 11, 20, tzinfo=UTC)
    [event] = verify("acme", json.dumps(CALL).encode(), {}, None, now, insecure_accept_unsigned=True)
    assert event.conversation is not None
    assert (event.provider, event.conversation.provider) == ("acme", "acme")


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
        with pytest.raises(PayloadError, match="acme/default get: the adapter could not read the response: TypeError"):
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
        with pytest.raises(PayloadError, match="acme/default get: the adapter could not read the response: TypeError"):
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
