"""Bodies and decoding: F066 to F083."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pytest

from conversations_hub import Conversation, Hub
from conversations_hub.errors import HubError, OutageError, PayloadError, TransportError
from conversations_hub.hub import Page, Walk
from conversations_hub.schema import Issue, Role, Status

from ..support.server import Asked, answer, serving
from ..support.tavus_server import row
from .conftest import Fault, ask

OK = answer({"fine": True})
MIB = 1024 * 1024


def _zipped(body: bytes, coding: str = "gzip") -> bytes:
    return answer(body, headers={"Content-Encoding": coding})


@contextmanager
def _measured() -> Generator[list[int]]:
    """Hand out a list that holds the most memory taken, once it is over."""
    most: list[int] = []
    tracemalloc.start()
    try:
        yield most
        most.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


class _Decompressor:
    """The library's, which counts what it brings; and all there are."""

    made: ClassVar[list[_Decompressor]] = []

    def __init__(self, wbits: int) -> None:
        self._library_s = _decompressobj(wbits)
        self.brought = 0
        self.made.append(self)

    def decompress(self, packed: bytes, most: int = 0) -> bytes:
        part = self._library_s.decompress(packed, most)
        self.brought += len(part)
        return part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library_s, name)


_decompressobj = zlib.decompressobj


@pytest.fixture
def decompressors(monkeypatch: pytest.MonkeyPatch) -> list[_Decompressor]:
    """Return a list of those that were made, which are counted."""
    monkeypatch.setattr(_Decompressor, "made", [])
    monkeypatch.setattr(zlib, "decompressobj", _Decompressor)
    return _Decompressor.made


async def test_f066_a_bomb_takes_no_more_memory_than_the_bound_and_no_time(
    fault: Fault, decompressors: list[_Decompressor]
) -> None:
    bomb = gzip.compress(bytes(32 * MIB))
    assert len(bomb) < 64 * 1024
    async with serving(_zipped(bomb)) as server:
        lane = await fault.lane(server.url, largest_body=MIB)
        with _measured() as most:
            error = await fault.failure(ask(lane))
        assert len(server.asked) == 1
    assert type(error) is PayloadError
    assert "larger than" in error.reason
    assert [one.brought for one in decompressors] == [MIB + 1]  # what is not unpacked takes no time
    assert most[0] <= 3 * MIB


PLAIN = b'{"fine": true}'
ZIPPED = gzip.compress(PLAIN)


@pytest.mark.parametrize(
    ("said", "kind", "requests"),
    [
        pytest.param(_zipped(gzip.compress(ZIPPED), "gzip, gzip"), PayloadError, 1, id="twice"),
        pytest.param(_zipped(b"\x0b\x06\x80" + PLAIN + b"\x03", "br"), PayloadError, 1, id="br"),
        pytest.param(_zipped(b"\x28\xb5\x2f\xfd\x20\x0e\x71\x00\x00" + PLAIN, "zstd"), PayloadError, 1, id="zstd"),
        pytest.param(_zipped(PLAIN, "foo"), PayloadError, 1, id="nobody knows it"),
        pytest.param(_zipped(PLAIN), TransportError, 3, id="not compressed at all"),
        pytest.param(_zipped(ZIPPED[:-8] + bytes(4) + ZIPPED[-4:]), TransportError, 3, id="bad checksum"),
        pytest.param(_zipped(ZIPPED[:-4] + bytes(4)), TransportError, 3, id="bad length"),
    ],
)
async def test_f068_no_other_coding_reaches_a_decoder(
    fault: Fault, said: bytes, kind: type[HubError], requests: int
) -> None:
    async with serving(said) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
        assert len(server.asked) == requests
    assert type(error) is kind


async def test_f069_thousands_of_empty_members_are_refused_at_once(
    fault: Fault, decompressors: list[_Decompressor]
) -> None:
    members = gzip.compress(b"") * 20_000
    assert len(members) == 400_000
    async with serving(_zipped(members)) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
        assert len(server.asked) == 1
    assert len(decompressors) < 100
    assert type(error) is PayloadError
    assert "gzip members" in error.reason


class _Endless:
    """A body without end, which counts what it could send until the other side closed."""

    def __init__(self, head: bytes, part: bytes) -> None:
        self._head = head
        self._part = part
        self.sent = 0
        self.closed = asyncio.Event()

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(self._head)
        try:
            while not writer.is_closing():
                writer.write(self._part)
                await writer.drain()
                self.sent += len(self._part)
                await asyncio.sleep(0)
        finally:
            self.closed.set()


_IN_THE_SOCKETS = 16 * MIB  # what the two ends may hold back for each other


@pytest.mark.parametrize(
    ("head", "part"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", b" " * 0x10000, id="10 GB declared"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b" " * 0x10000 + b"\r\n",
            id="chunks without end",
        ),
    ],
)
async def test_f070_what_is_too_large_is_not_drained(fault: Fault, head: bytes, part: bytes) -> None:
    endless = _Endless(head, part)
    async with serving(endless) as server:
        error = await fault.failure(ask(await fault.lane(server.url, largest_body=MIB)))
        await endless.closed.wait()
        assert (len(server.asked), server.connections) == (1, 1)
    assert type(error) is PayloadError
    assert error.reason == f"the response is larger than {MIB} bytes"
    assert endless.sent < MIB + _IN_THE_SOCKETS


async def test_f083_of_a_huge_refusal_only_the_beginning_is_read(fault: Fault) -> None:
    endless = _Endless(b"HTTP/1.1 500 No\r\nContent-Length: 104857600\r\n\r\n", b" " * 0x10000)
    async with serving(endless) as server:
        lane = await fault.lane(server.url, attempts=1)
        with _measured() as most:
            error = await fault.failure(ask(lane))
        await endless.closed.wait()
        assert len(server.asked) == 1
    assert type(error) is OutageError
    assert error.status == 500
    assert endless.sent < _IN_THE_SOCKETS
    assert most[0] < 4 * MIB


# JSON


def _nested(depth: int, member: str) -> bytes:
    return b'{"conversation_id": "c1", "%s": %s%s}' % (member.encode(), b"[" * depth, b"]" * depth)


# CPython 3.14 has the stack to pass over a hundred thousand levels of what nobody keeps.
@pytest.mark.parametrize(("member", "depth"), [("events", 100_000), ("unknown", 1_000_000)])
async def test_f071_what_is_nested_without_end_is_refused(fault: Fault, member: str, depth: int) -> None:
    async with serving(answer(_nested(depth, member))) as server:
        hub = await fault.hub(server.url)
        error = await fault.failure(hub.get("tavus:c1"))
        assert len(server.asked) == 1
    assert type(error) is PayloadError


async def test_f071_sixty_levels_are_read_from_deep_in_the_stack(fault: Fault) -> None:
    async def deep(hub: Hub, frames: int) -> Conversation:
        return await (deep(hub, frames - 1) if frames else hub.get("tavus:c1"))

    async with serving(answer(_nested(60, "unknown"))) as server:
        assert (await deep(await fault.hub(server.url), 400)).id == "c1"


def _page(rows: list[bytes]) -> bytes:
    return answer(b'{"data": [%s], "total_count": %d}' % (b", ".join(rows), len(rows)))


def _rows(**special: bytes) -> list[bytes]:
    """Return a hundred rows; `c17=` adds members to that one."""
    return [
        b'{"conversation_id": "c%d", "status": "ended"%s}' % (number, b", " + more if more else b"")
        for number in range(100)
        for more in [special.get(f"c{number}", b"")]
    ]


async def _one_page(walk: Walk) -> Page:
    [page] = [page async for page in walk.pages()]
    return page


async def test_f072_what_no_decoder_takes_costs_no_record(fault: Fault) -> None:
    said = _page(_rows(c17=rb'"unknown": "cut \ud83d"', c42=b'"unknown": NaN'))
    async with serving(said) as server:
        walk = (await fault.hub(server.url)).list("tavus")
        page = await _one_page(walk)
        assert len(server.asked) == 1
    assert [found.id for found in page.items] == [f"c{number}" for number in range(100)]
    assert walk.report.accounts[0].mended == 1
    assert walk.report.complete


@pytest.mark.parametrize(
    "flaw",
    [b'"unknown": "cut \\ud83d"', b'"unknown": NaN', b'"unknown": "not UTF-8: \xff"', b'"unknown": "one\ntwo"', b""],
)
async def test_f072_one_row_s_endless_number_costs_no_other_row(fault: Fault, flaw: bytes) -> None:
    endless = b"7" * 4301
    said = _rows(c17=flaw, c42=b'"unknown": ' + endless, c43=b'"conversation_name": ' + endless)
    said[44] = b'{"conversation_id": %s}' % endless
    async with serving(_page(said)) as server:
        walk = (await fault.hub(server.url)).list("tavus")
        page = await _one_page(walk)
        assert len(server.asked) == 1
    assert [found.id for found in page.items] == [f"c{number}" for number in range(100) if number != 44]
    assert [rejected.place for rejected in page.rejected] == ["page 1, row 44"]
    assert walk.report.accounts[0].mended == bool(flaw)


async def test_f073_a_bad_record_is_one_record_and_is_not_shown(fault: Fault) -> None:
    async with serving(_page(_rows(c17=b'"events": "oops"'))) as server:
        walk = (await fault.hub(server.url)).list("tavus")
        page = await _one_page(walk)
    assert [found.id for found in page.items] == [f"c{number}" for number in range(100) if number != 17]
    [rejected] = page.rejected
    assert rejected.place == "page 1, row 17"
    assert "oops" not in rejected.reason
    assert not walk.report.complete


WHOLE = json.dumps({"data": [row(1)], "total_count": 1}).encode()


async def test_f074_a_byte_order_mark_is_taken_off(fault: Fault) -> None:
    async with serving(answer(b"\xef\xbb\xbf" + WHOLE)) as server:
        walk = (await fault.hub(server.url)).list("tavus")
        assert [found.id async for found in walk] == ["c1"]
    assert walk.report.accounts[0].mended == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(WHOLE + WHOLE, id="two documents"),
        pytest.param(WHOLE + b"\n" + WHOLE, id="two documents, a line each"),
        pytest.param(WHOLE + b" trailing", id="trailing garbage"),
        pytest.param(WHOLE.decode().encode("utf-16"), id="UTF-16"),
        pytest.param(b"", id="empty"),
        pytest.param(b" \r\n\t", id="blanks"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{}", id="no list"),
        pytest.param(b'"[]"', id="text"),
        pytest.param(b"0", id="a number"),
    ],
)
async def test_f074_no_other_body_is_an_empty_list(fault: Fault, body: bytes) -> None:
    async with serving(answer(body)) as server:
        hub = await fault.hub(server.url)

        async def listed() -> list[Conversation]:
            return [found async for found in hub.list("tavus")]

        error = await fault.failure(listed())
        assert len(server.asked) <= 3
    assert type(error) is PayloadError


@pytest.mark.parametrize("body", [b"[]", b"null", b"", b"{}", b"[[]]"])
async def test_f074_no_other_body_is_a_conversation(fault: Fault, body: bytes) -> None:
    async with serving(answer(body)) as server:
        error = await fault.failure((await fault.hub(server.url)).get("tavus:c1"))
        assert len(server.asked) <= 3
    assert type(error) is PayloadError


@pytest.mark.parametrize("number", [2**53 + 1, 2**64 + 1])
async def test_f075_an_id_that_is_a_number_keeps_every_digit(fault: Fault, number: int) -> None:
    async with serving(_page([b'{"conversation_id": %d}' % number])) as server:
        page = await _one_page((await fault.hub(server.url)).list("tavus"))
    assert [found.id for found in page.items] == [str(number)]


def _said(**turn: Any) -> dict[str, Any]:
    ready = {"event_type": "application.transcription_ready", "properties": {"transcript": [turn]}}
    return row(1, events=[ready])


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"123456789012345678901234567890", None),
        (b"1e400", None),
        (b"-1e400", None),
        (b"-1", None),
        (b'"soon"', None),
        (b"-0", 0.0),
        (b'"12"', 12.0),
    ],
)
async def test_f075_a_number_that_is_none_is_null_and_said(fault: Fault, sent: bytes, read: float | None) -> None:
    body = json.dumps(_said(role="user", content="Hello.", duration=0)).encode()
    async with serving(answer(body.replace(b'"duration": 0', b'"duration": ' + sent))) as server:
        found = await (await fault.hub(server.url)).get("tavus:c1")
    assert found.transcript
    [turn] = found.transcript
    assert (turn.text, turn.duration) == ("Hello.", read)
    places = [issue.place for issue in found.issues]
    assert places == ([] if read is not None else ["events[0].properties.transcript[0].duration"])


@pytest.mark.parametrize("more", [b"", b', "unknown": NaN'], ids=["as it is", "mended"])
async def test_f076_of_a_name_twice_the_last_counts(fault: Fault, more: bytes) -> None:
    async with serving(_page([b'{"conversation_id": "a", "conversation_id": "b"%s}' % more])) as server:
        walk = (await fault.hub(server.url, keep_raw=True)).list("tavus")
        page = await _one_page(walk)
    [found] = page.items
    assert found.id == "b"
    assert walk.report.accounts[0].mended == bool(more)
    assert json.loads(found.raw or b"")["conversation_id"] == "b"


async def test_f077_broken_text_is_kept_as_far_as_it_is_text(fault: Fault) -> None:
    said = json.dumps(_said(role="user", content="caf@.")).encode().replace(b"caf@", b"caf\xe9")
    async with serving(_page([json.dumps(row(1)).encode()]), answer(said)) as server:
        walk = (await fault.hub(server.url, keep_raw=True)).list("tavus", transcripts=True)
        [found] = [conversation async for conversation in walk]
    assert found.text == "user: caf\ufffd."
    assert walk.report.accounts[0].mended == 1
    assert (found.raw or b"").decode()
    assert "caf\ufffd." in msgspec.json.encode(found).decode()
    assert walk.report.complete


async def test_f078_words_nobody_knows_are_kept(fault: Fault) -> None:
    sent = _said(role="wizard", content="Hocus.")
    sent["status"] = "levitating"
    sent["events"].append({"event_type": "application.rabbit_ready", "properties": {"ears": 2}})
    async with serving(answer(sent)) as server:
        found = await (await fault.hub(server.url, keep_raw=True)).get("tavus:c1")
    assert (found.status, found.provider_status) == (Status.ENDED, "levitating")
    assert found.transcript
    [turn] = found.transcript
    assert (turn.role, turn.text) == (Role.UNKNOWN, "Hocus.")
    assert found.participants[turn.participant or 0].name == "wizard"
    assert found.metadata["other_events"] == ["application.rabbit_ready"]
    assert json.loads(found.raw or b"") == sent


async def test_f079_a_list_that_is_null_is_no_empty_list(fault: Fault) -> None:
    async with serving(answer({"data": None, "total_count": 0})) as server:
        hub = await fault.hub(server.url)

        async def listed() -> list[Conversation]:
            return [found async for found in hub.list("tavus")]

        error = await fault.failure(listed())
    assert type(error) is PayloadError


@pytest.mark.parametrize(
    ("members", "transcript", "issues"),
    [
        ({"events": None}, None, []),
        ({"events": [None]}, None, [Issue("events[0]", "null")]),
        (_said(role="user", content=None), ("",), []),
        ({"updated_at": None}, None, []),
        ({"updated_at": "2020-01-01T00:00:00Z"}, None, [Issue("updated_at", "before the start")]),
    ],
    ids=["no events", "a null event", "a null text", "no end", "end before start"],
)
async def test_f079_nulls_and_an_end_before_its_start_have_a_meaning(
    fault: Fault, members: dict[str, Any], transcript: tuple[str, ...] | None, issues: list[Issue]
) -> None:
    async with serving(answer(row(1) | members)) as server:
        found = await (await fault.hub(server.url)).get("tavus:c1")
    assert (None if found.transcript is None else tuple(turn.text for turn in found.transcript)) == transcript
    assert (found.status, found.ended_at, found.duration) == (Status.ENDED, None, None)
    assert list(found.issues) == issues


MOMENT = datetime(2026, 3, 2, 8, 0, 0, tzinfo=UTC)
EPOCH = int(MOMENT.timestamp())


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2026-03-02T08:00:00", MOMENT),
        ("2026-03-02T13:30:00+0530", MOMENT),
        ("2026-03-02T08:00:00.000000000Z", MOMENT),
        ("2026-03-02T08:00:00.123456789Z", MOMENT.replace(microsecond=123456)),
        (EPOCH, MOMENT),
        (EPOCH * 1_000, MOMENT),
        (EPOCH * 1_000_000, MOMENT),
        ("", None),
        ("yesterday", None),
    ],
)
async def test_f080_an_instant_is_utc_or_null_and_said(fault: Fault, sent: str | int, moment: datetime | None) -> None:
    async with serving(answer({"data": [row(1, created_at=sent)], "total_count": 1})) as server:
        page = await _one_page((await fault.hub(server.url)).list("tavus"))
    [found] = page.items
    assert found.created_at == moment
    assert found.created_at is None or found.created_at.tzinfo is UTC
    assert [issue.place for issue in found.issues] == ([] if moment else ["created_at"])


@pytest.mark.parametrize("thousands", [1, 10])
async def test_f081_a_page_of_nothing_readable_is_counted_and_not_kept(fault: Fault, thousands: int) -> None:
    body = b'{"data": [' + b",".join([b"{}"] * thousands * 1000) + b'], "total_count": 1}'
    async with serving(answer(body)) as server:
        walk = (await fault.hub(server.url)).list("tavus")
        with _measured() as most:
            [page] = [page async for page in walk.pages()]
    assert most[0] <= 6 * len(body) + MIB
    [report] = walk.report.accounts
    assert (report.unreadable, len(report.rejected), len(page.rejected)) == (thousands * 1000, 100, 100)
    assert not report.complete


@pytest.mark.parametrize("limit", [None, 1])
async def test_f083_of_a_page_of_very_many_tiny_rows_no_more_is_read_than_ten_times_what_was_asked_for(
    fault: Fault, limit: int | None
) -> None:
    rows = b",".join([b'{"conversation_id":"%06d"   }' % number for number in range(100_000)])
    body = b'{"data":[' + rows + b'],"total_count":100000}' + b" " * 500_000
    async with serving(answer(body)) as server:
        walk = (await fault.hub(server.url)).list("tavus", limit=limit)
        with _measured() as most:
            [page] = [page async for page in walk.pages()]
    assert most[0] <= 8 * len(body)
    assert len(page.items) == (limit or 1000)
    [report] = walk.report.accounts
    assert (report.listed, report.unreadable) == (100_000, 99_000)
    assert page.rejected[-1].place == "page 1, row 1000"
    assert page.rejected[-1].reason == "not read, and neither were the 98999 after it"
    assert [warning.partition(",")[0] for warning in report.warnings] == ["a page had more than 1000 rows"]
    assert not report.complete


@pytest.mark.parametrize(
    "part", [b"{}", b"[]", b'{"a":[]}', '{"\u00e9":0}'.encode(), b"null", b'""', b'{"role":"user","content":"a"}']
)
@pytest.mark.parametrize(
    "around",
    [
        (b'{"data": [', b'], "total_count": 1}'),
        (b'{"conversation_id": "c1", "events": [{"properties": {"transcript": [', b"]}}]}"),
        (b'{"conversation_id": "c1", "events": [{"properties": {"analysis": [', b"]}}]}"),
    ],
)
async def test_f081_three_megabytes_of_next_to_nothing_are_not_read(
    fault: Fault, around: tuple[bytes, bytes], part: bytes
) -> None:
    parts = b",".join([part] * (3_000_000 // (len(part) + 1)))
    body = around[0] + parts + around[1]
    async with serving(answer(body)) as server:
        lane = await fault.lane(server.url)
        with _measured() as most:
            error = await fault.failure(ask(lane))
        assert len(server.asked) == 1
    assert type(error) is PayloadError
    assert "tiny JSON values" in error.reason
    assert most[0] <= 6 * len(body) + 16 * 1024**2
