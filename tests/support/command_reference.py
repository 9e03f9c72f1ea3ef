"""The reference of the command line, from what click was told: each command, its arguments, options and examples."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

import click

from conversations_hub._cli import cli

__all__ = ["page"]

_HEAD = """# Command line

`pip install 'conversations-hub[cli]'` brings the command `conversations-hub`. Every command has `--help`, which says \
the same as this page.

"""

_OF_ACCOUNTS = ("--config", "--proxy", "--proxy-from-env", "--ca-file", "-v")
_ACCOUNTS = "Every command that asks providers has these.\n"


def page() -> str:
    """Return the page."""
    described = "".join(_command(name, cli.commands[name]) for name in cli.commands)
    common = [each for each in cli.commands["list"].params if each.opts[0] in _OF_ACCOUNTS]
    accounts = _table(each for each in common if isinstance(each, click.Option))
    return f"{_HEAD}{_said(cli)}\n## Options for accounts\n\n{_ACCOUNTS}\n{accounts}{described}"


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"conversations-hub {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    options = [each for each in command.get_params(context) if isinstance(each, click.Option) and not each.hidden]
    own = [each for each in options if each.opts[0] not in _OF_ACCOUNTS and "--help" not in each.opts]
    asks = any(each.opts[0] == _OF_ACCOUNTS[0] for each in options)
    more = ["It also has the [options for accounts](#options-for-accounts).\n"] if asks else []
    parts = [f"## {name}\n", _said(command), f"```\n{usage}\n```\n", _table(own), *more, _examples(command)]
    return "\n" + "\n".join(filter(None, parts))


def _said(command: click.Command) -> str:
    paragraphs = inspect.cleandoc(command.help or "").replace("\b\n", "").split("\n\n")
    return "\n".join(f"{_escaped(' '.join(each.split()))}\n" for each in paragraphs)


def _table(options: Iterable[click.Option]) -> str:
    rows = "".join(map(_row, options))
    return f"| option | what it does |\n| --- | --- |\n{rows}" if rows else ""


def _row(option: click.Option) -> str:
    value = "" if option.is_flag else f" {_value(option)}"
    names = ", ".join(f"`{name}{value}`" for name in (*option.opts, *option.secondary_opts))
    return f"| {names} | {_escaped(' '.join((option.help or '').split()))}{_default(option)} |\n"


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "/".join(map(str, option.type.choices))
    return {"path": "PATH", "text": "TEXT", "file": "FILE"}.get(option.type.name, "NUMBER")


def _default(option: click.Option) -> str:
    parts = [f"Default: `{option.default}`."] if option.show_default and option.default is not None else []
    parts += [f"Variable: `{option.envvar}`."] if option.envvar else []
    return "".join(f" {each}" for each in parts)


def _examples(command: click.Command) -> str:
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    shown = [line for line in lines if line.startswith("conversations-hub ")]
    return "```\n" + "".join(f"{line}\n" for line in shown) + "```\n" if shown else ""


def _escaped(text: str) -> str:
    """Return a text as Markdown: what stands in angle brackets is no HTML, and a bar ends no cell."""
    return re.sub(r"<([A-Z]+)>(\w*)", r"`<\1>\2`", text).replace("|", "\\|")
