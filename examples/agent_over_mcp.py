"""An agent that answers a question about stored conversations with the tools of `conversations-hub mcp`.

    pip install 'conversations-hub[cli,mcp]'
    python examples/agent_over_mcp.py conversations.db "Which calls did a failing tool spoil?"

`scripted` stands for a language model, so that the program runs without one. Replace it by a call of your model: it
gets the messages so far and the tools, and returns either a tool to call or the answer.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from mcp import Client, StdioServerParameters


class Call(NamedTuple):
    """A tool that the model wants to call."""

    tool: str
    arguments: dict[str, Any]


Model = Callable[[Sequence[str], Sequence[Any]], Awaitable[Call | str]]
MOST_CALLS = 10


async def answer(question: str, store: str, model: Model) -> str:
    """Let a model look into a store until it has an answer."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "conversations_hub", "mcp", "--store", store, "--redact"]
    )
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
        messages = [question]
        for _ in range(MOST_CALLS):
            step = await model(messages, tools)
            if isinstance(step, str):
                return step
            result = await client.call_tool(step.tool, step.arguments)
            messages.append("\n".join(part.text for part in result.content if part.type == "text"))
    return "I found no answer in ten calls."


async def scripted(messages: Sequence[str], _tools: Sequence[Any]) -> Call | str:
    """Do what a model would do for one question: list the calls of tools that failed, then report them."""
    if len(messages) == 1:
        return Call("find_tool_calls", {"failed": True, "since": "30d", "max_tokens": 2000})
    return f"These tools failed:\n{messages[-1]}"


if __name__ == "__main__":
    try:
        _, path, asked = sys.argv
    except ValueError:
        sys.exit(__doc__)
    print(asyncio.run(answer(asked, path, scripted)))
