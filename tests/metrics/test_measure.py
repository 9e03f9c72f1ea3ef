"""Measures of one conversation: two worked out by hand, all recorded ones, and what no transcript may break."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.adapters import BUILTIN
from conversations_hub.metrics import METRICS, Measured, measure
from conversations_hub.metrics._measured import REASONS, is_reason, nearest_rank
from conversations_hub.metrics._words import words_in
from conversations_hub.schema import (
    Channel,
    Conversation,
    Cost,
    EndReason,
    Participant,
    ParticipantKind,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
    Word,
)

from ..support.growth import ratio, steps
from ..support.measured import BOOKING, RESERVATION, conversation, spoken
from ..support.recorded import recorded

AGENT, USER = Role.ASSISTANT, Role.USER
ENDS = (
    *("user_talk", "agent_talk", "talk_ratio", "overlap", "silence", "longest_silence", "dead_air"),
    *("user_monologue", "agent_monologue", "user_wpm", "agent_wpm", "user_interrupted"),
)


def told(one: Measured) -> tuple[Any, str | None]:
    """Return a value to four digits and its basis, or None and the reason."""
    return (None, one.reason) if one.value is None else (round(one.value, 4), one.basis)


def reason_of(name: str, one: Conversation) -> str | None:
    found = measure(one)[name]
    assert (found.value is None) == (found.reason is not None)
    return found.reason


# worked out by hand


def test_every_measure_of_a_conversation_with_times() -> None:
    found = measure(BOOKING)
    assert {name: told(each) for name, each in found.items()} == {
        "duration": (40.0, "reported"),
        # A UU A U A U A
        "user_turns": (3, "counted"),
        "agent_turns": (4, "counted"),
        "exchanges": (3, "counted"),
        # 4 + 3 + 2 + 1; 4 + 4 + 5 + 2
        "user_words": (10, "counted"),
        "agent_words": (15, "counted"),
        # 2 + 1.5 + 2 + 0.6; 2 + 4 + 3 + 2
        "user_talk": (6.1, "measured"),
        "agent_talk": (11.0, "measured"),
        # 11 ÷ 17.1
        "talk_ratio": (0.6433, "measured"),
        # 12 to 13, 20.9 to 21
        "overlap": (1.1, "measured"),
        # 1 + 0.5 + 1 + 4 + 0.5
        "silence": (7.0, "measured"),
        "longest_silence": (4.0, "measured"),
        "dead_air": (1, "measured"),
        # 4 to 8; 9 to 13
        "user_monologue": (4.0, "measured"),
        "agent_monologue": (4.0, "measured"),
        # 10 · 60 ÷ 6.1; 15 · 60 ÷ 11
        "user_wpm": (98.3607, "measured"),
        "agent_wpm": (81.8182, "measured"),
        # 8 to 9, 14 to 18, 21.5 to 22
        "response_latency_p50": (1.0, "measured"),
        "response_latency_p95": (4.0, "measured"),
        # 3 to 4; the other two overlap
        "user_latency_p50": (1.0, "measured"),
        "user_latency_p95": (1.0, "measured"),
        "reported_latency_p50": (None, "the provider does not tell"),
        "reported_latency_p95": (None, "the provider does not tell"),
        # 12 is before 12.8, and 20.9 is not before 20.8
        "agent_interrupted": (1, "estimated"),
        "user_interrupted": (0, "estimated"),
        "time_to_first_agent_word": (1.0, "measured"),
        "time_to_first_user_word": (4.0, "measured"),
        "tool_calls": (1, "counted"),
        "tool_failures": (1, "counted"),
        # 9 to 13.5
        "tool_latency_p50": (4.5, "estimated"),
        "transferred": (False, "reported"),
        "contained": (True, "reported"),
        # 0.12 · 60 ÷ 40
        "cost_per_minute": (Decimal("0.18"), "reported"),
    }
    assert found["cost_per_minute"].unit == "USD"
    assert [(found[name].n, found[name].missing) for name in ("response_latency_p95", "user_latency_p50")] == [
        (3, 0),
        (1, 0),
    ]
    assert found.samples == {
        "response_latency": (0.5, 1.0, 4.0),
        "user_latency": (1.0,),
        "tool_latency": (4.5,),
    }


def test_every_measure_of_a_conversation_in_whole_seconds() -> None:
    found = measure(RESERVATION)
    no_ends = (None, "4 of 4 turns without an end")
    coarse = (None, "times in whole seconds")
    assert {name: told(each) for name, each in found.items()} == {
        "duration": (60.0, "reported"),
        "user_turns": (1, "counted"),
        "agent_turns": (2, "counted"),
        "exchanges": (1, "counted"),
        "user_words": (None, "language without spaces"),
        "agent_words": (6, "counted"),
        **dict.fromkeys(ENDS, no_ends),
        "response_latency_p50": coarse,
        "response_latency_p95": coarse,
        "user_latency_p50": coarse,
        "user_latency_p95": coarse,
        "reported_latency_p50": (None, "the provider does not tell"),
        "reported_latency_p95": (None, "the provider does not tell"),
        "agent_interrupted": (1, "estimated"),
        "time_to_first_agent_word": (0.0, "estimated"),
        "time_to_first_user_word": (3.0, "estimated"),
        "tool_calls": (1, "counted"),
        "tool_failures": (None, "the provider does not say"),
        "tool_latency_p50": (0.8, "reported"),
        "transferred": (True, "reported"),
        "contained": (False, "reported"),
        "cost_per_minute": (None, "no cost"),
    }
    assert found["tool_failures"].missing == 1


# all that is recorded


@pytest.mark.parametrize("provider", BUILTIN)
def test_every_recorded_conversation_measures_values_or_reasons(provider: str) -> None:
    for one in recorded(provider):
        found = measure(one)
        assert list(found) == list(METRICS)
        for name, each in found.items():
            _check(name, each)
        assert measure(msgspec.json.decode(msgspec.json.encode(one), type=Conversation)) == found


def _check(name: str, each: Measured) -> None:
    assert (each.value is None) != (each.reason is None), name
    assert (each.value is None) == (each.basis is None), name
    if each.reason is not None:
        assert is_reason(each.reason), each.reason
    else:
        assert each.value is not None
        assert isfinite(each.value)
        assert each.value >= 0, name
    assert isinstance(each.value, bool) == (METRICS[name].kind == "flag") or each.value is None
    assert each.missing >= 0
    assert (each.unit is None) == (name != "cost_per_minute" or each.value is None)


def test_a_text_is_no_reason() -> None:
    for text in ("", "Hello", "not spoken: phone", "x of 4 turns without an end", "no cost at all"):
        assert not is_reason(text)
    assert len(set(REASONS)) == len(REASONS)


# why there is no value


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (TranscriptState.PENDING, "transcript pending"),
        (TranscriptState.TRUNCATED, "transcript truncated"),
        (TranscriptState.RESTRICTED, "transcript restricted"),
        (TranscriptState.NOT_LOADED, "transcript not loaded"),
        (TranscriptState.UNAVAILABLE, "no transcript"),
    ],
)
def test_a_transcript_that_is_not_whole_measures_nothing_that_needs_turns(state: TranscriptState, reason: str) -> None:
    found = measure(msgspec.structs.replace(BOOKING, transcript_state=state))
    stated = {"duration", "transferred", "cost_per_minute"}
    assert {name for name, each in found.items() if each.value is not None} == stated
    assert {each.reason for name, each in found.items() if name not in stated} == {reason}


def test_a_transcript_that_is_said_to_be_there_and_is_not_is_none() -> None:
    assert reason_of("user_turns", msgspec.structs.replace(BOOKING, transcript=None)) == "no transcript"


@pytest.mark.parametrize("channel", [Channel.CHAT, Channel.SMS, Channel.EMAIL])
@pytest.mark.parametrize("state", [TranscriptState.AVAILABLE, TranscriptState.PENDING])
def test_what_is_written_has_no_times(channel: Channel, state: TranscriptState) -> None:
    found = measure(msgspec.structs.replace(BOOKING, channel=channel, transcript_state=state))
    timed = {name for name, each in found.items() if each.reason == f"not spoken: {channel.value}"}
    assert timed == {name for name, metric in METRICS.items() if metric.is_timed}
    assert found["duration"].value == 40
    assert found["exchanges"].value == (3 if state is TranscriptState.AVAILABLE else None)


def test_an_unknown_channel_counts_as_spoken() -> None:
    assert measure(msgspec.structs.replace(BOOKING, channel=Channel.UNKNOWN))["talk_ratio"].value is not None


def test_a_conversation_in_which_nobody_talks() -> None:
    found = measure(conversation(spoken(0, USER, 0, 1, " \n"), spoken(1, Role.SYSTEM, 0, 1, "Be nice.")))
    assert [found[name].value for name in ("user_turns", "agent_turns", "exchanges", "user_words")] == [0, 0, 0, 0]
    assert {found[name].reason for name in (*ENDS, "time_to_first_user_word", "response_latency_p50", "contained")} == {
        "nobody talked"
    }


def test_a_side_that_says_nothing() -> None:
    found = measure(conversation(spoken(0, AGENT, 0.5, 2, "Hello?")))
    for name in ("user_monologue", "user_wpm", "time_to_first_user_word", "contained"):
        assert found[name].reason == "the user said nothing"
    assert (found["user_talk"].value, found["talk_ratio"].value, found["overlap"].value) == (0, 1, 0)
    assert found["response_latency_p50"].reason == "no exchange"
    silent = measure(conversation(spoken(0, USER, 0.5, 2, "Hello?")))
    assert {silent[name].reason for name in ("agent_wpm", "contained")} == {"the agent said nothing"}


def test_notes_of_the_company_and_unknown_speakers() -> None:
    found = measure(
        conversation(
            spoken(0, AGENT, 0.5, 2, "Hello."),
            spoken(1, AGENT, 2.5, 9, "Looks angry.", visibility=Visibility.INTERNAL),
            spoken(2, Role.UNKNOWN, 3, 4, "Hm."),
            spoken(3, Role.HUMAN_AGENT, 4.25, 5, "Hello, this is Bo."),
            spoken(4, AGENT, 6, 7, "Goodbye."),
        )
    )
    assert found["agent_turns"].value == 2
    assert (found["agent_talk"].value, found["silence"].value, found["longest_silence"].value) == (2.5, 2.25, 1.0)
    assert told(found["transferred"]) == (True, "estimated")


def test_no_times_and_no_ends() -> None:
    one = conversation(spoken(0, AGENT, 0.5, 2, "Hello."), spoken(1, USER, None, None, "Hi."))
    assert {reason_of(name, one) for name in (*ENDS, "response_latency_p50", "time_to_first_user_word")} == {"no times"}
    open_ended = conversation(spoken(0, USER, 0.5, None, "Hello."), spoken(1, AGENT, 1.75, 2, "Hi."))
    assert reason_of("talk_ratio", open_ended) == "1 of 2 turns without an end"
    assert reason_of("response_latency_p95", open_ended) == "no ends of turns"
    assert measure(open_ended)["response_latency_p95"].missing == 1
    assert measure(open_ended)["time_to_first_user_word"].value == 0.5


def test_the_reasons_of_what_a_conversation_says_of_itself() -> None:
    bare = msgspec.structs.replace(BOOKING, duration=None, end_reason=None)
    assert {reason_of(name, bare) for name in ("duration", "cost_per_minute")} == {"no duration"}
    assert {reason_of(name, bare) for name in ("transferred", "contained")} == {"no end reason"}
    running = msgspec.structs.replace(bare, status=Status.IN_PROGRESS)
    assert {reason_of(name, running) for name in ("transferred", "contained")} == {"not finished"}
    for ended in (EndReason.VOICEMAIL, EndReason.NO_ANSWER, EndReason.BUSY, EndReason.CANCELLED):
        unreached = msgspec.structs.replace(BOOKING, end_reason=ended)
        assert reason_of("contained", unreached) == "nobody was reached"
        assert measure(unreached)["transferred"].value is False
    unanswered = msgspec.structs.replace(bare, status=Status.NO_ANSWER)
    assert reason_of("contained", unanswered) == "nobody was reached"


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf")])
def test_no_division_by_a_duration_that_is_none(duration: float) -> None:
    assert reason_of("cost_per_minute", msgspec.structs.replace(BOOKING, duration=duration)) == "no duration"


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-0.01"])
def test_no_rate_of_what_is_no_price(amount: str) -> None:
    cost = Cost(amount=Decimal(amount), unit="USD")
    assert reason_of("cost_per_minute", msgspec.structs.replace(BOOKING, cost=cost)) == "no cost"


def test_no_transfer_is_only_known_from_who_would_tell() -> None:
    silent = msgspec.structs.replace(BOOKING, provider="ultravox")
    assert {reason_of(name, silent) for name in ("transferred", "contained")} == {"the provider does not tell"}
    said = msgspec.structs.replace(silent, end_reason=EndReason.TRANSFERRED)
    assert [measure(said)[name].value for name in ("transferred", "contained")] == [True, False]
    unreached = msgspec.structs.replace(silent, end_reason=EndReason.VOICEMAIL)
    assert reason_of("contained", unreached) == "nobody was reached"


# where a value comes from


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("duration", {"duration", "cost_per_minute"}),
        ("cost", {"cost_per_minute"}),
        ("end_reason", {"transferred", "contained"}),
        ("status", {"contained"}),
        ("transcript", {name for name in METRICS if name not in {"duration", "cost_per_minute", "transferred"}}),
        (
            "transcript.start",
            {
                *(name for name in ENDS if name != "user_interrupted"),
                *("time_to_first_agent_word", "time_to_first_user_word", "response_latency_p50"),
                *("response_latency_p95", "user_latency_p50", "user_latency_p95"),
            },
        ),
        ("started_at", {"time_to_first_agent_word", "time_to_first_user_word"}),
        ("transcript.timestamp", set[str]()),
        ("transcript.words", set[str]()),
        ("title", set[str]()),
    ],
)
def test_what_comes_from_a_derived_field_is_estimated(field: str, names: set[str]) -> None:
    before, after = measure(BOOKING), measure(msgspec.structs.replace(BOOKING, estimated=(field,)))
    always = {name for name, each in before.items() if each.basis == "estimated"}
    absent = {name for name, each in before.items() if each.value is None}
    found = {name for name, each in after.items() if each.basis == "estimated"}
    assert found == (names | always) - absent
    assert [each.value for each in before.values()] == [each.value for each in after.values()]


def test_a_person_among_the_participants_may_have_been_rung_in_vain() -> None:
    person = (Participant(kind=ParticipantKind.HUMAN_AGENT),)
    found = measure(msgspec.structs.replace(BOOKING, participants=person))
    assert (told(found["transferred"]), told(found["contained"])) == ((True, "estimated"), (False, "estimated"))
    both = measure(msgspec.structs.replace(BOOKING, participants=person, end_reason=EndReason.TRANSFERRED))
    assert told(both["transferred"]) == (True, "reported")


def test_a_person_who_only_left_notes_took_over_nothing() -> None:
    person = Participant(kind=ParticipantKind.HUMAN_AGENT)
    said = BOOKING.transcript or ()
    note = spoken(len(said), Role.HUMAN_AGENT, 90, 90, "Looks fine.", visibility=Visibility.INTERNAL)
    noted = msgspec.structs.replace(
        BOOKING,
        participants=(*BOOKING.participants, person),
        transcript=(*said, msgspec.structs.replace(note, participant=len(BOOKING.participants))),
    )
    assert measure(noted)["transferred"].value is False
    rung = msgspec.structs.replace(noted, participants=(*noted.participants, person))
    assert told(measure(rung)["transferred"]) == (True, "estimated")


def test_flags_of_the_provider_win_over_overlaps() -> None:
    turns = [msgspec.structs.replace(turn, interrupted=False) for turn in BOOKING.transcript or ()]
    found = measure(msgspec.structs.replace(BOOKING, transcript=tuple(turns)))
    assert told(found["agent_interrupted"]) == (0, "counted")


def test_the_providers_own_latency_is_a_metric_of_its_own() -> None:
    turns = (
        spoken(0, AGENT, 0.25, 1, "Hello."),
        spoken(1, USER, 2, 3, "Hi."),
        spoken(2, AGENT, 4.5, 5, "How can I help?", metrics={"turnLatency": 1.15, "modelLatency": 0.5}),
        spoken(3, USER, 6, 7, "Not at all."),
        spoken(4, AGENT, 7.5, 9, "Goodbye."),
    )
    one = conversation(*turns, provider="vapi", estimated=("transcript.metrics",))
    found = measure(one)
    assert found["reported_latency_p50"] == Measured(value=1.15, basis="estimated", n=1, missing=1)
    assert told(found["response_latency_p50"]) == (0.5, "measured")
    assert reason_of("reported_latency_p50", msgspec.structs.replace(one, provider="telnyx")) == (
        "the provider does not say"
    )
    for unknown in ("tavus", "nobody_knows_it"):
        other = msgspec.structs.replace(one, provider=unknown)
        assert reason_of("reported_latency_p50", other) == "the provider does not tell"


# times


def _at(index: int, role: Role, moment: float, length: float | None, start: float | None = None) -> TranscriptTurn:
    return TranscriptTurn(index=index, role=role, text="Well.", timestamp=moment, duration=length, start=start)


def test_timestamps_are_the_clock_where_a_start_is_missing() -> None:
    began = datetime(2026, 11, 2, 9, tzinfo=UTC)
    zero = began.timestamp()
    turns = (_at(0, AGENT, zero + 1.5, 2, start=900.0), _at(1, USER, zero + 4, 1), _at(2, AGENT, zero + 5.75, 1))
    found = measure(conversation(*turns, started_at=began))
    assert [told(found[f"time_to_first_{side}_word"]) for side in ("agent", "user")] == [
        (1.5, "measured"),
        (4.0, "measured"),
    ]
    assert told(found["response_latency_p50"]) == (0.75, "measured")
    derived = measure(conversation(*turns, started_at=began, estimated=("started_at",)))
    assert told(derived["time_to_first_agent_word"]) == (1.5, "estimated")
    assert told(derived["response_latency_p50"]) == (0.75, "measured")
    without = measure(conversation(*turns))
    assert without["time_to_first_agent_word"].reason == "no start of the conversation"
    assert told(without["response_latency_p50"]) == (0.75, "measured")
    late = measure(conversation(*turns, started_at=began + timedelta(seconds=3)))
    assert late["time_to_first_agent_word"].reason == "no start of the conversation"
    assert told(late["time_to_first_user_word"]) == (1.0, "measured")


def test_whole_seconds_are_found_wherever_time_zero_is() -> None:
    began = datetime(2026, 11, 2, 9, 0, 0, 250_000, tzinfo=UTC)
    turns = [_at(place, role, 1_793_610_005.0 + 3 * place, 1.3) for place, role in enumerate((AGENT, USER, AGENT))]
    found = measure(conversation(*turns, started_at=began))
    assert found["response_latency_p50"].reason == found["talk_ratio"].reason == "times in whole seconds"
    assert found["time_to_first_agent_word"].basis == "estimated"
    two = measure(conversation(*turns[:2], started_at=began))
    assert two["user_latency_p50"].value == 1.7


def test_an_entry_ends_with_its_last_word() -> None:
    words = (Word(text="Oh", start=1.5, duration=0.25), Word(text="well", start=2, duration=0.5))
    turns = (spoken(0, USER, 1.5, None, "Oh well", words=words), spoken(1, AGENT, 3, 4, "Yes?"))
    found = measure(conversation(*turns))
    assert (found["user_talk"].value, found["response_latency_p50"].value) == (1.0, 0.5)
    derived = measure(conversation(*turns, estimated=("transcript.words",)))
    assert told(derived["user_talk"]) == (1.0, "estimated")
    early = msgspec.structs.replace(turns[0], start=9.0)
    assert reason_of("user_talk", conversation(early, turns[1])) == "1 of 2 turns without an end"
    bare = msgspec.structs.replace(turns[0], words=(Word(text="Oh", start=1.5),))
    assert reason_of("user_talk", conversation(bare, turns[1])) == "1 of 2 turns without an end"


def test_a_negative_duration_is_none() -> None:
    one = conversation(spoken(0, USER, 1.5, 1, "Oh"), spoken(1, AGENT, 3, 4, "Yes?"))
    assert reason_of("overlap", one) == "1 of 2 turns without an end"


def test_dead_air_is_as_long_as_one_says() -> None:
    assert [measure(BOOKING, dead_air=span)["dead_air"].value for span in (0.5, 1.0, 4.0, 4.1)] == [5, 3, 1, 0]


def test_times_that_are_no_numbers_are_no_times() -> None:
    for odd in (float("nan"), float("inf")):
        one = conversation(spoken(0, USER, odd, None, "Oh"), spoken(1, AGENT, 3, 4, "Yes?"))
        assert reason_of("time_to_first_user_word", one) == "no times"


# words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, this is Ava.", 4),
        ("", 0),
        ("안녕하세요 저는 에이바입니다", 3),
        ("Привет, это Ава", 3),
        ("สวัสดีครับ", None),
        ("ສະບາຍດີ", None),
        ("សួស្តី", None),
        ("မင်္ဂလာပါ", None),
        ("カタカナ", None),
        ("我想改時間", None),
        ("My name is 田中, as in the contract.", 8),
        ("😀 12 3", 3),
        ("seven กี่ ๑๒๓๔๕๖", 3),  # one letter of six, two vowel signs and digits
    ],
)
def test_words_are_counted_where_white_space_parts_them(text: str, words: int | None) -> None:
    assert words_in([text]) == words
    assert words_in(["", text]) == words


# tools


def _calls(*turns: TranscriptTurn, **more: Any) -> Conversation:
    return conversation(spoken(0, AGENT, 0.25, 1, "Let me see."), *turns, **more)


def _call(index: int, *ids: str | None, at: float | None = None) -> TranscriptTurn:
    return TranscriptTurn(index=index, role=AGENT, start=at, tool_calls=tuple(ToolCall(id=id) for id in ids))


def _result(index: int, id: str | None, at: float | None = None, *, failed: bool | None = None) -> TranscriptTurn:
    return TranscriptTurn(index=index, role=Role.TOOL, start=at, tool_result=ToolResult(call_id=id, is_error=failed))


def test_results_belong_to_calls_by_id_else_in_order() -> None:
    found = measure(
        _calls(
            _call(1, "a", None, at=1.0),
            _call(2, None, at=2.0),
            _result(3, None, 2.5, failed=False),
            _result(4, "a", 4.0, failed=True),
            _result(5, None, 5.0),
            _result(6, "a", 4.5, failed=False),
            _result(7, "b", 9.0),
        )
    )
    assert found.samples["tool_latency"] == (1.5, 3.0, 3.5)
    assert found["tool_calls"].value == 3
    # Of the two results of one call, the last counts.
    assert found["tool_failures"] == Measured(value=0, basis="counted", n=2, missing=1)


def test_why_there_is_no_latency_of_tools() -> None:
    assert {reason_of(name, _calls()) for name in ("tool_failures", "tool_latency_p50")} == {"no tool calls"}
    assert reason_of("tool_latency_p50", _calls(_call(1, "a"), _result(2, "a", 3.5))) == "no times of tools"
    assert reason_of("tool_latency_p50", _calls(_call(1, "a", at=4), _result(2, "a", 3.5))) == "no times of tools"
    assert reason_of("tool_latency_p50", _calls(_call(1, "a", at=4))) == "no times of tools"


# whatever the turns are


def _moment(latest: int = 600) -> st.SearchStrategy[float]:
    return st.integers(0, 1000 * latest).map(lambda thousandths: thousandths / 1000)


@st.composite
def _turns(draw: st.DrawFn, *, sides: tuple[Role, ...] = (AGENT, USER, Role.UNKNOWN)) -> tuple[TranscriptTurn, ...]:
    has_ends = draw(st.booleans())
    starts = draw(st.lists(_moment(), max_size=12))
    if draw(st.booleans()):
        starts.sort()
    return tuple(
        TranscriptTurn(
            index=index,
            role=draw(st.sampled_from(sides)),
            text=draw(st.sampled_from(["Hello.", "Well, I see", "予約", ""])),
            start=start,
            duration=draw(_moment(10)) if has_ends or draw(st.booleans()) else None,
            interrupted=draw(st.sampled_from([None, None, None, True, False])),
        )
        for index, start in enumerate(starts)
    )


@given(_turns())
def test_measures_are_numbers_that_can_be(turns: tuple[TranscriptTurn, ...]) -> None:
    found = measure(conversation(*turns))
    for name, each in found.items():
        _check(name, each)
    ratio, overlap = found["talk_ratio"].value, found["overlap"].value
    assert ratio is None or 0 <= ratio <= 1
    if overlap is not None:
        sides = [found["user_talk"].value, found["agent_talk"].value]
        assert overlap <= min(float(side) for side in sides if side is not None) + 1e-5
    for samples in found.samples.values():
        assert all(one <= two for one, two in pairwise(samples))


@given(_turns(sides=(AGENT, USER)))
def test_talk_and_silence_make_up_the_time(turns: tuple[TranscriptTurn, ...]) -> None:
    found = measure(conversation(*turns))
    values = [found[name].value for name in ("user_talk", "agent_talk", "silence", "overlap")]
    if None not in values:
        user, agent, silence, overlap = (float(value or 0) for value in values)
        said = [turn for turn in turns if turn.text]
        until = max((turn.start or 0) + (turn.duration or 0) for turn in said)
        assert user + agent + silence - overlap == pytest.approx(
            until - min(turn.start or 0 for turn in said), abs=1e-4
        )


@given(_turns(), st.integers(0, 100_000).map(lambda thousandths: thousandths / 1000))
def test_only_the_first_words_depend_on_when_it_began(turns: tuple[TranscriptTurn, ...], shift: float) -> None:
    moved = [msgspec.structs.replace(turn, start=(turn.start or 0) + shift) for turn in turns]
    before, after = measure(conversation(*turns)), measure(conversation(*moved))
    for name in METRICS.keys() - {"time_to_first_user_word", "time_to_first_agent_word"}:
        one, two = before[name], after[name]
        assert (one.reason, one.basis, one.n, one.missing) == (two.reason, two.basis, two.n, two.missing), name
        assert (one.value is None) == (two.value is None), name
        if one.value is not None:
            assert one.value == pytest.approx(two.value, abs=1e-5), name


@given(_turns(), st.randoms())
def test_sums_do_not_depend_on_the_order_of_turns(turns: tuple[TranscriptTurn, ...], chance: Any) -> None:
    shuffled = list(turns)
    chance.shuffle(shuffled)
    before, after = measure(conversation(*turns)), measure(conversation(*shuffled))
    for name in ("user_talk", "agent_talk", "talk_ratio", "overlap", "silence", "longest_silence", "dead_air"):
        assert before[name] == after[name]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2, max_size=6), st.floats())
def test_no_time_breaks_it(times: list[float], length: float) -> None:
    turns = [
        TranscriptTurn(index=place, role=(USER, AGENT)[place % 2], text="Oh", start=at, timestamp=at, duration=length)
        for place, at in enumerate(times)
    ]
    for name, each in measure(conversation(*turns)).items():
        if not name.startswith("time_to"):
            _check(name, each)


def test_a_percentile_is_a_value_that_occurs() -> None:
    thousand = [float(value) for value in range(1, 1001)]
    assert [nearest_rank(thousand, percent) for percent in (50, 95, 99, 100)] == [500, 950, 990, 1000]
    assert [nearest_rank(thousand[:1], percent) for percent in (0, 50, 95)] == [1, 1, 1]
    assert nearest_rank(thousand[:60], 95) == 57


def test_the_work_is_in_step_with_the_turns() -> None:
    def long(count: int) -> Conversation:
        return conversation(
            *(spoken(place, (AGENT, AGENT, USER)[place % 3], place, place + 900.5, "Hello.") for place in range(count))
        )

    conversations = [long(count) for count in (300, 600, 1200)]
    assert ratio([steps(partial(measure, one)) for one in conversations]) < 2.2


def test_measures_are_a_mapping_that_becomes_json() -> None:
    found = measure(BOOKING)
    assert len(found) == len(METRICS)
    assert json.loads(msgspec.json.encode(dict(found)))["cost_per_minute"]["value"] == "0.18"
    assert "unheard_of" not in found


def test_the_table_of_metrics_is_complete() -> None:
    assert [metric.name for metric in METRICS.values()] == list(METRICS)
    for metric in METRICS.values():
        assert metric.definition.endswith(".")
        assert metric.needs
    assert {metric.unit for metric in METRICS.values()} == {"s", "1", "0-1", "1/min", "bool", "unit/min"}
