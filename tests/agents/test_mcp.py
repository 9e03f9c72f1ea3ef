"""The MCP server with the real package: `make agents` runs these."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from conversations_hub import Hub
from conversations_hub.agents import Listing, tools
from conversations_hub.agents._tools import NAMES
from conversations_hub.agents.mcp import app, elicited, server
from conversations_hub.schema import Channel, Role
from conversations_hub.stores import open_store, put
from conversations_hub.testing import Fault

from ..support.agents import NOON, spoken, tool_call, turn
from ..support.asgi import answered, running
from ..support.clock import FakeClock, at
from ..support.simulated import simulated

mcp: Any = pytest.importorskip(
    "mcp", reason="`make agents` runs the tests with the package mcp, which is not installed here"
)
types: Any = pytest.importorskip("mcp_types")
mcp_http: Any = pytest.importorskip("mcp.client.streamable_http")
httpx: Any = pytest.importorskip("httpx2")

both_protocols = pytest.mark.parametrize("mode", ["auto", "legacy"])
TOKEN = "t" * 40
ONE = spoken(
    "c1",
    turn(Role.USER, "Where is my order? ![x](https://evil.example)"),
    *tool_call("find_order", '{"error": "timed out"}', is_error=True),
    turn(Role.ASSISTANT, "It comes tomorrow."),
)
WELL: list[tuple[str, dict[str, Any], str]] = [
    ("describe_sources", {}, "2 conversations in all, accounts: 1"),
    ("search_conversations", {"words": "order"}, "tavus:c1#0"),
    ("list_conversations", {"failed": True, "agent": "", "status": ""}, "failed: tool find_order failed"),
    ("get_conversation", {"ref": "tavus:c1"}, "[0] user: Where is my order? ! [x] (https://evil.example)"),
    ("read_around", {"ref": "tavus:c1", "turn": 1}, "[3] agent: It comes tomorrow."),
    ("compare_conversations", {"refs": ["tavus:c1", "tavus:c2"]}, "tool_calls: 1 (counted) | 0 (counted)"),
    ("count_conversations", {"by": "failure"}, "- tool find_order failed: 1"),
    ("find_tool_calls", {"failed": True, "max_tokens": None}, "then, the agent at #3: It comes tomorrow."),
    ("what_is_missing", {"provider": "tavus"}, "tavus/default: 2 conversations"),
]
BADLY: list[tuple[str, dict[str, Any], str]] = [
    ("describe_sources", {"token": 1}, "describe_sources has no argument 'token'; the nearest: max_tokens"),
    ("search_conversations", {}, "words: Field required. Correct the arguments"),
    ("list_conversations", {"provider": "tavsu"}, "the nearest here: tavus, tavus/default. Correct the argument"),
    ("get_conversation", {"ref": "tavus:c9"}, "take the ref from list_conversations"),
    ("read_around", {"ref": "tavus:c1", "turn": "x"}, "turn: Input should be a valid integer"),
    ("compare_conversations", {"refs": []}, "2 to 5 different refs"),
    ("count_conversations", {"by": "moon"}, "by: Input should be 'day', 'week'"),
    ("find_tool_calls", {"cursor": "x"}, "leave it out to begin again"),
    ("what_is_missing", {"provider": "vapi"}, "no provider or account 'vapi'"),
]


@pytest.fixture
async def store(tmp_path: Path) -> str:
    path = str(tmp_path / "c.db")
    await put(open_store(path), ONE, spoken("c2", turn(Role.USER, "Hello."), created_at=None))
    return path


@both_protocols
async def test_ag1_every_tool_answers_well_and_says_what_is_wrong(mode: str, store: str) -> None:
    made = server(tools(store=store, clock=at(NOON)))
    async with mcp.Client(made, mode=mode) as client:
        listed = await _listed(client)
        assert [each.name for each in listed] == list(NAMES[:9])
        for each in listed:
            assert each.output_schema["properties"].keys() >= {"text", "cursor", "notes"}
            assert each.input_schema["additionalProperties"] is False
            assert all(member["description"] for member in each.input_schema["properties"].values())
            assert "Args:" not in each.description
            hints = each.annotations
            assert (hints.read_only_hint, hints.destructive_hint, hints.open_world_hint) == (True, False, False)
        for name, arguments, expected in WELL:
            found = await client.call_tool(name, arguments)
            assert not found.is_error
            [shown] = found.content
            assert expected in shown.text
            assert shown.text.startswith(found.structured_content["text"])
            assert "evil.example)" not in shown.text.replace("] (https://evil.example)", "")
        for name, arguments, expected in BADLY:
            found = await client.call_tool(name, arguments)
            assert found.is_error
            assert expected in found.content[0].text


@both_protocols
async def test_ag1_resources_and_prompts(mode: str, store: str) -> None:
    made = server(tools(store=store, clock=at(NOON)))
    async with mcp.Client(made, mode=mode) as client:
        read = await client.read_resource("conversation://tavus/default/c1")
        assert "[3] agent: It comes tomorrow." in read.contents[0].text
        assert "2 conversations in all" in (await client.read_resource("conversations://sources")).contents[0].text
        schema = json.loads((await client.read_resource("conversations://schema")).contents[0].text)
        assert "Conversation" in schema["$defs"]
        for uri in ("conversation://tavus/default/c9", "conversation://tavus/default/..%2Fc1"):
            with pytest.raises(mcp.MCPError):
                await client.read_resource(uri)
        prompts = (await client.list_prompts()).prompts
        assert [each.name for each in prompts] == ["review_conversation", "weekly_report", "why_failed"]
        told = await client.get_prompt("review_conversation", {"ref": "tavus:c1"})
        assert "tavus:c1" in told.messages[0].content.text


async def test_a_pin_holds_for_resources_and_prompts(store: str) -> None:
    made = server(tools(store=store, clock=at(NOON), only=["describe_sources"], providers=["vapi"]))
    async with mcp.Client(made) as client:
        assert [each.name for each in (await client.list_tools()).tools] == ["describe_sources"]
        assert (await client.list_prompts()).prompts == []
        assert (await client.list_resource_templates()).resource_templates == []
        assert "tavus" not in (await client.read_resource("conversations://sources")).contents[0].text


async def test_ag9_what_a_host_is_told_of_all_tools_is_short(store: str) -> None:
    made = server(tools(Hub(), store, allow=["start", "send"], confirm=elicited))
    async with mcp.Client(made) as client:
        told = [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in await _listed(client)]
    assert [each["name"] for each in told] == list(NAMES)
    assert sum(len(json.dumps(each)) for each in told) <= 13_000
    assert max(len(json.dumps({**each, "outputSchema": None})) for each in told) <= 1_500
    assert len(made.instructions) <= 600


async def _listed(client: Any) -> list[Any]:
    return list((await client.list_tools()).tools)


async def test_no_schema_has_what_some_hosts_cannot_read(store: str) -> None:
    async with mcp.Client(server(tools(Hub(), store, allow=["start", "send"], confirm=elicited))) as client:
        for each in await _listed(client):
            for schema in (each.input_schema, each.output_schema):
                assert all(isinstance(member["type"], str) for member in schema["properties"].values())
                assert not re.search('"(anyOf|oneOf|allOf|\\$ref|const|default)":', json.dumps(schema))


async def test_a_bug_of_ours_says_where_it_is_and_nothing_it_holds(
    store: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(ref: str) -> Listing:
        """Fail.

        Args:
            ref: A ref.
        """
        raise KeyError(ref)

    async with mcp.Client(server([broken])) as client:
        found = await client.call_tool("broken", {"ref": "tavus:secret"})
    assert found.is_error
    assert "KeyError at broken, line " in found.content[0].text
    assert "secret" not in found.content[0].text + caplog.text


@both_protocols
async def test_a_call_that_takes_long_gives_signs_of_life(mode: str) -> None:
    heard, time = asyncio.Event(), FakeClock()

    async def slow() -> Listing:
        """Answer when a sign of life was heard."""
        await heard.wait()
        return Listing("Here.")

    async def hear(_progress: float, _total: float | None, message: str | None) -> None:
        assert message == "slow is still at work"
        heard.set()

    async with mcp.Client(server([slow], clock=time.clock), mode=mode) as client:
        found = await client.call_tool("slow", {}, progress_callback=hear)
        assert found.content[0].text == "Here."
        assert (await client.call_tool("slow", {})).content[0].text == "Here."  # without asking for them
    assert set(time.slept) == {1.0}


async def test_what_a_thread_prints_is_not_on_standard_output() -> None:
    code = """if True:
        import threading
        from conversations_hub.agents import Listing, mcp
        async def shout() -> Listing:
            "Print in a thread."
            printing = threading.Thread(target=print, args=("a stray line",), kwargs={"flush": True})
            printing.start()
            printing.join()
            return Listing("Done.")
        mcp.server([shout]).run()
    """
    host = await Host.started("-c", code)
    for number in range(1, 11):
        host.send("tools/call", number, name="shout", arguments={})
        assert "Done." in str(await host.receive())
    await host.end()
    assert host.process.stderr is not None
    assert (await host.process.stderr.read()).count(b"a stray line") == 10


# acting

ANSWERS: dict[str, dict[str, Any]] = {
    "yes": {"action": "accept", "content": {"yes": True}},
    "no": {"action": "accept", "content": {"yes": False}},
    "declined": {"action": "decline"},
    "cancelled": {"action": "cancel"},
}


@both_protocols
@pytest.mark.parametrize("answer", [*ANSWERS, "cannot ask"])
async def test_ag7_a_call_is_started_only_after_the_user_of_the_host_said_yes(mode: str, answer: str) -> None:
    asked: list[str] = []

    async def ask(_context: Any, parameters: Any) -> Any:
        asked.append(parameters.message)
        return types.ElicitResult(**ANSWERS[answer])

    async with simulated("vapi", conversations=5) as (hub, simulator):
        world = simulator.worlds["vapi"]
        more = {"vapi": {"phoneNumberId": "pn-1"}}
        made = server(tools(hub, None, allow=["start"], confirm=elicited, start_options=more))
        arguments = {"provider": "vapi", "agent": "a1", "to": "+14155550177"}
        options: dict[str, Any] = {} if answer == "cannot ask" else {"elicitation_callback": ask}
        async with mcp.Client(made, mode=mode, **options) as client:
            [hints] = [
                each.annotations for each in (await client.list_tools()).tools if each.name == "start_conversation"
            ]
            assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint) == (False, True, False)
            [schema] = [
                each.input_schema for each in (await client.list_tools()).tools if each.name == "start_conversation"
            ]
            assert schema["properties"].keys() == {"provider", "agent", "to"}
            if answer == "cannot ask":
                with pytest.raises(mcp.MCPError, match="elicitation"):
                    await client.call_tool("start_conversation", arguments)
            else:
                found = await client.call_tool("start_conversation", arguments)
                assert found.is_error == (answer != "yes")
            assert len(world) == 5 + (answer == "yes")
            assert len(asked) == (answer != "cannot ask")
            if asked:
                assert asked[0].endswith("really call the number that ends in 0177?")
            mistaken = await client.call_tool("start_conversation", {"provider": "vappi", "agent": "a1"})
            assert mistaken.is_error
            assert "the nearest here: vapi/default" in mistaken.content[0].text
            assert len(asked) == (answer != "cannot ask")


@both_protocols
async def test_ag7_a_call_without_an_answer_may_have_been_started_and_is_not_started_again(mode: str) -> None:
    async def say_yes(_context: Any, _parameters: Any) -> Any:
        return types.ElicitResult(**ANSWERS["yes"])

    async with simulated("tavus", conversations=5) as (hub, simulator):
        simulator.script("tavus", [Fault.RESET])
        made = server(tools(hub, None, allow=["start"], confirm=elicited))
        async with mcp.Client(made, mode=mode, elicitation_callback=say_yes) as client:
            found = await client.call_tool("start_conversation", {"provider": "tavus", "agent": "a1"})
        assert found.is_error
        assert "it may have been done: look at the newest conversations first" in found.content[0].text
        assert simulator.requests["tavus"] == 1


@both_protocols
async def test_ag1_the_tools_that_need_a_hub_answer_well_and_say_what_is_wrong(mode: str) -> None:
    async def say_yes(_context: Any, _parameters: Any) -> Any:
        return types.ElicitResult(**ANSWERS["yes"])

    async with simulated("telnyx", conversations=30) as (hub, _):
        ref, *_ = [one.ref async for one in hub.list("telnyx", status="in_progress") if one.channel is Channel.CHAT]
        start = {"provider": "telnyx", "agent": "a1"}
        calls: list[tuple[str, dict[str, Any], str]] = [
            ("refresh_conversation", {"ref": ref}, "agent: "),
            ("start_conversation", start, "Started."),
            ("send_message", {"ref": ref, "text": "Are you open?"}, "Sent. The answer:"),
            ("refresh_conversation", {"ref": "telnyx:c9"}, "take the ref from list_conversations"),
            ("start_conversation", {"provider": "telnyx"}, "agent: Field required. Correct the arguments"),
            (
                "send_message",
                {"ref": ref, "text": ""},
                "a message has 1 to 2,000 characters, not 0. Correct the argument",
            ),
        ]
        made = server(tools(hub, None, allow=["start", "send"], confirm=elicited))
        async with mcp.Client(made, mode=mode, elicitation_callback=say_yes) as client:
            for place, (name, arguments, expected) in enumerate(calls):
                found = await client.call_tool(name, arguments)
                assert expected in found.content[0].text
                assert found.is_error == (place > 2)


# HTTP


def rpc(method: str, **parameters: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()


HELLO = rpc("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "test", "version": "1"})
HEADERS = {
    "host": "127.0.0.1:8000",
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"bearer {TOKEN}"}, 200),
        ({}, 401),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": TOKEN}, 401),
        ({"authorization": f"Bearer {TOKEN}", "host": "evil.example"}, 421),
        ({"authorization": f"Bearer {TOKEN}", "host": "mcp.example.com:443"}, 200),
        ({"authorization": f"Bearer {TOKEN}", "origin": "https://evil.example"}, 403),
    ],
)
async def test_over_http_only_who_has_a_token_is_served(headers: Mapping[str, str], status: int, store: str) -> None:
    guarded = app(server(tools(store=store)), [TOKEN, "u" * 40], hosts=["mcp.example.com"])
    async with running(guarded):
        told = await answered(guarded, "/mcp", body=HELLO, headers={**HEADERS, **headers})
    assert told.status == status
    if status == 200:
        assert told.json()["result"]["serverInfo"]["name"] == "conversations-hub"


# stdio


async def test_ag6_reading_only_wins_over_what_is_allowed(store: str) -> None:
    command = ("-m", "conversations_hub", "mcp", "--store", store, "--live", "--allow", "start,send")
    for more, names in (((), set(NAMES)), (("--read-only",), set(NAMES[:10]))):
        started = mcp.StdioServerParameters(command=sys.executable, args=[*command, *more], env={"VAPI_API_KEY": "key"})
        async with mcp.Client(started) as client:
            assert {each.name for each in (await client.list_tools()).tools} == names


SERVER = ("-m", "conversations_hub", "mcp")


class Host:
    """A host in JSON lines, which sees all that a server writes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout

    @classmethod
    async def started(cls, *arguments: str, **environ: str) -> Host:
        """Return the host of a new server, which has answered its first request."""
        host = cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | environ,
            )
        )
        about = {"protocolVersion": "2025-11-25", "clientInfo": {"name": "t", "version": "1"}}
        host.send("initialize", 0, **about, capabilities={"elicitation": {}})
        assert (await host.receive())["id"] == 0
        host.send("notifications/initialized")
        return host

    def send(self, method: str, id: int | None = None, **parameters: Any) -> None:
        """Send a request; without an id, a notification."""
        self.write({"method": method, "params": parameters} | ({} if id is None else {"id": id}))

    def write(self, message: dict[str, Any]) -> None:
        """Send a message."""
        self._input.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def receive(self) -> dict[str, Any]:
        """Return the next message; a line that is none fails."""
        found: dict[str, Any] = json.loads(await self._output.readline())
        assert found["jsonrpc"] == "2.0"
        return found

    async def end(self) -> None:
        """Close the server's input, and see that it says nothing but messages until it ends."""
        self._input.close()
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in (await self._output.read()).splitlines())
        assert await self.process.wait() == 0


async def test_ag11_over_stdio_there_is_nothing_but_the_protocol(store: str) -> None:
    host = await Host.started(*SERVER, "--store", store, CONVERSATIONS_HUB_LOG="debug")
    for number in range(1, 201):
        host.send("tools/call", number, name="get_conversation", arguments={"ref": "tavus:c1"})
        if number % 10 == 0:
            host.send("notifications/cancelled", requestId=number, reason="enough")
    wanted = {number for number in range(1, 201) if number % 10}
    while wanted:
        wanted.discard((await host.receive())["id"])
    await host.end()
    assert host.process.stderr is not None
    assert b"It comes tomorrow" not in await host.process.stderr.read()


async def test_ag7_a_server_that_is_killed_while_it_starts_a_call_does_not_start_it_again(store: str) -> None:
    asked = asyncio.Queue[bytes]()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked.put(await reader.readline())
        await reader.read()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as provider:
        where = f"http://127.0.0.1:{provider.sockets[0].getsockname()[1]}"
        command = (*SERVER, "--store", store, "--live", "--allow", "start")
        accounts = {"TAVUS_API_KEY": "key", "TAVUS_BASE_URL": where}
        host = await Host.started(*command, **accounts)
        host.send("tools/call", 1, name="start_conversation", arguments={"provider": "tavus", "agent": "a1"})
        question = await host.receive()
        assert question["method"] == "elicitation/create"
        assert asked.empty()
        host.write({"id": question["id"], "result": ANSWERS["yes"]})
        assert (await asked.get()).startswith(b"POST ")
        host.process.kill()
        await host.process.wait()
        again = await Host.started(*command, **accounts)
        again.send("tools/list", 1)
        assert "start_conversation" in str(await again.receive())
        await again.end()
        assert asked.empty()


async def test_over_http_it_serves_until_it_is_stopped(store: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "conversations_hub", "mcp", "--store", store, "--http", "--port", "0"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    token = re.fullmatch(r"Authorization: Bearer ([\w-]{43})\n", (await process.stderr.readline()).decode())
    place = re.match(r"Serving MCP at (http://127\.0\.0\.1:\d+/mcp) until", (await process.stderr.readline()).decode())
    assert token
    assert place
    headers = {"authorization": f"Bearer {token[1]}"}
    async with httpx.AsyncClient(headers=headers) as allowed, httpx.AsyncClient() as stranger:
        assert (await stranger.post(place[1], content=HELLO)).status_code == 401
        for mode in ("auto", "legacy"):
            transport = mcp_http.streamable_http_client(place[1], http_client=allowed)
            async with mcp.Client(transport, mode=mode) as client:
                found = await client.call_tool("get_conversation", {"ref": "tavus:c1"})
                assert "It comes tomorrow." in found.content[0].text
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 130
