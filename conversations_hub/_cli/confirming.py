"""Confirm an action at a provider that cannot be undone: a person is asked, a script gives `--yes`."""

from __future__ import annotations

import sys

import click

from .terminal import escaped

__all__ = ["confirm"]


def confirm(question: str, *, yes: bool) -> None:
    """Return if the answer is yes; otherwise end the command."""
    if yes:
        return
    if not _can_ask():
        raise click.UsageError("this needs confirmation, but standard input is not a terminal: give --yes")
    click.confirm(escaped(question), abort=True, err=True)


def _can_ask() -> bool:
    return sys.stdin.isatty()
