r"""A stand-in for a model that obeys whatever it reads, in whatever disguise it comes."""

from __future__ import annotations

import ast
import base64
import codecs
import html
import re
from binascii import Error
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from unicodedata import normalize
from urllib.parse import unquote

from conversations_hub.agents import Tool, in_words
from conversations_hub.errors import HubError

__all__ = ["Gullible", "Order", "orders_in"]

_ORDER = re.compile(r"\b([a-z_]+)(\((?:\w+=(?:\"[^\"]*\"|\[[^\]]*\]|\d+|True|False)(?:, )?)+\))")
_WORD = re.compile(r"[A-Za-z0-9+/=]{40,}")
_ESCAPE = re.compile(r"\\(?:x(\w\w)|u(\w{4})|U(\w{8}))")
_LATIN = str.maketrans("\u0430\u0441\u0435\u043e\u0440\u0445\u0443", "aceopxy")
_FIRST_TAG, _FIRST_SELECTOR = 0xE0000, 0xE0100 - 16


class Order(NamedTuple):
    """A call of a tool, as a text orders it."""

    name: str
    arguments: str
    """In parentheses, as Python writes them."""


def orders_in(text: str) -> set[Order]:
    """Return the calls of tools that a text names, plainly or in a disguise that a model may see through."""
    return {Order(*found) for reading in _readings(text) for found in _ORDER.findall(reading)}


def _readings(text: str) -> Iterator[str]:
    letters = _ESCAPE.sub(lambda found: _letter(int(found[1] or found[2] or found[3], 16)), text)
    for plain in (text, letters):
        yield plain
        yield plain[::-1]
        yield normalize("NFKC", plain.translate(_LATIN))
        yield codecs.encode(plain, "rot13")
        yield html.unescape(unquote(plain))
    for word in _WORD.findall(text):
        yield from _decoded(word)


def _letter(code: int) -> str:
    """Return what a model reads of a hidden letter: those that hide a message by their number, and else nothing."""
    for first in (_FIRST_SELECTOR, _FIRST_TAG):
        if first + 0x20 <= code < first + 0x80:
            return chr(code - first)
    return chr(code) if 0x20 <= code < 0x7F else ""


def _decoded(word: str) -> Iterator[str]:
    for decode in (base64.b64decode, base64.b32decode, bytes.fromhex):
        with suppress(Error, ValueError):
            found = decode(word.removeprefix("0x")).decode()
            yield found
            yield from _decoded(found)


class Gullible:
    """Carries out every order in what it reads, and in what it reads then.

    Args:
        functions: The tools that it has.
    """

    def __init__(self, functions: Mapping[str, Tool]) -> None:
        self._functions = functions
        self.read: list[str] = []
        """All that it has read."""
        self.obeyed: set[Order] = set()

    async def call(self, name: str, /, **arguments: Any) -> None:
        """Call a tool, and obey its answer."""
        if name not in self._functions:
            return
        try:
            answer = str(await self._functions[name](**arguments))
        except HubError as error:
            answer = in_words(error)
        except TypeError as error:
            answer = str(error)
        self.read.append(answer)
        for order in sorted(orders_in(answer) - self.obeyed):
            self.obeyed.add(order)
            await self.call(order.name, **_arguments(order))


def _arguments(order: Order) -> dict[str, Any]:
    call = ast.parse(f"call{order.arguments}", mode="eval").body
    assert isinstance(call, ast.Call)
    return {each.arg or "": ast.literal_eval(each.value) for each in call.keywords}
