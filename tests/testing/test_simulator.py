"""The simulator: its corpus, each provider's words, its faults on a real socket, and a clean end."""

from __future__ import annotations

import asyncio
import base64
import errno
import gc
import itertools
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest

from conversations_hub.adapters import BUILTIN
from conversations_hub.schema import Channel, Role
from conversations_hub.testing import Faults, Simulator
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._faults import Bucket, Fault
from conversations_hub.testing.simulator._truth import Phase, Truth
from conversations_hub.testing.simulator._world import Call, Simulated
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
every_provider = pytest.mark.parametrize("provider", BUILTIN)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    return Simulator(conversations=250, now=NOW, clock=clock)


def simulated(provider: str) -> Simulated:
    value: Simulated = import_module(f"conversations_hub.testing.simulator._{provider}").SIMULATED
    return value


def answer_to(simulator: Simulator, provider: str, call: Call) -> Response:
    return simulated(provider).answer(call, simulator.worlds[provider])


def ask(
    simulator: Simulator, provider: str, target: str, *, method: str = "GET", key: str = "any-key", **json: Any
) -> Response:
    body = msgspec.json.encode(json) if json else b""
    return answer_to(simulator, provider, Call(method, target, LISTS[provider].key(key), body))


def ask_list(simulator: Simulator, provider: str, asked: Mapping[str, Any] | None = None) -> Response:
    return answer_to(simulator, provider, LISTS[provider].call(asked or {}))


def read(response: Response) -> Any:
    return msgspec.json.decode(response.body)


def said(response: Response) -> Any:
    """Return what a refusal says, which may be plain text."""
    is_text = response.headers.get("content-type", "").startswith("text/plain")
    return response.body.decode() if is_text else read(response)


def record(simulator: Simulator, provider: str, id: str) -> dict[str, Any]:
    verbose = "?verbose=true" if provider == "tavus" else ""
    body = read(ask(simulator, provider, f"{LISTS[provider].path}/{quote(id)}{verbose}"))
    found: dict[str, Any] = body["data"] if provider == "voiceable" else body
    return found


def walk(simulator: Simulator, provider: str, size: int, **filters: str) -> list[str]:
    """Return the ids of all pages."""
    return list(LISTS[provider].walk(lambda asked: read(ask_list(simulator, provider, asked)), size, filters))


def ids(simulator: Simulator, provider: str) -> list[str]:
    """Return all ids of the corpus, the newest first."""
    corpus = simulator.worlds[provider].corpus
    return [corpus.id(index) for index in reversed(range(corpus.size))]


# the corpus


def corpus(seed: int = 0, size: int = 1000, provider: str = "tavus") -> Corpus:
    return Corpus(provider, prefix="c", size=size, seed=seed, now=NOW.timestamp())


def test_a_seed_gives_the_same_conversations_each_time_and_another_seed_others() -> None:
    first, again, other = corpus(), corpus(), corpus(seed=1)
    for index in (0, 1, 500, 998, 999):
        assert first.truth(index) == again.truth(index)
        assert first.turns(first.truth(index)) == again.turns(again.truth(index))
        assert first.id(index) == again.id(index) != other.id(index)
        assert first.truth(index) != other.truth(index)
    assert corpus(provider="anyreach").truth(500) != first.truth(500)


def test_ids_lead_back_to_their_number_without_a_table() -> None:
    million = corpus(size=1_000_000)
    some = [*range(2000), 123_456, 999_999]
    assert [million.index(million.id(index)) for index in some] == some
    assert len({million.id(index) for index in some}) == len(some)


@pytest.mark.parametrize(
    "id", ["", "c", "c0", "nonsense", "c" + "g" * 10, "c" + "F" * 10, "c-00000001", "c" + "\u0661" * 10]
)
def test_what_is_no_id_leads_nowhere(id: str) -> None:
    assert corpus().index(id) == -1


def test_conversations_are_created_one_after_the_other_and_the_newest_just_before_now() -> None:
    for size in (3, 1000, 1_000_000):
        some = corpus(size=size)
        indices = range(size) if size < 10_000 else [*range(5000), *range(size - 5000, size)]
        moments = [some.created(index) for index in indices]
        assert all(earlier < later for earlier, later in pairwise(moments))
        assert 0 < NOW.timestamp() - moments[-1] < 60
        assert NOW.timestamp() - moments[0] < timedelta(days=200).total_seconds()


def test_the_newest_run_the_next_have_just_ended_and_the_rest_is_settled() -> None:
    some = corpus()
    phases = [some.truth(index).phase(some.now) for index in range(999, 899, -1)]
    assert phases[0] == Phase.RINGING
    assert phases[1:4] == [Phase.LIVE] * 3
    assert phases[4:7] == [Phase.PROCESSING] * 3
    assert phases[7:] == [Phase.SETTLED] * 93
    assert all(some.truth(index).phase(some.now + 600) == Phase.SETTLED for index in range(990, 1000))


def test_a_dialogue_has_4_to_40_turns_in_order_within_its_time(simulator: Simulator) -> None:
    world = simulator.worlds["anyreach"]
    lengths = set[int]()
    for index in range(world.corpus.size - 7):
        truth = world.corpus.truth(index)
        turns = world.turns(truth)
        assert (len(turns) == 0) == (truth.answered is None)
        lengths.add(len(turns))
        assert [turn.start for turn in turns] == sorted(turn.start for turn in turns)
        assert all(turn.start + turn.duration <= truth.duration + 60 for turn in turns)
        assert world.user_turns(truth) == sum(turn.role == Role.USER for turn in turns)
    assert lengths - {0} <= set(range(4, 41))
    assert max(lengths) > 30


def test_the_corpus_holds_what_conversations_are_made_of() -> None:
    some = corpus(size=3000)
    truths = [some.truth(index) for index in range(2900)]
    turns = [turn for truth in truths[:300] for turn in some.turns(truth)]
    assert len({truth.ending for truth in truths}) == 7
    assert {truth.channel for truth in truths} == {Channel.PHONE, Channel.WEB, Channel.CHAT, Channel.EMAIL}
    assert {"english", "spanish", "german", "japanese"} == {truth.scenario.language for truth in truths}
    assert any(turn.interrupted for turn in turns)
    assert {turn.tool.is_error for turn in turns if turn.tool} == {True, False}
    assert any(re.search("[\U0001f300-\U0001faff]", turn.text) for turn in turns)
    assert not any("{" in turn.text for turn in turns)
    assert all(re.fullmatch(r"\+141555501\d\d", truth.phone) for truth in truths)


@every_provider
def test_a_page_of_a_million_makes_no_more_than_the_page(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[int] = Counter()
    make = Corpus.truth

    def counted(self: Corpus, index: int) -> Truth:
        made[index] += 1
        return make(self, index)

    monkeypatch.setattr(Corpus, "truth", counted)
    million = Simulator(conversations=1_000_000, now=NOW)
    answer = ask_list(million, provider, LISTS[provider].far_down)
    assert answer.status == 200
    assert sum(index < 900_000 for index in made) >= 50
    assert made.total() <= 80


# paging


@every_provider
@pytest.mark.parametrize("size", [1, 7, 50, 100])
def test_pages_hold_every_conversation_once_the_newest_first(simulator: Simulator, provider: str, size: int) -> None:
    assert walk(simulator, provider, size) == ids(simulator, provider)


@every_provider
@pytest.mark.parametrize("conversations", [0, 1, 5])
def test_few_conversations_are_listed_too(provider: str, conversations: int) -> None:
    few = Simulator(conversations=conversations, now=NOW)
    assert walk(few, provider, 3) == ids(few, provider)


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("bounds", [(None, None), (3, None), (None, 9), (3, 9), (9, 3)])
def test_a_slice_is_a_page_of_what_is_counted(bounds: tuple[int | None, int | None], *, oldest_first: bool) -> None:
    world = Simulator(conversations=12, now=NOW).worlds["tavus"]
    since, before = (None if index is None else world.corpus.created(index) for index in bounds)
    gone = {0, 3, 5, 8, 11}
    for index in gone:
        world.delete(world.corpus.truth(index))
    left = [index for index in range(bounds[0] or 0, 12 if bounds[1] is None else bounds[1]) if index not in gone]
    order = left if oldest_first else left[::-1]
    assert world.count(since=since, before=before) == len(order)
    for offset, limit in itertools.product(range(9), range(9)):
        page = world.slice(offset, limit, since=since, before=before, oldest_first=oldest_first)
        assert [truth.index for truth in page] == order[offset : offset + limit]
    newest = world.newest(since=since, before=before)
    assert [truth.index for truth in newest] == left[::-1]


def test_what_calls_note_about_a_conversation_adds_up_and_stays_with_it() -> None:
    world = Simulator(conversations=12, now=NOW, providers=["tavus"]).worlds["tavus"]
    one, other = world.corpus.truth(3), world.corpus.truth(4)
    world.note(one, reason="closed")
    world.note(one, is_silenced=True)
    assert world.notes(one) == {"reason": "closed", "is_silenced": True}
    assert world.notes(other) == {}


@pytest.mark.parametrize("query", ["", "?limit=1000"])
def test_tavus_gives_ten_unless_told_and_a_hundred_at_most(simulator: Simulator, query: str) -> None:
    answer = read(ask(simulator, "tavus", f"/v2/conversations{query}"))
    assert len(answer["data"]) == (100 if query else 10)
    assert answer["total_count"] == 250


def test_tavus_lists_by_status(simulator: Simulator) -> None:
    active, ended = (walk(simulator, "tavus", 9, status=status) for status in ("active", "ended"))
    assert len(active) == 4
    assert active + ended == ids(simulator, "tavus")


def test_tavus_pages_close_up_where_conversations_were_deleted(simulator: Simulator) -> None:
    everything = ids(simulator, "tavus")
    gone = {everything[0], everything[3], everything[40], everything[41], everything[-1]}
    for id in gone:
        assert ask(simulator, "tavus", f"/v2/conversations/{id}?hard=true", method="DELETE").status == 204
        assert ask(simulator, "tavus", f"/v2/conversations/{id}").status == 400
    left = [id for id in everything if id not in gone]
    assert walk(simulator, "tavus", 6) == left
    active = walk(simulator, "tavus", 6, status="active")
    assert active + walk(simulator, "tavus", 6, status="ended") == left
    assert read(ask(simulator, "tavus", "/v2/conversations"))["total_count"] == 245


def test_anyreach_cuts_a_page_to_a_hundred_without_a_word(simulator: Simulator) -> None:
    assert len(read(ask(simulator, "anyreach", "/core/conversations?limit=500"))) == 100


def test_an_anyreach_cursor_must_be_the_date_as_received(simulator: Simulator) -> None:
    rows = read(ask(simulator, "anyreach", "/core/conversations?limit=20"))
    for row, following in pairwise(rows):
        cursor = quote(base64.b64encode(row["created_at"].encode()).decode())
        page = read(ask(simulator, "anyreach", f"/core/conversations?limit=1&cursor={cursor}"))
        assert page[0]["id"] == following["id"]


ANYREACH_FILTERS: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
    ({"direction": "outbound"}, lambda row: row["direction"] == "outbound"),
    ({"channel": "text"}, lambda row: row["channel"] == "text"),
    ({"status": "unanswered"}, lambda row: row["status"] == "unanswered"),
    ({"status": "token_created"}, lambda row: row["status"] == "token_created"),
    ({"user_id": "GUEST_"}, lambda row: "guest_" in row["user_id"]),
    ({"agent_id": "agent_102"}, lambda row: row["agent_id"] == "agent_102"),
    ({"agent_number": "55501"}, lambda row: "55501" in (row["agent_number"] or "")),
    ({"web_widget_id": "widget_1"}, lambda row: row["web_widget_id"] == "widget_1"),
    ({"duration_above": "60", "duration_below": "90"}, lambda row: 60 <= (row["duration"] or 0) <= 90),
    ({"user_turn_count_below": "3"}, lambda row: row["user_turn_count"] is not None and row["user_turn_count"] <= 3),
    (
        {"custom_metadata": '{"anyreach_campaign": "spring"}'},
        lambda row: "anyreach_campaign" in (row["custom_metadata"] or {}),
    ),
    (
        {"custom_metadata.anyreach_campaign": "spring"},
        lambda row: "anyreach_campaign" in (row["custom_metadata"] or {}),
    ),
]


@pytest.fixture(scope="module")
def thousand() -> tuple[Simulator, dict[str, dict[str, Any]]]:
    """Return a simulator whose time stands still, and AnyReach's thousand records there, by id."""
    simulator = Simulator(conversations=1000, now=NOW, clock=ManualClock())
    return simulator, {id: record(simulator, "anyreach", id) for id in ids(simulator, "anyreach")}


@pytest.mark.parametrize(("filters", "holds"), ANYREACH_FILTERS)
def test_anyreach_filters(
    thousand: tuple[Simulator, dict[str, dict[str, Any]]],
    filters: dict[str, str],
    holds: Callable[[dict[str, Any]], bool],
) -> None:
    simulator, rows = thousand
    wanted = [id for id, row in rows.items() if holds(row)]
    assert 0 < len(wanted) < len(rows)
    assert walk(simulator, "anyreach", 11, **filters) == wanted


def test_anyreach_dates_are_inclusive_on_both_sides(simulator: Simulator) -> None:
    rows = read(ask(simulator, "anyreach", "/core/conversations?limit=30"))
    between = {"created_before": rows[5]["created_at"], "created_after": rows[20]["created_at"]}
    assert walk(simulator, "anyreach", 7, **between) == [row["id"] for row in rows[5:21]]


def test_voiceable_filters_by_start_in_whole_seconds_that_do_not_count_themselves(simulator: Simulator) -> None:
    world = simulator.worlds["voiceable"]
    late, early = (int(world.corpus.created(index)) for index in (200, 100))
    found = walk(simulator, "voiceable", 9, call_start_before_unix=str(late), call_start_after_unix=str(early))
    assert found == [world.corpus.id(index) for index in range(199, 100, -1)]


@pytest.mark.parametrize(("verdict", "other"), [("success", "failure"), ("failure", "success")])
def test_voiceable_filters_by_success(simulator: Simulator, verdict: str, other: str) -> None:
    found = walk(simulator, "voiceable", 9, call_successful=verdict)
    assert found
    verdicts = {record(simulator, "voiceable", id).get("call_successful", verdict) for id in found}
    assert verdicts == {verdict}
    assert not set(found) & set(walk(simulator, "voiceable", 9, call_successful=other))


@pytest.mark.parametrize("conversations", [29, 30, 31])
def test_voiceable_gives_a_bare_array_where_everything_fits_a_page(conversations: int) -> None:
    data: Any = read(ask(Simulator(conversations=conversations, now=NOW), "voiceable", "/conversations"))["data"]
    assert isinstance(data, list) == (conversations <= 30)
    assert isinstance(data, list) or data["has_more"]


def test_voiceable_leaves_transcripts_out_of_lists_and_summaries_where_asked(simulator: Simulator) -> None:
    for mode in ("include", "exclude"):
        rows = read(ask(simulator, "voiceable", f"/conversations?summary_mode={mode}"))["data"]["conversations"]
        assert len(rows) == 30
        assert not any("transcript" in row for row in rows)
        assert any("summary" in row or "summary" in row["metadata"] for row in rows) == (mode == "include")


# how a conversation goes on


def states(simulator: Simulator, provider: str, id: str) -> tuple[str, bool]:
    """Return the provider's status word, and whether the transcript is there."""
    found = record(simulator, provider, id)
    match provider:
        case "tavus":
            names = [event["event_type"] for event in found["events"] or ()]
            return found["status"], "application.transcription_ready" in names
        case "anyreach":
            return found["status"], found["conversation"] is not None
        case _:
            return found["status"], bool(found["transcript"])


@pytest.mark.parametrize(
    ("provider", "running", "over"),
    [("tavus", {"active"}, {"ended"}), ("voiceable", {"in-progress", "in_progress"}, {"done", "completed"})],
)
def test_a_running_conversation_ends_and_its_transcript_comes_a_minute_later(
    simulator: Simulator, clock: ManualClock, provider: str, running: set[str], over: set[str]
) -> None:
    world = simulator.worlds[provider]
    truth = world.corpus.truth(world.corpus.size - 2)
    id = world.id(truth)
    assert states(simulator, provider, id)[0] in running
    assert not states(simulator, provider, id)[1]
    ends_in = truth.ended - world.corpus.now
    for seconds, there in ((ends_in - 1, False), (ends_in + 1, False), (ends_in + 59, False), (ends_in + 60, True)):
        clock.seconds = seconds
        assert states(simulator, provider, id)[1] == there
    assert states(simulator, provider, id)[0] in over


def test_anyreach_history_lags_while_the_call_runs_and_goes_while_it_is_written_up(
    simulator: Simulator, clock: ManualClock
) -> None:
    created = read(call_by_phone(simulator))["conversation"]
    assert (created["status"], created["duration"]) == ("triggered", None)
    seen: list[tuple[str, bool]] = []
    counts: list[int] = []
    for second in range(600):
        clock.seconds = float(second)
        state = states(simulator, "anyreach", created["id"])
        if not seen or seen[-1] != state:
            seen.append(state)
        if state == ("in_progress", True):
            counts.append(len(next(iter(record(simulator, "anyreach", created["id"])["conversation"].values()))))
    assert seen == [
        ("triggered", False),
        ("ringing", False),
        ("in_progress", True),
        ("completed", False),
        ("completed", True),
    ]
    assert counts == sorted(counts)
    assert counts[0] == 0 < counts[-1]


def call_by_phone(simulator: Simulator) -> Response:
    body = {"channel": "telephone", "user_id": "+14155550101", "agent_id": "agent_7"}
    return ask(simulator, "anyreach", "/core/conversations", method="POST", **body)


# keys


_NO_CREDENTIALS = "Could not find any usable credentials in the request"
UNAUTHORIZED: dict[str, object] = {
    "vapi": {
        "message": "Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa.",
        "error": "Unauthorized",
        "statusCode": 401,
    },
    "bland": {"data": None, "errors": [{"error": "AUTH_FAILURE", "message": "Unauthorized"}]},
    "elevenlabs": {"detail": {"status": "invalid_api_key", "message": "Invalid API key"}},
    "retell": {"status": "error", "message": "API key is missing or invalid."},
    "telnyx": {"errors": [{"code": "10009", "title": _NO_CREDENTIALS, "detail": f"{_NO_CREDENTIALS}."}]},
    "ultravox": {"detail": "Invalid API key."},
}
"""Of those who tell a missing key and a bad one the same."""


@pytest.mark.parametrize(
    ("provider", "key", "status", "body"),
    [
        ("tavus", "", 401, {"message": "Invalid access token"}),
        ("tavus", "bad-key", 401, {"message": "Invalid access token"}),
        ("anyreach", "", 401, {"detail": "Invalid or missing authentication token."}),
        ("anyreach", "bad", 401, {"detail": "Invalid or missing authentication token."}),
        ("anyreach", "ak_bad.1", 401, {"detail": "Invalid or missing authentication token."}),
        ("anyreach", "pat_bad", 401, {"detail": "Invalid or missing authentication token."}),
        ("anyreach", "pat_good", 401, {"detail": "Token is missing organization claim."}),
        ("voiceable", "", 400, {"status": {"code": 400, "message": "Missing API key"}, "error": "Missing API key"}),
        (
            "voiceable",
            "bad-key",
            401,
            {"status": {"code": 401, "message": "Authentication required."}, "error": "Authentication required."},
        ),
        *((provider, key, 401, body) for provider, body in UNAUTHORIZED.items() for key in ("", "bad-key")),
        ("retell", "key_bad", 401, UNAUTHORIZED["retell"]),
    ],
)
def test_a_bad_or_missing_key_is_refused_in_the_providers_words(
    simulator: Simulator, provider: str, key: str, status: int, body: object
) -> None:
    one = "/v2/get-call" if provider == "retell" else LISTS[provider].path
    headers = LISTS[provider].key(key)
    for call in (LISTS[provider].call({}, key), Call("GET", f"{one}/{ids(simulator, provider)[9]}", headers)):
        answer = answer_to(simulator, provider, call)
        assert (answer.status, read(answer)) == (status, body)


def test_other_ways_to_show_a_key(simulator: Simulator) -> None:
    world = simulator.worlds["anyreach"]
    organized = {"authorization": "Bearer pat_good", "x-anyreach-org": "org_simulated"}
    assert simulated("anyreach").answer(Call("GET", "/core/conversations", organized), world).status == 200
    bearer = {"authorization": "Bearer any"}
    assert (
        simulated("voiceable").answer(Call("GET", "/conversations", bearer), simulator.worlds["voiceable"]).status
        == 200
    )


def test_an_anyreach_role_that_only_reads_gets_fewer_columns_and_may_change_nothing(simulator: Simulator) -> None:
    id = ids(simulator, "anyreach")[30]
    sensitive = {"agent", "summary", "initial_context", "custom_metadata", "conversation", "recording_details"}
    full = record(simulator, "anyreach", id)
    reduced = read(ask(simulator, "anyreach", f"/core/conversations/{id}", key="ak_readonly.1"))
    assert reduced == {name: value for name, value in full.items() if name not in sensitive}
    listed = read(ask(simulator, "anyreach", "/core/conversations", key="ak_readonly.1"))
    assert all(row.keys() == reduced.keys() for row in listed)
    refused = ask(simulator, "anyreach", f"/core/conversations/{id}/end", method="POST", key="ak_readonly.1")
    assert refused.status == 403
    assert isinstance(read(refused)["detail"], str)
    scopes = read(ask(simulator, "anyreach", "/admin/members/me/scopes", key="ak_readonly.1"))
    assert scopes == ["conversations:read"]
    assert "conversations:read_sensitive" in read(ask(simulator, "anyreach", "/admin/members/me/scopes"))


# what is refused


@pytest.mark.parametrize(
    ("provider", "method", "target", "status", "words"),
    [
        ("tavus", "GET", "/v2/conversations/c0000000000", 400, "Invalid conversation_id"),
        ("tavus", "GET", "/v2/conversations/..%2Fother", 400, "Invalid conversation_id"),
        ("tavus", "POST", "/v2/conversations/nobody/end", 400, "Invalid conversation_id"),
        ("tavus", "DELETE", "/v2/conversations/nobody", 400, "Invalid conversation_id"),
        ("tavus", "GET", "/v2/conversations?limit=0", 400, "limit"),
        ("tavus", "GET", "/v2/conversations?page=x", 400, "page"),
        ("tavus", "GET", "/v2/conversations?status=done", 400, "status"),
        ("tavus", "POST", "/v2/conversations", 400, "JSON"),
        ("tavus", "GET", "/v2/other", 404, "Not found"),
        ("anyreach", "GET", "/core/conversations/conv_0000000000", 404, "Conversation not found"),
        ("anyreach", "POST", "/core/conversations/nobody/end", 404, "Conversation not found"),
        ("anyreach", "GET", "/core/conversations?status=done", 422, "status"),
        ("anyreach", "GET", "/core/conversations?limit=0", 422, "limit"),
        ("anyreach", "GET", "/core/conversations?created_after=yesterday", 422, "created_after"),
        ("anyreach", "GET", "/core/conversations?cursor=%25%25", 422, "cursor"),
        ("anyreach", "GET", "/core/conversations?custom_metadata=1", 422, "custom_metadata"),
        ("anyreach", "POST", "/core/conversations", 422, "JSON"),
        ("anyreach", "GET", "/conversations", 404, "Not Found"),
        ("voiceable", "GET", "/conversations?call_start_after_unix=now", 400, "call_start_after_unix is invalid"),
        ("voiceable", "GET", "/conversations/conv_0000000000", 404, "Conversation not found"),
        ("voiceable", "GET", "/conversations?page_size=101", 400, "page_size is invalid"),
        ("voiceable", "GET", "/conversations?cursor=nonsense", 400, "cursor is invalid"),
        ("voiceable", "DELETE", "/conversations", 404, "Not Found"),
    ],
)
def test_refusals_have_the_providers_status_and_shape(
    provider: str, method: str, target: str, status: int, words: str
) -> None:
    answer = ask(Simulator(conversations=5, now=NOW), provider, target, method=method)
    body = read(answer)
    assert answer.status == status
    assert words in str(body)
    match provider:
        case "tavus":
            assert body.keys() <= {"error", "message"}
        case "anyreach":
            assert body.keys() == {"detail"}
        case _:
            assert body["status"]["code"] == status


# Tavus


def test_tavus_tells_everything_in_verbose_events_only(simulator: Simulator) -> None:
    id = ids(simulator, "tavus")[50]
    plain = read(ask(simulator, "tavus", f"/v2/conversations/{id}"))
    assert len(plain) == 9
    row = next(
        row
        for row in read(ask(simulator, "tavus", "/v2/conversations?limit=100"))["data"]
        if row.get("conversation_id") == id
    )
    assert row == plain
    assert plain.items() <= record(simulator, "tavus", id).items()


def test_tavus_has_both_vocabularies_and_every_odd_shape_somewhere(simulator: Simulator) -> None:
    found = [record(simulator, "tavus", id) for id in ids(simulator, "tavus")]
    assert {"persona_id" in one for one in found} == {"pal_id" in one for one in found} == {True, False}
    assert any(one["created_at"] == "" for one in found)
    events = [event for one in found for event in one["events"] or ()]
    names = Counter(event["event_type"] for event in events)
    assert names["system.pal_joined"] == names["system.replica_joined"]
    for name in ("recording_ready", "perception_analysis", "perception_unavailable", "post_call_action_executed"):
        assert names[f"application.{name}"]
    assert any("storage_uri" in event["properties"] for event in events)
    assert {"reason" in event["properties"] for event in events if event["event_type"] == "system.shutdown"} == {
        True,
        False,
    }
    transcripts = [event["properties"]["transcript"] for event in events if "transcript" in event["properties"]]
    entries = [entry for transcript in transcripts for entry in transcript]
    assert {transcript[0]["role"] for transcript in transcripts} == {"system", "assistant"}
    assert {"seconds_from_start" in entry for entry in entries} == {True, False}
    calls = [call for entry in entries for call in entry.get("tool_calls", ())]
    assert {"function" in call for call in calls} == {True, False}
    echoed = [call["id"] for call in calls if call["id"].endswith("_result")]
    assert echoed
    assert {entry["tool_call_id"] for entry in entries if entry["role"] == "tool"} == {call["id"] for call in calls}


def test_tavus_rooms_are_created_joined_and_left_alone(simulator: Simulator, clock: ManualClock) -> None:
    created = read(
        ask(
            simulator,
            "tavus",
            "/v2/conversations",
            method="POST",
            persona_id="p1",
            conversation_name="Trial",
            require_auth=True,
        )
    )
    assert created["conversation_name"] == "Trial"
    assert created["status"] == "active"
    assert created["conversation_url"].endswith(created["conversation_id"])
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", created["meeting_token"])
    assert created["created_at"] == "2026-03-02T12:00:00.000000Z"
    assert walk(simulator, "tavus", 50)[0] == created["conversation_id"]
    assert record(simulator, "tavus", created["conversation_id"])["events"] is None
    clock.seconds = 10
    assert len(record(simulator, "tavus", created["conversation_id"])["events"]) == 2
    clock.seconds = 301
    over = record(simulator, "tavus", created["conversation_id"])
    assert over["status"] == "ended"
    assert over["shutdown_reason"].startswith("participant_absent_timeout")
    clock.seconds = 1000
    assert not states(simulator, "tavus", created["conversation_id"])[1]


@pytest.mark.parametrize(
    "body",
    [
        {"conversation_name": "Trial"},
        {"pal_id": 7},
        {"pal_id": "p1", "properties": "none"},
        {"pal_id": "p1", "properties": {"max_call_duration": 3601}},
        {"pal_id": "p1", "properties": {"participant_absent_timeout": "long"}},
    ],
    ids=str,
)
def test_tavus_refuses_a_room_it_cannot_open(simulator: Simulator, body: dict[str, Any]) -> None:
    refused = ask(simulator, "tavus", "/v2/conversations", method="POST", **body)
    assert refused.status == 400
    assert read(refused).keys() == {"message"}
    assert len(simulator.worlds["tavus"]) == 250


def test_tavus_names_a_room_itself_and_gives_a_token_only_where_asked(simulator: Simulator) -> None:
    created = read(ask(simulator, "tavus", "/v2/conversations", method="POST", face_id="r1"))
    assert "meeting_token" not in created
    assert created["conversation_name"] == f"New Conversation {int(NOW.timestamp() * 1000)}"


def test_the_face_does_not_join_a_tavus_room_in_test_mode(simulator: Simulator, clock: ManualClock) -> None:
    options: dict[str, Any] = {"test_mode": True, "properties": {"participant_absent_timeout": 60}}
    id = read(ask(simulator, "tavus", "/v2/conversations", method="POST", pal_id="p1", **options))["conversation_id"]
    clock.seconds = 59
    assert record(simulator, "tavus", id)["events"] is None
    clock.seconds = 60
    assert [event["event_type"] for event in record(simulator, "tavus", id)["events"]] == ["system.shutdown"]


def test_tavus_has_few_rooms_and_frees_one_that_ends(simulator: Simulator) -> None:
    def create() -> Response:
        return ask(simulator, "tavus", "/v2/conversations", method="POST", pal_id="p1")

    rooms = [read(create())["conversation_id"] for _ in range(5)]
    refused = create()
    assert refused.status == 400
    assert read(refused) == {"message": "User has reached maximum concurrent conversations"}
    for _ in range(2):
        ended = ask(simulator, "tavus", f"/v2/conversations/{rooms[0]}/end", method="POST")
        assert (ended.status, ended.body) == (200, b"")
    assert record(simulator, "tavus", rooms[0])["shutdown_reason"] == "end_conversation_endpoint_hit"
    assert create().status == 200
    assert walk(simulator, "tavus", 4)[1:6] == rooms[::-1]


def test_ending_a_running_tavus_conversation_keeps_what_was_said(simulator: Simulator, clock: ManualClock) -> None:
    id = ids(simulator, "tavus")[3]
    clock.seconds = 5
    assert ask(simulator, "tavus", f"/v2/conversations/{id}/end", method="POST").status == 200
    clock.seconds = 70
    ended = record(simulator, "tavus", id)
    assert ended["updated_at"] in {"2026-03-02T12:00:05.000000Z", ""}
    transcript = next(event for event in ended["events"] if event["event_type"] == "application.transcription_ready")
    world = simulator.worlds["tavus"]
    planned = world.corpus.turns(world.corpus.truth(world.corpus.size - 4))
    assert 0 < len(transcript["properties"]["transcript"]) < len(planned) + 4


# AnyReach


def test_anyreach_places_a_phone_call_later_and_answers_a_text_at_once(simulator: Simulator) -> None:
    assert call_by_phone(simulator).status == 202
    body: dict[str, Any] = {"channel": "text", "user_id": "u1", "agent_id": "agent_7"}
    body["custom_metadata"] = {"order_id": "77"}
    started = ask(simulator, "anyreach", "/core/conversations", method="POST", **body)
    assert started.status == 200
    made = read(started)
    assert made["starting_message"]
    assert made["conversation"]["status"] == "in_progress"
    assert made["conversation"]["custom_metadata"] == {"order_id": "77"}
    assert walk(simulator, "anyreach", 50)[0] == made["conversation"]["id"]


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": "fax"},
        {"user_id": ""},
        {"user_id": "4155550101"},
        {"agent_version_id": "v1"},
        {"agent_id": None},
        {"channel": "email"},
    ],
    ids=str,
)
def test_anyreach_refuses_a_call_it_cannot_place(simulator: Simulator, changes: dict[str, Any]) -> None:
    body = {"channel": "telephone", "user_id": "+14155550101", "agent_id": "agent_7"} | changes
    answer = ask(simulator, "anyreach", "/core/conversations", method="POST", **body)
    assert answer.status == 422
    assert isinstance(read(answer)["detail"], str)


def test_anyreach_texts_are_answered_kept_and_ended(simulator: Simulator, clock: ManualClock) -> None:
    body = {"channel": "text", "user_id": "u1", "agent_id": "agent_7"}
    id = read(ask(simulator, "anyreach", "/core/conversations", method="POST", **body))["conversation"]["id"]
    target = f"/core/conversations/{id}"
    clock.seconds = 30
    answer = read(
        ask(simulator, "anyreach", f"{target}/messages", method="POST", text="Where is it? 🙂", interactivity="rich")
    )
    assert answer["conversation_id"] == id
    assert answer["reply"]
    assert answer["widgets"]
    items = next(iter(record(simulator, "anyreach", id)["conversation"].values()))
    said = [item["content"] if isinstance(item["content"], str) else item["content"][0] for item in items]
    assert said[1:] == ["Where is it? 🙂", answer["reply"]]
    assert ask(simulator, "anyreach", f"{target}/messages", method="POST", text="").status == 422
    for _ in range(2):
        ended = read(ask(simulator, "anyreach", f"{target}/end", method="POST"))
        assert ended["status"] == "completed"
        assert ended["duration"] == 30
    assert ask(simulator, "anyreach", f"{target}/messages", method="POST", text="Hello?").status == 409
    assert record(simulator, "anyreach", id)["user_turn_count"] == 1


def test_anyreach_cannot_write_to_or_end_a_phone_call(simulator: Simulator, clock: ManualClock) -> None:
    id = read(call_by_phone(simulator))["conversation"]["id"]
    clock.seconds = 30
    for call in ("messages", "end"):
        answer = ask(simulator, "anyreach", f"/core/conversations/{id}/{call}", method="POST", text="Hello")
        assert answer.status == 409


def test_anyreach_pairs_calls_and_outputs(simulator: Simulator) -> None:
    histories = [record(simulator, "anyreach", id)["conversation"] for id in ids(simulator, "anyreach")[10:]]
    assert {next(iter(history)) for history in histories if history} == {"items", "messages"}
    items = [item for history in histories if history for item in next(iter(history.values()))]
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    outputs = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    assert calls == outputs != []
    assert len(set(calls)) == len(calls)
    assert any(item.get("interrupted") for item in items)


# Voiceable


def test_voiceable_has_both_shapes_and_keeps_a_conversation_in_one(simulator: Simulator) -> None:
    found = {id: record(simulator, "voiceable", id) for id in ids(simulator, "voiceable")}
    documented = {id for id, one in found.items() if one.get("conversation_id") == id}
    consumed = {id for id, one in found.items() if one.get("id") == id}
    assert documented | consumed == set(found)
    assert not documented & consumed
    assert len(documented) > 80 < len(consumed)
    assert all(re.fullmatch(r"\d+:\d\d", found[id]["duration"]) for id in consumed)
    assert {entry["role"] for id in consumed for entry in found[id]["transcript"]} == {"user", "assistant", "agent"}
    assert {one["status"] for one in found.values()} >= {"done", "completed", "processing", "initiated", "failed"}
    rows = read(ask(simulator, "voiceable", "/conversations?page_size=100"))["data"]["conversations"]
    for row in rows:
        id = row.get("conversation_id") or row["id"]
        assert row == {name: value for name, value in found[id].items() if name != "transcript"}


@pytest.mark.parametrize("base", ["", "/voiceable-api", "/api/v1"])
def test_voiceable_answers_under_each_of_its_base_paths(simulator: Simulator, base: str) -> None:
    assert ask(simulator, "voiceable", f"{base}/conversations").status == 200


def test_voiceable_audio_is_there_where_somebody_spoke(simulator: Simulator) -> None:
    answers = {ask(simulator, "voiceable", f"/conversations/{id}/audio").status for id in ids(simulator, "voiceable")}
    assert answers == {200, 404}
    spoken = next(id for id in ids(simulator, "voiceable") if states(simulator, "voiceable", id)[1])
    audio = ask(simulator, "voiceable", f"/conversations/{spoken}/audio")
    assert audio.headers["content-type"] == "audio/mpeg"
    assert audio.body.startswith(b"\xff\xfb")


# faults, as arithmetic


@pytest.mark.parametrize(
    "wrong",
    [
        {"outage": 1.5},
        {"outage": -0.1},
        {"outage": 0.6, "reset": 0.6},
        {"latency": -1.0},
        {"requests_per_second": 0.0},
        {"burst": 0},
    ],
    ids=str,
)
def test_faults_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"shares|time-span|positive|at least"):
        Faults(**wrong)


def test_each_fault_takes_its_share() -> None:
    faults = Faults(throttle=0.1, throttle_bare=0.1, outage=0.2, reset=0.1, truncate=0.2, slow=0.1)
    chosen = Counter(faults.choose(step / 1000) for step in range(1000))
    hundreds = [(Fault.THROTTLE, 1), (Fault.THROTTLE_BARE, 1), (Fault.OUTAGE, 2), (Fault.RESET, 1), (Fault.TRUNCATE, 2)]
    for fault, share in [*hundreds, (Fault.SLOW, 1), (None, 2)]:
        assert chosen[fault] == pytest.approx(100 * share, abs=2)


def test_a_bucket_lets_the_burst_through_and_then_the_rate() -> None:
    faults = Faults(requests_per_second=2.0, burst=3)
    bucket = Bucket(0.0)
    assert [bucket.take(faults, 0.0)[0] for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert bucket.take(faults, 0.5)[:2] == (0.0, 0)
    assert bucket.take(faults, 0.5)[0] == 0.5
    assert bucket.take(faults, 100.0) == (0.0, 2, 0.5)


# on a socket


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as opened:
        yield opened


async def fetch(session: aiohttp.ClientSession, simulator: Simulator, provider: str, key: str = "any-key") -> Response:
    call = LISTS[provider].call({}, key)
    url = simulator.base_url(provider) + call.target
    async with session.request(call.method, url, headers=call.headers, data=call.body or None) as answer:
        return Response(
            answer.status, {name.lower(): text for name, text in answer.headers.items()}, await answer.read()
        )


@every_provider
async def test_the_socket_gives_what_the_provider_answers(
    session: aiohttp.ClientSession, provider: str, clock: ManualClock
) -> None:
    async with Simulator(conversations=40, now=NOW, clock=clock) as running:
        answer = await fetch(session, running, provider)
        assert answer.status == 200
        assert answer.body == ask_list(running, provider).body
        assert answer.headers["content-type"] == "application/json"
        assert running.requests == {provider: 1}


async def test_calls_that_change_something_pass_the_socket(session: aiohttp.ClientSession) -> None:
    async with Simulator(conversations=3, now=NOW) as running:
        url, headers = f"{running.base_url('tavus')}/v2/conversations", {"x-api-key": "any"}
        async with session.post(url, headers=headers, json={"persona_id": "p1"}) as answer:
            id = (await answer.json())["conversation_id"]
        async with session.post(f"{url}/{id}/end", headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with session.delete(f"{url}/{id}", headers=headers) as answer:
            assert (answer.status, await answer.read()) == (204, b"")
        async with session.get(f"{url}/{id}", headers=headers) as answer:
            assert answer.status == 400


async def test_the_environment_names_every_provider(session: aiohttp.ClientSession) -> None:
    async with Simulator(conversations=1, now=NOW) as running:
        environment = running.environment()
        for provider in BUILTIN:
            base, key = (environment[f"{provider.upper()}_{name}"] for name in ("BASE_URL", "API_KEY"))
            assert base == running.base_url(provider)
            assert (await fetch(session, running, provider, key)).status == 200
        assert environment["ANYREACH_ORG_ID"]


@pytest.mark.parametrize("path", ["/", "/acme/v2/conversations", "/acme"])
async def test_an_unknown_prefix_is_told_the_providers(session: aiohttp.ClientSession, path: str) -> None:
    async with Simulator(conversations=1, now=NOW) as running, session.get(running.url + path) as answer:
        assert answer.status == 404
        words = (await answer.json())["error"]
        assert all(f"/{provider}" in words for provider in BUILTIN)
        assert not running.requests


@every_provider
@pytest.mark.parametrize(
    ("faults", "statuses", "waits"),
    [
        (Faults(throttle=1.0, retry_after=7), {429}, "7"),
        (Faults(throttle_bare=1.0), {429}, None),
        (Faults(outage=1.0), {500, 502, 503}, None),
    ],
    ids=["throttle", "throttle_bare", "outage"],
)
async def test_refusals_by_fault(
    session: aiohttp.ClientSession, provider: str, faults: Faults, statuses: set[int], waits: str | None
) -> None:
    async with Simulator(conversations=5, now=NOW, faults=faults) as running:
        answers = [await fetch(session, running, provider) for _ in range(20)]
        assert {answer.status for answer in answers} == statuses
        assert {answer.headers.get("retry-after") for answer in answers} == {waits}
        assert all(LISTS[provider].words(said(answer)) for answer in answers)
        running.faults = Faults()
        assert (await fetch(session, running, provider)).status == 200


async def test_a_reset_comes_after_the_request_was_carried_out(session: aiohttp.ClientSession) -> None:
    async with Simulator(conversations=5, now=NOW, faults=Faults(reset=1.0)) as running:
        url, headers = f"{running.base_url('tavus')}/v2/conversations", {"x-api-key": "any"}
        with pytest.raises(aiohttp.ClientOSError) as caught:
            await session.post(url, headers=headers, json={"persona_id": "p1"})
        assert caught.value.errno == errno.ECONNRESET
        assert len(running.worlds["tavus"]) == 6


@every_provider
async def test_a_truncated_body_is_shorter_than_declared(session: aiohttp.ClientSession, provider: str) -> None:
    async with Simulator(conversations=5, now=NOW, faults=Faults(truncate=1.0)) as running:
        with pytest.raises(aiohttp.ClientPayloadError):
            await fetch(session, running, provider)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that were slept, all of them over at once."""
    seconds: list[float] = []
    sleep = asyncio.sleep

    async def sleeping(delay: float) -> None:
        seconds.append(delay)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleeping)
    return seconds


async def test_a_slow_body_trickles_in_whole(
    session: aiohttp.ClientSession, clock: ManualClock, slept: list[float]
) -> None:
    faults = Faults(slow=1.0, slow_seconds=100.0)
    async with Simulator(conversations=5, now=NOW, faults=faults, clock=clock) as running:
        answer = await fetch(session, running, "tavus")
        assert sum(slept) == pytest.approx(100.0)
        assert len(slept) > 5
        assert answer.body == ask_list(running, "tavus").body


async def test_latency_comes_before_every_answer(session: aiohttp.ClientSession, slept: list[float]) -> None:
    async with Simulator(conversations=5, now=NOW, faults=Faults(latency=50.0, jitter=10.0)) as running:
        assert (await fetch(session, running, "tavus")).status == 200
        [seconds] = slept
        assert 50 <= seconds <= 60


async def test_the_same_seed_fails_the_same_requests(session: aiohttp.ClientSession) -> None:
    async def statuses(seed: int) -> list[int]:
        async with Simulator(conversations=1, seed=seed, now=NOW, faults=Faults(outage=0.5)) as running:
            return [(await fetch(session, running, "tavus")).status for _ in range(40)]

    first = await statuses(1)
    assert 5 < first.count(200) < 35
    assert await statuses(1) == first != await statuses(2)


async def test_faults_may_concern_some_providers_only(session: aiohttp.ClientSession) -> None:
    async with Simulator(conversations=1, now=NOW, faults=Faults(outage=1.0, providers=("tavus",))) as running:
        assert (await fetch(session, running, "tavus")).status >= 500
        assert (await fetch(session, running, "anyreach")).status == 200


@every_provider
async def test_a_key_above_its_rate_is_told_when_to_come_back(
    session: aiohttp.ClientSession, provider: str, clock: ManualClock
) -> None:
    faults = Faults(requests_per_second=0.5, burst=2)
    async with Simulator(conversations=1, now=NOW, faults=faults, clock=clock) as running:
        answers = [await fetch(session, running, provider) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "2"
        assert LISTS[provider].words(said(answers[2]))
        assert (await fetch(session, running, provider, key="another-key")).status == 200
        clock.seconds = 2
        assert (await fetch(session, running, provider)).status == 200
        told = [answer.headers.get("x-ratelimit-remaining") for answer in answers]
        assert told == (["1", "0", "0"] if LISTS[provider].tells_limits else [None] * 3)


async def test_a_script_decides_the_next_answers(session: aiohttp.ClientSession) -> None:
    async with Simulator(conversations=1, now=NOW) as running:
        running.script("tavus", [503, 429, "throttle_bare", 200, Response(200, {"x-odd": "1"}, b"<html>")])
        answers = [await fetch(session, running, "tavus") for _ in range(6)]
        assert [answer.status for answer in answers] == [503, 429, 429, 200, 200, 200]
        assert [answer.headers.get("retry-after") for answer in answers[:3]] == [None, "1", None]
        assert (answers[4].body, answers[4].headers["x-odd"]) == (b"<html>", "1")
        assert (await fetch(session, running, "anyreach")).status == 200
        running.script("tavus", ["reset", "reset"])  # aiohttp itself asks once more
        with pytest.raises(aiohttp.ClientConnectionError):
            await fetch(session, running, "tavus")


async def test_wrong_scripts_and_names_are_refused() -> None:
    running = Simulator(conversations=1, now=NOW)
    with pytest.raises(ValueError, match="'meteor' is not a valid Fault"):
        running.script("tavus", ["meteor"])
    with pytest.raises(ValueError, match="no provider 'acme' here; there are tavus"):
        running.script("acme", [503])
    with pytest.raises(RuntimeError, match="not running"):
        running.base_url("tavus")
    with pytest.raises(ValueError, match="aware"):
        Simulator(now=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="not negative"):
        Simulator(conversations=-1)


# the end


@pytest.mark.parametrize("faults", [Faults(latency=1e9), Faults(slow=1.0, slow_seconds=1e9), Faults()], ids=str)
async def test_closing_leaves_nothing_behind_though_clients_still_wait(
    faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever waited for a client would now do so for ever.
    monkeypatch.setattr("conversations_hub.testing.simulator._server._GRACE", 1e9)
    before = asyncio.all_tasks()
    async with aiohttp.ClientSession() as session:
        async with Simulator(conversations=5, now=NOW, faults=faults) as running:
            url = running.base_url("tavus") + LISTS["tavus"].path
            waiting = [asyncio.create_task(session.get(url, headers=LISTS["tavus"].key("any"))) for _ in range(3)]
            while running.requests["tavus"] < 3:  # noqa: ASYNC110  (nothing is awaited but the loop's turn)
                await asyncio.sleep(0)
        assert asyncio.all_tasks() <= before | set(waiting)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        for answer in answers:
            if isinstance(answer, aiohttp.ClientResponse):
                answer.close()
        assert asyncio.all_tasks() == before
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)
    gc.collect()  # what was not closed would warn here


@pytest.mark.parametrize("steps", range(5))
async def test_closing_ends_what_was_accepted_just_now(steps: int) -> None:
    async with Simulator(conversations=1, now=NOW) as running:
        client = socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2])))
        for _ in range(steps):
            await asyncio.sleep(0)
    client.close()
    gc.collect()  # what was not closed would warn here


async def test_a_port_in_use_is_reported_and_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with Simulator(conversations=1, now=NOW) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with Simulator(conversations=1, now=NOW, port=port):
                pass
    assert asyncio.all_tasks() == before
    gc.collect()


async def test_time_begins_at_the_current_minute_unless_told() -> None:
    begun = datetime.fromtimestamp(Simulator(conversations=1).worlds["tavus"].corpus.now, UTC)
    assert timedelta(0) <= datetime.now(UTC) - begun < timedelta(minutes=2)
    assert (begun.second, begun.microsecond) == (0, 0)
