"""Vendors' text made harmless: what could steer a terminal, or turn the line around, is written as an escape."""

from __future__ import annotations

import re
import sys

import click

__all__ = ["escaped", "escaped_lines", "write_json"]

# C0 and C1 controls, line and paragraph separators, everything that sets the direction, halves of surrogate pairs.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str) -> str:
    r"""Return text as one line that only shows itself: an escape character becomes `\x1b`."""
    return _STEERING.sub(lambda found: ascii(found.group())[1:-1], text)


def escaped_lines(text: str) -> str:
    """Return text that only shows itself and keeps its line breaks, for a column of its own."""
    return "\n".join(map(escaped, text.replace("\r\n", "\n").split("\n")))


def write_json(document: bytes) -> None:
    """Write a JSON document and a line break to standard output, at once.

    A file or pipe gets it byte for byte, a terminal the same document with the characters that could steer it escaped.
    """
    if sys.stdout.isatty():
        lines = document.decode().split("\n")
        document = "\n".join(_STEERING.sub(_as_json, line) for line in lines).encode()
    click.echo(document)


def _as_json(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
