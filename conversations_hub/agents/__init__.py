"""Tools for agents: what a language model may read of past conversations, and how little it may do.

    from conversations_hub.agents import tools

    functions = tools(store="conversations.db")  # plain async functions, for any framework

`conversations_hub.agents.mcp` serves the same functions to MCP hosts, as `conversations-hub mcp` does.
"""

from __future__ import annotations

from ._acting import Confirm, DeclinedError, UncertainError, always
from ._answers import Answer, Done, Listing, Reading
from ._calling import call
from ._signatures import json_schema
from ._tools import Tool, tools
from ._wording import in_words

__all__ = [
    "Answer",
    "Confirm",
    "DeclinedError",
    "Done",
    "Listing",
    "Reading",
    "Tool",
    "UncertainError",
    "always",
    "call",
    "in_words",
    "json_schema",
    "tools",
]
