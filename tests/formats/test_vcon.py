"""vCon: ours are read back exactly, what others wrote as well as it can be told, and nothing is said twice."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha512
from typing import Any

import msgspec
import pytest
from hypothesis import given

from conversations_hub import formats
from conversations_hub._scrub.signatures import without_signatures
from conversations_hub.errors import FormatError, InvalidRefError
from conversations_hub.schema import (
    Analysis,
    Conversation,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
    Word,
)
from conversations_hub.testing.stores._full import FULL

from ..support.any_conversation import conversations
from ..support.entries import said
from ..support.recorded import everything

START = datetime(2026, 6, 1, 11, 30, tzinfo=UTC)
AVA = Participant(kind=ParticipantKind.AI_AGENT, id="agent_1", name="Ava")
CALLER = Participant(kind=ParticipantKind.CUSTOMER, phone="+15551234567")
PERSON = Participant(kind=ParticipantKind.HUMAN_AGENT, name="Bob")
CALL = Conversation(
    provider="vapi",
    id="call_1",
    status=Status.ENDED,
    created_at=START,
    started_at=START,
    participants=(AVA, CALLER),
    summary="The visit is moved.",
    analysis=Analysis(sentiment="content"),
    transcript_state=TranscriptState.AVAILABLE,
    transcript=(
        TranscriptTurn(index=0, role=Role.SYSTEM, text="Be kind."),
        TranscriptTurn(
            index=1, role=Role.ASSISTANT, text="Hi, how can I help?", start=0.4, duration=1.6, participant=0
        ),
        TranscriptTurn(index=2, role=Role.USER, text="Friday, please.", start=3.1, duration=-1.0),
        TranscriptTurn(
            index=3, role=Role.ASSISTANT, tool_calls=(ToolCall(id="t1", name="move", arguments='{"a": 1}'),)
        ),
        TranscriptTurn(index=4, role=Role.TOOL, tool_result=ToolResult(call_id="t1", content="no [", is_error=False)),
        TranscriptTurn(index=5, role=Role.USER, text="A liar.", visibility=Visibility.INTERNAL),
        TranscriptTurn(index=6, text="Done.", timestamp=START.timestamp() + 7.2001),
    ),
)


def vcon(one: Conversation, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(formats.dump(one, "vcon", **options))
    return found


def read(document: dict[str, Any]) -> Conversation:
    return formats.load(json.dumps(document).encode(), "vcon")


def expected(one: Conversation) -> Conversation:
    return msgspec.structs.replace(without_signatures(one), raw=None)


def turns(one: Conversation) -> tuple[TranscriptTurn, ...]:
    assert one.transcript
    return one.transcript


def test_every_recorded_conversation_is_read_back_exactly() -> None:
    for one in everything():
        assert formats.load(formats.dump(one, "vcon"), "vcon") == expected(one)


@given(conversations())
def test_any_conversation_is_one_line(one: Conversation) -> None:
    assert formats.load(formats.dump(one, "jsonl"), "jsonl") == one
    assert formats.dump(one, "vcon").count(b"\n") == 1


def test_the_uuid_is_made_of_the_conversation() -> None:
    assert vcon(CALL, domain="conversations-hub.example")["uuid"] == "019e82f2-a2c0-83f3-8e63-c3af32eef387"
    others = (CALL, msgspec.structs.replace(CALL, id="call_2"), msgspec.structs.replace(CALL, account="eu"))
    assert len({vcon(one)["uuid"] for one in others}) == 3
    assert vcon(msgspec.structs.replace(CALL, title="Another"))["uuid"] == vcon(CALL)["uuid"]
    undated = msgspec.structs.replace(CALL, created_at=None, started_at=None)
    assert vcon(undated)["uuid"].startswith("00000000-0000-8")
    assert vcon(undated)["created_at"] == "1970-01-01T00:00:00.000Z"


def test_what_was_said_is_a_dialog_and_all_else_of_an_agent_an_entry_of_its_trace() -> None:
    found = vcon(CALL)
    assert found["parties"] == [
        {"type": "bot", "role": "agent", "name": "Ava", "uuid": "agent_1"},
        {"type": "person", "role": "customer", "tel": "+15551234567"},
        {},
    ]
    first, second, third = found["dialog"]
    assert first == {
        "type": "text",
        "start": "2026-06-01T11:30:00.400Z",
        "duration": 1.6,
        "parties": [0],
        "mediatype": "text/plain",
        "encoding": "none",
        "body": "Hi, how can I help?",
        "application": "vapi",
        "message_id": "call_1#1",
        "interaction_id": "call_1",
    }
    assert (second["parties"], second["start"], "duration" in second) == ([1], "2026-06-01T11:30:03.100Z", False)
    assert (third["parties"], third["start"]) == ([2], "2026-06-01T11:30:07.200100Z")
    by_type = {one["type"]: one for one in found["analysis"]}
    assert [*by_type] == ["summary", "sentiment", "transcript", "agent_trace", "report"]
    assert by_type["agent_trace"]["body"]["session"]["entries"] == [
        {"id": "0", "type": "system-event", "event-type": "system_prompt", "data": {"content": "Be kind."}},
        {"id": "3", "type": "tool-call", "name": "move", "call-id": "t1", "input": {"a": 1}},
        {
            "id": "4",
            "type": "tool-result",
            "call-id": "t1",
            "output": "no [",
            "status": "success",
            "is-error": False,
        },
        {"id": "5", "type": "user", "content": "A liar."},
    ]
    assert found["extensions"] == ["cc", "agent_session"]
    assert all(one["dialog"] == [0, 1, 2] for one in found["analysis"])


def test_nothing_that_stands_elsewhere_is_repeated_in_our_own_analyses() -> None:
    own = [one for one in vcon(CALL)["analysis"] if one.get("schema", "").startswith("conversations-hub/")]
    assert len(own) == 2
    hidden = json.dumps(own)
    for text in ("Be kind", "how can I help", "Friday", "liar", "Done", "moved", "content", "Ava", "5551234567"):
        assert text not in hidden


def test_what_was_redacted_is_not_brought_back() -> None:
    document = vcon(CALL)
    document["dialog"][1]["body"] = "***"
    document["parties"][1] = {}
    document["dialog"].pop()
    found = read(document)
    assert [turn.text for turn in found.transcript or ()] == [
        "Be kind.",
        "Hi, how can I help?",
        "***",
        "",
        "",
        "A liar.",
        "",
    ]
    assert found.participants == (AVA, Participant())
    assert found.issues == (Issue("turns[6].dialog", "there is no such part"),)


@pytest.mark.parametrize(
    ("told", "disposition"),
    [
        ({"status": Status.NO_ANSWER}, "no-answer"),
        ({"end_reason": EndReason.BUSY}, "busy"),
        ({"end_reason": EndReason.VOICEMAIL}, "voicemail-no-message"),
        ({"status": Status.CANCELLED}, "hung-up"),
        ({"status": Status.FAILED, "end_reason": EndReason.CUSTOMER_ENDED}, "hung-up"),
        ({"status": Status.FAILED}, "failed"),
        ({"status": Status.FAILED, "transcript_state": TranscriptState.PENDING}, None),
        ({"status": Status.ENDED}, None),
    ],
)
def test_what_was_never_held_is_incomplete(told: dict[str, Any], disposition: str | None) -> None:
    one = said(transcript=None, transcript_state=TranscriptState.UNAVAILABLE, participants=(AVA, CALLER))
    found = vcon(msgspec.structs.replace(one, **told))
    assert [one["disposition"] for one in found["dialog"]] == ([disposition] if disposition else [])
    assert all(one["type"] == "incomplete" and one["parties"] == [0, 1] for one in found["dialog"])
    assert all(one["dialog"] == [*range(len(found["dialog"]))] for one in found["analysis"])


def test_a_handover_is_a_transfer() -> None:
    one = msgspec.structs.replace(CALL, end_reason=EndReason.TRANSFERRED, participants=(AVA, CALLER, PERSON))
    *_, last = vcon(one)["dialog"]
    assert last == {
        "type": "transfer",
        "start": "2026-06-01T11:30:07.200100Z",
        "transfer_target": 2,
        "original": 0,
        "transferor": 0,
        "transferee": 1,
    }
    alone = vcon(msgspec.structs.replace(one, participants=(PERSON,)))
    assert [alone["dialog"][-1][name] for name in ("transferor", "transferee", "transfer_target")] == [3, 1, 0]
    assert [party.get("role") for party in alone["parties"]] == ["agent", "customer", None, "agent"]


def test_a_recording_is_named_only_with_its_hash_and_never_with_its_signature() -> None:
    place = "https://example.com/r.wav"
    signed = Recording(location=f"{place}?sig=abcdef", access=RecordingAccess.SIGNED_URL, duration=9.5)
    one = msgspec.structs.replace(CALL, recordings=(signed,))
    digest = sha512(b"hello\n").hexdigest()
    for location in (signed.location, place):
        *_, last = vcon(one, recordings={location: digest})["dialog"]
        assert (last["url"], last["mediatype"]) == (place, "audio/x-wav")
        assert last["content_hash"].startswith("sha512-58IrmUxZ2c8rSOVJseJGZmNgRZMNPafBrLKZ0cO3-TH5Sq5B7dosKyB6")
    assert b"abcdef" not in formats.dump(one, "vcon", recordings={place: digest})
    assert "recording" not in {dialog["type"] for dialog in vcon(one)["dialog"]}
    assert formats.dump_all([one], "vcon", len).lost == {"URL signatures": 1}
    with pytest.raises(InvalidRefError, match="an option of vcon does not fit"):
        formats.dump(one, "vcon", recordings={place: "no hash"})


def test_what_the_provider_sent_is_attached_on_request() -> None:
    assert formats.load(formats.dump(FULL, "vcon", raw=True), "vcon") == FULL
    assert formats.dump_all([FULL], "vcon", len, raw=True).lost == {}
    assert formats.dump_all([FULL], "vcon", len).lost == {"raw": 1}


# WTF

HEARD = msgspec.structs.replace(
    CALL,
    language="en-US",
    duration=8.0,
    updated_at=START + timedelta(minutes=5),
    transcript=(
        TranscriptTurn(index=0, role=Role.SYSTEM, text="Be kind."),
        TranscriptTurn(
            index=1, role=Role.ASSISTANT, text=" Hi, Zoë. ", start=0.4, duration=1.6, participant=0, confidence=0.9
        ),
        TranscriptTurn(
            index=2,
            role=Role.USER,
            text="Friday.",
            start=3.1,
            duration=2.2,
            words=(Word(text="Friday.", start=3.1, duration=1.0),),
        ),
    ),
)


def transcription(document: dict[str, Any]) -> dict[str, Any] | None:
    found = [one for one in document["analysis"] if one["type"] == "wtf_transcription"]
    assert ("wtf_transcription" in document["extensions"]) == bool(found)
    return found[0]["body"] if found else None


def test_what_was_heard_is_written_in_wtf_on_request() -> None:
    assert transcription(vcon(HEARD)) is None
    assert transcription(vcon(HEARD, wtf=True, assume_confidence=0.5)) == {
        "transcript": {"text": "Hi, Zoë. Friday.", "language": "en-US", "duration": 8.0, "confidence": 0.7},
        "segments": [
            {"id": 0, "start": 0.4, "end": 2.0, "text": "Hi, Zoë.", "confidence": 0.9, "speaker": 0},
            {"id": 1, "start": 3.1, "end": 5.3, "text": "Friday.", "confidence": 0.5, "speaker": 1, "words": [0]},
        ],
        "metadata": {
            "created_at": "2026-06-01T11:30:00.000Z",
            "processed_at": "2026-06-01T11:35:00.000Z",
            "provider": "vapi",
            "model": "unknown",
            "audio": {"duration": 8.0},
            "options": {"assume_confidence": 0.5},
        },
        "words": [{"id": 0, "start": 3.1, "end": 4.1, "text": "Friday.", "confidence": 0.5, "speaker": 1}],
        "speakers": {
            "0": {"id": 0, "label": "Ava", "segments": [0], "total_time": 1.6, "confidence": 0.9},
            "1": {"id": 1, "label": "Speaker 1", "segments": [1], "total_time": 2.2, "confidence": 0.5},
        },
    }


@pytest.mark.parametrize(
    "changed", [{"start": None}, {"duration": None}, {"duration": 0.0}, {"start": -1.0}, {"confidence": 2.0}]
)
def test_without_times_or_confidence_there_is_no_wtf_and_that_is_counted(changed: dict[str, Any]) -> None:
    turn = msgspec.structs.replace(turns(HEARD)[1], **changed)
    for one, options in ((msgspec.structs.replace(HEARD, transcript=(turn,)), {"assume_confidence": 1.0}), (HEARD, {})):
        assert transcription(vcon(one, wtf=True, **options)) is None
        lost = formats.dump_all([one], "vcon", len, wtf=True, **options).lost
        assert lost == {"WTF transcripts of turns without times or confidence": 1}
    with pytest.raises(InvalidRefError, match="an option of vcon does not fit"):
        formats.dump(HEARD, "vcon", wtf=True, assume_confidence=2)


@given(conversations())
def test_any_conversation_with_wtf_is_read_back_exactly(one: Conversation) -> None:
    options = {"wtf": True, "assume_confidence": 1.0}
    written = formats.dump(one, "vcon", **options)
    found = formats.load(written, "vcon")
    assert found == expected(one)
    assert formats.dump(found, "vcon", **options) == written


def test_what_was_heard_is_read_where_there_are_no_dialogs() -> None:
    document = vcon(HEARD, wtf=True, assume_confidence=1.0)
    only = [one for one in document["analysis"] if one["type"] == "wtf_transcription"]
    found = read({**document, "dialog": [], "analysis": only})
    assert found.language == "en-US"
    assert [(turn.role, turn.text, turn.start, turn.duration, turn.participant) for turn in turns(found)] == [
        (Role.ASSISTANT, "Hi, Zoë.", 0.4, 1.6, 0),
        (Role.USER, "Friday.", 3.1, 2.2, 1),
    ]
    assert turns(found)[1].words == (Word(text="Friday.", start=3.1, duration=1.0, confidence=1.0),)


# what others wrote

FOREIGN: dict[str, Any] = {
    "vcon": "0.4.0",
    "uuid": "0190a1b2-0000-8000-8000-000000000001",
    "created_at": "2026-06-01T11:31:00Z",
    "subject": "A visit",
    "parties": [
        {"type": "bot", "name": "Ava"},
        {"type": "person", "tel": "tel:+15551234567"},
        {"role": "agent", "mailto": "bob@example.com"},
        {"role": "supervisor"},
    ],
    "dialog": [
        {"type": "recording", "start": "2026-06-01T13:30:00+02:00", "parties": [0, 1], "url": "https://example.com/a"},
        {"type": "text", "start": "2026-06-01T11:30:01.5Z", "parties": 0, "body": "Hi."},
        {"type": "text", "start": "2026-06-01T11:30:03Z", "duration": 2, "parties": [[1], 0], "body": "Hello."},
        {
            "type": "text",
            "start": "2026-06-01T11:30:05Z",
            "parties": [0, 1],
            "originator": 2,
            "body": "QQ",
            "encoding": "base64url",
        },
        {"type": "text", "start": "never", "parties": [9], "body": "Who?"},
        {"type": "recording", "start": "2026-06-01T11:30:00Z", "body": "QQ==", "encoding": "base64url"},
        {"type": "transfer", "start": "2026-06-01T11:30:09Z"},
    ],
    "analysis": [
        {"type": "summary", "vendor": "x", "body": "A visit is moved.", "encoding": "none"},
        {"type": "sentiment", "vendor": "x", "body": "calm"},
        {"type": "topics", "vendor": "x", "schema": "t/1", "body": '["visit"]', "encoding": "json"},
        {"type": "large", "vendor": "x", "body": "x" * 70000},
    ],
    "redacted": {"uuid": "0190a1b2-0000-8000-8000-000000000000", "type": "PII"},
}


def test_what_others_wrote_is_read() -> None:
    found = read(FOREIGN)
    assert (found.provider, found.id, found.status) == ("vcon", FOREIGN["uuid"], Status.ENDED)
    assert found.participants == (
        Participant(kind=ParticipantKind.AI_AGENT, name="Ava"),
        Participant(kind=ParticipantKind.CUSTOMER, phone="+15551234567"),
        Participant(kind=ParticipantKind.HUMAN_AGENT, name="bob@example.com"),
        Participant(kind=ParticipantKind.SUPERVISOR),
    )
    assert found.started_at == START
    assert found.transcript == (
        TranscriptTurn(index=0, role=Role.ASSISTANT, text="Hi.", start=1.5, participant=0),
        TranscriptTurn(index=1, role=Role.USER, text="Hello.", start=3.0, duration=2.0, participant=1),
        TranscriptTurn(index=2, role=Role.HUMAN_AGENT, text="A", start=5.0, participant=2),
        TranscriptTurn(index=3, text="Who?"),
    )
    assert found.recordings == (Recording(location="https://example.com/a", access=RecordingAccess.SIGNED_URL),)
    assert (found.title, found.summary, found.analysis) == ("A visit", "A visit is moved.", Analysis(sentiment="calm"))
    assert found.end_reason is EndReason.TRANSFERRED
    assert found.metadata == {
        "vcon.analysis": [
            {"type": "topics", "vendor": "x", "schema": "t/1", "body": '["visit"]'},
            {"type": "large", "vendor": "x"},
        ],
        "vcon.redacted": FOREIGN["redacted"],
    }
    assert found.related_ids == {"redacted_from": "0190a1b2-0000-8000-8000-000000000000"}
    assert {issue.place for issue in found.issues} == {"dialog[4].start", "dialog[4].parties", "dialog[5].body"}


OLD: dict[str, Any] = {
    "vcon": "0.0.1",
    "uuid": "0190a1b2-0000-8000-8000-000000000002",
    "created_at": "2023-05-01T10:00:00.000+00:00",
    "parties": [{"tel": "+15551234567", "role": "customer"}, {"name": "Bob", "role": "agent"}],
    "dialog": [
        {
            "type": "recording",
            "start": "2023-05-01T10:00:00Z",
            "parties": [0, 1],
            "mimetype": "audio/x-wav",
            "url": "https://example.com/a.wav",
            "alg": "SHA-512",
            "signature": "abc",
        }
    ],
    "analysis": [],
    "attachments": [],
    "appended": {},
    "group": [],
    "redacted": {},
}


def _with_transcript(body: Any, encoding: str, **more: Any) -> dict[str, Any]:
    transcript = {"type": "transcript", "vendor": "x", "body": body, "encoding": encoding, "dialog": 0, **more}
    return OLD | {"analysis": [transcript]}


SEGMENTS = {"segments": [{"id": 0, "start": 0.5, "end": 2, "text": " Hello. ", "speaker": 1, "confidence": 0.9}]}
SEGMENT = TranscriptTurn(
    index=0, role=Role.HUMAN_AGENT, text="Hello.", start=0.5, duration=1.5, participant=1, confidence=0.9
)
WORDS = {
    "transcript": "Hello.",
    "segments": [{"id": 0, "text": "Hello.", "speaker": "Bob", "words": [1, 7]}, {"text": "Yes.", "words": [{"a": 1}]}],
    "words": [{"text": "no"}, {"text": "Hello.", "start": 0.5, "end": 2}],
}
SPELLED = TranscriptTurn(
    index=0,
    role=Role.HUMAN_AGENT,
    text="Hello.",
    participant=1,
    words=(Word(text="Hello.", start=0.5, duration=1.5),),
)
UTTERANCES = {"results": {"utterances": [{"start": 0.5, "end": 2, "transcript": "Hello.", "speaker": 7}]}}
UTTERANCE = TranscriptTurn(index=0, text="Hello.", start=0.5, duration=1.5)


@pytest.mark.parametrize(
    ("document", "turn"),
    [
        (_with_transcript(SEGMENTS, "json"), SEGMENT),
        (_with_transcript(json.dumps(SEGMENTS), "json"), SEGMENT),
        (_with_transcript(urlsafe_b64encode(json.dumps(SEGMENTS).encode()).decode(), "base64url"), SEGMENT),
        (_with_transcript(SEGMENTS, "json", type="wtf_transcription"), SEGMENT),
        (_with_transcript(json.dumps(WORDS), "json", type="transcription"), SPELLED),
        (_with_transcript(UTTERANCES, "json"), UTTERANCE),
        (_with_transcript("Hello.", "none"), TranscriptTurn(index=0, text="Hello.")),
        (OLD | {"attachments": [{"type": "wtf_transcription", "body": SEGMENTS, "encoding": "json"}]}, SEGMENT),
    ],
)
def test_older_ones_and_their_transcripts_are_read(document: dict[str, Any], turn: TranscriptTurn) -> None:
    found = read(document)
    assert turns(found)[0] == turn
    assert found.recordings[0].media_type == "audio/x-wav"
    assert [one.kind for one in found.participants] == [ParticipantKind.CUSTOMER, ParticipantKind.HUMAN_AGENT]


def test_a_call_that_nobody_answered_is_read_as_one() -> None:
    dialog = {"type": "incomplete", "start": "2026-06-01T11:30:00Z", "disposition": "no-answer"}
    found = read(OLD | {"dialog": [dialog]})
    assert (found.status, found.end_reason, found.transcript) == (Status.NO_ANSWER, EndReason.NO_ANSWER, None)
    assert found.transcript_state is TranscriptState.UNAVAILABLE


REFUSED: list[tuple[Any, str]] = [
    ({"payload": "e30", "signatures": [{}]}, "it is signed"),
    ({"ciphertext": "x", "recipients": []}, "it is encrypted"),
    (FOREIGN | {"critical": ["cc", "escrow"]}, "it needs the extension 'escrow', which is not known here"),
    (FOREIGN | {"must_support": ["escrow"]}, "it needs the extension 'escrow'"),
    (FOREIGN | {"dialog": [{"type": "text", "body": "!", "encoding": "base64url"}]}, "a body is not base64url"),
    (FOREIGN | {"dialog": [5]}, r"a value does not fit at \$\.dialog\[0\]"),
    ({}, "it is no vCon: it has no uuid"),
    ([], "a value does not fit"),
]


@pytest.mark.parametrize(("document", "reason"), REFUSED)
def test_what_cannot_be_read_is_refused_with_its_reason(document: Any, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read(document)


def test_many_are_read_from_lines_or_from_an_array() -> None:
    line = formats.dump(CALL, "vcon")
    lines = [*formats.load_all([line, b"\n", b"{\n", line], "vcon")]
    assert [(one.place, one.error is None) for one in lines] == [("line 1", True), ("line 3", False), ("line 4", True)]
    array = [*formats.load_all(b"[" + line + b",5,\n" + line + b"]", "vcon")]
    assert [one.place for one in array if one.conversation == CALL] == ["document 1", "document 3"]
    pretty = json.dumps(FOREIGN, indent=1).encode()
    assert [one.conversation for one in formats.load_all(pretty, "vcon")] == [read(FOREIGN)]
    broken = [*formats.load_all(b"{nonsense\n" + line, "vcon")]
    assert [one.error is None for one in broken] == [False, True]
