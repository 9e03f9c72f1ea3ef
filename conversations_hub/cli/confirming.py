"""Before something is done at a provider that cannot be undone: a person is asked, a script says `--yes`."""

from __future__ import annotations

import sys

import click

from .terminal import escaped

__all__ = ["confirm"]


def confirm(question: str, *, yes: bool) -> None:
    """Return where the answer is yes; end the command otherwise."""
    if yes:
        return
    if not _is_asked():
        raise click.UsageError("nobody is there to confirm it: give --yes")
    click.confirm(escaped(question), abort=True, err=True)


def _is_asked() -> bool:
    return sys.stdin.isatty()
