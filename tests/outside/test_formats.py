"""What is written in a format of others passes their own schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from conversations_hub import formats
from conversations_hub.errors import FormatError

from ..support.recorded import everything
from .documents import FOLDER

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no specifications in {FOLDER}"),
]


def written(name: str, **options: Any) -> Iterator[Any]:
    """Yield all recorded conversations that a format can hold, decoded."""
    for one in everything():
        try:
            yield msgspec.json.decode(formats.dump(one, name, **options))
        except FormatError:
            continue


def errors(schema: str, documents: list[Any]) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")
    document = msgspec.json.decode((FOLDER / schema).read_bytes())
    kind = jsonschema.validators.validator_for(document)
    judge = kind(document, format_checker=kind.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for one in documents for error in judge.iter_errors(one)]


@pytest.mark.parametrize("raw", [False, True])
def test_every_vcon_passes_the_schema_of_the_drafts(raw: bool) -> None:  # noqa: FBT001
    documents = [*written("vcon", raw=raw)]
    assert len(documents) == len(everything())
    assert errors("vcon.schema.json", documents) == []


def test_the_example_of_a_vcon_is_read() -> None:
    found = formats.load((FOLDER / "vcon.example.agent-call.json").read_bytes(), "vcon")
    assert [turn.role for turn in found.transcript or ()] == ["assistant", "user", "assistant"]
    assert next(turn.text for turn in found.transcript or ()) == "Hi, how can I help?"
    assert found.summary == "Caller moved the visit to Friday 10:00."


@pytest.mark.parametrize("options", [{}, {"merge": False}, {"strict_alternation": "fold"}])
def test_every_chat_passes_the_schema_of_fine_tuning_and_calls_are_answered_at_once(options: dict[str, Any]) -> None:
    lines = [*written("openai", **options)]
    assert lines
    assert errors("openai.chat-jsonl.schema.json", lines) == []
    for line in lines:
        open_calls: list[str] = []
        for message in line["messages"]:
            if message["role"] == "tool":
                open_calls.remove(message["tool_call_id"])
            else:
                assert not open_calls
                open_calls = [call["id"] for call in message.get("tool_calls", ())]
        assert not open_calls


@pytest.mark.parametrize(
    ("member", "schema"),
    [
        ("gen_ai.input.messages", "otel.gen-ai-input-messages.schema.json"),
        ("gen_ai.output.messages", "otel.gen-ai-output-messages.schema.json"),
        ("gen_ai.system_instructions", "otel.gen-ai-system-instructions.schema.json"),
    ],
)
def test_all_messages_pass_the_schemas_of_opentelemetry(member: str, schema: str) -> None:
    found = [line[member] for line in written("otel", internal=True) if member in line]
    assert found
    assert errors(schema, found) == []
