"""One battery for every provider: what its adapter makes of its fixtures, and what it must never do."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import quote

import msgspec
import pytest

from conversations_hub._scrub.members import scrubbed
from conversations_hub._transport.guard import Guard
from conversations_hub.account import Account
from conversations_hub.adapter import Adapter, Feature, Filter, Query, Resource
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import (
    HubError,
    InvalidRefError,
    PaginationError,
    PayloadError,
    ProviderError,
    WebhookError,
)
from conversations_hub.events import Event
from conversations_hub.reading.json import Json, well_formed
from conversations_hub.schema import Conversation, EndReason, ParticipantKind, Role, Status
from conversations_hub.signing._delivery import Received
from conversations_hub.testing import (
    Case,
    Mutant,
    Replayed,
    WrongNumberOfAnswers,
    delivered,
    mutants,
    replay,
    unknown_members,
    walk,
)
from conversations_hub.testing._members import left_to_raw
from conversations_hub.wire import Request, Response, target

from ..support import exchanges
from ..support.paths import FIXTURES
from ..support.sense import check_sense

CASES = {(provider, name): case for provider in BUILTIN for name, case in exchanges.cases(provider).items()}


def _chosen(*operations: str) -> list[Any]:
    return [
        pytest.param(provider, case, id=f"{provider}-{name}")
        for (provider, name), case in CASES.items()
        if case.operation in operations
    ]


@cache
def _account(provider: str) -> Account:
    return exchanges.account(provider)


def _kinds(provider: str) -> dict[str, Resource]:
    """Return all kinds of conversations of a provider, by name."""
    adapter = load(provider)
    return {adapter.main: adapter, **adapter.resources}


KINDS = [pytest.param(provider, name, id=f"{provider}-{name}") for provider in BUILTIN for name in _kinds(provider)]
LISTS = [
    pytest.param(provider, name, id=f"{provider}-{name}")
    for provider in BUILTIN
    for name, resource in _kinds(provider).items()
    if resource.list_page is not None
]


def _resource(provider: str, case: Case) -> Resource:
    return case.resource(load(provider))[0]


def _replay(provider: str, case: Case) -> Replayed:
    return replay(load(provider), _account(provider), case)


# what the adapters make of the fixtures


@pytest.mark.parametrize("provider", BUILTIN)
def test_the_fixtures_give_what_was_reviewed(provider: str, pytestconfig: pytest.Config) -> None:
    told = {name: _told(provider, CASES[of, name]) for of, name in sorted(CASES) if of == provider}
    found = json.dumps(told, indent=1, ensure_ascii=False)
    path = FIXTURES / provider / "expected.json"
    if pytestconfig.getoption("--accept"):
        path.write_text(f"{found}\n")
    assert json.loads(found) == json.loads(path.read_text())


def _told(provider: str, case: Case) -> dict[str, Any]:
    found = _replay(provider, case)
    told: dict[str, Any] = {}
    if found.requests:
        told["requests"] = [_shown(request) for request in found.requests]
    if found.refusal is not None:
        told["error"] = type(found.refusal).__name__
        told["reason"] = found.refusal.reason
        told["retryable"] = found.refusal.retryable
    if found.pages:
        told["cursors"] = [page.cursor for page in found.pages]
        told["warnings"] = [page.warning for page in found.pages if page.warning]
    if found.started is not None:
        told["join_url"] = found.started.join_url
        told["token"] = found.started.token and "***"
    if found.conversations:
        told["conversations"] = _without_defaults(found.conversations)
    if found.turn is not None:
        told["turn"] = _without_defaults(found.turn)
    if found.events:
        told["events"] = _without_defaults(found.events)
        told.pop("conversations", None)
    return told


def _shown(request: Request) -> str:
    body = "" if request.body is None else f" {request.body.decode()}"
    return f"{request.method} {request.path if request.elsewhere else target(request, '')}{body}"


def _without_defaults(value: object) -> Any:
    """Show a Struct by the fields that say something: a diff of those is read, a page of nulls is not."""
    if isinstance(value, msgspec.Struct):
        fields = ((field, getattr(value, field.name)) for field in msgspec.structs.fields(value))
        return {
            field.name: _without_defaults(content)
            for field, content in fields
            if field.name != "raw" and content != field.default and content not in ({}, ())
        }
    if isinstance(value, tuple):
        return [_without_defaults(inner) for inner in cast("tuple[object, ...]", value)]
    return msgspec.to_builtins(value)


@pytest.mark.parametrize(("provider", "case"), _chosen("list", "get", "start", "webhook"))
def test_a_conversation_survives_json(provider: str, case: Case) -> None:
    for conversation in _replay(provider, case).conversations:
        assert msgspec.json.decode(msgspec.json.encode(conversation), type=Conversation) == conversation


@pytest.mark.parametrize(("provider", "case"), _chosen("list", "get", "start", "webhook"))
def test_a_conversation_makes_sense(provider: str, case: Case) -> None:
    for conversation in _replay(provider, case).conversations:
        check_sense(conversation, _replayed_raw(conversation))
        assert conversation.provider == provider
        assert conversation.issues == () or case.facts["source"] in {"documented", "made from the documentation"}


# paging


@pytest.mark.parametrize(("provider", "case"), _chosen("list"))
def test_a_walk_ends_and_resumes_from_every_cursor(provider: str, case: Case) -> None:
    adapter = load(provider)
    account = _account(provider)
    walked = [*walk(adapter, account, case)]
    pages = [page.result for page in walked]
    asked = [len(page.requests) for page in walked]
    assert sum(asked) == len(case.answers)
    assert pages[-1].cursor is None
    for read, page in enumerate(pages[:-1], start=1):
        rest = [later.result for later in walk(adapter, account, case, cursor=page.cursor, skip=sum(asked[:read]))]
        assert [bytes(row) for later in rest for row in later.rows] == [
            bytes(row) for later in pages[read:] for row in later.rows
        ]
        assert rest[-1].cursor is None


# nothing lost


@pytest.mark.parametrize(("provider", "case"), _chosen("list", "get"))
def test_every_leaf_is_in_the_conversation_or_known_to_be_said_otherwise(provider: str, case: Case) -> None:
    left = [left_to_raw([path]) for path in case.facts.get("said_otherwise", ())]
    never_read = left_to_raw(_resource(provider, case).left_to_raw)
    used: set[int] = set()
    lost: list[str] = []
    for body, conversation in _sources(provider, case):
        held = _Held(conversation)
        for path, value in _leaves(body):
            if value in held or never_read.fullmatch(path):
                continue
            allowed = {number for number, pattern in enumerate(left) if pattern.fullmatch(path)}
            used |= allowed
            if not allowed:
                lost.append(f"{path} = {value!r}")
    assert lost == []
    unused = [case.facts["said_otherwise"][number] for number in range(len(left)) if number not in used]
    assert unused == [], "listed as said otherwise, though nothing needs it"


def _sources(provider: str, case: Case) -> Iterator[tuple[Json, Conversation]]:
    found = _replay(provider, case)
    for page in found.pages:
        for row in page.rows:
            yield json.loads(bytes(row)), page.normalize(row)
    if found.conversation is not None:
        yield json.loads(_replayed_raw(found.conversation)), found.conversation


def _replayed_raw(conversation: Conversation) -> bytes:
    assert conversation.raw is not None
    return conversation.raw


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{position}]")
    elif value is not None and value != "":
        yield path, value


class _Held:
    """All values of a conversation, in every form a provider may have sent them in."""

    def __init__(self, conversation: Conversation) -> None:
        self._texts: set[str] = set()
        self._numbers: set[float] = set()
        self._truths: set[bool] = set()
        self._instants: set[float] = set()
        without_raw = msgspec.structs.replace(conversation, raw=None)
        self._add(json.loads(msgspec.json.encode(without_raw)))

    def _add(self, document: Json) -> None:
        for _, value in _leaves(document):
            if isinstance(value, bool):
                self._truths.add(value)
            elif isinstance(value, str):
                self._texts.add(value)
                self._instants |= _as_instant(value)
                self._numbers |= _as_number(value)
                if isinstance(inner := _as_json(value), dict | list):
                    self._add(inner)
            elif value is not None and not isinstance(value, dict | list):
                self._numbers.add(float(value))
        self._instants |= {number for number in self._numbers if number > 1e9}

    def __contains__(self, value: Json) -> bool:
        if isinstance(value, bool):
            return value in self._truths
        if isinstance(value, str):
            instants = _as_instant(value)
            if value in self._texts or instants & self._instants or _as_number(value) & self._numbers:
                return True
            inner = _as_json(value)
            return isinstance(inner, dict | list) and all(leaf in self for _, leaf in _leaves(inner))
        if isinstance(value, int | float):
            return float(value) in self._numbers | self._instants or str(value) in self._texts
        return False


def _as_instant(text: str) -> set[float]:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return set()
    return {(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()}


def _as_json(text: str) -> Json:
    try:
        document: Json = json.loads(text)
    except ValueError:
        return None
    return document


def _as_number(text: str) -> set[float]:
    """Read "12.50" and "1:12"."""
    total = 0.0
    try:
        for part in text.split(":"):
            total = total * 60 + float(part)
    except ValueError:
        return set()
    return {total}


@pytest.mark.parametrize(("provider", "case"), _chosen("list", "get", "start"))
def test_every_member_is_read_or_left_to_raw_with_a_reason(provider: str, case: Case) -> None:
    for conversation in _replay(provider, case).conversations:
        assert unknown_members(_resource(provider, case), json.loads(_replayed_raw(conversation))) == []


@pytest.mark.parametrize(("provider", "case"), _chosen("list", "get", "start"))
def test_raw_is_what_the_provider_sent_less_the_secrets(provider: str, case: Case) -> None:
    secret_fields = load(provider).secret_fields
    found = _replay(provider, case)
    kept = [_replayed_raw(conversation) for conversation in found.conversations]
    rows = [bytes(row) for page in found.pages for row in page.rows]
    bodies = [well_formed(answer.body)[0] for answer in case.answers if answer.ok]
    if rows or len(bodies) == 1:
        assert kept == (rows or bodies)
    else:
        [raw] = kept
        held: dict[str, Json] = json.loads(raw)
        parts = [part for value in held.values() for part in (value, *(value if isinstance(value, list) else ()))]
        assert all(json.loads(body) in parts for body in bodies), "a body that was read is not in raw"
    for raw in kept:
        document = json.loads(scrubbed(raw, secret_fields))
        for path, value in _leaves(document):
            if path.rpartition(".")[2] in secret_fields:
                assert value == "***"


# bad input


@pytest.mark.no_cover
@pytest.mark.parametrize(("provider", "case"), _chosen("list", "get", "start"))
def test_every_mutant_is_a_conversation_or_a_payload_error(provider: str, case: Case) -> None:
    tried = 0
    for mutant, answers in _mutated(case):
        tried += 1
        try:
            found = _replay(provider, Case(case.name, answers, case.facts))
        except PayloadError as error:
            _check_refused(mutant, error)
        except WrongNumberOfAnswers:
            continue  # the change ended it sooner, or made it ask for more
        except ProviderError:
            continue  # the change made it an error envelope
        except PaginationError:
            continue  # the change made it a walk that cannot go on
        else:
            for conversation in _readable(found, mutant):
                check_sense(conversation, _replayed_raw(conversation))
    assert tried > 10


def _mutated(case: Case) -> Iterator[tuple[Mutant, tuple[Response, ...]]]:
    """Change one thing in one of the answers; of a list's, all pages are alike, so the first is enough."""
    for number, answer in enumerate(case.answers[:1] if case.operation == "list" else case.answers):
        if answer.ok and answer.body:
            for mutant in mutants(answer.body):
                changed = Response(answer.status, answer.headers, mutant.body)
                yield mutant, (*case.answers[:number], changed, *case.answers[number + 1 :])


def _readable(found: Replayed, mutant: Mutant) -> Iterator[Conversation]:
    if found.conversation is not None:
        yield found.conversation
    for page in found.pages:
        for row in page.rows:
            try:
                yield page.normalize(row)
            except PayloadError as error:
                _check_refused(mutant, error)


_STRUCTURAL = {"as text", "as a list", "as an object", "emptied"}


def _check_refused(mutant: Mutant, error: PayloadError) -> None:
    """Only a missing id or a broken structure is refused; a single odd value never is."""
    assert "zz_unheard_of" not in str(error)
    is_id = mutant.place.rpartition(".")[2].lower().endswith("id")
    is_at_the_top = "." not in mutant.place.removeprefix("data.").removeprefix("response.")  # of an envelope too
    is_gone = mutant.change in {"dropped", "null"} and is_at_the_top
    is_structure = is_gone or mutant.change in _STRUCTURAL
    assert is_id or is_structure, f"{mutant}: {error}"


@pytest.mark.no_cover
@pytest.mark.parametrize(("provider", "case"), _chosen("get"))
def test_unknown_members_change_nothing(provider: str, case: Case) -> None:
    known = _replay(provider, case).conversation
    assert known is not None
    for mutant, answers in _mutated(case):
        if mutant.change == "with an unknown member":
            found = _replay(provider, Case(case.name, answers, case.facts)).conversation
            assert found is not None
            assert _without_stranger(found) == _without_stranger(known), mutant


def _without_stranger(conversation: Conversation) -> Json:
    return _stripped(json.loads(msgspec.json.encode(msgspec.structs.replace(conversation, raw=None))))


def _stripped(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _stripped(inner) for name, inner in value.items() if name != "zz_unheard_of"}
    if isinstance(value, str) and isinstance(inner := _as_json(value), dict | list):
        return _stripped(inner)  # what is sent as an object may be kept as JSON text
    return [_stripped(inner) for inner in value] if isinstance(value, list) else value


# refusals


@pytest.mark.parametrize(("provider", "case"), _chosen("error"))
def test_a_refusal_keeps_status_and_words(provider: str, case: Case) -> None:
    error = _replay(provider, case).refusal
    answer = case.answers[0]
    assert isinstance(error, ProviderError)
    assert error.status == answer.status
    texts = [value for _, value in _leaves(json.loads(answer.body))] if answer.body.startswith(b"{") else []
    words = [text for text in texts if isinstance(text, str)]
    assert not words or any(text.rstrip(".") in error.reason for text in words)


@pytest.mark.parametrize("provider", BUILTIN)
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'{"message": [], "detail": {}, "error": 1}'])
def test_a_refusal_without_words_is_still_a_refusal(provider: str, body: bytes) -> None:
    for status in (400, 401, 403, 404, 409, 422, 429, 500, 502, 503):
        error = load(provider).refusal(Response(status, {}, body))
        assert isinstance(error, ProviderError)
        assert error.status == status


# secrets and origins


@pytest.mark.parametrize("provider", BUILTIN)
def test_the_key_is_in_its_header_and_nowhere_else(provider: str) -> None:
    adapter = load(provider)
    key = "canary-key-0123456789"
    account = Account(provider, key=key, settings=_account(provider).settings)
    request = Request("GET", "/x/{id}", {"a": 1}, {"id": "c1"}, body=b"{}")
    signed = adapter.sign(request, account, datetime(2026, 11, 20, tzinfo=UTC))
    assert any(key in _shown_by_header(value) for value in signed.headers.values())
    assert key not in target(signed, "https://example.com") + str(signed.body) + signed.path
    for shown in (repr(signed), repr(account), repr(account.key), str(account.key), f"{account.key}", repr(adapter)):
        assert key not in shown
    with pytest.raises(TypeError):
        copy.copy(account.key).__reduce__()


def _shown_by_header(value: str) -> str:
    """Return what a header says; of HTTP Basic, what is encoded in it."""
    scheme, _, encoded = value.partition(" ")
    return base64.b64decode(encoded).decode() if scheme == "Basic" else value


@pytest.mark.parametrize(("provider", "case"), _chosen("list", "get", "start", "end", "delete", "send"))
def test_requests_go_to_the_account_s_own_origin(provider: str, case: Case) -> None:
    base = "https://api.example.com/prefix"
    requests = _replay(provider, case).requests
    assert requests
    guard = Guard(base, load(provider).artifact_hosts, what="artifact")
    for request in requests:
        if request.elsewhere:
            guard.checked(request.path)
        else:
            assert target(request, base).startswith(f"{base}/")


@pytest.mark.parametrize(("provider", "name"), LISTS)
@pytest.mark.parametrize("cursor", ["zz", "1", ":", "::::", "[]", '{"a"', "\ud800", "🙂", "1:2:3:4:5"])
def test_a_cursor_of_another_make_is_refused_or_passed_on_for_the_provider_to_refuse(
    provider: str, name: str, cursor: str
) -> None:
    list_page = _kinds(provider)[name].list_page
    assert list_page is not None
    flow = list_page(_account(provider), Query(), cursor)
    try:
        request = next(flow)
        sent = target(request, "https://api.example.com") + (request.body or b"").decode()
    except InvalidRefError as error:
        assert "cursor" in error.reason or "lone surrogate" in error.reason  # noqa: PT017
    else:
        assert (
            quote(cursor.rpartition(":")[2], safe="") in sent
            or json.dumps(cursor.rpartition(":")[2], ensure_ascii=False) in sent
        )


# what it says it can do


@pytest.mark.parametrize("provider", BUILTIN)
def test_what_an_adapter_says_its_provider_tells_is_what_the_fixtures_show(provider: str) -> None:
    shown: set[Feature] = set()
    for (of, _), case in CASES.items():
        if of == provider:
            for conversation in _replay(provider, case).conversations:
                shown |= _shown_by(conversation)
    adapter = load(provider)
    assert set(adapter.shows) == shown
    assert list(adapter.shows) == [feature for feature in get_args(Feature) if feature in shown], "in this order"


@pytest.mark.parametrize("provider", BUILTIN)
def test_the_latencies_that_an_adapter_names_are_among_those_of_the_fixtures(provider: str) -> None:
    cases = [case for (of, _), case in CASES.items() if of == provider]
    turns = [turn for case in cases for one in _replay(provider, case).conversations for turn in one.transcript or ()]
    adapter = load(provider)
    of_answers = {name for turn in turns if turn.role is Role.ASSISTANT for name in turn.metrics or ()}
    of_tools = {name for turn in turns if turn.tool_result is not None for name in turn.metrics or ()}
    assert adapter.response_metric is None or adapter.response_metric in of_answers
    assert adapter.tool_metric is None or adapter.tool_metric in of_tools


@pytest.mark.parametrize("provider", BUILTIN)
def test_an_adapter_whose_fixtures_show_a_transfer_says_that_it_tells_them(provider: str) -> None:
    cases = [case for (of, _), case in CASES.items() if of == provider]
    shown = any(
        one.end_reason is EndReason.TRANSFERRED
        or any(each.kind is ParticipantKind.HUMAN_AGENT for each in one.participants)
        for case in cases
        for one in _replay(provider, case).conversations
    )
    # AnyReach documents the word for it.
    assert load(provider).tells_transfers == (shown or provider == "anyreach")


def _shown_by(conversation: Conversation) -> set[Feature]:
    turns = conversation.transcript or ()
    held: dict[Feature, bool] = {
        "tool calls": any(turn.tool_calls or turn.tool_result for turn in turns),
        "interruptions": any(turn.interrupted is not None for turn in turns),
        "word timing": any(turn.words for turn in turns),
        "recording": bool(conversation.recordings),
    }
    return {feature for feature, is_held in held.items() if is_held}


_NARROWED: dict[Filter, Query] = {
    "since": Query(since=datetime(2026, 11, 1, tzinfo=UTC)),
    "until": Query(until=datetime(2026, 11, 2, tzinfo=UTC)),
    "status": Query(status=Status.ENDED),
    "agent": Query(agent="agent-7"),
    "updated_since": Query(updated_since=datetime(2026, 11, 1, tzinfo=UTC)),
}


def _asked(provider: str, name: str, query: Query) -> list[str]:
    """Return the requests for a first page, answered as in the first walk of the fixtures."""
    resource = _kinds(provider)[name]
    assert resource.list_page is not None
    flow = resource.list_page(_account(provider), query, None)
    walks = (case for (of, _), case in CASES.items() if of == provider and case.operation == "list")
    answers = next(case.answers for case in walks if _resource(provider, case) is resource)
    asked = [_shown(next(flow))]
    with suppress(StopIteration, HubError):
        for answer in answers:
            asked.append(_shown(flow.send(answer)))  # noqa: PERF401  (the flow may end in between)
    return asked


@pytest.mark.parametrize(("provider", "name"), LISTS)
def test_the_filters_an_adapter_names_are_those_it_passes_on(provider: str, name: str) -> None:
    resource = _kinds(provider)[name]
    plain = _asked(provider, name, Query())
    passed_on = [filter for filter, query in _NARROWED.items() if _asked(provider, name, query) != plain]
    assert list(resource.filters) == passed_on


@pytest.mark.parametrize(("provider", "name"), LISTS)
def test_a_list_asks_for_as_many_rows_as_it_says(provider: str, name: str) -> None:
    resource = _kinds(provider)[name]
    sizes = (None, resource.page_size, 1)
    plain, *sized = [_asked(provider, name, Query(page_size=size)) for size in sizes]
    assert resource.page_size is None or sized == [plain, sized[1]]
    assert plain != sized[1]


# webhooks


@pytest.mark.parametrize(("provider", "case"), _chosen("webhook"))
def test_a_delivery_is_believed_only_as_it_was_signed(provider: str, case: Case) -> None:
    adapter = load(provider)
    assert adapter.webhook is not None
    for event in delivered(adapter, case):
        assert event.verified == ("secret" in case.facts)
        raw = json.loads((event.conversation and event.conversation.raw) or b"null")
        secrets = [value for path, value in _leaves(raw) if path.rpartition(".")[2] in adapter.secret_fields]
        assert all(value == "***" for value in secrets)
    scheme = adapter.webhook.scheme
    if scheme is None or "secret" not in case.facts:
        return
    [delivery] = case.answers
    stamp = scheme.claim(_received(case)).sent_at
    if scheme.signed_members is None:
        for place in range(0, len(delivery.body), max(1, len(delivery.body) // 20)):
            changed = bytearray(delivery.body)
            changed[place] ^= 1
            _check_disbelieved(adapter, case, body=bytes(changed))
    for header in scheme.headers:
        _check_disbelieved(adapter, case, headers={**delivery.headers, header: ""})
        _check_disbelieved(adapter, case, headers={**delivery.headers, header: delivery.headers[header][:-1] + "~"})
        _check_disbelieved(adapter, case, headers={n: v for n, v in delivery.headers.items() if n != header})
    if stamp is not None:
        for seconds in (-scheme.tolerance - 1, scheme.tolerance + 1):
            late = {**case.facts, "now": datetime.fromtimestamp(stamp + seconds, UTC)}
            _check_disbelieved(adapter, Case(case.name, case.answers, late))


def _received(case: Case) -> Received:
    [delivery] = case.answers
    return Received(headers=delivery.headers, body=delivery.body, told_url=case.facts.get("url"))


def _body_of(case: Case) -> bytes:
    """Return the body of a delivery as the adapter reads it: the fields of a form as JSON."""
    received = _received(case)
    return json.dumps(dict(received.form)).encode() if received.form else received.body


def _check_disbelieved(
    adapter: Adapter, case: Case, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> None:
    [delivery] = case.answers
    changed = Response(0, delivery.headers if headers is None else headers, delivery.body if body is None else body)
    with pytest.raises(WebhookError) as caught:
        delivered(adapter, Case(case.name, (changed,), case.facts))
    assert caught.value.status == 401
    assert str(case.facts["secret"]) not in str(caught.value)


@pytest.mark.parametrize(("provider", "case"), _chosen("webhook"))
def test_what_a_delivery_is_about_can_be_fetched(provider: str, case: Case) -> None:
    adapter = load(provider)
    told = [value for _, value in _leaves(json.loads(_body_of(case)))]
    for event in delivered(adapter, case):
        assert event.conversation is None or event.conversation.id == event.conversation_id
        if event.conversation_id is not None:
            name, resource, own = adapter.resource_of(event.conversation_id)
            assert resource.get is not None
            assert own in map(str, told)
            assert name == (event.resource or adapter.main)


@pytest.mark.no_cover
@pytest.mark.parametrize(("provider", "case"), _chosen("webhook"))
def test_every_mutant_of_a_delivery_is_events_or_a_payload_error(provider: str, case: Case) -> None:
    webhook = load(provider).webhook
    assert webhook is not None
    for mutant in mutants(_body_of(case)):
        try:
            events = webhook.events(mutant.body)
        except PayloadError as error:
            refusal = str(error)
            assert "zz_unheard_of" not in refusal
            continue
        for event in events:
            assert isinstance(event, Event)
            assert event.provider == provider
            if event.conversation is not None:
                check_sense(event.conversation, _replayed_raw(event.conversation))


def test_every_documented_payload_has_a_source() -> None:
    for (provider, name), case in CASES.items():
        assert case.facts.get("source"), f"{provider}: {name} has no source in fixture.toml"
        assert str(case.facts.get("link", "")).startswith("https://"), f"{provider}: {name} has no link"


@pytest.mark.parametrize(("provider", "name"), KINDS)
def test_every_operation_of_every_adapter_has_a_case(provider: str, name: str) -> None:
    resource = _kinds(provider)[name]
    cases = [case for (of, _), case in CASES.items() if of == provider and case.operation not in {"error", "webhook"}]
    assert {*resource.operations} == {case.operation for case in cases if _resource(provider, case) is resource}


@pytest.mark.parametrize("provider", BUILTIN)
def test_what_can_be_delivered_has_a_case(provider: str) -> None:
    shown = any(case.operation == "webhook" for (of, _), case in CASES.items() if of == provider)
    assert shown is (load(provider).webhook is not None)


def test_fixture_folders_are_the_providers() -> None:
    assert {path.name for path in Path(FIXTURES).iterdir() if path.is_dir()} == set(BUILTIN)
