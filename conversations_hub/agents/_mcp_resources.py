"""What a host can show and offer besides the tools: resources and prompts, which are made of the tools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import msgspec

from ..errors import HubError, NotFoundError
from ..schema import Conversation
from ._tools import Tool
from ._wording import in_words

__all__ = ["add_prompts", "add_resources"]

_MOST: Final = 20_000  # tokens of a resource


def add_resources(made: Any, tools: Mapping[str, Tool]) -> None:
    errors = import_module("mcp.server.mcpserver.exceptions")

    async def read(name: str, **arguments: Any) -> str:
        try:
            return str(await tools[name](**arguments, max_tokens=_MOST))
        except NotFoundError as error:
            missing = in_words(error)
        except HubError as error:
            raise errors.ResourceError(in_words(error)) from None
        raise errors.ResourceNotFoundError(missing)

    async def conversation(provider: str, account: str, id: str) -> str:
        return await read("get_conversation", ref=f"{provider}/{account}:{id}")

    async def sources() -> str:
        return await read("describe_sources")

    def schema() -> str:
        return msgspec.json.encode(msgspec.json.schema(Conversation)).decode()

    if "get_conversation" in tools:
        words = "One conversation: its facts and its turns, as far as 20,000 tokens go."
        made.resource("conversation://{provider}/{account}/{id}", description=words, mime_type="text/markdown")(
            conversation
        )
        words = "The fields of a conversation, as JSON Schema."
        made.resource("conversations://schema", description=words, mime_type="application/schema+json")(schema)
    if "describe_sources" in tools:
        words = "What is here: accounts, times and agents."
        made.resource("conversations://sources", description=words, mime_type="text/plain")(sources)


def add_prompts(made: Any, tools: Mapping[str, Tool]) -> None:
    def review_conversation(ref: str) -> str:
        """Review one conversation."""
        return (
            f"Read {ref} with get_conversation. Say what the customer wanted, whether they got it, what went wrong, and"
            " what the agent should have said, citing ref#turn."
        )

    def weekly_report(agent: str, days: str = "7") -> str:
        """Report on an agent's last days."""
        return (
            f"Report on the agent {agent} over the last {days} days. Use count_conversations by day and by failure,"
            f' list_conversations and find_tool_calls with failed=true, each with the agent and since="{days}d".'
            " Say how many were held, how many failed and why, and what to mend first, citing ref#turn."
        )

    def why_failed(provider: str, days: str = "7") -> str:
        """Find out why conversations of a provider failed."""
        return (
            f'Use count_conversations by failure with provider="{provider}", since="{days}d" and failed=true. Read two'
            " conversations of each large group with get_conversation. Say what went wrong, citing ref#turn."
        )

    needed: list[tuple[Callable[..., str], set[str]]] = [
        (review_conversation, {"get_conversation"}),
        (weekly_report, {"count_conversations", "list_conversations", "find_tool_calls"}),
        (why_failed, {"count_conversations", "get_conversation"}),
    ]
    for prompt, names in needed:
        if names <= tools.keys():
            made.prompt()(prompt)
