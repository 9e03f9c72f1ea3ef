"""The command line, run in this process and without the accounts and the terminal that the tests run with."""

from __future__ import annotations

from inspect import signature
from typing import Any

from click.testing import CliRunner, Result

from conversations_hub._cli import cli
from conversations_hub.adapters import BUILTIN, load

__all__ = ["NO_ACCOUNTS", "NO_TERMINAL", "SEPARATE", "run"]

NO_ACCOUNTS: dict[str, str | None] = {
    f"{provider.upper()}_{variable}": None
    for provider in BUILTIN
    for variable in ("API_KEY", "BASE_URL", *(setting.upper() for setting in load(provider).settings))
}

# What rich would hear from the terminal or the job that the tests run in.
NO_TERMINAL: dict[str, str | None] = dict.fromkeys(("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"))

# Before click 8.2 a runner mixed the two streams, unless told not to.
SEPARATE: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in signature(CliRunner).parameters else {}


def run(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    return CliRunner(**SEPARATE).invoke(
        cli, arguments, env={**NO_ACCOUNTS, **NO_TERMINAL, "COLUMNS": "100", **(environ or {})}
    )
