"""What is mistyped on the command line: refused with a sentence that says what to write, and no file is made."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from conversations_hub._cli import cli
from conversations_hub._cli.parameters import store_url
from conversations_hub.errors import StoreError
from conversations_hub.stores._url import StoreURL
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.entries import said
from ..support.sqlite import kept_in

ENVIRON = {"TAVUS_API_KEY": "invented", "VAPI_API_KEY": "", "COLUMNS": "200"}


@pytest.fixture
async def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with a store, and with what is none."""
    await kept_in(
        tmp_path / "conversations.db",
        said("An order.", id="c1"),
        msgspec.structs.replace(said("A refund.", id="c2"), account="eu"),
    )
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.db").write_text("no store")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.commit()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=ENVIRON)


def files(folder: Path) -> dict[str, bytes]:
    found: Iterator[Path] = folder.rglob("*")
    return {str(path): path.read_bytes() for path in found if path.is_file() and path.suffix != ".lock"}


def refused(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a command that changes nothing; return its exit code and its sentence."""
    before = files(folder)
    result = run(*arguments)
    assert files(folder) == before
    assert result.stdout == ""
    [said] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "internal error" not in said
    return result.exit_code, said


PLACES = [
    (
        "parqet:x",
        "unknown kind 'parqet' in 'parqet:x': use sqlite:, jsonl: or parquet:, or write ./parqet:x",
    ),
    ("csv:foo", "write ./csv:foo for a file of that name"),
    ("https://a.example/c", "'https' in"),
    (":x", "unknown kind"),
    ("x.jsonl", "write jsonl:x.jsonl"),
    ("x.JSONL", "write jsonl:x.JSONL"),
    ("x.jsonl.gz", "write jsonl:x.jsonl.gz"),
    ("x.ndjson", "write jsonl:x.ndjson"),
    ("x.parquet", "write parquet:x,"),
    ("x.csv", "write CSV or JSON with `conversations-hub export`"),
    ("folder", "'folder' is a folder: name a file in it, such as folder/conversations.db"),
    (".", "is a folder: name a file in it, such as conversations.db, or parquet:."),
    ("jsonl:folder", "as folder/conversations.jsonl"),
    ("parquet:text.db", "is a file, but a Parquet store is a folder"),
    ("jsonl:", "names no file"),
    ("", "names no file"),
]


@pytest.mark.parametrize("command", [("sync", "tavus"), ("plan", "tavus"), ("status",), ("list",), ("search", "order")])
@pytest.mark.parametrize(("text", "told"), PLACES)
def test_a_place_that_names_no_store_is_wrong_usage(
    command: tuple[str, ...], text: str, told: str, folder: Path
) -> None:
    code, sentence = refused(folder, *command, "--store", text)
    assert code == 2
    assert told in sentence


@pytest.mark.parametrize(
    ("text", "kind", "path", "shown"),
    [
        ("c.db", "sqlite", "c.db", "c.db"),
        ("./a:b", "sqlite", "a:b", "a:b"),
        ("/x/a:b.jsonl", None, "", ""),
        ("/x/a:b", "sqlite", "/x/a:b", "/x/a:b"),
        ("sqlite:x.jsonl", "sqlite", "x.jsonl", "x.jsonl"),
        ("jsonl:x.db", "jsonl", "x.db", "jsonl:x.db"),
        ("parquet:x.parquet", "parquet", "x.parquet", "parquet:x.parquet"),
        ("jsonl:a:b", "jsonl", "a:b", "jsonl:a:b"),
    ],
)
def test_a_place_is_read_as_it_is_written(text: str, kind: str | None, path: str, shown: str) -> None:
    if kind is None:
        with pytest.raises(click.BadParameter):
            store_url(text)
    else:
        assert store_url(text) == StoreURL(kind, Path(path))
        assert str(store_url(text)) == shown


NOBODY = "conversations.db has no conversations of {}: it has acme/default, acme/eu"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("search", "order", "--provider", "nobody"), NOBODY.format("nobody")),
        (("search", "order", "--provider", "acme/us"), NOBODY.format("acme/us")),
        (("search", "order", "--provider", "acm"), NOBODY.format("acm")),
        (("search", "order", "--provider", "acme:c1"), "does not name a provider"),
        (("search", "order", "--limit", "-1"), "--limit"),
        (("search", "order", "--since", "1d", "--until", "2d"), "is after until"),
        (("search", ' "" *'), "no words to search for"),
        (("list", "--store", "conversations.db", "nobody"), NOBODY.format("nobody")),
        (("list", "--store", "conversations.db", "acme:c1"), "does not name a provider"),
        (("list", "--store", "conversations.db", "--status", "weird"), "choose from queued, ringing"),
        (("list", "--store", "conversations.db", "--since", "1d", "--until", "2d"), "is after until"),
        (("get", "--store", "conversations.db", "nobody:c1"), NOBODY.format("nobody")),
        (("get", "--store", "conversations.db", "acme"), "is not a ref"),
        (("export", "f.csv", "nobody"), NOBODY.format("nobody")),
        (("export", "f.csv", "acme/default", "nobody"), NOBODY.format("nobody")),
        (("export", "f.csv", "acme:c1"), "does not name a provider"),
        (("export", "f.csv", "--since", "1d", "--until", "2d"), "is after until"),
        (("export", "folder"), "has no known format"),
        (("export", "jsonl:folder"), "'folder' is a folder"),
        (("export", "csv:folder", "--overwrite"), "'folder' is a folder"),
        (("export", "parquet:text.db"), "is a file, but Parquet is a folder"),
        (("export", "xslx:f.csv"), "unknown kind 'xslx' in 'xslx:f.csv'"),
        (("export", "jsonl:conversations.db", "--overwrite"), "is the store itself"),
        (("export", "f.jsonl", "--rows", "conversations"), "--rows and --formulas are for CSV"),
        (("export", "f.csv", "--option", "rows=turns"), "--option is for other formats"),
        (("export", "vtt:f.vtt", "--option", "word=1"), "vtt has no option 'word': it has policy, roles, words"),
        (("export", "vtt:f.vtt", "--option", "words=no"), "an option of vtt does not fit"),
        (("export", "vtt:f.vtt", "--option", "words"), "'words' is not NAME=VALUE"),
        (("export", "vtt:text.db"), "is a file, but vtt has a file for each conversation"),
        (("export", "f.vcon.gz"), "is a file, but vcon has a file for each conversation"),
        (("export", "md:-"), "name a folder, or use `get REF --format md`"),
        (("export", "f.openai"), "has no known format"),
        (("get", "--store", "conversations.db", "acme:c1", "--format", "md", "--json"), "exclude each other"),
        (("get", "--store", "conversations.db", "acme:c1", "--option", "a=1"), "--option only works with --format"),
        (
            ("get", "--store", "conversations.db", "acme:c1", "--format", "md", "--option", "a=1"),
            "md has no option 'a'",
        ),
        (("sync", "tavus/nobody"), "no account 'nobody': this hub has tavus/default"),
        (("sync", "tavus:c1"), "does not name a provider"),
        (("sync", "tavus", "--since", "1d", "--until", "2d"), "is after until"),
        (("sync", "tavus", "--recordings", "text.db"), "text.db"),
        (("sync", "tavus", "--config", "folder"), "folder cannot be read"),
        (("plan", "tavus/nobody"), "no account 'nobody': this hub has tavus/default"),
        (("plan", "nobody"), "unknown provider 'nobody'"),
        (("plan", "tavus", "--since", "1d", "--until", "2d"), "is after until"),
        (("doctor", "tavus/eu"), "no account 'eu': this hub has tavus/default"),
        (("doctor", "tavus:c1"), "does not name a provider"),
        (("doctor", "nobody"), "unknown provider 'nobody'"),
        (("doctor", "vapi"), "set VAPI_API_KEY"),
        (("list", "tavus/nobody"), "no account 'nobody': this hub has tavus/default"),
        (("simulate", "--latency", "nan"), "--latency"),
        (("simulate", "--requests-per-second", "nan"), "--requests-per-second"),
    ],
)
def test_what_is_mistyped_is_wrong_usage(arguments: tuple[str, ...], told: str, folder: Path) -> None:
    code, sentence = refused(folder, *arguments)
    assert code == 2
    assert told in sentence


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("search", "order", "--store", "text.db"), "text.db: file is not a database"),
        (("status", "--store", "other.db"), "other.db is a SQLite file but not a conversations-hub store"),
        (("list", "--store", "missing.db"), "missing.db: no such file"),
        (("status", "--store", "jsonl:missing.jsonl"), "neither missing.jsonl.journal nor"),
        (("export", "f.csv", "--store", "text.db"), "text.db: file is not a database"),
        (("export", "nowhere/f.csv"), "there is no folder nowhere"),
        (("get", "--store", "conversations.db", "acme:c9"), "no such conversation in the store"),
        (
            ("get", "--store", "conversations.db", "acme/default:c1", "--raw"),
            "sent: `sync --raw` stores it",
        ),
        (("sync", "tavus", "--store", "text.db"), "text.db: file is not a database"),
    ],
)
def test_what_is_not_there_or_no_store_is_a_failure(arguments: tuple[str, ...], told: str, folder: Path) -> None:
    code, sentence = refused(folder, *arguments)
    assert code == 1
    assert told in sentence


def test_a_limit_larger_than_any_store_is_no_limit(folder: Path) -> None:
    assert len(run("list", "--store", "conversations.db", "--limit", "9" * 30, "--json").stdout.splitlines()) == 2
    assert run("search", "order", "--limit", "9" * 30).exit_code == 0


def test_a_name_that_cannot_be_one_is_a_sentence(folder: Path) -> None:
    code, sentence = refused(folder, "status", "--store", "x" * 300)
    assert code == 1
    assert "File name too long" in sentence


def test_a_folder_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=re.escape(str(tmp_path))):
        SQLiteReader(tmp_path)
