"""The command line's formats: written to files, to folders and to standard output, and what is missing is told."""

from __future__ import annotations

import gzip
import json
import stat
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from conversations_hub import formats
from conversations_hub._cli import _FORMATS, cli
from conversations_hub.schema import Conversation, Role, TranscriptTurn

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
    assert formats.NAMES == _FORMATS


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
