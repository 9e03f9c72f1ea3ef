"""`export`: what is in a store, as a file or on standard output."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
import msgspec

from ..sync.export import export_csv, export_jsonl, write_csv, write_jsonl
from ..sync.parquet import export_parquet
from ..sync.sqlite.archive import Archive
from .terminal import escaped, escaped_lines, write_json

__all__ = ["export_store"]

_FORMS = ("jsonl", "csv", "parquet")


def export_store(
    store: Path,
    to: str,
    targets: Sequence[str],
    *,
    since: datetime | None,
    until: datetime | None,
    overwrite: bool,
    formulas: bool,
    as_json: bool,
) -> None:
    """Write conversations, the newest first; say on standard error how many and where to.

    `to` is a path whose ending tells the form (.jsonl, .jsonl.gz, .csv, .csv.gz, .parquet), or FORM:PATH; `jsonl:-` and
    `csv:-` are standard output. NAME.parquet is a folder NAME with a table of the conversations and one of the turns.
    With `formulas` the texts of a CSV stay as they were said.
    """
    form, path = _destination(to)
    with Archive(store) as archive:
        conversations = archive.conversations(*targets, since=since, until=until)
        where = str(path)
        if form == "parquet":
            count = export_parquet(conversations, path, overwrite=overwrite)
            where = f"{path / 'conversations.parquet'} and {path / 'turns.parquet'}"
        elif where == "-":
            where = "standard output"
            if form == "csv":
                count = write_csv(conversations, _write, neutralized=not formulas)
            else:
                count = write_jsonl(conversations, _write)
        elif form == "csv":
            count = export_csv(conversations, path, overwrite=overwrite, neutralized=not formulas)
        else:
            count = export_jsonl(conversations, path, overwrite=overwrite)
    if as_json and where != "standard output":
        write_json(msgspec.json.encode({"conversations": count, "to": where}))
    else:
        click.echo(f"{count:,} conversations written to {escaped(where)}", err=True)


def _destination(to: str) -> tuple[str, Path]:
    form, colon, name = to.partition(":")
    if not colon or form not in _FORMS:
        name = to
        form = Path(to.removesuffix(".gz")).suffix[1:]
    path = Path(name)
    if form == "parquet" and name != "-":
        return form, path.with_suffix("") if path.suffix == ".parquet" else path
    if form == "parquet" or form not in _FORMS or not name:
        raise click.BadParameter(
            f"{to!a} does not tell a form: write NAME.jsonl, NAME.jsonl.gz, NAME.csv or NAME.parquet, or put jsonl:,"
            " csv: or parquet: before another path; jsonl:- and csv:- are standard output"
        )
    return form, path


def _write(data: bytes) -> None:
    # A pipe gets it byte for byte; vendors' text must not steer a terminal.
    click.echo(escaped_lines(data.decode()) if sys.stdout.isatty() else data, nl=False)
