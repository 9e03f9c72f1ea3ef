"""What simulated providers keep apart from calls: chats, sessions and texts, in their words and by their rules."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest

from conversations_hub.adapters import BUILTIN
from conversations_hub.schema import Role
from conversations_hub.testing import Faults, Simulator
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._truth import Truth
from conversations_hub.testing.simulator._world import Call, Simulated, World
from conversations_hub.wire import Response

from ..support.clock import ManualClock
from ..support.provider_lists import LISTS, OTHERS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
VAPI = ("vapi:chats", "vapi:sessions")
every_kind = pytest.mark.parametrize("kind", OTHERS)
vapi_kinds = pytest.mark.parametrize("kind", VAPI)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Simulator:
    return Simulator(conversations=20, chats=137, now=NOW, clock=clock)


def simulated(provider: str) -> Simulated:
    value: Simulated = import_module(f"conversations_hub.testing.simulator._{provider}").SIMULATED
    return value


def world_of(simulator: Simulator, kind: str) -> World:
    provider, _, name = kind.partition(":")
    return simulator.worlds[provider].others[name]


def answer_to(simulator: Simulator, kind: str, call: Call) -> Response:
    provider = kind.partition(":")[0]
    return simulated(provider).answer(call, simulator.worlds[provider])


def ask(simulator: Simulator, kind: str, below: str = "", *, method: str = "GET", key: str = "any-key") -> Response:
    return answer_to(simulator, kind, Call(method, OTHERS[kind].path + below, OTHERS[kind].key(key)))


def read(response: Response) -> Any:
    return msgspec.json.decode(response.body)


def rows_in(body: Any) -> list[dict[str, Any]]:
    inner = body.get("response", body)
    found: list[dict[str, Any]] = next(inner[name] for name in ("results", "data", "chats") if name in inner)
    return found


def rows(simulator: Simulator, kind: str, **asked: Any) -> list[dict[str, Any]]:
    size = {"pageSize": 100} if kind == "bland:texts" else {"limit": 1000}
    return rows_in(read(answer_to(simulator, kind, OTHERS[kind].call({**size, **asked}))))


def record(simulator: Simulator, kind: str, id: str) -> dict[str, Any]:
    body: dict[str, Any] = read(ask(simulator, kind, f"/{id}"))
    found: dict[str, Any] = body["data"] if kind == "bland:texts" else body
    return found


def walk(simulator: Simulator, kind: str, size: int, **filters: Any) -> list[str]:
    """Return the ids of all pages."""
    listed = OTHERS[kind]
    return list(listed.walk(lambda asked: read(answer_to(simulator, kind, listed.call(asked))), size, filters))


def ids(simulator: Simulator, kind: str) -> list[str]:
    """Return all ids, the newest first."""
    corpus = world_of(simulator, kind).corpus
    return [corpus.id(index) for index in reversed(range(corpus.size))]


def truths(world: World) -> list[Truth]:
    return [world.corpus.truth(index) for index in range(world.corpus.size)]


# beside calls


def test_calls_are_the_same_with_chats_beside_them_and_without(clock: ManualClock) -> None:
    alone, beside = (Simulator(conversations=30, chats=chats, now=NOW, clock=clock) for chats in (0, 8))
    for provider in BUILTIN:
        call = LISTS[provider].call({})
        answers = [simulated(provider).answer(call, each.worlds[provider]) for each in (alone, beside)]
        assert answers[0] == answers[1]


@every_kind
def test_there_are_none_unless_asked_for(kind: str) -> None:
    assert walk(Simulator(conversations=30, now=NOW), kind, 10) == []


@every_kind
def test_ids_of_one_kind_are_none_of_another(simulator: Simulator, kind: str) -> None:
    provider = kind.partition(":")[0]
    call = simulator.worlds[provider].corpus.id(3)
    others = [ids(simulator, each)[3] for each in OTHERS if each.startswith(provider) and each != kind]
    for id in (call, *others):
        assert ask(simulator, kind, f"/{id}").status == 404
    assert (
        answer_to(simulator, kind, Call("GET", f"{LISTS[provider].path}/{ids(simulator, kind)[3]}", {})).status >= 400
    )


# paging


@every_kind
@pytest.mark.parametrize("size", [1, 7, 50, 100])
def test_pages_hold_every_one_once_the_newest_first(simulator: Simulator, kind: str, size: int) -> None:
    found = walk(simulator, kind, size)
    assert found == ids(simulator, kind)
    assert len(found) > 20


@every_kind
@pytest.mark.parametrize("chats", [0, 1, 2, 5, 6])
def test_few_are_listed_too(kind: str, chats: int) -> None:
    few = Simulator(chats=chats, now=NOW)
    found = walk(few, kind, 2)
    assert found == ids(few, kind)
    assert bool(found) == bool(chats)


@pytest.mark.parametrize("kind", [kind for kind in OTHERS if kind != "synthflow:chats"])
def test_the_oldest_come_first_where_asked(simulator: Simulator, kind: str) -> None:
    order = {"bland:texts": {"sortDir": "asc"}, "openai:threads": {"order": "asc"}}.get(kind, {"sortOrder": "ASC"})
    assert walk(simulator, kind, 9, **order) == ids(simulator, kind)[::-1]


@every_kind
def test_a_page_of_a_million_makes_no_more_than_one_of_a_thousand(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Counter[int] = Counter()
    make = Corpus.fresh

    def counted(self: Corpus, index: int, created: float) -> Truth:
        made[self.size] += 1
        return make(self, index, created)

    monkeypatch.setattr(Corpus, "fresh", counted)
    pages: list[list[dict[str, Any]]] = []
    for chats in (1000, 1_000_000):
        world = Simulator(chats=chats, now=NOW)
        asked = OTHERS[kind].far_down if chats > 1000 else {"pageSize" if kind == "bland:texts" else "limit": 50}
        pages.append(rows_in(read(answer_to(world, kind, OTHERS[kind].call(asked)))))
    assert [len(page) for page in pages] == [50, 50]
    few, many = (sum(count for size, count in made.items() if (size > 1000) == is_large) for is_large in (False, True))
    assert few >= 50
    assert many <= 1.5 * few


@every_kind
def test_pages_close_up_where_some_were_deleted(simulator: Simulator, kind: str) -> None:
    everything = ids(simulator, kind)
    gone = {everything[0], everything[7], everything[8], everything[-1]}  # not all can be deleted while they run
    for id in gone:
        before = record(simulator, kind, id)
        answer = ask(simulator, kind, f"/{id}", method="DELETE")
        assert answer.status == 200
        if kind in VAPI:
            assert read(answer) == before
        for method in ("GET", "DELETE"):
            assert ask(simulator, kind, f"/{id}", method=method).status == 404
    assert walk(simulator, kind, 6) == [id for id in everything if id not in gone]


def test_vapi_tells_of_pages_of_chats_all_there_is_to_tell(simulator: Simulator) -> None:
    told = read(ask(simulator, "vapi:chats", "?limit=50&page=2&createdAtGe=2026-01-01T00:00:00Z"))["metadata"]
    assert told.pop("nextCursor")
    assert told == {
        "itemsPerPage": 50,
        "totalItems": 137,
        "currentPage": 2,
        "totalPages": 3,
        "hasNextPage": True,
        "sortOrder": "DESC",
        "itemsBeyondRetention": False,
        "createdAtGe": "2026-01-01T00:00:00.000Z",
    }
    last = read(ask(simulator, "vapi:chats", "?limit=50&page=3"))["metadata"]
    assert not last["hasNextPage"]
    assert "nextCursor" not in last


def test_vapi_tells_of_pages_of_sessions_what_is_promised(simulator: Simulator) -> None:
    told = read(ask(simulator, "vapi:sessions"))["metadata"]
    assert told == {"itemsPerPage": 100, "totalItems": len(ids(simulator, "vapi:sessions")), "currentPage": 1}


@vapi_kinds
def test_vapi_gives_a_hundred_unless_told_and_none_where_none_are_wanted(simulator: Simulator, kind: str) -> None:
    many = Simulator(chats=700, now=NOW)
    assert len(read(ask(many, kind))["results"]) == 100
    for query in ("?limit=0", "?page=99"):
        answer = read(ask(simulator, kind, query))
        assert answer["results"] == []
        assert not answer["metadata"].get("hasNextPage")


@pytest.mark.parametrize("filters", ["", "&assistantId=5b1f8c7a-2d6e-4f0b-8c3d-000000000101"])
def test_a_cursor_of_vapis_goes_on_where_a_page_ended_whatever_was_deleted(simulator: Simulator, filters: str) -> None:
    expected = [row["id"] for row in read(ask(simulator, "vapi:chats", f"?limit=1000{filters}"))["results"]]
    found: list[str] = []
    cursor = ""
    while True:
        page = read(ask(simulator, "vapi:chats", f"?limit=4{filters}{cursor}"))
        found += [row["id"] for row in page["results"]]
        ask(simulator, "vapi:chats", f"/{found[0]}", method="DELETE")
        if len(found) % 8:  # the row that the cursor was made of, or not
            ask(simulator, "vapi:chats", f"/{found[-1]}", method="DELETE")
        if not page["metadata"]["hasNextPage"]:
            break
        cursor = f"&cursor={quote(page['metadata']['nextCursor'])}"
    assert found == expected
    assert len(found) > 8


def test_bland_gives_twenty_five_unless_told_and_a_hundred_at_most(simulator: Simulator) -> None:
    for query, size, pages in (("", 25, 6), ("?pageSize=500", 100, 2)):
        page = read(ask(simulator, "bland:texts", query))
        assert len(page["data"]) == size
        pagination = {"totalItems": 137, "totalPages": pages, "currentPage": 1, "pageSize": size}
        assert page["extra"] == {"pagination": pagination}
        assert page["errors"] is None
    assert read(ask(simulator, "bland:texts", "?page=7"))["data"] == []


# filters

Holds = Callable[[dict[str, Any]], bool]


@vapi_kinds
def test_vapi_filters_by_instants_in_milliseconds(simulator: Simulator, kind: str) -> None:
    for member in ("createdAt", "updatedAt"):
        everything = rows(simulator, kind)
        instant = everything[5][member]
        bounds: dict[str, Callable[[str, str], bool]] = {
            "Gt": str.__gt__,
            "Ge": str.__ge__,
            "Lt": str.__lt__,
            "Le": str.__le__,
        }
        for bound, holds in bounds.items():
            found = rows(simulator, kind, **{f"{member}{bound}": instant})
            assert found == [row for row in everything if holds(row[member], instant)]
            assert 0 < len(found) < len(everything)
    among = sorted(row["createdAt"] for row in everything)
    window = {"createdAtGt": among[3], "createdAtLe": among[9]}
    assert walk(simulator, kind, 4, **window) == [
        row["id"] for row in everything if among[3] < row["createdAt"] <= among[9]
    ]


def _of(kind: str, *path: str) -> Callable[[Simulator], set[str]]:
    def values(simulator: Simulator) -> set[str]:
        found: set[str] = set()
        for row in rows(simulator, kind):
            told: Any = row
            for member in path:
                told = told.get(member, {})
            if isinstance(told, str):
                found.add(told)
        return found

    return values


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        *(("vapi:chats", name, (name,)) for name in ("id", "assistantId", "squadId", "sessionId", "previousChatId")),
        *(("vapi:sessions", name, (name,)) for name in ("id", "assistantId", "squadId", "name", "phoneNumberId")),
        *(("vapi:sessions", name, ("customer", name)) for name in ("number", "externalId")),
    ],
)
def test_vapi_filters_by_what_stands_in_a_record(
    simulator: Simulator, kind: str, name: str, path: tuple[str, ...]
) -> None:
    everything = rows(simulator, kind)
    values = sorted(_of(kind, *path)(simulator))
    found = [rows(simulator, kind, **{name: value}) for value in values[:5]]
    assert all(0 < len(page) < len(everything) for page in found)
    for value, page in zip(values, found, strict=False):
        assert page == [row for row in everything if _told(row, path) == value]
    assert rows(simulator, kind, **{name: "nobody"}) == []


def _told(row: Mapping[str, Any], path: Iterable[str]) -> Any:
    told: Any = row
    for member in path:
        told = told.get(member, {})
    return told


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("vapi:chats", "idAny", ("id",)),
        ("vapi:chats", "assistantIdAny", ("assistantId",)),
        ("vapi:sessions", "idAny", ("id",)),
        ("vapi:sessions", "customerNumberAny", ("customer", "number")),
    ],
)
def test_vapi_filters_by_several(simulator: Simulator, kind: str, name: str, path: tuple[str, ...]) -> None:
    everything = rows(simulator, kind)
    values = sorted(_of(kind, *path)(simulator))[:2]
    found = rows(simulator, kind, **{name: ",".join(values)})
    assert found == [row for row in everything if _told(row, path) in values]
    assert {_told(row, path) for row in found} == set(values)


@vapi_kinds
@pytest.mark.parametrize("member", ["cost", "duration"])
def test_vapi_sorts_by_cost_and_duration(simulator: Simulator, kind: str, member: str) -> None:
    def measure(row: dict[str, Any]) -> float:
        if member == "cost":
            return float(row["cost"])
        begun, changed = (datetime.fromisoformat(row[name]) for name in ("createdAt", "updatedAt"))
        return (changed - begun).total_seconds()

    measured = [measure(row) for row in rows(simulator, kind, sortBy=member)]
    assert measured == sorted(measured, reverse=True)
    assert len(set(measured)) > 5
    assert sorted(walk(simulator, kind, 7, sortBy=member)) == sorted(ids(simulator, kind))


BLAND_FILTERS: list[tuple[dict[str, Any], Holds]] = [
    ({"field": "message_count", "operator": "gt", "value": 15}, lambda row: row["message_count"] > 15),
    ({"field": "message_count", "operator": "lte", "value": 15}, lambda row: row["message_count"] <= 15),
    ({"field": "message_count", "operator": "eq", "value": 9}, lambda row: row["message_count"] == 9),
    ({"field": "is_active", "operator": "eq", "value": True}, lambda row: row["is_active"]),
    ({"field": "user_number", "operator": "endsWith", "value": "1"}, lambda row: row["user_number"].endswith("1")),
    ({"field": "curr_pathway_id", "operator": "contains", "value": "0102"}, lambda row: _has(row, "0102")),
    ({"field": "curr_pathway_version", "operator": "eq", "value": "2"}, lambda row: row["curr_pathway_version"] == "2"),
    ({"field": "variables", "operator": "contains", "value": "order_id"}, lambda row: row["variables"] is not None),
    (
        {"field": "timed_out_at", "operator": "gte", "value": "2026-02-01T00:00:00Z"},
        lambda row: (row["timed_out_at"] or "") >= "2026-02-01",
    ),
    (
        {"field": "updated_at", "operator": "lt", "value": "2026-03-01T12:00:00.000Z"},
        lambda row: row["updated_at"] < "2026-03-01T12",
    ),
]


def _has(row: dict[str, Any], part: str) -> bool:
    return part in (row["curr_pathway_id"] or "")


def _filters(*filters: dict[str, Any]) -> str:
    return msgspec.json.encode(filters).decode()


def texts(simulator: Simulator, **asked: Any) -> list[dict[str, Any]]:
    """Return the rows of all pages."""
    pages = (rows(simulator, "bland:texts", page=page, **asked) for page in itertools.count(1))
    return list(itertools.chain.from_iterable(itertools.takewhile(bool, pages)))


@pytest.mark.parametrize(
    ("filter", "holds"), BLAND_FILTERS, ids=lambda value: "" if callable(value) else str(value)[:60]
)
def test_bland_filters(simulator: Simulator, filter: dict[str, Any], holds: Holds) -> None:
    everything = texts(simulator)
    found = texts(simulator, filters=_filters(filter))
    assert found == [row for row in everything if holds(row)]
    assert 0 < len(found) < len(everything)


def test_bland_filters_by_when_it_was_created_to_the_millisecond(simulator: Simulator) -> None:
    everything = texts(simulator)
    late, early = everything[4]["created_at"], everything[30]["created_at"]
    for after, before, kept in (("gte", "lte", everything[4:31]), ("gt", "lt", everything[5:30])):
        bounds = [
            {"field": "created_at", "operator": after, "value": early},
            {"field": "created_at", "operator": before, "value": late},
        ]
        assert walk(simulator, "bland:texts", 10, filters=_filters(*bounds)) == [row["id"] for row in kept]
        oldest_first = walk(simulator, "bland:texts", 10, filters=_filters(*bounds), sortDir="asc")
        assert oldest_first == [row["id"] for row in kept][::-1]
        active = {"field": "is_active", "operator": "eq", "value": False}
        assert walk(simulator, "bland:texts", 10, filters=_filters(*bounds, active)) == [row["id"] for row in kept]
    exactly = {"field": "created_at", "operator": "eq", "value": late}
    assert [row["id"] for row in texts(simulator, filters=_filters(exactly))] == [everything[4]["id"]]


@pytest.mark.parametrize("member", ["updated_at", "user_number", "message_count", "is_active", "timed_out_at"])
def test_bland_sorts_by_its_members(simulator: Simulator, member: str) -> None:
    for direction in ("asc", "desc"):
        told = [row[member] for row in texts(simulator, sortBy=member, sortDir=direction)]
        present = [value for value in told if value is not None]
        assert present == sorted(present, reverse=direction == "desc")
        assert len(told) == 137


# what is refused


@every_kind
@pytest.mark.parametrize("key", ["", "bad-key"])
def test_a_bad_or_missing_key_is_refused(simulator: Simulator, kind: str, key: str) -> None:
    for below in ("", f"/{ids(simulator, kind)[0]}"):
        assert ask(simulator, kind, below, key=key).status == 401


_UUID = "019a7c55-3f0e-7c21-9b4d-5a0000000000"


@pytest.mark.parametrize(
    ("kind", "asked", "status", "words"),
    [
        ("vapi:chats", "GET ?limit=1001", 400, "limit must not be greater than 1000"),
        ("vapi:chats", "GET ?limit=x", 400, "limit must be a number"),
        ("vapi:chats", "GET ?page=0", 400, "page must be"),
        ("vapi:chats", "GET ?sortOrder=desc", 400, "sortOrder must be one of the following values: ASC, DESC"),
        ("vapi:chats", "GET ?sortBy=name", 400, "sortBy must be one of"),
        ("vapi:chats", "GET ?createdAtGe=yesterday", 400, "createdAtGe must be a valid ISO 8601 date string"),
        ("vapi:chats", "GET ?cursor=%25", 400, "cursor must be"),
        ("vapi:chats", "GET ?name=x", 400, "property name should not exist"),
        ("vapi:chats", "GET /nobody", 400, "uuid is expected"),
        ("vapi:chats", f"GET /{_UUID}", 404, "Couldn't find the chat."),
        ("vapi:chats", f"DELETE /{_UUID}", 404, "Couldn't find the chat."),
        ("vapi:chats", "PUT ", 404, "Cannot PUT /chat"),
        ("vapi:sessions", "GET ?cursor=YQ", 400, "property cursor should not exist"),
        ("vapi:sessions", "GET ?sessionId=x", 400, "property sessionId should not exist"),
        ("vapi:sessions", "GET /nobody", 400, "uuid is expected"),
        ("vapi:sessions", f"GET /{_UUID}", 404, "Couldn't find the session."),
        ("bland:texts", "GET ?page=0", 400, "page"),
        ("bland:texts", "GET ?sortBy=summary", 400, "sortBy"),
        ("bland:texts", "GET ?sortDir=DESC", 400, "sortDir"),
        ("bland:texts", "GET ?filters=%5B1%5D", 400, "filters"),
        ("bland:texts", "GET ?filters=%7B%7D", 400, "filters"),
        ("bland:texts", "GET /nobody", 404, "CONVERSATION_NOT_FOUND"),
        ("bland:texts", "DELETE /nobody", 404, "CONVERSATION_NOT_FOUND"),
        ("bland:texts", "PUT ", 404, "NOT_FOUND"),
    ],
)
def test_refusals_have_the_providers_status_and_shape(
    simulator: Simulator, kind: str, asked: str, status: int, words: str
) -> None:
    method, _, below = asked.partition(" ")
    answer = ask(simulator, kind, below, method=method)
    body = read(answer)
    assert answer.status == status
    assert words in str(body)
    assert body.keys() == ({"message", "error", "statusCode"} if kind in VAPI else {"data", "errors"})


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("summary", "eq", "x"),
        ("is_active", "like", True),
        ("created_at", "gte", "yesterday"),
        ("is_active", "eq", None),
    ],
)
def test_bland_refuses_conditions_it_does_not_know(simulator: Simulator, field: str, operator: str, value: Any) -> None:
    asked = quote(_filters({"field": field, "operator": operator, "value": value}))
    assert ask(simulator, "bland:texts", f"?filters={asked}").status == 400


@every_kind
async def test_what_is_withheld_is_forbidden_and_the_rest_is_not(kind: str) -> None:
    provider = kind.partition(":")[0]
    async with (
        Simulator(chats=3, now=NOW, faults=Faults(withheld=(kind,))) as running,
        aiohttp.ClientSession() as session,
    ):
        statuses: dict[str, int] = {}
        for name, listed in {provider: LISTS[provider], **OTHERS}.items():
            url = running.base_url(name.partition(":")[0]) + listed.call({}).target
            async with session.get(url, headers=listed.key("any")) as answer:
                statuses[name] = answer.status
                body = msgspec.json.decode(await answer.read())
            if name == kind:
                assert listed.words(body)
        assert statuses == {provider: 200, **dict.fromkeys(OTHERS, 200), kind: 403}
        running.faults = Faults()
        async with session.get(running.base_url(provider) + OTHERS[kind].path, headers=OTHERS[kind].key("a")) as answer:
            assert answer.status == 200


def test_what_is_not_there_cannot_be_withheld() -> None:
    with pytest.raises(
        ValueError, match=r"called 'bland:sms' can be withheld; there is vapi:chats, vapi:sessions, bland:texts"
    ):
        Simulator(faults=Faults(withheld=("bland:sms",)))
    simulator = Simulator(providers=["tavus"])
    with pytest.raises(ValueError, match="there is nothing"):
        simulator.faults = Faults(withheld=("vapi:chats",))


def test_there_are_not_less_than_no_chats() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Simulator(chats=-1)


# what Vapi tells

# https://docs.vapi.ai/api-reference/chats/get
REQUIRED = {"id", "orgId", "createdAt", "updatedAt"}
_OF_A_MESSAGE = {
    "system": {"content"},
    "developer": {"content"},
    "user": {"content"},
    "assistant": set[str](),
    "tool": {"content", "tool_call_id"},
}
_OF_A_COST = {
    "model": {"model", "promptTokens", "completionTokens", "cost"},
    "chat": {"cost"},
    "session": {"cost"},
}


@vapi_kinds
def test_vapi_leaves_out_nothing_that_is_required(simulator: Simulator, kind: str) -> None:
    for row in rows(simulator, kind):
        assert row.keys() >= REQUIRED
        assert record(simulator, kind, row["id"]) == row
        for message in _messages(row):
            assert message.keys() >= _OF_A_MESSAGE[message["role"]]
            for call in message.get("tool_calls", ()):
                assert call.keys() == {"id", "type", "function"}
                assert call["function"].keys() == {"name", "arguments"}
        assert all(cost.keys() >= _OF_A_COST[cost["type"]] for cost in row["costs"])
        assert row["cost"] == pytest.approx(sum(cost["cost"] for cost in row["costs"]))
        assert row["createdAt"] <= row["updatedAt"]
        assert len(row.get("name", "")) <= 40


def _messages(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = row.get("input", [])
    return [*row.get("messages", []), *(given if isinstance(given, list) else []), *row.get("output", [])]


def test_vapi_has_every_odd_shape_of_a_chat_somewhere(simulator: Simulator) -> None:
    chats = rows(simulator, "vapi:chats")
    assert {type(chat.get("input")) for chat in chats} == {type(None), str, list}
    assert {"messages" in chat for chat in chats} == {True, False}
    assert {"sessionId" in chat for chat in chats} == {"previousChatId" in chat for chat in chats} == {True, False}
    assert not any("sessionId" in chat and "previousChatId" in chat for chat in chats)
    unnamed = [chat for chat in chats if not {"assistantId", "squadId"} & chat.keys()]
    assert unnamed
    assert all("sessionId" in chat for chat in unnamed)
    assert any("authorization" in chat.get("assistant", {}).get("server", {}).get("headers", {}) for chat in chats)
    assert {role for chat in chats for role in (message["role"] for message in _messages(chat))} == set(_OF_A_MESSAGE)


def test_vapi_has_every_odd_shape_of_a_session_somewhere(simulator: Simulator) -> None:
    sessions = rows(simulator, "vapi:sessions")
    assert {one["status"] for one in sessions} == {"active", "completed"}
    assert all(("artifact" in one) == (one["status"] == "completed") for one in sessions)
    assert {one.get("expirationSeconds") for one in sessions} == {None, 7_200, 10_800, 86_400}
    assert {frozenset(one.get("customer", ())) for one in sessions} == {
        frozenset(),
        frozenset({"number"}),
        frozenset({"name", "externalId"}),
    }
    assert all(("phoneNumberId" in one) == ("number" in one.get("customer", {})) for one in sessions)
    assert {"squadId" in one for one in sessions} == {"name" in one for one in sessions} == {True, False}


def _said(messages: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return who said what, and which tools were called with what."""
    found: list[tuple[str, str]] = []
    for message in messages:
        called = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())]
        found += [(message["role"], message["content"])] if "content" in message else called
    return [(role, text) for role, text in found if role not in {"system", "developer"}]


def _happened(world: World, truth: Truth) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for turn in world.turns(truth):
        if turn.tool is None:
            found.append((turn.role.value, turn.text))
        else:
            found += [(turn.tool.name, turn.tool.arguments), ("tool", turn.tool.result)]
    return found


def test_a_session_of_vapis_holds_what_was_written_in_its_chats(simulator: Simulator) -> None:
    world, chats = world_of(simulator, "vapi:sessions"), world_of(simulator, "vapi:chats")
    lengths: Counter[int] = Counter()
    for truth in truths(world):
        session = record(simulator, "vapi:sessions", world.id(truth))
        assert _said(session["messages"]) == _happened(world, truth)
        its = rows(simulator, "vapi:chats", sessionId=session["id"], sortOrder="ASC")
        lengths[len(its)] += 1
        exchanges = [chats.find(chat["id"]) for chat in its]
        written = [_happened(chats, exchange) for exchange in exchanges if exchange is not None]
        assert list(itertools.chain.from_iterable(written)) == _happened(world, truth)
        assert session["createdAt"] < its[0]["createdAt"]
        assert session["updatedAt"] >= its[-1]["updatedAt"]
        assert session["cost"] == pytest.approx(sum(chat["cost"] for chat in its))
        spoken = [turn for turn in world.turns(truth) if turn.role == Role.USER]
        created = [exchange.created for exchange in exchanges if exchange is not None]
        assert [truth.created + turn.start for turn in spoken] == pytest.approx(created, abs=1e-4)
    assert lengths.keys() >= {2, 4}


def test_a_chat_of_vapis_is_one_exchange_after_all_that_came_before(simulator: Simulator) -> None:
    world = world_of(simulator, "vapi:chats")
    threads: dict[str, list[tuple[str, str]]] = {}
    for truth in truths(world):
        chat, happened = record(simulator, "vapi:chats", world.id(truth)), _happened(world, truth)
        given = chat.get("input", [])
        asked = [("user", given)] if isinstance(given, str) else _said(given)
        context = _said(chat.get("messages", ()))
        # What was asked may stand at the end of the messages, in `input`, or in both.
        context = context[:-1] if context and context[-1][0] == "user" else context
        assert asked in ([], happened[:1])
        assert [role for role, _ in happened].count("user") == 1
        assert _said(chat["output"]) == happened[1:] != []
        before = chat.get("sessionId") or chat.get("previousChatId") or chat["id"]
        assert context == threads.get(before, [])
        threads[chat["id"]] = [*context, *happened]
        if "sessionId" in chat:
            threads[before] = [*context, *happened]


def test_a_session_of_vapis_ends_when_nobody_writes_any_more(simulator: Simulator, clock: ManualClock) -> None:
    world = world_of(simulator, "vapi:sessions")
    truth = next(truth for truth in reversed(truths(world)) if truth.ended > world.present)
    before = record(simulator, "vapi:sessions", world.id(truth))
    life = before.get("expirationSeconds", 86_400)
    assert before["status"] == "active"
    last = datetime.fromisoformat(before["updatedAt"]).timestamp()
    clock.seconds = last + life - NOW.timestamp() - 1
    assert record(simulator, "vapi:sessions", before["id"]) == before
    clock.seconds += 2
    after = record(simulator, "vapi:sessions", before["id"])
    assert after["status"] == "completed"
    assert datetime.fromisoformat(after["updatedAt"]).timestamp() == pytest.approx(last + life, abs=0.002)
    assert after["messages"] == before["messages"]
    assert after["artifact"]["transcript"].count("User: ") == sum(
        role == "user" for role, _ in _said(after["messages"])
    )


def test_what_is_deleted_of_vapis_goes_alone(simulator: Simulator) -> None:
    session = next(row for row in rows(simulator, "vapi:sessions") if len(row["messages"]) > 6)
    chats = rows(simulator, "vapi:chats", sessionId=session["id"])
    ask(simulator, "vapi:chats", f"/{chats[1]['id']}", method="DELETE")
    assert record(simulator, "vapi:sessions", session["id"]) == session
    left = [chat for chat in chats if chat != chats[1]]
    assert rows(simulator, "vapi:chats", sessionId=session["id"]) == left
    ask(simulator, "vapi:sessions", f"/{session['id']}", method="DELETE")
    assert rows(simulator, "vapi:chats", sessionId=session["id"]) == left


# what Bland tells

# https://docs.bland.ai/api-v1/get/sms-conversations
_OF_A_ROW = {
    "id",
    "created_at",
    "updated_at",
    "user_number",
    "agent_number",
    "variables",
    "current_node_id",
    "curr_pathway_id",
    "curr_pathway_version",
    "timed_out_at",
    "is_active",
    "message_count",
    "last_message",
    "last_message_at",
    "pathway_tags",
    "effective_channel",
    "summary",
    "citation_variables",
    "disposition_tag",
}
# https://docs.bland.ai/api-v1/get/sms-conversations-id
_OF_A_TEXT = {"id", "created_at", "message", "from", "to", "sender", "status", "error_code", "attachments", "app_card"}


def test_bland_has_every_documented_member_and_the_messages_of_one_only(simulator: Simulator) -> None:
    for row in texts(simulator):
        whole = record(simulator, "bland:texts", row["id"])
        assert row.keys() == _OF_A_ROW
        inner = {"user_id", "inbound_id", "messages", "disposition_logs"}
        assert whole.keys() == (_OF_A_ROW | inner) - {"message_count", "last_message", "pathway_tags"}
        assert {name: whole[name] for name in whole.keys() - inner}.items() <= row.items()
        messages = whole["messages"]
        assert row["message_count"] == len(messages)
        assert row["last_message"] == (messages[-1]["message"] if messages else None)
        assert row["last_message_at"] == (messages[-1]["created_at"] if messages else None)
        for message in messages:
            assert message.keys() == _OF_A_TEXT
            numbers = {message["from"], message["to"]}
            assert numbers == {whole["user_number"], whole["agent_number"]}
            assert (message["error_code"] is None) == (message["status"] != "undelivered")
        moments = [message["created_at"] for message in messages]
        assert moments == sorted(moments)
        assert len({message["id"] for message in messages}) == len(messages)


def test_bland_has_every_odd_shape_of_a_text_somewhere(simulator: Simulator) -> None:
    found = [record(simulator, "bland:texts", id) for id in ids(simulator, "bland:texts")]
    assert {one["effective_channel"] for one in found} == {"sms", "rcs", "whatsapp", "imessage", None}
    for member in ("variables", "curr_pathway_id", "summary", "citation_variables", "disposition_tag", "timed_out_at"):
        assert {one[member] is None for one in found} == {True, False}, member
    messages = [message for one in found for message in one["messages"]]
    assert {message["status"] for message in messages} == {None, "delivered", "read", "undelivered"}
    assert {message["id"].isdigit() for message in messages} == {True, False}
    begun = [message for message in messages if message["message"] == "<Call Connected>"]
    assert {(message["sender"], message["from"]) for message in begun} == {("USER", "+15550100001")}
    assert 0 < len(begun) < len(found)


def test_a_text_of_blands_holds_what_was_written_when_it_was_written(simulator: Simulator) -> None:
    world = world_of(simulator, "bland:texts")
    unanswered = 0
    for truth in truths(world):
        whole = record(simulator, "bland:texts", world.id(truth))
        told = [
            (message["sender"], message["message"])
            for message in whole["messages"]
            if message["message"] != "<Call Connected>"
        ]
        turns = [turn for turn in world.turns(truth) if turn.tool is None]
        if truth.answered is None:
            unanswered += 1
            assert [sender for sender, _ in told] == ["AGENT"]
            continue
        assert told == [("AGENT" if turn.role == Role.ASSISTANT else "USER", turn.text) for turn in turns]
        moments = [datetime.fromisoformat(message["created_at"]).timestamp() for message in whole["messages"]]
        assert moments[len(moments) - len(turns) :] == pytest.approx(
            [truth.answered + turn.start for turn in turns], abs=0.0011
        )
    assert unanswered


def test_a_text_of_blands_goes_on_until_it_is_over(simulator: Simulator, clock: ManualClock) -> None:
    world = world_of(simulator, "bland:texts")
    truth = world.corpus.truth(world.corpus.size - 2)
    seen: list[tuple[bool, int]] = []
    for second in range(200):
        clock.seconds = float(second)
        whole = record(simulator, "bland:texts", world.id(truth))
        assert whole["is_active"] == (truth.ended > world.present)
        assert whole["updated_at"] >= (whole["last_message_at"] or "")
        seen.append((whole["is_active"], len(whole["messages"])))
    counts = [count for _, count in seen]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    assert {active for active, _ in seen} == {True, False}
