"""Personal data is gone from every place that holds what was said, and what only looks like it stays."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import conversations_hub.redaction._personal_data as personal_data
from conversations_hub.errors import ConfigurationError
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import (
    Analysis,
    Conversation,
    Cost,
    Issue,
    Participant,
    Recording,
    RecordingAccess,
    ToolCall,
    ToolResult,
    TranscriptTurn,
    Word,
)

from ..support.growth import ratio, steps


def _conversation(**fields: Any) -> Conversation:
    return Conversation(provider="tavus", id="c123456789", **fields)


def _said(text: str, keep: tuple[str, ...] = ()) -> str:
    redacted = PersonalData(keep)(_conversation(transcript=(TranscriptTurn(index=0, text=text),)))
    assert redacted.transcript is not None
    return redacted.transcript[0].text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Write to Jane.Doe+x@mail.example.com.", "Write to [email]."),
        ("jürgen@example.de", "[email]"),
        ("邮箱jane@example.com谢谢", "邮箱[email]谢谢"),
        ("It is jane dot doe at example dot com", "It is [email]"),
        ("it's jane underscore doe at mail dot example dot co dot uk, yes", "it's [email], yes"),
        ("that is j a n e at g mail dot com", "that is [email]"),
        ("jane.doe at example.com", "[email]"),
        ("Call +1 (555) 010-0123 now", "Call [phone] now"),
        ("(555) 010-0123", "[phone]"),
        ("555.010.0123", "[phone]"),
        ("5550100123 is mine", "[phone] is mine"),
        ("555-0123", "[phone]"),
        ("555-010-0123x12", "[phone]x12"),
        ("+44 20 7946 0123", "[phone]"),
        ("电话是5550100123谢谢", "电话是[phone]谢谢"),
        ("٥٥٥٠١٠٠١٢٣", "[phone]"),
        ("".join(chr(0xFF10 + int(digit)) for digit in "5550100123"), "[phone]"),
        ("4111111111111111", "[card]"),
        ("4111 1111 1111 1111", "[card]"),
        ("4111-1111-1111-1111 exp 12/26", "[card] exp 12/26"),
        ("4111 1111 1111 1111 123", "[card]"),
        ("order 123456", "order [number]"),
        ("ORD-1234567.", "ORD-[number]."),
        ("1 2 3 4 5 6", "[number]"),
        ("1" * 30, "[number]"),
        ("four one one one, one one one one, one one one one, one one one one", "[card]"),
        ("plus one five five five oh one double two", "[phone]"),
        ("It's Five Five Five, oh one oh, oh one two three.", "It's [phone]."),
        ("eight hundred five five five oh one double two", "[phone]"),
        ("five five five uh oh one oh dash oh one two three", "[phone]"),
        ("forty two, seventeen, ninety nine", "[number]"),
        ("5 5 5 oh one two three", "[phone]"),
        ("İ 555-010-0123 İ", "İ [phone] İ"),
        ("4111\n1111\n1111\n1111", "[card]"),
        ("4111\t1111\r\n1111\t1111", "[card]"),
        ("4111\u30001111\u20091111\u202f1111", "[card]"),
        ("4111\u200b1111\u20601111\u00ad1111", "[card]"),
        ("\uff4a\uff41\uff4e\uff45\uff20example\uff0ecom!", "[email]!"),
        ("https://x.com/?to=%2B15550100123&m=jane%40example.com#a", "https://x.com/?to=[phone]&m=[email]#a"),
        ("mailto:jane%2Edoe%40example%2ecom", "mailto:[email]"),
        ("?p=%2B1%20555%20010%200123&", "?p=[phone]&"),
        ("?card=4111%201111%201111%201111", "?card=[card]"),
        ("?again=%3Fm%3Djane%2540example.com", "?again=%3Fm%3D[email]"),
    ],
)
def test_what_identifies_a_person_goes(text: str, left: str) -> None:
    assert _said(text) == left
    assert _said(left) == left


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No one told me. One moment, one of the two.",
        "In 2026, or 2019-2021.",
        "Born on 2026-03-02, 02.03.2026, 03/02/2026 or 2026/03/02.",
        "at 2026-03-02T10:00:00.123456Z, 2026-03-02 10:00:00+05:30 or 20260302T100000Z",
        "From 10:30 to 11:45:30, 10-12 and 14-16.",
        "$1234567, € 123456, 1,234,567.89, 1.234.567 and 1 500 000 euros",
        "It took 1200000 ms, 3.14159265 or 123456.789.",
        "123e4567-e89b-12d3-a456-426614174000 and 12345678-1234-1234-1234-123456789012",
        "conv_123456789, c000001, p5317866 and 1234567890abcdef",
        "Version 1.2.3, 117.0.5938.149 and 2024.10.01.",
        "twenty twenty-six at nine thirty",
        "one hundred twenty three thousand four hundred fifty six",
        "double double double",
        "Look at example.com, at home dot.",
        "@jane and jane@localhost",
        "12345",
        "100%25 of 50%20 and %E9%80%80%E6%AC%BE",
        "Total:\n12\n30",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    conversation = _conversation(
        transcript=(TranscriptTurn(index=0, text=text),), summary=text, metadata={"a": [text, {"b": text}]}
    )
    assert PersonalData()(conversation) is conversation


def test_every_place_that_may_hold_it_is_looked_at() -> None:
    recording = Recording(location="s3://recordings/5550100123", access=RecordingAccess.CUSTOMER_BUCKET)
    conversation = _conversation(
        title="for jane@example.com",
        summary="Card 4111 1111 1111 1111",
        provider_end_reason="forwarded to +15550100123",
        tags=("vip", "jane@example.com"),
        links={"jane@example.com": "https://example.com/?to=jane@example.com"},
        recordings=(recording,),
        participants=(
            Participant(name="Jane Doe", phone="sip:jane", id="jane@example.com"),
            Participant(name="+15550100123"),
        ),
        analysis=Analysis(collected={"deep": [{"phone": 15550100123}], "name": "Jane"}, success=True),
        metadata={"phone": 5550100123.0, "at": 1772445600, "ms": 1772445600123, "duration_ms": 1200000, "no": None},
        raw=b"jane@example.com",
        transcript=(
            TranscriptTurn(
                index=0,
                tool_calls=(
                    ToolCall(id="5550100123", name="call", arguments='{"to": 5550100123, "n": 1}'),
                    ToolCall(arguments='{"to": 5550100123'),
                    ToolCall(arguments='{ "n": 1 }'),
                ),
                tool_result=ToolResult(call_id="5550100123", content="jane@example.com"),
            ),
        ),
    )
    redact = PersonalData()
    assert redact(conversation) == _conversation(
        title="for [email]",
        summary="Card [card]",
        provider_end_reason="forwarded to [phone]",
        tags=("vip", "[email]"),
        links={"[email]": "https://example.com/?to=[email]"},
        recordings=(recording,),
        participants=(Participant(name="Jane Doe", phone="[phone]", id="[email]"), Participant(name="[phone]")),
        analysis=Analysis(collected={"deep": [{"phone": "[phone]"}], "name": "Jane"}, success=True),
        metadata={"phone": "[phone]", "at": 1772445600, "ms": 1772445600123, "duration_ms": 1200000, "no": None},
        transcript=(
            TranscriptTurn(
                index=0,
                tool_calls=(
                    ToolCall(id="5550100123", name="call", arguments='{"to":"[phone]","n":1}'),
                    ToolCall(arguments='{"to": [phone]'),
                    ToolCall(arguments='{ "n": 1 }'),
                ),
                tool_result=ToolResult(call_id="5550100123", content="[email]"),
            ),
        ),
    )
    assert redact.counts == {"email": 6, "phone": 7, "card": 1}
    assert conversation.metadata["phone"] == 5550100123.0
    assert redact(redact(conversation)) == redact(conversation)


def test_each_timed_word_of_a_find_is_replaced_and_keeps_its_time() -> None:
    said = ["Call", "five", "five", "five", "oh ", "one", "two.", "Or", "jane@example.com,bob@example.com", "now"]
    words = tuple(Word(text=text, start=float(place), duration=0.5) for place, text in enumerate(said))
    turn = TranscriptTurn(index=7, words=words, start=1.5, timestamp=1772445600.0)
    redacted = PersonalData()(_conversation(transcript=(turn,))).transcript
    assert redacted is not None
    assert [word.text for word in redacted[0].words] == ["Call", *["[number]"] * 6, "Or", "[email]", "now"]
    assert msgspec.structs.replace(redacted[0], words=()) == msgspec.structs.replace(turn, words=())
    assert [(word.start, word.duration) for word in redacted[0].words] == [(word.start, 0.5) for word in words]


def test_only_raw_goes_where_nothing_is_found() -> None:
    conversation = _conversation(raw=b"{}", transcript=(TranscriptTurn(index=0, text="Hello."),), metadata={"a": 1})
    redacted = PersonalData()(conversation)
    assert redacted.raw is None
    assert redacted.transcript is conversation.transcript
    assert redacted.metadata is conversation.metadata


def test_kinds_may_be_kept_and_must_exist() -> None:
    assert _said("123456 jane@example.com +15550100123", ("number", "email")) == "123456 jane@example.com [phone]"
    assert PersonalData(["phone"])(_conversation(participants=(Participant(phone="+1555"),))).participants[0].phone
    with pytest.raises(ConfigurationError, match="fax"):
        PersonalData(["fax"])


def test_metadata_may_be_nested_deeply() -> None:
    metadata: Any = "jane@example.com"
    for _ in range(10_000):
        metadata = [metadata]
    redacted: Any = PersonalData()(_conversation(metadata={"a": metadata})).metadata["a"]
    while not isinstance(redacted, str):
        redacted = redacted[0]
    assert redacted == "[email]"


SECRET = "jane@example.com"
# What is left as it is, and why that is no field with text about people: names others find things by, and codes.
LEFT = {
    *("provider", "id", "account", "language", "estimated"),
    *("agent.id", "agent.version", "analysis.scores"),
    *("recordings.location", "recordings.media_type", "recordings.ref"),
    *("transcript.language", "transcript.metrics", "transcript.provider_id"),
    *("transcript.tool_calls.id", "transcript.tool_result.call_id"),
}
REQUIRED: dict[type, dict[str, Any]] = {
    Conversation: {"provider": "tavus", "id": "c1"},
    TranscriptTurn: {"index": 0},
    Recording: {"location": "/audio", "access": RecordingAccess.PROVIDER_KEY},
    Cost: {"amount": Decimal(1), "unit": "USD"},
    Issue: {"place": "", "reason": ""},
    Word: {"text": ""},
}


def dicts(kind: Any) -> Iterator[dict[str, Any]]:
    """Yield dicts of values of a type that hold the secret."""
    yield {SECRET: 1.0}
    if kind in (Any, str):
        yield {"key": SECRET}
    if kind is Any:
        yield {"key": [{"deep": SECRET, SECRET: SECRET, "[email]": 1}]}


def planted(kind: Any) -> Iterator[tuple[str, Any]]:  # noqa: C901  (a case for each kind of type)
    """Yield every value of a type in which one text holds the secret, and where."""
    if kind is str:
        yield "", SECRET
    elif kind is bytes:
        yield "", SECRET.encode()
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            for place, value in planted(field.type):
                filled = REQUIRED.get(kind, {}) | {field.name: value}
                yield f"{field.encode_name}.{place}".rstrip("."), kind(**filled)
    elif get_origin(kind) is tuple:
        for place, value in planted(get_args(kind)[0]):
            yield place, (value,)
    elif get_origin(kind) is dict:
        yield from (("", value) for value in dicts(get_args(kind)[1]))
    elif get_origin(kind) in (Union, UnionType):
        for one in get_args(kind):
            yield from planted(one)
    else:
        known = (bool, int, float, type(None), Decimal, datetime)
        assert kind in known or issubclass(kind, Enum), f"does PersonalData look into {kind}?"


def test_no_field_with_text_is_forgotten() -> None:
    conversations = list(planted(Conversation))
    assert len({place for place, _ in conversations}) > 30
    left = {place for place, one in conversations if SECRET in repr(msgspec.to_builtins(PersonalData()(one)))}
    assert left == LEFT
    assert all(PersonalData()(one).raw is None for _, one in conversations)


def test_keys_that_become_the_same_stay_apart() -> None:
    redacted = PersonalData()(_conversation(metadata={"a@example.com": 1, "b@example.com": 2, "[email]": 3}))
    assert sorted(redacted.metadata.items()) == [("[email]", 3), ("[email] 2", 1), ("[email] 3", 2)]


def test_an_id_that_is_a_number_goes_and_others_stay() -> None:
    ids = ("5550100123", "user_5550100123", "123e4567-e89b-12d3-a456-426614174000")
    redacted = PersonalData()(_conversation(participants=tuple(Participant(id=id) for id in ids)))
    assert [one.id for one in redacted.participants] == ["[phone]", *ids[1:]]


_FINDS = st.sampled_from(
    ["jane.doe@example.com", "+1 555 010 0123", "+15550100123", "4111 1111 1111 1111", "jane at example dot com"]
)
_PIECES = (
    st.text()
    | _FINDS
    | st.sampled_from(
        [
            "one ",
            "double ",
            "plus ",
            " dot ",
            " at ",
            "-",
            "2026-03-02",
            "10:30",
            "12",
            "555",
            "x",
            "a_",
            "(",
            "j a n e",
        ]
    )
)


@given(st.text(), _FINDS, st.text())
@settings(deadline=None)
def test_it_is_gone_whatever_stands_around_it(before: str, secret: str, after: str) -> None:
    assert secret not in _said(f"{before} {secret} {after}")


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("plus 000000. at 0 dot aa", "plus [number][email]"),
        ("dot 123456.x at example dot com", "dot [number][email]"),
    ],
)
def test_what_is_an_address_only_beside_a_number_that_is_gone_is_removed_too(text: str, redacted: str) -> None:
    assert _said(text) == redacted


@given(st.lists(_PIECES).map("".join))
@settings(deadline=None)
def test_to_redact_twice_is_to_redact_once(text: str) -> None:
    once = _said(text)
    assert _said(once) == once


def _costs(*texts: str) -> list[float]:
    """Return the least processor time of several that each text takes, one after the other in turn.

    Only their proportion means anything: it is the same on a slow machine, and on a busy one.
    """
    conversations = [_conversation(transcript=(TranscriptTurn(index=0, text=text),)) for text in texts]
    costs: list[list[float]] = [[] for _ in texts]
    for _ in range(5):
        for each, conversation in zip(costs, conversations, strict=True):
            began = time.process_time()
            PersonalData()(conversation)
            each.append(time.process_time() - began)
    return list(map(min, costs))


def _text(piece: str, size: int) -> str:
    """Return a text of one piece, behind a beginning that makes every look look closer."""
    return "@ at 1 dot. " + (piece * (size // len(piece) + 1))[:size]


_HOSTILE = ["a", "1", "@.", "one ", "1-", "double ", "a@", "a@b.", "a.", "+", "(", "plus ", "2026-"]
_FULL_OF_FINDS = [
    "1,", "1 2,", "1.", "11.", "12:30 ", "o ", "dot ", "a dot ", "at dot ", "a at b dot ", "a@b.co ", "123456,",
    "%40", "a%40b.co ", "1%20", "1\n",
]  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.parametrize("piece", _HOSTILE)
def test_f115j_hostile_text_costs_about_what_any_text_does(piece: str) -> None:
    hostile, any_other = _costs(_text(piece, 2**15), _text("The order has not arrived yet; where is it? ", 2**15))
    assert hostile < 8 * any_other  # twice as much is usual


@pytest.mark.no_cover
@pytest.mark.parametrize("piece", [*_HOSTILE, *_FULL_OF_FINDS])
def test_f115j_a_longer_text_costs_more_only_in_step_with_its_length(piece: str) -> None:
    short, long = _costs(_text(piece, 2**13), _text(piece, 2**16))
    assert long < 24 * short  # eight times as much is due; where each looked at all the others, it would be 64


_CHAINS = [
    "2024-00:",
    "0170 1234567:",
    "123456:12 34 56:",
    "-a@b.cc",
    "a at b dot cc-",
    "x@y.zz.",
    "one two three-four ",
]
"""Finds that begin anew, each only once the next one is gone."""


@pytest.mark.parametrize("piece", _CHAINS)
def test_what_hangs_together_is_looked_at_in_step_with_its_length(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = 0
    mask = personal_data._mask  # pyright: ignore[reportPrivateUsage]

    def counted(text: str, finds: Sequence[tuple[int, int, str]]) -> str:
        nonlocal looked_at
        looked_at += len(text)
        return mask(text, finds)

    monkeypatch.setattr(personal_data, "_mask", counted)

    def cost(number: int) -> int:
        nonlocal looked_at
        looked_at = 0
        once = _said(piece * number)
        cost = looked_at
        assert _said(once) == once
        assert re.search(r"\d{6}|\d \d{6}|@", once) is None
        return cost

    assert ratio(map(cost, (50, 100, 200))) < 3


def test_finds_that_hang_together_are_told_apart_as_long_as_people_write_them() -> None:
    assert _said("0170 1234567:" * 8) == "[phone]:" * 8
    assert _said("0170 1234567:" * 9) == "[number] [number]:" + "[phone]:" * 8
    assert _said("jane@x.com-" * 40) == "[email]-" * 40


def test_keys_that_become_the_same_cost_in_step_with_their_number() -> None:
    def cost(number: int) -> int:
        one = _conversation(metadata={f"jane{key}@example.com": key for key in range(number)})
        return steps(lambda: PersonalData()(one))

    assert ratio(map(cost, (50, 100, 200))) < 3
