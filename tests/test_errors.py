"""The errors: one tree, safe to print, to pickle and to send between processes."""

from __future__ import annotations

import copy
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
    HubClosedError,
    HubError,
    InvalidRefError,
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
    UnsafeURLError,
    UnsupportedError,
    WebhookError,
    for_status,
)

TREE: dict[type[HubError], type[Exception]] = {
    HubError: Exception,
    ConfigurationError: HubError,
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
    PartialError: HubError,
    WebhookError: HubError,
    UnsafeURLError: HubError,
    StoreError: HubError,
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
    assert set(errors.__all__) == {kind.__name__ for kind in TREE} | {"for_status"}
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
    assert vars(_one(kind)) == {
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
            "tavus: no. Check the key of this account (TAVUS_API_KEY, where it came from the environment)",
        ),
        (
            ForbiddenError("no", provider="tavus"),
            "tavus: no. The key is valid but lacks the right: grant it at tavus, or use another key",
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
