"""The errors: one tree, safe to print, to pickle and to send between processes."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import pytest

from conversations_hub import errors
from conversations_hub.errors import (
    AuthError,
    CircuitOpenError,
    ConfigurationError,
    DeadlineError,
    ForbiddenError,
    FormatError,
    HubClosedError,
    HubError,
    InvalidRefError,
    LeaseLostError,
    LocalLimitError,
    NotFoundError,
    OutageError,
    PaginationError,
    PartialError,
    PayloadError,
    ProviderError,
    RateLimitError,
    RejectedError,
    StoreError,
    TransportError,
    UnknownAccountError,
    UnsafeURLError,
    UnsupportedError,
    WebhookError,
    WindowedOutError,
    for_status,
    problem,
)

TREE: dict[type[HubError], type[Exception]] = {
    HubError: Exception,
    ConfigurationError: HubError,
    UnknownAccountError: ConfigurationError,
    InvalidRefError: HubError,
    UnsupportedError: HubError,
    HubClosedError: HubError,
    TransportError: HubError,
    DeadlineError: TransportError,
    LocalLimitError: TransportError,
    ProviderError: HubError,
    AuthError: ProviderError,
    ForbiddenError: AuthError,
    NotFoundError: ProviderError,
    RateLimitError: ProviderError,
    RejectedError: ProviderError,
    OutageError: ProviderError,
    CircuitOpenError: OutageError,
    PayloadError: HubError,
    PaginationError: HubError,
    WindowedOutError: PaginationError,
    PartialError: HubError,
    WebhookError: HubError,
    UnsafeURLError: HubError,
    FormatError: HubError,
    StoreError: HubError,
    LeaseLostError: StoreError,
}
PLAIN = [kind for kind in TREE if kind is not PartialError]
PASSING = {TransportError, DeadlineError, RateLimitError, OutageError, CircuitOpenError}


def _one(kind: type[HubError]) -> HubError:
    if kind is PartialError:
        return PartialError({"tavus/eu": AuthError("bad key", provider="tavus"), "vapi/default": OutageError("down")})
    return kind(
        "it {failed}",
        provider="tavus",
        account="eu",
        operation="get",
        attempts=3,
        elapsed=1.25,
        status=418,
        request_id="req_1",
        retry_after=2.0,
    )


def _pickled(error: HubError) -> HubError:
    found: HubError = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own bytes)
    return found


def test_the_tree_is_the_documented_one() -> None:
    assert {kind: kind.__bases__[0] for kind in TREE} == TREE
    assert set(errors.__all__) == {kind.__name__ for kind in TREE} | {"ends_account", "for_status", "problem"}
    drawn = errors.__doc__ or ""
    assert all(kind.__name__ in drawn for kind in TREE)


@pytest.mark.parametrize("kind", TREE)
@pytest.mark.parametrize("passed_on", [_pickled, copy.copy, copy.deepcopy])
def test_every_error_survives(kind: type[HubError], passed_on: Callable[[HubError], HubError]) -> None:
    error = _one(kind)
    error.add_note("a note")
    found = passed_on(error)
    assert type(found) is kind
    assert found is not error
    assert (str(found), repr(found), found.args) == (str(error), repr(error), error.args)
    assert {name: str(value) for name, value in vars(found).items()} == {
        name: str(value) for name, value in vars(error).items()
    }


def test_a_partial_error_keeps_whole_errors_through_pickle() -> None:
    found = _pickled(_one(PartialError))
    assert isinstance(found, PartialError)
    assert {where: (type(error), error.reason) for where, error in found.errors.items()} == {
        "tavus/eu": (AuthError, "bad key"),
        "vapi/default": (OutageError, "down"),
    }


def test_a_partial_error_names_all_who_failed() -> None:
    error = _one(PartialError)
    assert str(error) == "list: 2 failed: tavus/eu: AuthError: bad key; vapi/default: OutageError: down"
    assert not error.retryable
    assert PartialError({"vapi/default": OutageError("down")}).retryable


@pytest.mark.parametrize("kind", PLAIN)
def test_an_error_holds_its_facts_and_nothing_else(kind: type[HubError]) -> None:
    answered = {"http_status": 418} if kind is WebhookError else {}
    assert vars(_one(kind)) == answered | {
        "reason": "it {failed}",
        "provider": "tavus",
        "account": "eu",
        "operation": "get",
        "attempts": 3,
        "elapsed": 1.25,
        "status": 418,
        "request_id": "req_1",
        "retry_after": 2.0,
    }


def test_what_is_not_known_is_none() -> None:
    assert vars(HubError("it failed")) == {
        "reason": "it failed",
        "provider": None,
        "account": None,
        "operation": None,
        "attempts": 0,
        "elapsed": 0.0,
        "status": None,
        "request_id": None,
        "retry_after": None,
    }


@pytest.mark.parametrize("kind", PLAIN)
def test_what_may_pass_is_retryable_and_the_rest_is_not(kind: type[HubError]) -> None:
    assert kind("it failed").retryable is (kind in PASSING)
    assert kind("it failed", retryable=True).retryable
    assert not kind("it failed", retryable=False).retryable


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (HubError("it failed"), "it failed"),
        (OutageError("down", provider="vapi"), "vapi: down"),
        (OutageError("down", account="eu", provider="vapi", operation="list"), "vapi/eu list: down"),
        (OutageError("down", status=503, attempts=1, elapsed=9.0), "down (HTTP 503)"),
        (OutageError("down", attempts=2, elapsed=9.0), "down (2 attempts in 9.0 s)"),
        (
            _one(RateLimitError),
            "tavus/eu get: it {failed} (HTTP 418, 3 attempts in 1.2 s, retry after 2 s, request req_1)",
        ),
        (AuthError("no"), "no"),
        (
            AuthError("no", provider="tavus"),
            "tavus: no. Check the key of this account (TAVUS_API_KEY if it comes from the environment)",
        ),
        (
            ForbiddenError("no", provider="tavus"),
            "tavus: no. The key is valid but lacks a permission: grant it at tavus, or use another key",
        ),
    ],
)
def test_it_says_who_what_and_how_often(error: HubError, said: str) -> None:
    assert str(error) == said


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, RejectedError, False),
        (401, AuthError, False),
        (402, RejectedError, False),
        (403, ForbiddenError, False),
        (404, NotFoundError, False),
        (405, RejectedError, False),
        (408, RejectedError, True),
        (409, RejectedError, False),
        (410, NotFoundError, False),
        (413, RejectedError, False),
        (422, RejectedError, False),
        (425, RejectedError, True),
        (429, RateLimitError, True),
        (500, OutageError, True),
        (501, OutageError, False),
        (502, OutageError, True),
        (503, OutageError, True),
        (504, OutageError, True),
        (505, OutageError, False),
        *((status, OutageError, True) for status in range(520, 525)),
        (529, OutageError, True),
    ],
)
def test_a_status_has_its_class_and_its_chance(status: int, kind: type[HubError], retryable: bool) -> None:  # noqa: FBT001
    found = for_status(status)
    assert found is kind
    assert found("no", status=status).retryable is retryable


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(408, True), (425, True), (429, True), (501, False), (505, False), (503, True), (529, True), (507, False)],
)
def test_a_status_decides_where_the_class_does_not(status: int, retryable: bool) -> None:  # noqa: FBT001
    assert ProviderError("no", status=status).retryable is retryable


def test_a_bad_ref_is_a_value_error_too() -> None:
    assert isinstance(InvalidRefError("no"), ValueError)


# what a service answers its own caller


ANSWERS: dict[type[HubError], tuple[str, int]] = {
    HubError: ("error", 500),
    ConfigurationError: ("configuration", 500),
    UnknownAccountError: ("unknown_account", 404),
    InvalidRefError: ("invalid_ref", 400),
    UnsupportedError: ("unsupported", 501),
    HubClosedError: ("hub_closed", 503),
    TransportError: ("transport", 502),
    DeadlineError: ("deadline", 504),
    LocalLimitError: ("local_limit", 503),
    ProviderError: ("provider", 502),
    AuthError: ("auth", 502),
    ForbiddenError: ("forbidden", 502),
    NotFoundError: ("not_found", 404),
    RateLimitError: ("rate_limit", 503),
    RejectedError: ("rejected", 502),
    OutageError: ("outage", 502),
    CircuitOpenError: ("circuit_open", 503),
    PayloadError: ("payload", 502),
    PaginationError: ("pagination", 502),
    WindowedOutError: ("windowed_out", 502),
    PartialError: ("partial", 502),
    WebhookError: ("webhook", 400),
    UnsafeURLError: ("unsafe_url", 502),
    FormatError: ("format", 422),
    StoreError: ("store", 503),
    LeaseLostError: ("lease_lost", 503),
}


def test_every_error_has_a_kind_of_its_own_and_a_status_to_answer_with() -> None:
    assert {kind: (kind.kind, kind.http_status) for kind in TREE} == ANSWERS
    assert len({kind.kind for kind in TREE}) == len({kind.title for kind in TREE}) == len(TREE)


def test_a_refused_delivery_is_answered_as_its_refusal_says() -> None:
    assert WebhookError("no", status=413).http_status == 413
    assert WebhookError("no").http_status == 400


def test_a_problem_is_a_problem_document() -> None:
    assert problem(_one(RateLimitError)) == {
        "type": "/problems/rate_limit",
        "title": "Too many requests to the provider",
        "status": 503,
        "detail": "tavus/eu get: Too many requests to the provider"
        " (HTTP 418, 3 attempts in 1.2 s, retry after 2 s, request req_1)",
        "kind": "rate_limit",
        "retryable": True,
        "provider": "tavus",
        "account": "eu",
        "operation": "get",
        "retry_after": 2.0,
        "request_id": "req_1",
    }
    assert problem(InvalidRefError("no")) == {
        "type": "/problems/invalid_ref",
        "title": "Invalid ref, id, cursor or argument",
        "status": 400,
        "detail": "Invalid ref, id, cursor or argument",
        "kind": "invalid_ref",
        "retryable": False,
    }


def test_the_problem_of_several_names_each() -> None:
    told = problem(_one(PartialError))
    assert {where: (one["kind"], one["status"]) for where, one in told["errors"].items()} == {
        "tavus/eu": ("auth", 502),
        "vapi/default": ("outage", 502),
    }


@pytest.mark.parametrize("kind", TREE)
def test_a_problem_repeats_nothing_that_was_sent_or_received(kind: type[HubError]) -> None:
    said = "call +1 415 555 0101 of Zoë Miller with sk-canary in /srv/accounts.toml"
    error = PartialError({"tavus/eu": OutageError(said)}) if kind is PartialError else kind(said, provider="tavus")
    error.add_note(said)
    shown = json.dumps(problem(error), ensure_ascii=False)
    assert not any(part in shown for part in ("415", "Miller", "canary", "/srv"))
    assert json.loads(shown) == problem(error)
