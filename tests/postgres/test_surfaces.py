"""The gateway, the tools for agents and the commands answer over a Postgres store as over a SQLite store."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conversations_hub._cli import cli
from conversations_hub.agents import tools
from conversations_hub.schema import Conversation
from conversations_hub.stores import open_store, put
from conversations_hub.stores._url import StoreURL
from conversations_hub.testing.stores._conversations import MANY, ODD, said

from ..support.agents import NOON, by_name
from ..support.clock import at
from ..support.gateway import asking

pytestmark = pytest.mark.engine

EVERY: Sequence[Conversation] = (*MANY, *ODD)


@pytest.fixture
async def urls(url: str, tmp_path: Path) -> list[str]:
    """Return the URLs of two stores that hold the same: SQLite and Postgres."""
    both = [f"sqlite:{tmp_path / 'c.db'}", url]
    for each in both:
        await put(open_store(each), *EVERY)
    return both


_MARK = re.compile(r"record \w+")  # of what others said: another one each time
ASKED = [
    "/v1/conversations?limit=5",
    "/v1/conversations?provider=tavus&status=ended&tag=even&tag=any&limit=100",
    "/v1/conversations?account=vapi/eu&since=2026-11-20T14:00Z&until=2026-11-20T20:00Z",
    "/v1/conversations/tavus:c007",
    "/v1/conversations/acme:emoji/turns",
    "/v1/conversations/acme:nobody",
    "/v1/search?q=number&provider=tavus&limit=3",
    "/v1/search?q=%22number%207%22&order=best",
    "/v1/search?q=%E9%80%80%E6%AC%BE",
    "/v1/accounts",
    "/v1/missing",
    "/v1/facets",
    "/v1/conversations/acme/eu:c-1/measures",
    "/v1/conversations/acme:raw/raw",
    "/healthz",
]


async def test_the_gateway_answers_as_over_sqlite(urls: list[str]) -> None:
    answers: list[list[Any]] = []
    for url in urls:
        async with asking(open_store(url)) as ask:
            told = [(path, await ask(path)) for path in ASKED]
            assert [path for path, each in told if each.status != 200] == ["/v1/conversations/acme:nobody"]
        answers.append([(path, each.status, _without_cursors(each.body)) for path, each in told])
    assert answers[0] == answers[1]


def _without_cursors(body: bytes) -> Any:
    """Return an answer without its cursors, which are the store's own."""
    value = json.loads(body)
    return {name: each for name, each in value.items() if name not in {"cursor", "version"}}


async def test_pages_and_changes_go_on_where_they_ended(url: str) -> None:
    await put(open_store(url), *MANY)
    async with asking(open_store(url)) as ask:
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            page = (await ask(f"/v1/conversations?limit=7{f'&cursor={cursor}' if cursor else ''}")).json()
            seen += [one["ref"] for one in page["conversations"]]
            cursor = page["cursor"]
        assert sorted(seen) == sorted(one.ref for one in MANY)
        *lines, end = (await ask("/v1/changes")).lines()
        assert sorted(line["ref"] for line in lines) == sorted(one.ref for one in MANY)
        waiting = asyncio.ensure_future(ask(f"/v1/changes?cursor={end['cursor']}&wait=30"))
        await put(open_store(url), said("Changed.", id="c7"))
        [changed, end] = (await waiting).lines()
        assert changed["conversation"]["transcript"][0]["text"] == "Changed."
        with open_store(url).reader() as reader:
            reader.erase("acme:c7")
        [erased, _] = (await ask(f"/v1/changes?cursor={end['cursor']}")).lines()
    assert "conversation" not in erased


async def test_the_tools_for_agents_answer_as_over_sqlite(urls: list[str]) -> None:
    answers: list[list[str]] = []
    for url in urls:
        functions = by_name(tools(store=url, clock=at(NOON)))
        told = [
            await functions["list_conversations"](provider="tavus", failed=True),
            await functions["search_conversations"]("number 7"),
            await functions["get_conversation"]("tavus:c007"),
            await functions["count_conversations"]("status"),
            await functions["what_is_missing"](),
        ]
        answers.append([_MARK.sub("record", each.text) for each in told])
    assert answers[0] == answers[1]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "tavus", "--limit", "200"),
        ("get", "acme/eu:c-1"),
        ("search", "退款", "--json"),
        ("stats", "--by", "provider"),
        ("export", "jsonl:-"),
        ("export", "csv:-", "vapi"),
        ("prune", "--keep", "30d", "--dry-run"),
        ("status",),
    ],
)
def test_the_commands_answer_as_over_sqlite(arguments: tuple[str, ...], urls: list[str]) -> None:
    results = [run(*arguments, "--store", url) for url in urls]
    assert [each.exit_code for each in results] == [0, 0], [each.stderr for each in results]
    # Of conversations of one instant, a store chooses the order.
    sqlite, postgres = (
        sorted(each.stdout.replace(str(StoreURL.parse(url)), "the store").splitlines())
        for each, url in zip(results, urls, strict=True)
    )
    assert sqlite == postgres
