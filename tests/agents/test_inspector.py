"""The MCP inspector, a host that others wrote, over stdio and HTTP, in both protocols: `make agents` runs it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from conversations_hub.agents._tools import NAMES
from conversations_hub.schema import Role

from ..support.agents import spoken, stored, tool_call, turn

pytest.importorskip("mcp", reason="`make agents` runs the tests with the package mcp, which is not installed here")
pytestmark = [
    pytest.mark.skipif(shutil.which("npx") is None, reason="NOT TRIED: the MCP inspector, which needs Node.js"),
    pytest.mark.timeout(300),  # it may have to be downloaded
]

_PATIENCE = (
    "120000"  # milliseconds until it gives up: on a busy machine, Python alone may take its usual fifteen seconds
)
_INSPECTOR = (
    *("npx", "--yes", "@modelcontextprotocol/inspector@2.12.0", "--cli"),
    *("--quiet", "--connect-timeout", _PATIENCE),
)
_CALLS: dict[str, tuple[tuple[str, ...], str]] = {
    "tools/list": (("--strict",), "get_conversation"),
    "tools/call describe_sources": (("--tool-name", "describe_sources"), "1 conversation in all"),
    "tools/call get_conversation": (
        ("--tool-name", "get_conversation", "--tool-arg", "ref=tavus:c1"),
        "[0] user: Where is my order?",
    ),
    "tools/call find_tool_calls": (
        ("--tool-name", "find_tool_calls", "--tool-arg", "failed=true", "max_tokens=500"),
        "never worked later",
    ),
    "resources/read": (("--uri", "conversation://tavus/default/c1"), "[0] user: Where is my order?"),
    "prompts/get": (("--prompt-name", "review_conversation", "--prompt-args", "ref=tavus:c1"), "Read tavus:c1 with"),
}


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("store")
    failed = tool_call("find_order", '{"error": "timed out"}')
    asyncio.run(stored(folder, spoken("c1", turn(Role.USER, "Where is my order?"), *failed)))
    return [sys.executable, "-m", "conversations_hub", "mcp", "--store", str(folder / "c.db")]


@pytest.fixture(scope="module")
def served(command: list[str]) -> Iterator[list[str]]:
    with subprocess.Popen([*command, "--http", "--port", "0"], stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stderr is not None
        token, place = process.stderr.readline().strip(), process.stderr.readline()
        [url] = re.findall(r"http://\S+", place)
        yield [url, "--transport", "http", "--header", token, "--protocol-era", "modern"]
        process.terminate()


def _inspected(target: list[str], method: str, *arguments: str) -> Mapping[str, Any]:
    told = subprocess.run(  # noqa: S603
        [*_INSPECTOR, *target, "--method", method, *arguments], capture_output=True, check=False
    )
    assert told.returncode == 0, told.stderr.decode()
    found: Mapping[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("over", ["stdio", "http"])
@pytest.mark.parametrize("call", _CALLS)
def test_ag2_the_inspector_is_answered(call: str, over: str, request: pytest.FixtureRequest) -> None:
    target: list[str] = request.getfixturevalue("command" if over == "stdio" else "served")
    method = call.partition(" ")[0]
    arguments, expected = _CALLS[call]
    found = _inspected(target, method, *arguments)
    assert expected in json.dumps(found, ensure_ascii=False)
    if method == "tools/list":
        assert [each["name"] for each in found["tools"]] == list(NAMES[:9])
    if method == "tools/call":
        [content] = found["content"]
        assert content["text"].startswith(found["structuredContent"]["text"])
