"""Write to a terminal so that text from vendors cannot steer it."""

from __future__ import annotations

import json
import re
import sys

import click

from .._escaping import STEERING, escaped, escaped_lines

__all__ = ["escaped", "escaped_lines", "write_json", "write_plain"]


def write_json(document: bytes) -> None:
    """Write a JSON document and a line break to standard output, at once.

    A file or pipe gets it byte for byte; for a terminal, the characters that could steer it are escaped.
    """
    if sys.stdout.isatty():
        lines = document.decode().split("\n")
        document = "\n".join(STEERING.sub(_as_json, line) for line in lines).encode()
    click.echo(document)


def write_plain(data: bytes) -> None:
    """Write lines of text to standard output.

    A file or pipe gets them byte for byte; for a terminal, what could steer it is escaped.
    """
    click.echo(escaped_lines(data.decode()) if sys.stdout.isatty() else data, nl=False)


def _as_json(found: re.Match[str]) -> str:
    return json.dumps(found.group())[1:-1]
