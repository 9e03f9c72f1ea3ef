"""Every call of the command line on a page names a command and options that exist."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from conversations_hub._cli import cli

from ..support.page_examples import blocks, commands_in
from ..support.paths import DOCS, ROOT

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def _wrong_with(arguments: list[str]) -> str | None:
    """Return why the command line refuses arguments; None if it takes them."""
    name, *rest = arguments or ["--help"]
    if name.startswith("-"):
        return None
    command = cli.commands.get(name)
    if command is None:
        return f"there is no command {name}"
    try:
        command.make_context(name, rest)
    except click.exceptions.Exit:
        return None  # --help
    except click.UsageError as error:
        return f"{name}: {error.format_message()}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_it_shows_is_accepted(page: Path) -> None:
    shown = [command for language, code in blocks(page) if language != "python" for command in commands_in(code)]
    assert [wrong for command in shown if "[OPTIONS]" not in command and (wrong := _wrong_with(command))] == []


def test_what_is_not_accepted_is_found() -> None:
    block = """
    curl x | conversations-hub lst | head   # no such command
    /usr/bin/conversations-hub list --sinc 7d > all.jsonl
    conversations-hub search '"credit card" cancel*' --limit few && conversations-hub --version
    """
    unknown, misspelt, misfit, fine = [_wrong_with(command) or "" for command in commands_in(block)]
    assert unknown == "there is no command lst"
    assert misspelt.startswith("list: No such option")
    assert "'--limit'" in misfit
    assert not fine
