"""`doctor`: check whether accounts work, and whether their providers still send what the adapters expect."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click
import msgspec

from ..account import Account
from ..errors import ConfigurationError
from .accounts import Accounts
from .asking import asking
from .doctor_checks import Diagnosis, Finding, Verdict, check_account
from .terminal import escaped, write_json

__all__ = ["run"]

_MARKS: dict[Verdict, tuple[str, str | None]] = {
    "ok": ("✓", "green"),
    "note": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", None),
}
_MOST_SHOWN = 8


def run(targets: Sequence[str], *, accounts: Accounts, as_json: bool) -> bool:
    """Check accounts one after the other and write the findings; return whether nothing failed."""

    async def check() -> bool:
        is_good = True
        async with asking(accounts) as asked:
            for lane in asked.hub.lanes(*targets):
                wrong = asked.hub.unusable.get(f"{lane.account.provider}/{lane.account.name}")
                diagnosis = await check_account(lane) if wrong is None else _unusable(lane.account, wrong)
                is_good &= diagnosis.is_good
                asked.clear()
                if as_json:
                    write_json(msgspec.json.encode(diagnosis))
                else:
                    _show(diagnosis)
        return is_good

    return asyncio.run(check())


def _unusable(account: Account, wrong: ConfigurationError) -> Diagnosis:
    return Diagnosis(account.provider, account.name, (Finding("account", "failed", wrong.reason),))


def _show(diagnosis: Diagnosis) -> None:
    click.secho(f"{diagnosis.provider}/{diagnosis.account}", bold=True)
    widest = max(len(finding.check) for finding in diagnosis.findings)
    for finding in diagnosis.findings:
        mark, color = _MARKS[finding.verdict]
        click.echo(f"  {click.style(mark, fg=color)} {finding.check:<{widest}} {escaped(finding.said)}")
        shown = finding.found if finding.verdict != "ok" else ()
        for one in shown[:_MOST_SHOWN]:
            click.echo(f"      {escaped(one)}")
        if len(shown) > _MOST_SHOWN:
            click.echo(f"      and {len(shown) - _MOST_SHOWN} more")
    if any(finding.found for finding in diagnosis.findings):
        click.echo("  --json shows everything that was found")
