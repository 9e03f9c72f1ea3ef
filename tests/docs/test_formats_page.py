"""What docs/guides/formats.md shows is what is written, and it tells every format and every option."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from conversations_hub import formats
from conversations_hub.schema import (
    Agent,
    Conversation,
    Participant,
    ParticipantKind,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)

from ..support.paths import DOCS

PATH = DOCS / "guides" / "formats.md"
PAGE = PATH.read_text()
START = datetime(2026, 6, 1, 11, 30, tzinfo=UTC)
CALL = Conversation(
    provider="vapi",
    id="call_1",
    status=Status.ENDED,
    agent=Agent(name="Ava"),
    participants=(Participant(kind=ParticipantKind.AI_AGENT, name="Ava"), Participant(kind=ParticipantKind.CUSTOMER)),
    started_at=START,
    duration=9.5,
    summary="The visit is moved.",
    transcript_state=TranscriptState.AVAILABLE,
    transcript=(
        TranscriptTurn(index=0, role=Role.USER, text="Friday, please.", start=0.4, duration=1.6, participant=1),
        TranscriptTurn(
            index=1,
            role=Role.ASSISTANT,
            start=2.5,
            tool_calls=(ToolCall(id="t1", name="move", arguments='{"to":"Fri"}'),),
        ),
        TranscriptTurn(index=2, role=Role.TOOL, start=3.0, tool_result=ToolResult(call_id="t1", content="ok")),
        TranscriptTurn(index=3, role=Role.ASSISTANT, text="Done: <Friday>.", start=3.5, duration=2, participant=0),
    ),
)
EXAMPLES = re.findall(r"```(vcon|openai|sharegpt|otel|vtt|srt|md)\n(.*?)```", PAGE, re.DOTALL)


def shown(name: str) -> str:
    """Return a dump as the page shows it: JSON is laid out."""
    data = formats.dump(CALL, name)
    if not data.startswith(b"{"):
        return data.decode()
    document = msgspec.json.decode(data)
    if name == "vcon":  # the analyses are long
        document["analysis"] = document["analysis"][:1]
    return _laid_out(msgspec.json.encode(document))


def _laid_out(data: bytes) -> str:
    """Return JSON with a line for each member of the document, and for each item of its lists."""
    members: list[str] = []
    for name, value in msgspec.json.decode(data, type=dict[str, msgspec.Raw]).items():
        text = bytes(value).decode()
        if text.startswith("[{"):
            items = ",\n    ".join(bytes(item).decode() for item in msgspec.json.decode(value, type=list[msgspec.Raw]))
            text = f"[\n    {items}\n  ]"
        members.append(f'  "{name}": {text}')
    return "{\n" + ",\n".join(members) + "\n}\n"


def test_every_format_has_its_example_but_those_that_are_shown_elsewhere() -> None:
    assert {name for name, _ in EXAMPLES} == {*formats.NAMES} - {"jsonl", "csv", "otlp", "text"}


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_is_what_is_written(name: str, example: str) -> None:
    assert example == shown(name)


@pytest.mark.parametrize("name", formats.NAMES)
def test_every_format_and_option_is_in_the_table(name: str) -> None:
    [row] = [line for line in PAGE.splitlines() if re.match(rf"\|[^|]*`{name}`", line)]
    cells = row.split("|")
    assert ("✓" in cells[3]) == (formats.find(name).load is not None)
    for option in formats.find(name).options.__struct_fields__:
        assert f"`{option}`" in cells[4]


def test_the_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [example] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    example = example.replace('open("training.jsonl", "rb")', 'Path("training.jsonl").read_bytes()')
    told: list[tuple[object, ...]] = []

    def tell(*words: object) -> None:
        told.append(words)

    names: dict[str, object] = {"conversation": CALL, "conversations": [CALL], "Path": Path, "print": tell}
    exec(compile(ast.parse(example), "formats.md", "exec"), names)  # noqa: S102  (our own page)
    assert [words[0] for words in told] == [1, "line 1"]
