"""The examples on pages: what a page shows is run, and prints what the page says it prints."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Block", "blocks", "commands_in", "exec_block"]

_BLOCK = re.compile(r"^ *```(?P<language>[\w-]*)\n(?P<code>.*?)^ *```$", re.DOTALL | re.MULTILINE)
_REDIRECTED = {"|", ">", "<", "&&", "||", "&", ";"}


class Block(NamedTuple):
    """A block of code."""

    language: str
    code: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    found = _BLOCK.finditer(page.read_text())
    return [Block(each["language"], inspect.cleandoc(each["code"]) + "\n") for each in found]


async def exec_block(code: str, names: dict[str, object]) -> None:
    """Run Python as if it stood in a coroutine: it may await."""
    compiled = compile(code, "a page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    ran = eval(compiled, names)  # noqa: S307  (our own page)
    if inspect.isawaitable(ran):
        await ran


def commands_in(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of the command line in a block, without what a shell does with them."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        found = iter(words) if "conversations-hub" in line else iter(())
        for word in found:
            if word.rpartition("/")[2] == "conversations-hub":
                yield list(_until_redirected(found))


def _until_redirected(words: Iterator[str]) -> Iterator[str]:
    for word in words:
        if word in _REDIRECTED:
            return
        yield word
