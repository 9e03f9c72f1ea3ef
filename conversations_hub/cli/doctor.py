"""`doctor`: whether the accounts work, and whether their providers still send what the adapters know."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from ..adapter import Account
from ..adapters import available, usable
from ..errors import ConfigurationError
from ..hub.configuration import accounts_in_file
from ..hub.environment import accounts_in
from ..hub.refs import Target
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


def examine(targets: Sequence[str], *, config: Path | None, as_json: bool) -> bool:
    """Examine the accounts of a file or of the environment and write what was found; say whether nothing failed."""
    diagnoses = [
        asyncio.run(examined(account, Clock())) for account in _accounts([*map(Target.parse, targets)], config)
    ]
    for diagnosis in diagnoses:
        if as_json:
            write_json(msgspec.json.encode(diagnosis))
        else:
            _show(diagnosis)
    return all(diagnosis.is_good for diagnosis in diagnoses)


def _accounts(targets: Sequence[Target], config: Path | None) -> list[Account]:
    if config is None:
        there = accounts_in(os.environ, dict.fromkeys(target.provider for target in targets) or available())
    else:
        there = accounts_in_file(config, os.environ)
    for target in targets:
        usable(target.provider)  # an unknown provider is another mistake than a missing key
        names = [account.name for account in there if account.provider == target.provider]
        if not names:
            raise ConfigurationError(f"nothing to examine: set {target.provider.upper()}_API_KEY")
        if target.account not in {None, *names}:
            known = ", ".join(f"{target.provider}/{name}" for name in names)
            raise ConfigurationError(f"no account '{target.account}'; there is {known}", provider=target.provider)
    if not there:
        raise ConfigurationError(
            f"nothing to examine: set {', '.join(f'{name.upper()}_API_KEY' for name in available())}"
        )
    return [account for account in there if not targets or _is_meant(account, targets)]


def _is_meant(account: Account, targets: Sequence[Target]) -> bool:
    return any(target.provider == account.provider and target.account in {None, account.name} for target in targets)


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
