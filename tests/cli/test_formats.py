"""The command line's formats: written to files, to folders and to standard output, and what is missing is told."""

from __future__ import annotations

import gzip
import json
import os
import re
import stat
import tracemalloc
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from conversations_hub import formats
from conversations_hub._cli import cli
from conversations_hub.schema import Conversation, Role, TranscriptTurn

from ..support import exchanges
from ..support.clock import NOW
from ..support.entries import said
from ..support.sqlite import kept_in

TURNS = (
    TranscriptTurn(index=0, role=Role.USER, text="Hello?\x1b[2J", start=0.5),
    TranscriptTurn(index=1, role=Role.ASSISTANT, text="Yes?", start=1.5),
)
SPOKEN = said(id="c:1", transcript=TURNS, started_at=NOW, title="A call")
SILENT = said("Is anybody there?", id="c2", created_at=NOW - timedelta(days=1))


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    await kept_in(tmp_path / "c.db", SPOKEN, SILENT)
    return tmp_path / "c.db"


def run(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--store", str(store)])


def test_the_choices_are_all_formats() -> None:
    for command in ("get", "import"):
        [kind] = [option.type for option in cli.commands[command].params if option.name == "format"]
        assert isinstance(kind, click.Choice)
        assert tuple(kind.choices) == formats.NAMES


@pytest.mark.parametrize("name", formats.NAMES)
def test_one_conversation_is_written_in_every_format(name: str, store: Path) -> None:
    got = run(store, "get", f"acme:{SPOKEN.id}", "--format", name)
    assert got.exit_code == 0, got.output
    assert got.stdout_bytes == formats.dump(SPOKEN, name)


def test_options_of_a_format_are_given_by_name(store: Path) -> None:
    got = run(store, "get", "acme:c2", "--format", "vtt", "--option", "policy=speech_rate")
    assert got.stdout.startswith("WEBVTT\n\nNOTE times are estimated\n")
    refused = run(store, "get", "acme:c2", "--format", "vtt")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "a turn has no time" in refused.stderr


@pytest.mark.parametrize("name", ["l.jsonl", "l.jsonl.gz"])
def test_lines_make_one_file_and_what_is_left_out_is_told(name: str, store: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    done = run(store, "export", f"openai:{path}")
    assert done.exit_code == 1
    first, second, third = done.stderr.splitlines()
    assert first == f"1 conversation written to {path}"
    assert second == "1 left out: there is no message of the user before an answer"
    assert third.startswith("not in this format: 2 transcript.start, 1 ")
    data = path.read_bytes()
    assert (gzip.decompress(data) if name.endswith("gz") else data) == formats.dump(SPOKEN, "openai")
    told = run(store, "export", f"openai:{path}", "--overwrite", "--json")
    assert json.loads(told.stdout) == {
        "conversations": 1,
        "to": str(path),
        "changed": {},
        "skipped": {"there is no message of the user before an answer": 1},
        "lost": {
            **dict.fromkeys(("provider", "id", "status", "title", "created_at", "started_at"), 1),
            "transcript_state": 1,
            "transcript.start": 2,
        },
    }


@pytest.mark.parametrize("ending", ["vcon", "md", "txt"])
def test_documents_make_a_folder_with_a_file_each(ending: str, store: Path, tmp_path: Path) -> None:
    folder = tmp_path / f"out.{ending}"
    name = {"txt": "text"}.get(ending, ending)
    done = run(store, "export", str(folder))
    assert done.exit_code == 0, done.output
    assert f"2 conversations written to {folder}" in done.stderr
    files = sorted(folder.iterdir(), key=lambda path: path.name[17:])
    assert [path.name[16:] for path in files] == [f"-c-1.{ending}", f"-c2.{ending}"]
    assert [path.read_bytes() for path in files] == [formats.dump(one, name) for one in (SPOKEN, SILENT)]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    again = run(store, "export", str(folder))
    assert again.exit_code == 1
    assert "already has files" in again.stderr
    assert "--overwrite" in again.stderr
    assert run(store, "export", str(folder), "--overwrite").exit_code == 0
    assert sorted(folder.iterdir(), key=lambda path: path.name[17:]) == files


def test_standard_output_gets_lines_or_the_only_document(store: Path) -> None:
    lines = run(store, "export", "otel:-")
    assert lines.stdout_bytes == b"".join(formats.dump(one, "otel") for one in (SPOKEN, SILENT))
    only = run(store, "export", "vcon:-", "--since", NOW.isoformat())
    assert only.stdout_bytes == formats.dump(SPOKEN, "vcon")
    assert msgspec.json.decode(run(store, "export", "jsonl:-").stdout.splitlines()[0], type=Conversation) == SPOKEN


def test_a_folder_that_cannot_be_made_is_told(store: Path, tmp_path: Path) -> None:
    failed = run(store, "export", str(tmp_path / "nowhere" / "x.md"))
    assert (failed.exit_code, "there is no folder" in failed.stderr) == (1, True)
    (tmp_path / "link.md").symlink_to(tmp_path)
    failed = run(store, "export", str(tmp_path / "link.md"))
    assert (failed.exit_code, "is not a folder" in failed.stderr) == (1, True)


# back into a store


def imported(into: Path, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = run(into, "import", *map(str, arguments), "--json")
    assert done.stdout, done.output
    told = json.loads(done.stdout)
    assert told.pop("more_refused") == 0
    return done.exit_code, told


def stored(into: Path) -> list[Conversation]:
    lines = run(into, "list", "--json", "--transcripts").stdout.splitlines()
    return [msgspec.json.decode(line, type=Conversation) for line in lines]


@pytest.mark.parametrize("form", ["jsonl", "vcon"])
def test_what_was_exported_is_imported_once_and_never_in_place_of_what_was_fetched(
    form: str, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / ("out.vcon" if form == "vcon" else "out.jsonl.gz")
    assert run(store, "export", f"{form}:{path}").exit_code == 0
    files = sorted(path.iterdir()) if form == "vcon" else [path]
    into = tmp_path / "new.db"
    assert imported(into, *files) == (0, {"new": 2, "updated": 0, "unchanged": 0, "refused": []})
    assert imported(into, *files) == (0, {"new": 0, "updated": 0, "unchanged": 2, "refused": []})
    assert imported(into, *files, "--account", "old")[1]["new"] == 2
    named = [msgspec.structs.replace(one, account=account) for one in (SPOKEN, SILENT) for account in ("import", "old")]
    assert sorted(stored(into), key=lambda one: one.ref) == sorted(named, key=lambda one: one.ref)


def test_bad_records_are_set_apart_with_their_places(tmp_path: Path) -> None:
    path, into = tmp_path / "x.jsonl", tmp_path / "new.db"
    far = msgspec.structs.replace(SILENT, created_at=datetime(1900, 1, 1, tzinfo=UTC))
    bad = [msgspec.structs.replace(SILENT, provider="No Body"), far]
    path.write_bytes(b"".join(formats.dump(one, "jsonl") for one in (SPOKEN, *bad)) + b"nonsense\n")
    code, told = imported(into, path)
    assert (code, told["new"]) == (1, 1)
    assert [(one["place"], one["reason"]) for one in told["refused"]] == [
        ("line 2", "its provider or its id cannot be part of a ref"),
        ("line 3", "an instant is not from 1970 to 8999"),
        ("line 4", "it is not JSON"),
    ]
    shown = run(into, "import", str(path))
    assert shown.exit_code == 1
    assert f"{path}, line 4: it is not JSON" in shown.stderr
    assert shown.stdout == f"0 new, 0 updated, 1 unchanged in {into}; 3 refused\n"


def test_what_a_provider_sent_is_imported(tmp_path: Path) -> None:
    [case] = [case for case in exchanges.cases("retell").values() if case.name == "list"]
    path, into = tmp_path / "calls.json", tmp_path / "new.db"
    path.write_bytes(case.answers[0].body)
    code, told = imported(into, path, "--provider", "retell")
    assert code == 0
    assert told["new"] == len(stored(into)) > 0
    assert {(one.provider, one.account, one.raw) for one in stored(into)} == {("retell", "import", None)}


def test_raw_is_kept_on_request_and_without_secrets(tmp_path: Path) -> None:
    call = {"call_id": "call_9", "call_status": "ended", "access_token": "planted", "metadata": {"credential": "too"}}
    sent, line, subtitles = (tmp_path / name for name in ("call.json", "line.jsonl", "a.srt"))
    sent.write_text(json.dumps(call))
    [one] = formats.payload(sent.read_bytes(), "retell")
    assert one.conversation is not None
    tampered = msgspec.structs.replace(one.conversation, id="call_10", raw=b'{"access_token":"planted"}')
    line.write_bytes(formats.dump(tampered, "jsonl"))
    subtitles.write_text("1\n00:00:01,000 --> 00:00:02,000\nUser: Hello\n")
    into = tmp_path / "raw.db"
    assert imported(into, subtitles, "--raw")[1]["new"] == 1
    assert imported(into, sent, "--provider", "retell", "--raw")[1]["new"] == 1
    assert imported(into, line, subtitles, "--raw") == (0, {"new": 1, "updated": 0, "unchanged": 1, "refused": []})
    told = {id: json.loads(run(into, "get", f"retell/import:{id}", "--raw").stdout) for id in ("call_9", "call_10")}
    assert told["call_9"] == call | {"access_token": "***", "metadata": {"credential": "***"}}
    assert told["call_10"] == {"access_token": "***"}
    other = run(into, "import", str(line))
    assert (other.exit_code, "raw payloads: kept" in other.stderr) == (1, True)
    assert imported(tmp_path / "none.db", line)[1]["new"] == 1
    assert run(tmp_path / "none.db", "get", "retell/import:call_10", "--raw").exit_code == 1


def test_what_is_imported_is_redacted_first(tmp_path: Path) -> None:
    path, into = tmp_path / "x.srt", tmp_path / "new.db"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nUser: I am ada@example.com\n")
    assert imported(into, path, "--redact")[1]["new"] == 1
    assert "ada@example.com" not in str(stored(into)[0])


@pytest.mark.parametrize(
    ("file", "arguments", "code", "told"),
    [
        (("x.json", b"{}"), (), 1, "x.json, line 1: it tells no format: give --format, or --provider"),
        (("x.json", b"{}"), ("--format", "md"), 2, "md is only written, not read"),
        (("x.json", b"{}"), ("--format", "md", "--provider", "vapi"), 2, "exclude each other"),
        (("x.json", b"{}"), ("--option", "a=1"), 2, "--option only works with --format"),
        (("x.json", b"{}"), ("--provider", "nobody"), 2, "unknown provider"),
        (("x.vcon.gz", b"\x1f\x8b nonsense"), (), 1, "x.vcon.gz, line 1: it is no complete gzip file"),
        (("x.vcon", None), (), 1, "x.vcon: No such file"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(
    file: tuple[str, bytes | None], arguments: tuple[str, ...], code: int, told: str, tmp_path: Path
) -> None:
    name, content = file
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = run(tmp_path / "new.db", "import", str(path), *arguments)
    assert (done.exit_code, told in done.stderr) == (code, True), done.output
    assert "Traceback" not in done.output


def test_a_record_without_end_is_refused_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("conversations_hub.formats._records", "conversations_hub._cli.import"):
        monkeypatch.setattr(import_module(module), "LARGEST", 4096)
    monkeypatch.setattr(import_module("conversations_hub._cli.import"), "_MOST_UNPACKED", 2000)
    path, into = tmp_path / "x.jsonl.gz", tmp_path / "new.db"
    good = formats.dump(SPOKEN, "jsonl")
    path.write_bytes(gzip.compress(good + b"x" * 10_000_000 + b"\n" + good))
    tracemalloc.start()
    try:
        code, told = imported(into, path, "--format", "jsonl")
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()
    assert (code, told["new"]) == (1, 1)
    assert [(one["place"], one["reason"]) for one in told["refused"]] == [("line 2", "it is larger than 64 MiB")]
    path.write_bytes(gzip.compress(b"{\n" * 10_000_000))
    [one] = imported(into, path, "--format", "vcon")[1]["refused"]
    assert one == {"file": str(path), "place": "document 1", "reason": "it is larger than 64 MiB"}


@pytest.mark.parametrize("endless", [b"x" * 4_000_000, b"\n" * 2_000_000])
def test_a_file_that_unpacks_without_end_is_left_at_once(
    endless: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("conversations_hub.formats._records", "conversations_hub._cli.import"):
        monkeypatch.setattr(import_module(module), "LARGEST", 4096)
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(formats.dump(SPOKEN, "jsonl") + b"\n" + endless))
    code, told = imported(tmp_path / "new.db", path, "--format", "jsonl")
    assert (code, told["new"]) == (1, 1)
    assert told["refused"][-1]["reason"] == "it unpacks to more than 256 times its size"


def test_what_is_wrong_with_a_file_is_told_with_its_place_and_the_others_are_imported(tmp_path: Path) -> None:
    into, loop = tmp_path / "new.db", tmp_path / "folder" / "loop"
    loop.parent.mkdir()
    loop.symlink_to(loop.parent)
    os.mkfifo(tmp_path / "pipe.jsonl")
    some = [said("Hello.", id=f"c{number}") for number in range(5)]
    lines = [formats.dump(one, "jsonl") for one in some]
    packed = gzip.compress(b"".join(lines[:3]) * 50)
    files = {
        "cut.jsonl.gz": packed[:-40],
        "wrong sum.jsonl.gz": packed[:-8] + b"12345678",
        "more.jsonl.gz": gzip.compress(lines[3]) + b"junk",
        "a\x1b[2J\n-\u202e.jsonl": lines[4].replace(b"\n", b"\r\n"),
        "wide.jsonl": lines[0].decode().encode("utf-16"),
        "wide.vcon": b"\xfe\xff" + formats.dump(some[0], "vcon"),
        "zero.jsonl": lines[0] + lines[1][:40] + b"\0" + lines[1][40:] + lines[2],
        "nothing.srt": b"",
        "twice.jsonl": b"\xef\xbb\xbf" + lines[2].replace(b"{", b'{"id":"c0","id":"c1",', 1),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    asked = [loop.parent, loop, tmp_path / "pipe.jsonl", tmp_path / "gone.srt", *(tmp_path / name for name in files)]
    code, told = imported(into, *asked)
    assert (code, told["new"]) == (1, 5)
    # Which line is the last that can be read of a packed file depends on how much is unpacked at a time.
    places = [re.sub("[0-9]{3}", "…", one["place"]) for one in told["refused"]]
    names = [Path(one["file"]).name for one in told["refused"]]
    assert [*zip(names, places, [one["reason"] for one in told["refused"]], strict=True)] == [
        ("folder", "", "Is a directory"),
        ("loop", "", "Is a directory"),
        ("pipe.jsonl", "", "it is not a regular file"),
        ("gone.srt", "", "No such file or directory"),
        ("cut.jsonl.gz", "line …", "it is no complete gzip file"),
        ("wrong sum.jsonl.gz", "line …", "it is no complete gzip file"),
        ("more.jsonl.gz", "line 2", "it is no complete gzip file"),
        ("wide.jsonl", "line 1", "it is UTF-16: save it as UTF-8"),
        ("wide.vcon", "document 1", "it is UTF-16: save it as UTF-8"),
        ("zero.jsonl", "line 2", "it is not JSON"),
        ("nothing.srt", "document 1", "it has no subtitles"),
    ]
    again = imported(into, *asked)
    assert again == (1, told | {"new": 0, "updated": 0, "unchanged": again[1]["unchanged"]})
    shown = run(into, "import", *map(str, asked))
    assert "\x1b" not in shown.output
    assert f"{loop}: Is a directory\n" in shown.stderr


def test_most_of_very_many_refusals_are_only_counted(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"nonsense\n" * 1500)
    asked = ["import", str(tmp_path / "x.jsonl"), str(tmp_path / "gone.jsonl"), "--format", "jsonl"]
    told = json.loads(run(tmp_path / "new.db", *asked, "--json").stdout)
    assert (len(told["refused"]), told["more_refused"]) == (1001, 500)
    assert told["refused"][-1]["reason"] == "No such file or directory"
    shown = run(tmp_path / "new.db", *asked)
    assert shown.stderr.splitlines()[-1] == "and 500 more"
    assert "1,501 refused" in shown.stdout
