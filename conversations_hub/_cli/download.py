"""`download`: download the recordings of a conversation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from .._files.recordings import files_of
from ..sync import RecordingsReport, download_recordings
from .accounts import Accounts
from .asking import asking
from .terminal import escaped, write_json

__all__ = ["run"]


def run(ref: str, *, folder: Path, any_host: bool, accounts: Accounts, as_json: bool) -> bool:
    """Download the recordings that the folder lacks, write their paths, and return whether it has all of them."""
    report, files = asyncio.run(_download(ref, folder, accounts, any_host=any_host))
    if as_json:
        write_json(msgspec.json.encode({"files": [str(file) for file in files], "recordings": report}))
    else:
        for file in files:
            click.echo(escaped(str(file)))
        for reason in report.failures:
            click.echo(escaped(reason), err=True)
        if not files and report.complete:
            click.echo("no recordings to download", err=True)
    return report.complete


async def _download(
    ref: str, folder: Path, accounts: Accounts, *, any_host: bool
) -> tuple[RecordingsReport, list[Path]]:
    report = RecordingsReport()
    async with asking(accounts) as asked:
        asked.doing = lambda: f"{report.downloaded} downloaded"
        one = await asked.hub.get(ref)
        made_at = one.created_at or one.started_at
        wanted = [(recording, position, made_at) for position, recording in enumerate(one.recordings)]
        await download_recordings(asked.hub, [wanted], folder, allow_any_public_host=any_host, report=report)
    return report, files_of(folder, one.ref)
