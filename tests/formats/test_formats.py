"""What holds of every format, for every conversation that the fixtures hold."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import repeat
from random import Random
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import formats
from conversations_hub.errors import FormatError, InvalidRefError, UnsupportedError
from conversations_hub.schema import Conversation, Role, TranscriptTurn, Visibility
from conversations_hub.testing import hostile_mutant
from conversations_hub.testing.stores._full import FULL, TURN

from ..support.any_conversation import conversations
from ..support.entries import said
from ..support.recorded import IN_RAW, everything
from ..support.round_trips import READ, check_round_trips

DOCUMENTS = [name for name in formats.NAMES if formats.find(name).framing == "document"]


def dumped(one: Conversation, name: str, **options: Any) -> bytes | str:
    """Return a dump, or why there is none."""
    try:
        return formats.dump(one, name, **options)
    except FormatError as error:
        return error.reason


@pytest.mark.parametrize("name", formats.NAMES)
def test_whatever_a_provider_sends_is_written_or_refused_with_a_reason(name: str) -> None:
    for one in everything():
        written = dumped(one, name)
        if isinstance(written, bytes):
            written.decode()
            assert written.endswith(b"\n")
            assert name == "jsonl" or IN_RAW.encode() not in written
        else:
            assert written


@pytest.mark.parametrize("name", formats.NAMES)
def test_the_same_conversation_makes_the_same_bytes(name: str) -> None:
    for one in everything():
        again = msgspec.json.decode(msgspec.json.encode(one), type=Conversation)
        assert dumped(one, name) == dumped(again, name)


def test_what_a_format_keeps_is_the_same_afterwards_and_makes_the_same_bytes_again() -> None:
    for one in everything():
        check_round_trips(one)


@given(conversations())
def test_the_same_holds_of_any_conversation_there_can_be(one: Conversation) -> None:
    check_round_trips(msgspec.structs.replace(one, id=one.id or "c1"))


def _values(one: Conversation, field: str) -> object:
    _, dot, of_turn = field.partition(".")
    return [getattr(turn, of_turn) for turn in one.transcript or ()] if dot else getattr(one, field)


@pytest.mark.parametrize("name", formats.NAMES)
def test_every_conversation_is_counted_and_so_is_every_loss(name: str) -> None:
    pieces: list[bytes] = []
    done = formats.dump_all(everything(), name, pieces.append)
    written = [one for one in everything() if isinstance(dumped(one, name), bytes)]
    assert done.written == len(written)
    assert done.written + done.skipped.total() == len(everything())
    writes = formats.find(name).writes
    for field in ("raw", "summary", "recordings", "tags", "transcript.words", "transcript.metrics"):
        held = [_values(one, field) for one in written]
        if isinstance(writes, frozenset) and field not in writes and any(map(_is_held, held)):
            assert done.lost[field] > 0


def _is_held(value: object) -> bool:
    return any(map(_is_held, cast("list[object]", value))) if isinstance(value, list) else bool(value)


@pytest.mark.parametrize("name", READ)
def test_many_are_read_as_they_were_written(name: str) -> None:
    pieces: list[bytes] = []
    turn = TranscriptTurn(index=0, role=Role.ASSISTANT, text="Hello.", start=0.5)
    asked = msgspec.structs.replace(turn, role=Role.USER, text="Hello?")
    some = [said(id=id, transcript=(asked, msgspec.structs.replace(turn, index=1))) for id in ("c1", "c2")]
    formats.dump_all(some, name, pieces.append)
    sources = pieces if name in DOCUMENTS else [b"".join(pieces)]
    found = [one for source in sources for one in formats.load_all(source, name)]
    assert [one.error for one in found] == [None] * len(some)


@pytest.mark.parametrize("name", formats.NAMES)
def test_half_of_a_surrogate_pair_is_refused_and_the_next_is_written(name: str) -> None:
    pieces: list[bytes] = []
    turns = (
        TranscriptTurn(index=0, role=Role.USER, text="\ud83d", start=0.0),
        TranscriptTurn(index=1, role=Role.ASSISTANT, text="Yes.", start=1.0),
    )
    good = (msgspec.structs.replace(turns[0], text="Well?"), turns[1])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    some = (said(transcript=each, title="\ud83d", started_at=now) for each in (turns, good))
    whole = said(transcript=good, started_at=now)
    done = formats.dump_all([*some, whole], name, pieces.append)
    assert done.written >= 1
    assert {*done.skipped} <= {"it holds half of a surrogate pair, which is not text"}


@pytest.mark.parametrize("name", READ)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_what_is_in_no_format_is_one_kind_of_error(name: str, data: bytes) -> None:
    for one in formats.load_all(data, name):
        assert (one.conversation is None) != (one.error is None)
        assert one.place


@pytest.mark.no_cover
@pytest.mark.parametrize("name", READ)
def test_whatever_is_changed_in_a_document_is_read_or_refused(name: str) -> None:
    written = formats.dump(msgspec.structs.replace(FULL, transcript=(*_SHORT, TURN)), name).strip()
    random = Random(7)  # noqa: S311  (the same changes each time)
    for _ in range(300):
        if name in {"vtt", "srt"}:
            at = random.randrange(len(written))
            changed = written[:at] + random.choice([b"", b"\n", b"-->", b"<v ", b"\xff"]) + written[at + 3 :]
        else:
            changed = hostile_mutant(written, random, 2).body
        for one in formats.load_all(changed, name):
            if one.conversation is not None:
                formats.dump_all([one.conversation], name, len)


_SHORT = (
    TranscriptTurn(index=0, role=Role.USER, text="Hello?", start=0.5),
    TranscriptTurn(index=1, role=Role.ASSISTANT, text="Yes?", start=1.5, duration=1.0),
)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", formats.NAMES)
def test_the_memory_does_not_grow_with_the_number_of_conversations(name: str) -> None:
    one = msgspec.structs.replace(FULL, transcript=_SHORT)

    formats.dump(one, name)
    tracemalloc.start()
    try:
        assert formats.dump_all(repeat(one, 2000), name, len).written == 2000
        # Python itself keeps up to 2,000 tuples of each size to use again.
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_bad_line_ends_nothing_and_its_place_is_told() -> None:
    good = formats.dump(FULL, "jsonl")
    naive = good.replace(b'"2026-03-02T10:00:00Z"', b'"2026-03-02T10:00:00"')
    found = list(formats.load_all(b"\xef\xbb\xbf" + good + b'\n{"id": 5}\nnot json\n\xff\n' + naive + good, "jsonl"))
    assert [(one.place, one.error and one.error.reason) for one in found] == [
        ("line 1", None),
        ("line 3", "a value does not fit at $.id"),
        ("line 4", "it is not JSON"),
        ("line 5", "it is not JSON"),
        ("line 6", "an instant has no time zone"),
        ("line 7", None),
    ]
    assert found[0].conversation == found[-1].conversation == FULL


def test_lines_are_taken_from_a_file_one_at_a_time() -> None:
    line = formats.dump(FULL, "jsonl")
    taken: list[int] = []

    def file() -> Iterator[bytes]:
        for number in range(3):
            taken.append(number)
            yield line

    reading = formats.load_all(file(), "jsonl")
    assert next(reading).conversation == FULL
    assert taken == [0]


def test_what_is_too_deep_is_refused() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    line = formats.dump(said("Hello.", metadata=deep), "jsonl")
    with pytest.raises(FormatError, match="too deeply"):
        formats.load(line, "jsonl")


def test_wrong_names_and_options_are_told_with_the_right_ones() -> None:
    with pytest.raises(InvalidRefError, match="there is no format 'docx': choose from jsonl, csv"):
        formats.dump(FULL, "docx")
    with pytest.raises(InvalidRefError, match="text has no option 'raw': it has system, internal"):
        formats.dump(FULL, "text", raw=True)
    with pytest.raises(InvalidRefError, match="jsonl has no option 'raw': it has none"):
        formats.dump(FULL, "jsonl", raw=True)
    with pytest.raises(InvalidRefError, match="an option of csv does not fit"):
        formats.dump(FULL, "csv", rows="words")
    with pytest.raises(UnsupportedError, match="csv is only written, not read"):
        formats.load(b"", "csv")
    assert formats.dump(FULL, "text", system="true") == formats.dump(FULL, "text", system=True)


def test_no_format_is_imported_before_its_name_is_used() -> None:
    code = "import sys, conversations_hub; from conversations_hub import formats; formats.NAMES; formats.dump;"
    code += " print([m for m in sys.modules if m.startswith('conversations_hub.formats.')])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603
    own = {f"conversations_hub.formats.{name}" for name in ("_format", "_losses", "_records", "_run")}
    assert {*msgspec.json.decode(found.stdout.replace("'", '"'))} <= own


# only written: text and Markdown


PRIVATE = said(
    transcript=(
        TranscriptTurn(index=0, role=Role.SYSTEM, text="Be kind."),
        TranscriptTurn(index=1, role=Role.USER, text="Hello.\nIt's me."),
        TranscriptTurn(index=2, role=Role.ASSISTANT, text="A liar.", visibility=Visibility.INTERNAL),
    )
)


def test_plain_text_is_what_str_returns() -> None:
    spoken = [one for one in everything() if one is not FULL]
    assert all(formats.dump(one, "text").decode().split() == str(one).split() for one in spoken)
    assert formats.dump(PRIVATE, "text") == b"user: Hello.\n    It's me.\n"
    whole = formats.dump(PRIVATE, "text", system=True, internal=True).decode()
    assert whole == "system: Be kind.\nuser: Hello.\n    It's me.\nassistant: A liar.\n"


@pytest.mark.parametrize("name", ["text", "md"])
def test_what_is_not_for_everyone_is_left_out_and_counted(name: str) -> None:
    done = formats.dump_all([PRIVATE], name, len)
    assert (done.lost["system prompts"], done.lost["internal notes"]) == (1, 1)
    assert not any(kind in formats.dump_all([PRIVATE], name, len, system=True, internal=True).lost for kind in _TWO)


_TWO = ("system prompts", "internal notes")


def test_markdown_tells_the_facts_and_what_was_said() -> None:
    told = msgspec.structs.replace(
        FULL,
        transcript=(
            msgspec.structs.replace(TURN, visibility=Visibility.PUBLIC, tool_result=None),
            TranscriptTurn(index=1, role=Role.USER, text="# Yes\n\n<b>please</b>", timestamp=1772445603.0),
        ),
    )
    assert formats.dump(told, "md").decode() == MARKDOWN


MARKDOWN = r"""# acme\/eu\:c\-1

- **status**: ended
- **title**: Broken kettle
- **when**: 2026\-03\-02 10\:00\:00 UTC\, 1\:30 long
- **agent**: Ava \(a\-1\, 7\)
- **with**: customer Zoë Miller \+14155550101 u\-1
- **end**: customer\_ended \(customer\-hung\-up\)
- **analysis**: no success\, angry\, csat 1\.5\
  order\: \[12\, None\]
- **language**: en
- **cost**: 0\.10 USD
- **recordings**: 1\:30\, signed url\, until 2026\-03\-03 00\:00 UTC
- **tags**: kettle
- **links**: dashboard\: https\:\/\/example\.com\/c\-1
- **estimated**: duration
- **not read**: turns\[3\]\.at\: not a date

## Summary

A kettle is broken\.

## Transcript

**Ava** `0:00`: Shall I look it up\?

> Tool: look\_up

**User** `10:00:03`: \# Yes\
\<b\>please\<\/b\>
"""


def test_a_sheet_has_one_head() -> None:
    pieces: list[bytes] = []
    some = [said("Hello.", id="c1"), said("=1+1", id="c2")]
    assert formats.dump_all(some, "csv", pieces.append).written == 2
    data = b"".join(pieces)
    assert data.startswith(b"\xef\xbb\xbfref,")
    assert data.count(b"ref,provider") == 1
    assert formats.dump(some[1], "csv").endswith(b",'=1+1,\r\n")
    assert formats.dump(some[1], "csv", neutralized=False).endswith(b",=1+1,\r\n")
    assert formats.dump(some[0], "csv", rows="conversations").endswith(b"user: Hello.\r\n")
