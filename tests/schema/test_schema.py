"""The schema: a conversation survives JSON whole, reads as text, and shows nobody in its repr."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from inspect import isclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import schema
from conversations_hub.schema import (
    Conversation,
    Cost,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
    Word,
)
from conversations_hub.schema._document import document
from conversations_hub.testing.stores._full import FULL, TURN

# what survives


def test_the_example_sets_every_field() -> None:
    whole: list[Any] = [FULL, FULL.agent, FULL.analysis, FULL.cost, *FULL.participants, *FULL.recordings, *FULL.issues]
    whole += [TURN, TURN.tool_result, *TURN.tool_calls, *TURN.words]
    parts = {part for name in schema.__all__ if issubclass(part := getattr(schema, name), msgspec.Struct)}
    assert {type(value) for value in whole} == parts
    for value in whole:
        for field in msgspec.structs.fields(value):
            assert getattr(value, field.name) not in (field.default, {}), f"{type(value).__name__}.{field.name}"


def test_a_conversation_comes_back_from_json_as_it_was() -> None:
    back = msgspec.json.decode(msgspec.json.encode(FULL), type=Conversation)
    assert back == FULL
    assert back.raw == FULL.raw
    assert str(back.cost and back.cost.amount) == "0.10"


def test_the_json_is_plain_json() -> None:
    told: dict[str, Any] = json.loads(msgspec.json.encode(FULL))
    assert told["status"] == "ended"
    assert told["created_at"] == "2026-03-02T09:59:59.123456Z"
    assert told["cost"] == {"amount": "0.10", "unit": "USD"}
    assert told["transcript"][0]["role"] == "assistant"
    assert told["raw"] == "eyJpZCI6ICJjLTEiLCAiY2Fmw6kiOiAxLjEwfQ=="
    assert told["metadata"]["order"] == 18446744073709551617


words = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.floats(allow_nan=False, allow_infinity=False)
instants = st.none() | st.datetimes(timezones=st.just(UTC))
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
turns = st.builds(
    TranscriptTurn,
    index=st.integers(min_value=0),
    role=st.sampled_from(Role),
    text=words,
    start=st.none() | numbers,
    timestamp=st.none() | numbers,
    tool_calls=st.lists(st.builds(ToolCall, arguments=st.none() | words), max_size=2).map(tuple),
    metrics=st.none() | st.dictionaries(words, numbers, max_size=2),
)
conversations = st.builds(
    Conversation,
    provider=words,
    id=words,
    status=st.sampled_from(Status),
    created_at=instants,
    duration=st.none() | numbers,
    transcript=st.none() | st.lists(turns, max_size=3).map(tuple),
    cost=st.none() | st.builds(Cost, amount=st.decimals(allow_nan=False, allow_infinity=False), unit=words),
    metadata=st.dictionaries(words, documents, max_size=3),
    raw=st.none() | st.binary(max_size=20),
)


@given(conversations)
def test_any_conversation_comes_back_from_json_as_it_was(conversation: Conversation) -> None:
    line = msgspec.json.encode(conversation)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=Conversation) == conversation


def test_what_comes_by_the_thousand_is_no_work_for_the_garbage_collector() -> None:
    assert not any(part.__struct_config__.gc for part in (TranscriptTurn, Word, ToolCall, ToolResult))


def test_unknown_members_are_ignored_when_read_back() -> None:
    assert msgspec.json.decode(b'{"provider":"a","id":"1","from_a_later_version":1}', type=Conversation).id == "1"


def test_everything_is_frozen() -> None:
    parts = [part for name in schema.__all__ if issubclass(part := getattr(schema, name), msgspec.Struct)]
    assert all(part.__struct_config__.frozen for part in parts)
    with pytest.raises(AttributeError, match="immutable"):
        FULL.id = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


# how others take it


def test_it_becomes_json_and_plain_values() -> None:
    text = FULL.to_json()
    assert text == document(FULL).decode()
    assert text.startswith('{"ref":"acme/eu:c-1","provider":"acme",')
    assert FULL.to_dict() == json.loads(text)
    assert msgspec.json.decode(text, type=Conversation) == FULL
    assert TURN.to_dict() == json.loads(TURN.to_json()) == FULL.to_dict()["transcript"][0]


@given(conversations)
def test_any_conversation_becomes_the_values_of_its_json(conversation: Conversation) -> None:
    assert conversation.to_dict() == json.loads(conversation.to_json())


class Handler:
    """Stands in for pydantic: what is asked of it, and how it writes what it was told of."""

    def generate_schema(self, type: Any) -> dict[str, Any]:
        return hook(type) if isclass(type) and issubclass(type, msgspec.Struct) else {"type": "any"}


def hook(kind: Any) -> dict[str, Any]:
    schema: dict[str, Any] = kind.__get_pydantic_core_schema__(kind, Handler())
    return schema


def test_pydantic_is_told_how_to_write_a_conversation() -> None:
    writing = hook(Conversation)["serialization"]
    written = writing["function"](FULL)
    assert list(written) == list(writing["return_schema"]["fields"])
    expected = {name: value for name, value in FULL.to_dict().items() if name != "raw"}
    assert json.loads(msgspec.json.encode(written)) == expected


def test_pydantic_is_told_how_to_read_a_conversation() -> None:
    read = hook(Conversation)["function"]["function"]
    without_raw = msgspec.structs.replace(FULL, raw=None)
    assert read(FULL) is FULL
    assert read(without_raw.to_dict()) == without_raw
    assert read(hook(Conversation)["serialization"]["function"](FULL)) == without_raw
    with pytest.raises(ValueError, match=r"Expected `str`, got `int` - at `\$\.id`"):
        read({"provider": "acme", "id": 7})


def test_pydantic_is_told_what_everything_means() -> None:
    parts = [part for name in schema.__all__ if issubclass(part := getattr(schema, name), msgspec.Struct)]
    shapes = {part: hook(part)["json_schema_input_schema"] for part in parts}
    assert len({shape["ref"] for shape in shapes.values()}) == len(parts)
    for part, shape in shapes.items():
        said = shape["metadata"]["pydantic_js_updates"]
        assert said["title"] == part.__name__
        assert said["description"]
        assert "\n" not in said["description"]
        for name, member in shape["fields"].items():
            assert member["metadata"]["pydantic_js_updates"] or name == "ref"
    assert [name for name, member in shapes[Conversation]["fields"].items() if member["required"]] == ["provider", "id"]
    assert shapes[Word]["fields"]["duration"]["metadata"]["pydantic_js_updates"] == {"description": "Seconds."}


def test_without_its_source_a_part_is_described_by_its_types_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_kind: type) -> str:
        raise OSError("could not get source code")

    monkeypatch.setattr("inspect.getsource", missing)
    assert not hook(Word)["json_schema_input_schema"]["fields"]["duration"]["metadata"]["pydantic_js_updates"]


# what is shown


@pytest.mark.parametrize(
    ("conversation", "shown"),
    [
        (FULL, "<Conversation acme/eu:c-1 ended, 1 turns, 90.5 s>"),
        (Conversation(provider="acme", id="c-1"), "<Conversation acme:c-1 unknown, not_loaded>"),
        (Conversation(provider="acme", id="c-1", transcript=()), "<Conversation acme:c-1 unknown, 0 turns>"),
    ],
)
def test_the_repr_says_what_and_shows_nobody(conversation: Conversation, shown: str) -> None:
    assert repr(conversation) == f"{conversation!r:}" == shown


TURNS = (
    TranscriptTurn(index=0, role=Role.SYSTEM, text="You are Ava."),
    TranscriptTurn(index=1, role=Role.ASSISTANT, text="Hello.", duration=1.5),
    TranscriptTurn(index=2, role=Role.USER, text="Hi.", duration=0.5),
    TranscriptTurn(index=3, role=Role.ASSISTANT, tool_calls=(ToolCall(name="look_up"),), duration=0.25),
    TranscriptTurn(index=4, role=Role.TOOL, tool_result=ToolResult(content="{}")),
    TranscriptTurn(index=5, role=Role.ASSISTANT, text="A note to colleagues.", visibility=Visibility.INTERNAL),
    TranscriptTurn(index=6, role=Role.UNKNOWN, text="Beep."),
    TranscriptTurn(index=7, role=Role.USER, text="Bye."),
)


def test_the_text_is_what_was_said() -> None:
    spoken = Conversation(provider="acme", id="c-1", transcript=TURNS)
    assert spoken.text == str(spoken) == "assistant: Hello.\nuser: Hi.\nunknown: Beep.\nuser: Bye."


def test_the_turns_of_each_side() -> None:
    spoken = Conversation(provider="acme", id="c-1", transcript=TURNS)
    assert [turn.index for turn in spoken.user_turns] == [2, 7]
    assert [turn.index for turn in spoken.agent_turns] == [1, 3, 5]
    assert spoken.talk_time == {Role.ASSISTANT: 1.75, Role.USER: 0.5}


@pytest.mark.parametrize("transcript", [None, ()])
def test_without_a_transcript_nothing_was_said(transcript: tuple[TranscriptTurn, ...] | None) -> None:
    silent = Conversation(provider="acme", id="c-1", transcript=transcript)
    assert (silent.text, silent.user_turns, silent.agent_turns, silent.talk_time) == ("", (), (), {})
    assert str(silent) == repr(silent) != ""


@pytest.mark.parametrize(
    ("status", "finished"),
    [
        ("queued", False),
        ("ringing", False),
        ("in_progress", False),
        ("processing", False),
        ("ended", True),
        ("failed", True),
        ("no_answer", True),
        ("cancelled", True),
        ("unknown", False),
    ],
)
def test_some_statuses_are_final(status: str, finished: bool) -> None:  # noqa: FBT001
    assert Conversation(provider="acme", id="c-1", status=Status(status)).is_finished is finished


@pytest.mark.parametrize(("account", "ref"), [("default", "acme:c:1/2"), ("eu", "acme/eu:c:1/2")])
def test_the_ref_names_an_account_that_is_not_the_default(account: str, ref: str) -> None:
    assert Conversation(provider="acme", id="c:1/2", account=account).ref == ref


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        (None, None),
        (0.0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1772445600.5, datetime(2026, 3, 2, 10, 0, 0, 500000, UTC)),
    ],
)
def test_a_turn_makes_its_instant_when_asked(timestamp: float | None, moment: datetime | None) -> None:
    assert TranscriptTurn(index=0, timestamp=timestamp).started_at == moment


def test_words_of_a_fixed_set_equal_their_text() -> None:
    assert (Role.USER, Status.NO_ANSWER, TranscriptState.NOT_LOADED) == ("user", "no_answer", "not_loaded")
