"""`export`: write conversations of a store to a file, to a folder, or to standard output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from ..formats import NAMES, Dumped, dump_all, find
from ..formats._csv import Rows, write_csv
from ..formats._export import export_csv, export_documents, export_lines
from ..schema import Conversation
from ..stores._url import StoreURL, parted
from ..stores.parquet import export_parquet
from .parameters import named_values
from .stored import opened
from .terminal import escaped, write_json, write_plain

__all__ = ["run"]

_FORMS = (*NAMES, "parquet")
_ENDINGS = {"jsonl", "csv", "parquet", "vcon", "vtt", "srt", "md", "txt"}


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
    options: Sequence[str],
    as_json: bool,
) -> bool:
    """Write conversations, newest first, and report on standard error how many, where, and what is missing.

    `to` is a path whose ending sets the format, or FORMAT:PATH; `FORMAT:-` is standard output. NAME.parquet is a folder
    with a table of the conversations and one of the turns, and formats whose documents are files of their own make a
    folder as well. With `formulas`, the texts of a CSV stay unchanged; `rows` is what each of its lines stands for;
    `options` are those of the format. Returns whether every conversation was written.
    """
    form, path = _destination(to)
    _check_place(form, path, store.path)
    if form != "csv" and (formulas or rows):
        raise click.UsageError("--rows and --formulas are for CSV")
    if form in {"csv", "parquet"} and options:
        raise click.UsageError("--option is for other formats: CSV has --rows and --formulas, and Parquet has none")
    changed: Counter[str] = Counter()
    with opened(store, targets) as reader:
        conversations = reader.conversations(*targets, since=since, until=until)
        if form == "parquet":
            dumped = Dumped(written=export_parquet(conversations, path, overwrite=overwrite))
        elif form == "csv":
            how: dict[str, Any] = {"neutralized": not formulas, "rows": rows or "turns", "changed": changed}
            if str(path) == "-":
                dumped = Dumped(written=write_csv(conversations, write_plain, **how))
            else:
                dumped = Dumped(written=export_csv(conversations, path, overwrite=overwrite, **how))
        else:
            dumped = _as_format(conversations, path, form, overwrite, named_values(options))
    where = "standard output" if str(path) == "-" else str(path)
    if form == "parquet":
        where = f"{path / 'conversations.parquet'} and {path / 'turns.parquet'}"
    _report(dumped, where, changed, as_json=as_json and where != "standard output")
    return not dumped.skipped


def _as_format(
    conversations: Iterable[Conversation],
    path: Path,
    form: str,
    overwrite: bool,  # noqa: FBT001
    options: dict[str, Any],
) -> Dumped:
    is_document = find(form).framing == "document"
    if str(path) == "-":
        return dump_all(_only(conversations, form) if is_document else conversations, form, write_plain, **options)
    export = export_documents if is_document else export_lines
    return export(conversations, path, form, overwrite=overwrite, **options)


def _only(conversations: Iterable[Conversation], form: str) -> Iterator[Conversation]:
    """Yield the only conversation: several documents on standard output could not be told apart."""
    found = iter(conversations)
    first = next(found, None)
    if next(found, None) is not None:
        raise click.UsageError(
            f"{form} has a file for each conversation: name a folder, or use `get REF --format {form}`"
        )
    if first is not None:
        yield first


def _report(dumped: Dumped, where: str, changed: Counter[str], *, as_json: bool) -> None:
    count, skipped, lost = dumped.written, dumped.skipped, dumped.lost
    if as_json:
        told = {"conversations": count, "to": where, "changed": +changed, "skipped": skipped, "lost": +lost}
        write_json(msgspec.json.encode(told))
    else:
        click.echo(f"{count:,} conversation{'s' * (count != 1)} written to {escaped(where)}", err=True)
    for kind, number in (+changed).items():
        click.echo(f"{_CHANGED[kind]}: {number:,}", err=True)
    for reason, number in skipped.items():
        click.echo(f"{number:,} left out: {escaped(reason)}", err=True)
    if +lost and not as_json:
        each = ", ".join(f"{number:,} {kind}" for kind, number in (+lost).most_common())
        click.echo(f"not in this format: {escaped(each)}", err=True)


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
        ending = Path(to.removesuffix(".gz")).suffix[1:].lower()
        form = {"txt": "text"}.get(ending, ending) if ending in _ENDINGS else None
    if form is None or not name or (form == "parquet" and name == "-"):
        raise click.BadParameter(
            f"{to!a} has no known format: write NAME.jsonl, NAME.jsonl.gz, NAME.csv, NAME.parquet, NAME.vcon, NAME.vtt,"
            f" NAME.srt, NAME.md or NAME.txt, or put one of {', '.join(_FORMS)} and a colon before another path;"
            " jsonl:- and the like are standard output"
        )
    return form, path


def _check_place(form: str, path: Path, store: Path | None) -> None:
    is_folder = form == "parquet" or find(form).framing == "document"
    if not is_folder and path.is_dir():
        raise click.BadParameter(f"{str(path)!a} is a folder: name a file in it")
    if form == "parquet" and path.is_file():
        raise click.BadParameter(f"{str(path)!a} is a file, but Parquet is a folder of two tables: give another name")
    if is_folder and (path.is_file() or path.suffix == ".gz"):
        raise click.BadParameter(f"{str(path)!a} is a file, but {form} has a file for each conversation: name a folder")
    if store is not None and path.exists() and store.exists() and path.samefile(store):
        raise click.BadParameter(f"{str(path)!a} is the store itself: give another file")
