"""Bodies: mended or refused, never half read; what does not fit is told by its place and never by its content."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub._scrub.members import scrubbed
from conversations_hub._transport.compression import decompress
from conversations_hub.errors import HubError, PayloadError, TransportError
from conversations_hub.reading.json import decode, decoded_body, well_formed
from conversations_hub.reading.values import Id, Instant, Number, Seconds, UnixSeconds
from conversations_hub.schema import Issue

T = TypeVar("T")

# bytes → well-formed JSON


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1}',
        b" [1, 2]\n",
        b"null",
        b"-0",
        '{"a":"é 日本 🙂"}'.encode(),
        b'{"a":"\\ud83d\\ude42"}',
        b'{"a":1e400}',
        b'{"id":"a","id":"b"}',
    ],
)
def test_a_good_body_is_left_as_it_is(body: bytes) -> None:
    assert well_formed(body) == (body, False)


@pytest.mark.parametrize(
    ("body", "mended"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":NaN}', {"a": None}),
        (b"[Infinity,-Infinity]", [None, None]),
        (b"[NaN,1e400,1.5]", [None, None, 1.5]),
        (b'{"a":"x\\ud83dy"}', {"a": "x\ufffdy"}),
        (b'{"\\udfff":1}', {"\ufffd": 1}),
        (b'{"a":"x\xffy"}', {"a": "x\ufffdy"}),
        (
            b'\xef\xbb\xbf{"a":NaN,"b":"\xff\\ud83d","c":9007199254740993}',
            {"a": None, "b": "\ufffd\ufffd", "c": 2**53 + 1},
        ),
        (b'{"id":"a","id":"b","c":NaN}', {"id": "b", "c": None}),
        (b'{"a":NaN,"b":%s,"c":-%s}' % (b"7" * 4301, b"7" * 5000), {"a": None, "b": None, "c": None}),
        (b'{"a":NaN,"b":%s}' % (b"7" * 4300), {"a": None, "b": int("7" * 4300)}),
        (b'{"a":NaN,"b":%s.5,"c":0.%s}' % (b"7" * 4301, b"0" * 5000), {"a": None, "b": None, "c": 0.0}),
        (b'{"a":"one\ntwo\tthree\x01"}', {"a": "one\ntwo\tthree\x01"}),
    ],
)
def test_a_nearly_good_body_is_mended(body: bytes, mended: object) -> None:
    found, was_mended = well_formed(body)
    assert (json.loads(found), was_mended) == (mended, True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"<!DOCTYPE html><p>Sorry", "HTML or XML"),
        (b'{"a":', "truncated or broken, 5 bytes"),
        (b'{"a":1}{"b":2}', "truncated or broken, 14 bytes"),
        (b'{"a":1} secret', "truncated or broken, 14 bytes"),
        (b"[1,2,]", "truncated or broken, 6 bytes"),
        (b"{'a':1}", "truncated or broken, 7 bytes"),
        ('{"a":1}'.encode("utf-16"), "other text, 16 bytes"),
        ('{"a":1}'.encode("utf-16-le"), "truncated or broken, 14 bytes"),
        (b"secret", "other text, 6 bytes"),
        (b"\x1f\x8b\x08\x00", "other text, 4 bytes"),
        (b"[NaN," + b'"0123456789",' * 340_000 + b"1]", "truncated or broken, 4420007 bytes"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_body_that_is_no_json_is_refused_for_now(body: bytes, kind: str) -> None:
    with pytest.raises(PayloadError) as caught:
        well_formed(body)
    assert caught.value.reason == f"the response is not JSON: {kind}"
    assert caught.value.retryable
    assert caught.value.__context__ is None


def test_a_body_cut_anywhere_is_refused_for_now() -> None:
    body = b'{"a": [1, {"b": "\\ud83d\\ude42"}], "c": NaN}'
    for size in range(len(body)):
        with pytest.raises(PayloadError) as caught:
            well_formed(body[:size])
        assert caught.value.retryable


def _deep_in_the_stack(frames: int, call: Callable[[], T]) -> T:
    return call() if frames == 0 else _deep_in_the_stack(frames - 1, call)


NESTED: dict[str, Callable[[int], bytes]] = {
    "lists": lambda depth: b"[" * depth + b"]" * depth,
    "objects": lambda depth: b'{"one":' * depth + b"{}" + b"}" * depth,
    "after NaN": lambda depth: b"[NaN," + b"[" * depth + b"]" * depth + b"]",
}


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("depth", [100_000, 1_000_000])
def test_what_is_nested_too_deeply_is_refused_for_good(nested: Callable[[int], bytes], depth: int) -> None:
    body = nested(depth)
    if body.startswith(b"[NaN") and depth == 1_000_000:
        depth, body = 2_000_000, nested(2_000_000)[:4_000_000]  # larger is not mended at all
    with pytest.raises(PayloadError) as caught:
        well_formed(body)
    assert caught.value.reason in {
        "the response is nested too deeply",
        "the response has implausibly many tiny JSON values",
    }
    assert not caught.value.retryable
    assert caught.value.__context__ is None


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("frames", [0, 400])
def test_a_hundred_levels_are_read_and_no_more_however_deep_the_stack(
    nested: Callable[[int], bytes], frames: int
) -> None:
    around = 1  # level that each of them has beside those it is asked for, but for lists
    most = 100 - (0 if nested is NESTED["lists"] else around)
    body, _ = _deep_in_the_stack(frames, lambda: well_formed(nested(most)))
    assert body.count(b"]") + body.count(b"}") == 100
    for depth in (most + 1, 900):
        with pytest.raises(PayloadError, match="nested too deeply") as caught:
            _deep_in_the_stack(frames, lambda depth=depth: well_formed(nested(depth)))  # type: ignore[misc]
        assert not caught.value.retryable


@pytest.mark.parametrize("nested", NESTED.values(), ids=NESTED)
def test_sixty_levels_are_read_from_deep_in_the_stack(nested: Callable[[int], bytes]) -> None:
    body, was_mended = _deep_in_the_stack(400, lambda: well_formed(nested(60)))
    assert was_mended == (b"null" in body)
    assert _deep_in_the_stack(400, lambda: decode(body, msgspec.json.Decoder())) is not None


# well-formed JSON → typed records


class Turn(msgspec.Struct):
    text: str | None = None
    at: UnixSeconds | None = None
    length: Seconds | None = None
    when: Instant = None
    span: Number = None
    final: bool | None = None
    count: int = 0
    scores: dict[str, float] | None = None
    odd: int | None = msgspec.field(default=None, name="x-odd name")
    dotted: int | None = msgspec.field(default=None, name="x.y")
    raw: msgspec.Raw = msgspec.Raw()


class Call(msgspec.Struct):
    id: Id
    turns: list[Turn | None] | None = None
    numbers: list[float | None] | None = None


call = msgspec.json.Decoder(Call, strict=False)


def _turn(member: str, issues: list[Issue] | None) -> Turn:
    found = decode(b'{"id":7,"turns":[null,{%s}],"numbers":[]}' % member.encode(), call, issues)
    turn = (found.turns or [])[1]
    assert turn is not None
    assert (found.id, found.numbers) == (7, [])
    return turn


@pytest.mark.parametrize(
    ("member", "name", "value"),
    [
        ('"length":"12"', "length", 12.0),
        ('"length":12', "length", 12.0),
        ('"length":-0', "length", 0.0),
        ('"length":null', "length", None),
        ('"when":9007199254740993', "when", 9007199254740993),
        ('"final":"true"', "final", True),
        ('"unknown":1e400,"text":"x"', "text", "x"),
        ('"x-odd name":"5"', "odd", 5),
    ],
)
def test_what_fits_is_read_without_an_issue(member: str, name: str, value: object) -> None:
    issues: list[Issue] = []
    assert getattr(_turn(member, issues), name) == value
    assert issues == []


@pytest.mark.parametrize(
    ("member", "place", "reason"),
    [
        ('"length":"secret"', "length", "Expected float | null, got str"),
        ('"length":""', "length", "Expected float | null, got str"),
        ('"length":{"secret":1}', "length", "Expected float | null, got object"),
        ('"length":["secret"]', "length", "Expected float | null, got array"),
        ('"length":true', "length", "Expected float | null, got bool"),
        ('"length":-1', "length", "Expected float >= 0.0"),
        ('"length":"nan"', "length", "Expected float >= 0.0"),
        ('"length":"inf"', "length", "Expected float < 1000000000.0"),
        ('"length":123456789012345678901234567890', "length", "Expected float < 1000000000.0"),
        ('"length":1e400', "length", "Number out of range"),
        (f'"length":{"9" * 5000}', "length", "Number out of range"),
        ('"at":1772445600123', "at", "Expected float < 100000000000.0"),
        ('"at":0', "at", "Expected float > 0.0"),
        ('"text":5', "text", "Expected str | null, got int"),
        ('"final":"secret"', "final", "Expected bool | null, got str"),
        ('"when":{"secret":1}', "when", "Expected int | float | str | null, got object"),
        ('"when":1e400', "when", "Number out of range"),
        (f'"when":{"9" * 5000}', "when", "Integer value out of range"),
        ('"span":true', "span", "Expected int | float | str | null, got bool"),
        ('"x-odd name":"secret"', "x-odd name", "Expected int | null, got str"),
        ('"x.y":"secret","x":1', "x.y", "Expected int | null, got str"),
        ('"scores":{"secret":"secret"}', "scores[...]", "Expected float, got str"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_single_value_that_does_not_fit_becomes_null_and_is_noted(member: str, place: str, reason: str) -> None:
    issues: list[Issue] = []
    assert _turn(f'"unknown":1.10,{member}', issues) == Turn()
    assert issues == [Issue(f"turns[1].{place}", reason)]
    with pytest.raises(PayloadError) as caught:
        _turn(member, None)
    assert caught.value.reason == f"the response does not fit: {reason} at $.turns[1].{place}"


def test_every_value_that_does_not_fit_is_noted_and_the_rest_is_kept() -> None:
    body = (
        b'{"id":18446744073709551617,"turns":[{"text":"a","length":"x","when":1e400},{"text":"b","final":"y"}],'
        b'"numbers":[1.10,"z",3,1e400]}'
    )
    issues: list[Issue] = []
    found = decode(body, call, issues)
    assert found == Call(18446744073709551617, [Turn(text="a"), Turn(text="b")], [1.1, None, 3.0, None])
    assert [issue.place for issue in issues] == [
        "turns[0].length",
        "turns[0].when",
        "turns[1].final",
        "numbers[1]",
        "numbers[3]",
    ]


@pytest.mark.parametrize("stray", ["7", '"secret"', "true", "[1,2]", '["secret"]', "1.5"])
def test_what_stands_among_the_records_of_a_list_and_is_none_is_set_apart(stray: str) -> None:
    issues: list[Issue] = []
    body = f'{{"id":1,"turns":[{{"text":"a"}},{stray},null,{{"text":"b"}},{stray}]}}'.encode()
    assert decode(body, call, issues) == Call(1, [Turn(text="a"), None, None, Turn(text="b"), None])
    assert issues == [Issue("turns[1]", "not an object"), Issue("turns[4]", "not an object")]
    with pytest.raises(PayloadError, match=r"Expected object \| null, got \w+ at \$\.turns\[1\]$"):
        decode(body, call)


@pytest.mark.parametrize("stray", [b"7", b'{"final":"x"}', b'{"length":{},"when":1e400}', b'{"scores":{"a":"b"}}'])
def test_a_body_is_read_as_often_whatever_the_number_of_misfits_in_it(stray: bytes) -> None:
    class Counting:
        type, strict = call.type, call.strict
        reads = 0

        def decode(self, body: bytes | msgspec.Raw) -> Call:
            self.reads += 1
            return call.decode(body)

    counting = Counting()
    for misfits in (2, 200):
        issues: list[Issue] = []
        body = b'{"id":1,"turns":[%s{"text":"a"}]}' % (b"%s," % stray * misfits)
        decode(body, cast("msgspec.json.Decoder[Call]", counting), issues)
        assert len(issues) >= misfits
    assert counting.reads == 4


def test_a_body_of_more_misfits_than_anybody_means_is_refused() -> None:
    with pytest.raises(PayloadError, match="more than 10000 values are of another kind"):
        decode(b'{"id":1,"numbers":[%s1]}' % (b'"x",' * 10_001), call, [])


def test_a_list_whose_records_must_be_there_is_refused() -> None:
    with pytest.raises(PayloadError, match=r"Expected object, got int at \$\[0\]"):
        decode(b"[7]", msgspec.json.Decoder(list[Turn]), [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"id":null}', "Expected int | str, got null at $.id"),
        (b'{"id":1.5}', "Expected int | str, got float at $.id"),
        (b'{"id":{"secret":1}}', "Expected int | str, got object at $.id"),
        (b'{"id":%s}' % (b"9" * 5000), "Integer value out of range at $.id"),
        (b"{}", "Object missing required field id at $"),
        (b'{"id":1,"turns":"secret"}', "Expected array | null, got str at $.turns"),
        (b'{"id":1,"turns":{"0":"secret"}}', "Expected array | null, got object at $.turns"),
        (b'{"id":1,"turns":[{"count":null}]}', "Expected int, got null at $.turns[0].count"),
        (b'{"id":1,"turns":[{"count":"secret"}]}', "Expected int, got str at $.turns[0].count"),
        (b'{"id":1,"turns":[{"scores":["secret"]}]}', "Expected object | null, got array at $.turns[0].scores"),
        (b'["secret"]', "Expected object, got array at $"),
        (b"null", "Expected object, got null at $"),
        (b'"secret"', "Expected object, got str at $"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_structure_that_does_not_fit_is_refused_with_its_place(body: bytes, reason: str) -> None:
    with pytest.raises(PayloadError) as caught:
        decode(body, call, [])
    assert caught.value.reason == f"the response does not fit: {reason}"
    assert not caught.value.retryable
    assert caught.value.__context__ is None


class _Node(msgspec.Struct):
    one: _Node | None = None


@pytest.mark.parametrize("member", ["one", "unknown"])
def test_a_record_nested_too_deeply_is_refused(member: str) -> None:
    body = f'{{"{member}":'.encode() * 100_000 + b"{}" + b"}" * 100_000
    with pytest.raises(PayloadError) as caught:
        decode(body, msgspec.json.Decoder(_Node), [])
    assert caught.value.reason == "it is nested too deeply"
    assert caught.value.__context__ is None


def test_a_map_alone_keeps_no_value_that_does_not_fit() -> None:
    with pytest.raises(PayloadError, match=r"Expected float, got str at \$\[\.\.\.\]"):
        decode(b'{"a":"secret"}', msgspec.json.Decoder(dict[str, float]), [])


class _Worded(msgspec.Struct):
    a: Literal["yes", "no"]


def test_an_enumeration_never_repeats_its_word() -> None:
    with pytest.raises(PayloadError, match=r"^the response does not fit: unreadable value at \$\.a$"):
        decode(b'{"a":"secret"}', msgspec.json.Decoder(_Worded), [])


def test_a_record_of_a_page_decodes_like_a_body() -> None:
    rows = msgspec.json.decode(b'[{"id":"a"},{"id":"b","numbers":["x"]}]', type=list[msgspec.Raw])
    issues: list[Issue] = []
    assert [decode(row, call, issues) for row in rows] == [Call("a"), Call("b", numbers=[None])]
    assert issues == [Issue("numbers[0]", "Expected float | null, got str")]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
documents = values | st.fixed_dictionaries(
    {"id": st.text() | st.integers() | values},
    optional={
        "turns": st.lists(
            st.none() | st.dictionaries(st.sampled_from(Turn.__struct_encode_fields__), values), max_size=4
        ),
        "numbers": st.lists(values, max_size=4),
    },
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a document of ours, cut somewhere or with junk in it."""
    body = json.dumps(draw(documents)).encode()
    at = draw(st.integers(min_value=0, max_value=len(body)))
    return body[:at] + draw(st.binary(max_size=3)) + (body[at:] if draw(st.booleans()) else b"")


@given(bodies() | st.binary(max_size=30))
def test_what_is_decoded_and_checked_in_one_is_what_both_say(body: bytes) -> None:
    untyped: msgspec.json.Decoder[object] = msgspec.json.Decoder()
    decoders: list[msgspec.json.Decoder[Any]] = [call, msgspec.json.Decoder(dict[str, msgspec.Raw])]
    for decoder in decoders:
        found = decoded_body(body, decoder)
        if found is not None:
            assert well_formed(body) == (body, False)
            assert found == body
            assert decode(found, decoder) is decode(found, decoder)
            assert msgspec.json.encode(decode(found, decoder)) == msgspec.json.encode(decoder.decode(body))
            assert decode(found, untyped) == decode(body, untyped)


@pytest.mark.parametrize(
    "body",
    [
        b'{"skipped": "\\ud800"}',
        b'{"skipped": "\xff"}',
        b'{"skipped": NaN}',
        b'\xef\xbb\xbf{"id": "a"}',
        b'{"id": "a"',
        b'{"skipped": ' + b"[" * 101 + b"]" * 101 + b"}",
        b'{"skipped": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"id": {}}',
    ],
)
def test_what_may_have_to_be_mended_or_refused_is_not_decoded_at_once(body: bytes) -> None:
    assert decoded_body(body, call) is None


@given(bodies() | st.binary(max_size=30))
def test_nothing_but_a_payload_error_comes_of_any_body(body: bytes) -> None:
    issues: list[Issue] = []
    try:
        found, was_mended = well_formed(body)
        json.loads(found.decode())
        assert was_mended == (found != body)
        decode(found, call, issues)
    except PayloadError as error:
        assert error.__context__ is None  # noqa: PT017  (either end is fine; this one must hold nothing)


# compressed bodies

PLAIN = b'{"a": "' + b"x" * 1000 + b'"}'
ZIPPED = gzip.compress(PLAIN, mtime=0)
BROKEN_SUM = ZIPPED[:-8] + bytes(4) + ZIPPED[-4:]


@pytest.mark.parametrize(
    ("body", "encoding", "limit", "plain"),
    [
        (PLAIN, "", 1, PLAIN),
        (PLAIN, "identity", 1, PLAIN),
        (ZIPPED, "gzip", len(PLAIN), PLAIN),
        (ZIPPED, "x-gzip", len(PLAIN), PLAIN),
        (ZIPPED * 3, "gzip", 3 * len(PLAIN), PLAIN * 3),
        (gzip.compress(b"", mtime=0) * 64, "gzip", 10, b""),
    ],
    ids=["none", "identity", "gzip", "x-gzip", "three members", "64 members"],
)
def test_a_whole_body_is_decompressed(body: bytes, encoding: str, limit: int, plain: bytes) -> None:
    assert b"".join(decompress(body, encoding, limit)) == plain


@pytest.mark.parametrize(
    ("body", "encoding", "limit", "kind", "reason"),
    [
        (b"", "gzip", 9999, TransportError, "the compressed response is truncated or corrupt"),
        (BROKEN_SUM, "gzip", 9999, TransportError, "the compressed response is truncated or corrupt"),
        (zlib.compress(PLAIN), "gzip", 9999, TransportError, "the compressed response is truncated or corrupt"),
        (PLAIN, "gzip", 9999, TransportError, "the compressed response is truncated or corrupt"),
        (ZIPPED + b"junk", "gzip", 9999, TransportError, "the compressed response is truncated or corrupt"),
        (ZIPPED + ZIPPED[:-1], "gzip", 9999, TransportError, "the compressed response is truncated or corrupt"),
        (ZIPPED, "gzip", 1008, PayloadError, "the response is larger than 1008 bytes"),
        (ZIPPED * 2, "gzip", 2017, PayloadError, "the response is larger than 2017 bytes"),
        (
            gzip.compress(b"", mtime=0) * 65,
            "gzip",
            9999,
            PayloadError,
            "the response has more than 64 gzip members",
        ),
        (
            gzip.compress(b"", mtime=0) * 20_000,
            "gzip",
            9999,
            PayloadError,
            "the response has more than 64 gzip members",
        ),
        *(
            (ZIPPED, coding, 9999, PayloadError, "the response has an unsupported Content-Encoding")
            for coding in ("gzip, gzip", "br", "zstd", "deflate", "foo")
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_another_body_is_refused(body: bytes, encoding: str, limit: int, kind: type[HubError], reason: str) -> None:
    with pytest.raises(HubError) as caught:
        b"".join(decompress(body, encoding, limit))
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert caught.value.retryable is (kind is TransportError)
    assert caught.value.__context__ is None


def test_a_body_cut_anywhere_is_never_a_shorter_one() -> None:
    for size in range(len(ZIPPED)):
        with pytest.raises(TransportError):
            b"".join(decompress(ZIPPED[:size], "gzip", 9999))


def test_a_bomb_takes_little_more_memory_than_the_limit() -> None:
    limit = 1024 * 1024
    bomb = gzip.compress(bytes(16 * limit), 1, mtime=0)
    tracemalloc.start()
    try:
        with pytest.raises(PayloadError):
            b"".join(decompress(bomb, "gzip", limit))
        assert tracemalloc.get_traced_memory()[1] < 3 * limit
    finally:
        tracemalloc.stop()


# raw, without its secrets


@pytest.mark.parametrize(
    ("body", "clean"),
    [
        (b'{"token" : "sk-1", "a":1}', b'{"token":"***","a":1}'),
        (b'[{"b":{"c":[{"token":"sk-1"}]}}]', b'[{"b":{"c":[{"token":"***"}]}}]'),
        (b'{"token":{"a":["sk-1"]},"key":["sk-1"]}', b'{"token":"***","key":"***"}'),
        (b'{"token":12,"key":""}', b'{"token":"***","key":"***"}'),
        (b'{"token":null}', b'{"token":null}'),
        (
            b'{"token":"sk-1","a":[1.10,1e400,-0,9007199254740993]}',
            b'{"token":"***","a":[1.10,1e400,-0,9007199254740993]}',
        ),
        (b'{"token":"sk-1","a":%s}' % (b"9" * 5000), b'{"token":"***","a":%s}' % (b"9" * 5000)),
        (
            b'{"Token":"a", "tokens": "b",  "x":"\\"token\\": 1"}',
            b'{"Token":"a", "tokens": "b",  "x":"\\"token\\": 1"}',
        ),
        (b'{"a": "token"}', b'{"a": "token"}'),
        (b'{"tokens": 1, "my_token": 2}', b'{"tokens": 1, "my_token": 2}'),
        (
            rb'{"arguments": "{\"token\": \"sk-1\", \"a\": 1.10}"}',
            rb'{"arguments":"{\"token\":\"***\",\"a\":1.10}"}',
        ),
        (
            rb'{"a": " [{\"b\": \"{\\\"token\\\": 1}\"}]"}',
            rb'{"a":"[{\"b\":\"{\\\"token\\\":\\\"***\\\"}\"}]"}',
        ),
        (rb'{"arguments": "{\"token\": \"sk-1", "b": "{\"tokens"}', b'{"arguments":"***","b":"{\\"tokens"}'),
        (b'{"held__a": 1, "held__": 2, "held_": 3}', b'{"held__a":"***","held__":"***","held_":3}'),
        (rb'{"a": "{\"held__a\": 1}"}', rb'{"a":"{\"held__a\":\"***\"}"}'),
        (b'{"token":"sk-1","a":"\\u00e9\\n"}', '{"token":"***","a":"é\\n"}'.encode()),
    ],
    ids=lambda value: str(value)[:40],
)
def test_secret_members_are_scrubbed_at_any_depth(body: bytes, clean: bytes) -> None:
    assert scrubbed(body, {"token", "key", "held__*"}) == clean


def test_without_secret_members_raw_is_untouched() -> None:
    body = b'{ "token" : 1 }'
    assert scrubbed(body, frozenset()) is body
    assert scrubbed(body, {"other"}) is body
    for body in (b'{"a": "token"}', rb'{"a": "{\"tokens\": 1}"}', rb'{"a": "see \"token\": 1"}'):
        assert scrubbed(body, {"token"}) is body


def test_a_secret_is_found_under_hundreds_of_levels() -> None:
    assert scrubbed(b"[" * 600 + b'{"token":"sk-1"}' + b"]" * 600, {"token"}) == (
        b"[" * 600 + b'{"token":"***"}' + b"]" * 600
    )


def test_raw_that_cannot_be_scrubbed_is_not_kept() -> None:
    with pytest.raises(PayloadError) as caught:
        scrubbed(b"[" * 100_000 + b'{"token":"sk-1"}' + b"]" * 100_000, {"token"})
    assert caught.value.__context__ is None
