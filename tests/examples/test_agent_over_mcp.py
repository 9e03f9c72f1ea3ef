"""The agent over MCP, with the package mcp: `make agents` runs this."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ..support.example import example
from ..support.simulated_store import filled

pytest.importorskip("mcp", reason="`make agents` runs the tests with the package mcp, which is not installed here")


def _filled(folder: Path) -> str:
    path = folder / "conversations.db"
    filled(path)
    return str(path)


async def test_it_answers_with_what_the_server_found(tmp_path: Path) -> None:
    store = await asyncio.to_thread(_filled, tmp_path)
    program = example("agent_over_mcp")
    asked: list[int] = []

    async def model(messages: list[str], tools: list[object]) -> object:
        asked.append(len(tools))
        return await program.scripted(messages, tools)

    found = await program.answer("Which calls did a failing tool spoil?", store, model)
    assert asked == [9, 9]
    assert found.startswith("These tools failed:\n")
    assert "what others said" in found
