"""`doctor`: what it finds in an account that works, and in one that does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec
import pytest
from click.testing import CliRunner

from conversations_hub import Account, Hub
from conversations_hub._cli import cli
from conversations_hub._cli.doctor_checks import Diagnosis, Finding, check_account
from conversations_hub._transport import Clock, Lane
from conversations_hub.adapter import Adapter, Resource
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.hub._from_env import accounts_in
from conversations_hub.hub._unusable import Unusable
from conversations_hub.reading.json import Json
from conversations_hub.signing import bearer
from conversations_hub.testing import Faults, Simulator, unknown_members

from ..support.clock import FakeClock
from ..support.server import Answer, Asked, Scripted, answer, serving

KEY = "key-of-the-doctor"
ROW = {"conversation_id": "c1", "status": "ended", "created_at": "2026-11-20T09:00:00Z"}


def _listed(*rows: Mapping[str, object], headers: dict[str, str] | None = None) -> bytes:
    return answer({"data": rows, "total_count": len(rows)}, headers=headers)


async def _examined(*accounts: Account | Unusable, clock: Clock | None = None) -> list[Diagnosis]:
    async with Hub(accounts, clock=clock or FakeClock().clock) as hub:
        return [await check_account(lane) for lane in hub.lanes()]


async def _found(url: str, provider: str = "tavus", key: str = KEY, clock: Clock | None = None) -> dict[str, Finding]:
    [diagnosis] = await _examined(Account(provider, key=key, base_url=url), clock=clock)
    return {finding.check: finding for finding in diagnosis.findings}


@asynccontextmanager
async def _examining(*answers: Answer) -> AsyncGenerator[tuple[dict[str, Finding], Scripted]]:
    async with serving(*answers) as server:
        yield await _found(server.url), server


@pytest.mark.parametrize("provider", BUILTIN)
async def test_an_account_that_works_is_said_to_work(provider: str) -> None:
    async with Simulator(conversations=60) as simulator:
        [diagnosis] = await _examined(*accounts_in(simulator.environment(), [provider]), clock=Clock())
    assert diagnosis.is_good
    found = {finding.check: finding for finding in diagnosis.findings}
    assert [finding.check for finding in diagnosis.findings] == [
        "reachable",
        "key",
        "list",
        "get",
        *(f"list of {name}" for name in load(provider).resources),
        "transcripts",
        "clock",
        "rate limit",
        "payloads",
        "unknown members",
        "unknown words",
        "missing members",
    ]
    assert {name for name, finding in found.items() if finding.verdict == "failed"} == set()
    assert found["unknown members"] == Finding("unknown members", "ok", "none")
    assert not [finding for finding in diagnosis.findings if finding.verdict == "ok" and finding.found]


async def test_a_refused_key_is_told_from_a_provider_that_is_away() -> None:
    async with _examining(answer({"message": "Invalid access token"}, 401)) as (found, server):
        assert len(server.asked) == 1
    assert (found["reachable"].verdict, found["key"].verdict) == ("ok", "failed")
    assert "TAVUS_API_KEY" in found["key"].said
    away = await _found(server.url)
    assert list(away) == ["reachable"]
    assert away["reachable"].verdict == "failed"
    async with _examining(answer({"message": "down"}, 503)) as (found, _):
        assert found["reachable"].verdict == "failed"


async def test_one_failure_in_passing_is_no_verdict() -> None:
    gone = answer({"message": "down"}, 502)
    async with _examining(gone, _listed(ROW), gone, gone, answer(ROW)) as (found, server):
        assert len(server.asked) == 5
    assert found["reachable"].verdict == "note"
    assert found["reachable"].said.endswith(" s, after 1 failed try")
    assert {name for name, finding in found.items() if finding.verdict == "failed"} == set()


async def test_a_key_that_may_not_list_is_a_good_key() -> None:
    async with _examining(answer({"message": "not for you"}, 403)) as (found, _):
        assert (found["key"].verdict, found["list"].verdict) == ("ok", "failed")
    async with _examining(_listed(ROW), answer({"message": "not for you"}, 403)) as (found, _):
        assert (found["list"].verdict, found["get"].verdict) == ("ok", "failed")


async def test_an_empty_account_has_nothing_to_get() -> None:
    async with _examining(_listed()) as (found, server):
        assert len(server.asked) == 1
    assert (found["list"].said, found["get"].verdict) == ("0 rows", "skipped")


async def test_what_the_adapter_has_never_heard_of_is_named() -> None:
    event = {"event_type": "application.transcription_ready", "timestamp": "2026-11-20T09:10:00Z"}
    turns = [{"role": "robot", "content": "private words", "mood": "private mood"}]
    whole = {**ROW, "status": "archived", "region": "eu", "events": [{**event, "properties": {"transcript": turns}}]}
    async with _examining(_listed({**ROW, "created_at": "soon"}), answer(whole)) as (found, _):
        pass
    assert found["unknown members"].found == ("region", "events[].properties.transcript[].mood")
    assert found["unknown words"].found == ("status: archived", "role: robot")
    assert found["payloads"].found == ("created_at: not a date",)
    assert "title" not in found["missing members"].found
    assert {"conversation_name", "events[].properties.transcript[].duration"} <= set(found["missing members"].found)
    noted = ("unknown members", "unknown words", "missing members", "payloads")
    assert [found[check].verdict for check in noted] == ["note"] * 4
    assert "private" not in str(found)


async def test_what_people_are_called_is_counted_and_not_shown() -> None:
    event = {"event_type": "application.transcription_ready", "timestamp": "2026-11-20T09:10:00Z"}
    speakers = ["Zoë Miller", "JOHN", "robot", "Zoë Miller", "a" * 41, "robot\u202e"]
    turns = [{"role": called, "content": "private words"} for called in speakers]
    whole = {**ROW, "events": [{**event, "properties": {"transcript": turns}}]}
    async with _examining(_listed(ROW), answer(whole)) as (found, _):
        pass
    assert found["unknown words"].found == (
        "role: robot",
        "role: 4 not shown, because they may be people's names",
    )
    assert "Miller" not in str(found)


class _Guest(msgspec.Struct):
    seat: str


class _Table(msgspec.Struct):
    guests: dict[str, _Guest]


def test_keys_of_maps_are_content_and_not_shown() -> None:
    adapter = Adapter(name="acme", base_url="https://acme.example", docs="", sign=bearer, payloads=(_Table,))
    guests: Json = {called: {"seat": "1", "mood": "x"} for called in ("Zoë Miller", "John Smith")}
    assert unknown_members(adapter, {"guests": guests}) == ["guests.*.mood"]
    left = msgspec.structs.replace(adapter, left_to_raw={"guests.Zoë Miller.mood": "", "guests.John *": ""})
    assert unknown_members(left, {"guests": guests}) == []


async def test_very_much_is_cut_and_counted() -> None:
    many = {f"member_{number}_{'x' * 1000}\x1b": 1 for number in range(1000)}
    async with _examining(_listed({**ROW, **many}), answer({**ROW, **many})) as (found, _):
        pass
    named = found["unknown members"]
    assert named.said.startswith("1000: ")
    assert len(named.found) == 201
    assert named.found[-1] == "and 800 more"
    assert max(map(len, named.found)) == 160


async def test_a_row_nobody_can_read_fails() -> None:
    async with _examining(_listed({"status": "ended"}, ROW), answer(ROW)) as (found, _):
        pass
    assert found["payloads"].verdict == "failed"
    assert found["payloads"].found[0].startswith("row 0: ")
    assert not Diagnosis("tavus", "default", tuple(found.values())).is_good


async def test_a_number_without_end_is_no_defect_of_ours() -> None:
    row = msgspec.json.encode({**ROW, "unheard_of": msgspec.Raw(b"7" * 4301)})
    async with _examining(answer(b'{"data": [%s], "total_count": 1}' % row), answer(row)) as (found, _):
        pass
    assert found["payloads"].verdict == "ok"
    assert found["unknown members"].found == ("unheard_of",)


async def test_a_row_the_adapter_fails_on_is_one_nobody_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(row: object) -> None:
        raise KeyError(row)

    monkeypatch.setattr("conversations_hub.adapters.tavus.normalize", failing)
    async with _examining(_listed({**ROW, "title": "private words"})) as (found, _):
        pass
    assert found["payloads"].verdict == "failed"
    assert found["payloads"].found[0].startswith("row 0: the adapter could not read the row: KeyError at failing")
    assert "private words" not in str(found)


@pytest.mark.parametrize(
    ("provider", "ahead", "said"),
    [
        ("tavus", 0, "agrees with the provider's"),
        ("tavus", 4, "agrees with the provider's"),
        ("tavus", 90, "this machine is 90 s ahead of the provider"),
        ("ultravox", 90, "this machine is 90 s ahead of the provider: signed webhooks fail at 60 s"),
        ("elevenlabs", -90, "this machine is 90 s behind the provider: signed webhooks fail at 1800 s"),
    ],
)
async def test_the_clocks_are_compared(provider: str, ahead: int, said: str) -> None:
    now = datetime(2026, 11, 20, 12, 0, 0, 500_000, tzinfo=UTC)
    date = {"Date": format_datetime(now - timedelta(seconds=ahead), usegmt=True)}
    async with serving(_listed(headers=date)) as server:
        found = await _found(server.url, provider, clock=Clock(now=lambda: now))
    assert found["clock"].said == said


async def test_what_is_left_of_a_limit_is_told() -> None:
    headers = {"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "30"}
    async with _examining(_listed(headers=headers)) as (found, _):
        assert found["rate limit"].said == "no documented limit; the headers say 7 left, for 30 s"
    async with Simulator(conversations=5, faults=Faults(requests_per_second=50)) as simulator:
        told = await _found(simulator.base_url("voiceable"), "voiceable")
    assert "left, for" in told["rate limit"].said


async def test_a_limit_that_no_header_tells_was_not_checked() -> None:
    async with _examining(_listed(headers={"X-RateLimit-Window": "soon"})) as (found, _):
        pass
    said = "no documented limit; no header says what is left"
    assert found["rate limit"] == Finding("rate limit", "skipped", said, ("x-ratelimit-window",))


async def test_a_list_that_may_be_cut_is_a_note() -> None:
    rows = [{"conversation_id": f"c{number}", "status": "done"} for number in range(25)]
    async with serving(answer({"success": True, "data": rows})) as server:
        found = await _found(server.url, "voiceable")
    assert found["list"] == Finding("list", "note", "25 rows; possibly truncated: 25 conversations and no next page")


def test_the_command_writes_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = Diagnosis(
        "tavus", "default", (Finding("key", "ok", "accepted"), Finding("get", "failed", "no \x1b[2J", ("a", "b")))
    )

    async def canned(_lane: Lane) -> Diagnosis:
        return diagnosis

    monkeypatch.setattr("conversations_hub._cli.doctor.check_account", canned)
    environ = {f"{provider.upper()}_API_KEY": None for provider in BUILTIN} | {"TAVUS_API_KEY": KEY}
    shown = CliRunner().invoke(cli, ["doctor", "tavus"], env=environ)
    assert shown.exit_code == 1
    assert shown.output.splitlines() == [
        "tavus/default",
        "  ✓ key accepted",
        "  ✗ get no \\x1b[2J",
        "      a",
        "      b",
        "  --json shows everything that was found",
    ]
    told = CliRunner().invoke(cli, ["doctor", "--json"], env=environ)
    assert json.loads(told.output)["findings"][1]["found"] == ["a", "b"]
    missing = CliRunner().invoke(cli, ["doctor", "anyreach"], env=environ)
    assert (missing.exit_code, "ANYREACH_API_KEY" in missing.output) == (2, True)
    assert CliRunner().invoke(cli, ["doctor", "nobody"], env=environ).exit_code == 2


async def test_a_kind_that_an_account_may_not_use_is_a_note() -> None:
    async def answered(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if asked.target == "/v3/list-chats":
            return answer({"message": "not in your plan"}, 403)
        return answer({"items": [], "has_more": False})

    async with serving(answered) as server:
        [diagnosis] = await _examined(Account("retell", key="key", base_url=server.url))
    found = {finding.check: finding for finding in diagnosis.findings}
    assert (found["list"].verdict, found["list of chats"].verdict) == ("ok", "note")
    assert "not in your plan" in found["list of chats"].said
    assert diagnosis.is_good


class _Mail(msgspec.Struct):
    id: str
    subject: str | None = None


async def test_what_one_kind_has_is_unknown_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    tavus = load("tavus")
    assert tavus.list_page is not None
    mails = Resource(list_page=tavus.list_page, payloads=(_Mail,), left_to_raw={"conversation_id": "the id once more"})
    adapter = msgspec.structs.replace(tavus, get=None, resources={"mails": mails})

    def of_both(_provider: str) -> Adapter:
        return adapter

    monkeypatch.setattr("conversations_hub.hub._hub.usable", of_both)
    async with _examining(_listed({**ROW, "subject": "Hello"}), _listed({**ROW, "subject": "Hello"})) as (found, _):
        pass
    assert found["unknown members"].found == ("subject", "status", "created_at")
    assert "id" in found["missing members"].found
