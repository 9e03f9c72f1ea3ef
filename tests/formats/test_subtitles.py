"""Subtitles: when, who and what; nothing that was said ends a cue or starts one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import formats
from conversations_hub.errors import FormatError
from conversations_hub.schema import Conversation, Participant, ParticipantKind, Role, TranscriptTurn, Visibility, Word

from ..support.entries import said

START = datetime(2026, 6, 1, 11, 30, tzinfo=UTC)
AVA = Participant(kind=ParticipantKind.AI_AGENT, name="Ava <b> & co")


def turn(index: int, text: str, start: float | None = None, **more: object) -> TranscriptTurn:
    return msgspec.structs.replace(TranscriptTurn(index=index, role=Role.USER, text=text, start=start), **more)


def call(*turns: TranscriptTurn) -> Conversation:
    return said(transcript=turns, participants=(AVA,), started_at=START)


CALL = call(
    turn(0, "Hi,\r\nhow can I help?", 0.4, duration=1.6, role=Role.ASSISTANT, participant=0),
    turn(1, "Be kind.", role=Role.SYSTEM),
    turn(2, "Is 1 < 2 --> 3 & so on?", 3.1),
    turn(3, "He lies.", 3.5, visibility=Visibility.INTERNAL),
    turn(4, "Yes.", timestamp=(START + timedelta(seconds=3600.05)).timestamp(), role=Role.ASSISTANT),
    turn(5, "", 3601.0),
    turn(6, "Bye.", 3600.04),
)


def test_webvtt() -> None:
    assert formats.dump(CALL, "vtt").decode() == (
        "WEBVTT\n\n"
        "00:00:00.400 --> 00:00:02.000\n<v Ava b &amp; co>Hi, how can I help?\n\n"
        "00:00:03.100 --> 00:00:04.633\n<v User>Is 1 &lt; 2 --&gt; 3 &amp; so on?\n\n"
        "01:00:00.050 --> 01:00:00.051\n<v Agent>Yes.\n\n"
        "01:00:00.050 --> 01:00:01.050\n<v User>Bye.\n"
    )


def test_srt() -> None:
    assert formats.dump(CALL, "srt").decode() == (
        "1\n00:00:00,400 --> 00:00:02,000\nAva <b> & co: Hi, how can I help?\n\n"
        "2\n00:00:03,100 --> 00:00:04,633\nUser: Is 1 < 2 -> 3 & so on?\n\n"
        "3\n01:00:00,050 --> 01:00:00,051\nAgent: Yes.\n\n"
        "4\n01:00:00,050 --> 01:00:01,050\nUser: Bye.\n"
    )


@pytest.mark.parametrize("name", ["vtt", "srt"])
def test_what_is_not_shown_is_counted(name: str) -> None:
    lost = formats.dump_all([CALL], name, len).lost
    assert (lost["system prompts"], lost["internal notes"], lost["participants"]) == (1, 1, 1)


@pytest.mark.parametrize("name", ["vtt", "srt"])
def test_without_times_there_are_no_subtitles_unless_they_may_be_made_up(name: str) -> None:
    untimed = call(turn(0, "Hello."), turn(1, "x" * 45, float("nan")), turn(2, "Yes.", 9.0))
    with pytest.raises(FormatError, match="a turn has no time: only policy=speech_rate makes one up"):
        formats.dump(untimed, name)
    with pytest.raises(FormatError, match="nothing was said"):
        formats.dump(call(), name)
    written = formats.dump(untimed, name, policy="speech_rate").decode()
    assert ("NOTE times are estimated" in written) == (name == "vtt")
    assert re.findall(r"00:00:(\d\d).000 --> 00:00:(\d\d).000", written) == [("00", "01"), ("01", "04"), ("09", "10")]
    assert "NOTE" not in formats.dump(CALL, name, policy="speech_rate").decode()


def test_the_times_of_words_are_written_where_they_are_those_of_the_text() -> None:
    words = (Word(text="oh", start=1.0), Word(text="No", start=1.5), Word(text="way", start=1.25), Word(text="x"))
    spoken = turn(0, "“Oh, no… way!” <x>", 1.0, duration=1.0, words=words)
    named = tuple(
        msgspec.structs.replace(word, text=text) for word, text in zip(words, ("Oh", "no", "way"), strict=False)
    )
    last = Word(text="x", start=1.75)
    plain = formats.dump(call(spoken), "vtt", words=True)
    assert plain == formats.dump(call(spoken), "vtt")
    assert formats.dump_all([call(spoken)], "vtt", len, words=True).lost["transcript.words"] == 1
    timed = call(msgspec.structs.replace(spoken, words=(*named, last)))
    written = formats.dump(timed, "vtt", words=True).decode()
    assert written.endswith("<v User>“Oh, <00:00:01.500>no… way!” &lt;<00:00:01.750>x&gt;\n")
    assert "transcript.words" not in formats.dump_all([timed], "vtt", len, words=True).lost
    assert formats.dump_all([timed], "vtt", len).lost["transcript.words"] == 1
    assert [each.text for each in formats.load(written.encode(), "vtt").transcript or ()] == [spoken.text]


FOREIGN = b"""\xef\xbb\xbfWEBVTT - a call\r
Kind: captions\r
\r
STYLE\r
::cue { color: red }\r
\r
NOTE nothing\r
to see\r
\r
intro\r
00:01.500 --> 00:03.000 align:start\r
<v.loud Ava>Hello &amp; <i>welcome</i>\r
to us</v>\r
\r
\r
100:00:04.000 --> 100:00:05.000\r
Nobody.\r
"""


def test_webvtt_of_others_is_read() -> None:
    found = formats.load(FOREIGN, "vtt", roles={"Ava": "assistant"})
    assert (found.provider, found.status, found.transcript_state) == ("vtt", "ended", "available")
    assert re.fullmatch("[0-9a-f]{32}", found.id)
    assert found.participants == (Participant(name="Ava"),)
    assert found.transcript == (
        TranscriptTurn(
            index=0, role=Role.ASSISTANT, text="Hello & welcome\nto us", start=1.5, duration=1.5, participant=0
        ),
        TranscriptTurn(index=1, text="Nobody.", start=360004.0, duration=1.0),
    )


def test_srt_of_others_is_read() -> None:
    data = b"1\r\n00:00:01,500 --> 00:00:03,000\r\nAva: Hello\r\nto you\r\n\r\n\r\n"
    data += b"2\r\n00:00:04.000 --> 00:00:05.000\r\nSo.\r\n"
    found = formats.load(data, "srt", roles={"Ava": "assistant"})
    assert found.participants == (Participant(name="Ava"),)
    assert found.transcript == (
        TranscriptTurn(index=0, role=Role.ASSISTANT, text="Hello\nto you", start=1.5, duration=1.5, participant=0),
        TranscriptTurn(index=1, text="So.", start=4.0, duration=1.0),
    )
    whole = formats.load(data, "srt", names=False)
    assert [each.text for each in whole.transcript or ()] == ["Ava: Hello\nto you", "So."]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("vtt", b"1\n00:00:01.000 --> 00:00:02.000\nx\n", "it does not begin with WEBVTT"),
        ("vtt", b"WEBVTT\n\n00:00:02.000 --> 00:00:01.000\nx\n", "the times of block 1 cannot be read"),
        ("vtt", b"WEBVTT\n\n00:00:02.000 -->\nx\n", "the times of block 1 cannot be read"),
        ("vtt", b"WEBVTT\n\n\xff", "it is not UTF-8"),
        ("srt", b"hello", "it has no subtitles"),
        ("srt", b"1\n00:00:0x,000 --> 00:00:02,000\nx\n", "the times of subtitle 1 cannot be read"),
    ],
)
def test_what_are_no_subtitles_is_refused(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        formats.load(data, name)
    assert caught.value.reason == reason


_TURNS = st.lists(
    st.tuples(st.text(min_size=1), st.floats(-9, 9e5), st.none() | st.floats(-1, 9e5)), min_size=1, max_size=5
)


@given(_TURNS, st.text(max_size=20))
def test_what_was_said_is_read_back_with_its_name_and_its_times(
    spoken: list[tuple[str, float, float | None]], name: str
) -> None:
    turns = [turn(at, text, start, duration=span, participant=0) for at, (text, start, span) in enumerate(spoken)]
    one = said(transcript=tuple(turns), participants=(Participant(name=name),))
    try:
        written = formats.dump(one, "vtt")
    except FormatError as error:
        assert error.reason == "nothing was said"  # noqa: PT017
        return
    found = formats.load(written, "vtt").transcript or ()
    texts = [re.sub(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", " ", text).strip() for text, _, _ in spoken]
    assert [each.text for each in found] == [text for text in texts if text]
    starts = [each.start or 0 for each in found]
    assert starts == sorted(starts)
    assert formats.dump(formats.load(written, "vtt"), "vtt") == written
