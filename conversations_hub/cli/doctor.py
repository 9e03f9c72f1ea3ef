"""`doctor`: whether the accounts work, and whether their providers still send what the adapters know."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ..adapter import Account
from ..adapters import BUILTIN, load
from ..errors import ConfigurationError
from ..hub.configuration import accounts_in_file
from ..hub.environment import accounts_in
from ..transport import Clock
from .examination import Diagnosis, Verdict, examined
from .terminal import escaped, write_json

__all__ = ["examine"]

_MARKS: dict[Verdict, tuple[str, str | None]] = {
    "ok": ("✓", "green"),
    "note": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", None),
}
_MOST_SHOWN = 8


def examine(providers: Sequence[str], *, config: Path | None, as_json: bool) -> bool:
    """Examine the accounts of a file or of the environment and write what was found; say whether nothing failed."""
    diagnoses = [asyncio.run(examined(account, Clock())) for account in _accounts(providers, config)]
    for diagnosis in diagnoses:
        if as_json:
            write_json(msgspec.json.encode(diagnosis))
        else:
            _show(diagnosis)
    return all(diagnosis.is_good for diagnosis in diagnoses)


def _accounts(providers: Sequence[str], config: Path | None) -> list[Account]:
    if config is None:
        accounts = accounts_in(os.environ, providers or BUILTIN)
    else:
        there = accounts_in_file(config, os.environ)
        accounts = [account for account in there if not providers or account.provider in providers]
    missing = [provider for provider in providers if not any(account.provider == provider for account in accounts)]
    for provider in missing:
        load(provider)  # an unknown provider is another mistake than a missing key
    if missing or not accounts:
        keys = ", ".join(f"{provider.upper()}_API_KEY" for provider in missing or BUILTIN)
        raise ConfigurationError(f"nothing to examine: set {keys}")
    return accounts


def _show(diagnosis: Diagnosis) -> None:
    click.secho(f"{diagnosis.provider}/{diagnosis.account}", bold=True)
    for finding in diagnosis.findings:
        mark, color = _MARKS[finding.verdict]
        click.echo(f"  {click.style(mark, fg=color)} {finding.check:<16} {escaped(finding.said)}")
        shown = finding.found if finding.verdict != "ok" else ()
        for one in shown[:_MOST_SHOWN]:
            click.echo(f"      {escaped(one)}")
        if len(shown) > _MOST_SHOWN:
            click.echo(f"      and {len(shown) - _MOST_SHOWN} more")
    if any(finding.found for finding in diagnosis.findings):
        click.echo("  --json names all that was found")
