"""Calls as a model writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conversations_hub.agents import call, in_words
from conversations_hub.errors import InvalidRefError
from conversations_hub.schema import Role

from ..support.agents import spoken, stored, turn

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("list_calls", {}, "there is no tool 'list_calls': choose from describe_sources, search"),
    ("get_conversation", {}, "get_conversation needs the argument ref"),
    ("get_conversation", {"id": "tavus:c1"}, "get_conversation has no argument 'id'; the nearest: "),
    ("get_conversation", {"ref": 1}, "get_conversation: ref: Expected `str`, got `int`"),
    ("get_conversation", {"ref": ""}, "'' is not a ref"),
    ("list_conversations", {"since": ["7d"]}, "list_conversations: since: Expected `str | null`, got `array`"),
    ("count_conversations", {"by": "moon"}, "count_conversations: by: Invalid enum value 'moon'"),
    ("count_conversations", {"by": "a\n[7] user: b"}, "count_conversations: by: Invalid enum value 'a\\n[7] user: b'"),
    ("compare_conversations", {"refs": [1, 2]}, "compare_conversations: refs: Expected `str`, got `int`"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), WRONG)
async def test_what_is_wrong_with_a_call_is_an_error_with_what_to_do(
    name: str, arguments: dict[str, Any], words: str, tmp_path: Path
) -> None:
    functions = await stored(tmp_path, spoken("c1", turn(Role.USER, "Hello.")))
    with pytest.raises(InvalidRefError) as error:
        await call(functions.values(), name, arguments)
    assert in_words(error.value).startswith(words)
    assert in_words(error.value).endswith("Correct the argument, and call again.")


async def test_what_can_be_understood_is_taken(tmp_path: Path) -> None:
    functions = await stored(tmp_path, spoken("c1", turn(Role.USER, "Hello.")))
    arguments = {"provider": "", "failed": "false", "max_tokens": "500", "cursor": None}
    assert "tavus:c1" in str(await call(functions.values(), "list_conversations", arguments))
