"""`export`: write conversations of a store to a file or to standard output."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
import msgspec

from ..formats._csv import Rows, write_csv
from ..formats._export import export_csv, export_jsonl, write_jsonl
from ..stores._url import StoreURL, parted
from ..stores.parquet import export_parquet
from .stored import opened
from .terminal import escaped, escaped_lines, write_json

__all__ = ["run"]

_FORMS = ("jsonl", "csv", "parquet")


def run(
    to: str,
    targets: Sequence[str],
    *,
    store: StoreURL,
    since: datetime | None,
    until: datetime | None,
    overwrite: bool,
    formulas: bool,
    rows: Rows | None,
    as_json: bool,
) -> None:
    """Write conversations, newest first, and report on standard error how many and where.

    `to` is a path whose ending sets the format (.jsonl, .jsonl.gz, .csv, .csv.gz, .parquet), or FORMAT:PATH; `jsonl:-`
    and `csv:-` are standard output. NAME.parquet is a folder with a table of the conversations and one of the turns.
    With `formulas`, the texts of a CSV stay unchanged; `rows` is what each of its lines stands for.
    """
    form, path = _destination(to)
    _check_place(form, path, store.path)
    if form != "csv" and (formulas or rows):
        raise click.UsageError("--rows and --formulas are for CSV")
    rows = rows or "turns"
    changed: Counter[str] = Counter()
    with opened(store, targets) as reader:
        conversations = reader.conversations(*targets, since=since, until=until)
        where = str(path)
        if form == "parquet":
            count = export_parquet(conversations, path, overwrite=overwrite)
            where = f"{path / 'conversations.parquet'} and {path / 'turns.parquet'}"
        elif form == "csv":
            harmless = not formulas
            if where == "-":
                count = write_csv(conversations, _write, neutralized=harmless, rows=rows, changed=changed)
            else:
                count = export_csv(
                    conversations, path, overwrite=overwrite, neutralized=harmless, rows=rows, changed=changed
                )
        elif where == "-":
            count = write_jsonl(conversations, _write)
        else:
            count = export_jsonl(conversations, path, overwrite=overwrite)
    where = "standard output" if where == "-" else where
    if as_json and where != "standard output":
        write_json(msgspec.json.encode({"conversations": count, "to": where, "changed": +changed}))
    else:
        click.echo(f"{count:,} conversation{'s' * (count != 1)} written to {escaped(where)}", err=True)
    for kind, number in (+changed).items():
        click.echo(f"{_CHANGED[kind]}: {number:,}", err=True)


_CHANGED = {
    "formula": "cells with an apostrophe before what a spreadsheet takes for a formula",
    "number": "cells with an apostrophe before digits that a spreadsheet would change",
    "cut": "cells cut to the 32,767 characters that a spreadsheet holds (--formulas leaves all as it is)",
    "repeated": "cells beside turns cut to 1,000 characters (--rows conversations keeps more)",
    "beyond": "lines at the end that no spreadsheet shows (narrow the span with --since and --until)",
}


def _destination(to: str) -> tuple[str, Path]:
    form, name = parted(to, _FORMS)
    path = Path(name)
    if form is None:
        form = Path(to.removesuffix(".gz")).suffix[1:].lower()
    if form == "parquet" and name != "-":
        return form, path
    if form == "parquet" or form not in _FORMS or not name:
        raise click.BadParameter(
            f"{to!a} has no known format: write NAME.jsonl, NAME.jsonl.gz, NAME.csv or NAME.parquet, or put jsonl:,"
            " csv: or parquet: before another path; jsonl:- and csv:- are standard output"
        )
    return form, path


def _check_place(form: str, path: Path, store: Path) -> None:
    if form != "parquet" and path.is_dir():
        raise click.BadParameter(f"{str(path)!a} is a folder: name a file in it")
    if form == "parquet" and path.is_file():
        raise click.BadParameter(f"{str(path)!a} is a file, but Parquet is a folder of two tables: give another name")
    if path.exists() and store.exists() and path.samefile(store):
        raise click.BadParameter(f"{str(path)!a} is the store itself: give another file")


def _write(data: bytes) -> None:
    # A pipe gets it byte for byte; vendors' text must not steer a terminal.
    click.echo(escaped_lines(data.decode()) if sys.stdout.isatty() else data, nl=False)
