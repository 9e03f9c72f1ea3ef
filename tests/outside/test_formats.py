"""What is written in a format of others passes their own schema, and their own programs read it."""

from __future__ import annotations

import html
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from conversations_hub import formats
from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import FormatError
from conversations_hub.schema import Conversation, Role, Visibility

from ..support.recorded import everything
from .documents import FOLDER

pytestmark = pytest.mark.outside
has_specifications = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no specifications in {FOLDER}")


def held(name: str, **options: Any) -> Iterator[tuple[Conversation, bytes]]:
    """Yield all recorded conversations that a format can hold, with what is written of each."""
    for one in everything():
        try:
            yield one, formats.dump(one, name, **options)
        except FormatError:
            continue


def written(name: str, **options: Any) -> Iterator[Any]:
    """Yield the same, decoded and without the conversations."""
    return (msgspec.json.decode(dumped) for _, dumped in held(name, **options))


def spoken(one: Conversation) -> list[str]:
    """Return what people said to each other, as the formats write it."""
    silent = {Role.SYSTEM, Role.TOOL}
    said = [turn for turn in one.transcript or () if turn.visibility is Visibility.PUBLIC and turn.role not in silent]
    return [turn.text for turn in said if turn.text]


def test_every_provider_has_conversations_that_are_written_here() -> None:
    assert {one.provider for one in everything()} >= {*BUILTIN}


def errors(schema: str, documents: list[Any]) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")
    document = msgspec.json.decode((FOLDER / schema).read_bytes())
    kind = jsonschema.validators.validator_for(document)
    judge = kind(document, format_checker=kind.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for one in documents for error in judge.iter_errors(one)]


WTF = {"wtf": True, "assume_confidence": 1.0}


def vcons() -> Iterator[tuple[Conversation, bytes]]:
    """Yield all recorded conversations as vCons, with each of the options."""
    # The library demands to know what media a recording is.
    known = (".mp3", ".ogg", ".wav")
    recordings = {
        recording.location: "0" * 128
        for one in everything()
        for recording in one.recordings
        if recording.media_type or recording.location.endswith(known)
    }
    assert len(recordings) > 5
    for options in ({}, {"raw": True}, WTF, {"recordings": recordings}):
        each = [*held("vcon", **options)]
        assert len(each) == len(everything())
        yield from each


@has_specifications
def test_every_vcon_passes_the_schema_of_the_drafts() -> None:
    assert errors("vcon.schema.json", [msgspec.json.decode(dumped) for _, dumped in vcons()]) == []


def _compact(document: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(document))


@pytest.fixture(scope="module")
def library() -> Any:
    """Return the package `vcon`, whose own imports warn; it needs Python 3.12."""
    with warnings.catch_warnings(record=True):
        return pytest.importorskip("vcon", reason="NO JUDGE OF VCONS: make outside PYTHON=python3.12, or newer")


_INSTANTS = {"created_at", "updated_at"}


def _instant(text: str) -> datetime:
    return msgspec.convert(text, datetime)


def test_every_vcon_opens_in_the_library_for_them_with_all_that_is_in_it(library: Any) -> None:
    for one, dumped in vcons():
        opened = library.Vcon.build_from_json(dumped.decode())
        assert opened.is_valid() == (True, []), one.ref
        ours = msgspec.json.decode(dumped)
        for part in ("parties", "dialog", "analysis", "attachments"):
            assert len(getattr(opened, part)) == len(ours.get(part, ())), (one.ref, part)
        # It writes instants in its own way.
        again = {**msgspec.json.decode(opened.dumps()), **{name: ours[name] for name in _INSTANTS if name in ours}}
        assert again == {"attachments": [], **ours}, one.ref
        assert all(
            datetime.fromisoformat(opened.to_dict()[name]) == _instant(ours[name]) for name in _INSTANTS & {*ours}
        )
        assert [dialog["body"] for dialog in opened.find_dialogs_by_type("text")] == spoken(one)
        names = [party.to_dict().get("name") for party in opened.get_party_objects()][: len(one.participants)]
        assert names == [person.name for person in one.participants]
        summary = opened.find_analysis_by_type("summary")
        assert (summary and summary["body"]) == one.summary
        # What the library saves is the same conversation to us, but for the spaces in its JSON.
        before, after = (formats.load(_compact(each), "vcon") for each in (dumped, opened.dumps().encode()))
        assert before == after, one.ref
        assert formats.dump(before, "vcon") == formats.dump(after, "vcon")


def test_every_transcription_is_one_to_the_library(library: Any) -> None:
    found = 0
    for one, dumped in held("vcon", **WTF):
        for analysis in msgspec.json.decode(dumped)["analysis"]:
            if analysis["type"] == "wtf_transcription":
                found += 1
                attached = {"purpose": "wtf_transcription", "encoding": "json", "body": analysis["body"]}
                judged = library.extensions.get_extension_registry().validate_attachment(attached)
                assert judged.errors == [], one.ref
    assert found > 20


def test_what_the_library_writes_is_read(library: Any) -> None:
    theirs = library.Vcon.build_new()
    theirs.add_party(library.party.Party(name="Ava", role="agent", type="bot"))
    theirs.add_party(library.party.Party(tel="+15551234567", role="customer", type="person"))
    theirs.add_wtf_transcription_analysis(
        transcript={"text": "Hi. Hello.", "language": "en-GB", "duration": 3.0, "confidence": 0.9},
        segments=[
            {"id": 0, "start": 0.0, "end": 1.0, "text": "Hi.", "confidence": 0.9, "speaker": 0},
            {"id": 1, "start": 1.5, "end": 3.0, "text": "Hello.", "confidence": 0.8, "speaker": 1},
        ],
        metadata={
            "created_at": "2026-06-01T11:30:00Z",
            "processed_at": "2026-06-01T11:31:00Z",
            "provider": "whisper",
            "model": "large",
        },
    )
    found = formats.load(theirs.dumps().encode(), "vcon")
    assert (found.id, found.language) == (theirs.uuid, "en-GB")
    assert [(turn.role, turn.text, turn.start, turn.duration) for turn in found.transcript or ()] == [
        (Role.ASSISTANT, "Hi.", 0.0, 1.0),
        (Role.USER, "Hello.", 1.5, 1.5),
    ]


@has_specifications
def test_the_example_of_a_vcon_is_read() -> None:
    found = formats.load((FOLDER / "vcon.example.agent-call.json").read_bytes(), "vcon")
    assert [turn.role for turn in found.transcript or ()] == ["assistant", "user", "assistant"]
    assert next(turn.text for turn in found.transcript or ()) == "Hi, how can I help?"
    assert found.summary == "Caller moved the visit to Friday 10:00."


@has_specifications
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


@has_specifications
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


SUBTITLES: list[dict[str, Any]] = [{}, {"policy": "speech_rate"}]


@pytest.mark.parametrize("options", [*SUBTITLES, {"words": True}])
def test_every_webvtt_is_read_by_the_library_for_it(options: dict[str, Any]) -> None:
    webvtt = pytest.importorskip("webvtt")
    found = 0
    for one, dumped in held("vtt", **options):
        found += 1
        captions = webvtt.from_buffer(StringIO(dumped.decode())).captions
        # It leaves the tags in `raw_text`, and does not read `&lt;`.
        told = [_flat(html.unescape(caption.text)) for caption in captions]
        assert told == [_flat(text) for text in spoken(one) if text.strip()], one.ref
        assert all(caption.voice for caption in captions)
        times = [(caption.start_in_seconds, caption.end_in_seconds) for caption in captions]
        assert all(start <= end for start, end in times)
        assert all(start <= after for (start, _), (after, _) in pairwise(times)), one.ref
        ours = formats.load(dumped, "vtt").transcript or ()
        assert [caption.start for caption in captions] == [_clock(turn.start or 0) for turn in ours]
    assert found > 60


@pytest.mark.parametrize("options", SUBTITLES)
def test_every_srt_is_read_by_the_libraries_for_it(options: dict[str, Any]) -> None:
    srt, webvtt = pytest.importorskip("srt"), pytest.importorskip("webvtt")
    found = 0
    for one, dumped in held("srt", **options):
        found += 1
        cues = [*srt.parse(dumped.decode())]
        assert [cue.index for cue in cues] == [*range(1, len(cues) + 1)]
        assert [_flat(cue.content.partition(": ")[2]) for cue in cues] == [
            _flat(text).replace("-->", "->") for text in spoken(one) if text.strip()
        ], one.ref
        assert all(cue.start < cue.end for cue in cues)
        ours = formats.load(dumped, "srt").transcript or ()
        assert [round(cue.start / timedelta(seconds=1), 3) for cue in cues] == [turn.start for turn in ours]
        assert srt.compose(cues, reindex=False).strip() == dumped.decode().strip()
        assert len(webvtt.from_buffer(StringIO(dumped.decode()), format="srt").captions) == len(cues)
    assert found > 60


def _flat(text: str) -> str:
    return " ".join(text.split())


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
