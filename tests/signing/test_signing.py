"""Signers put the key in its one place; a secret shows itself nowhere."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from conversations_hub.account import Account
from conversations_hub.adapter import Started
from conversations_hub.errors import ConfigurationError
from conversations_hub.schema import Conversation
from conversations_hub.secret import Secret
from conversations_hub.signing import bearer, header
from conversations_hub.wire import Request

CANARY = "sk-canary-1"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
ACCOUNT = Account("tavus", key=CANARY, settings={"org_id": "o-1"})
STARTED = Started(conversation=Conversation(provider="tavus", id="c1"), token=Secret(CANARY))


SHOWN: list[Callable[[object], str]] = [
    repr,
    str,
    ascii,
    lambda one: f"{one}",
    lambda one: f"{one:>40}",
    lambda one: f"{one!r:.3}",
    lambda one: "{:s} {!s}".format(one, one),  # noqa: UP032  (the other way to the same place)
    lambda one: "%s %r" % (one, one),  # noqa: UP031
    lambda one: json.dumps([one], default=str),
    lambda one: repr(copy.copy(one)) + repr(copy.deepcopy(one)) + repr({"one": [one]}),
    lambda one: "".join(traceback.format_exception(ValueError(one))),
    lambda one: logging.makeLogRecord({"msg": "%s", "args": (one,)}).getMessage(),
]


@pytest.mark.parametrize("show", SHOWN)
@pytest.mark.parametrize("one", [Secret(CANARY), ACCOUNT, STARTED], ids=["secret", "account", "started"])
def test_a_secret_is_never_shown(one: object, show: Callable[[object], str]) -> None:
    try:
        shown = show(one)
    except TypeError as error:
        shown = repr(error)
    assert shown
    assert CANARY not in shown
    assert CANARY[:6] not in shown


def test_a_secret_shows_stars() -> None:
    secret = Secret(CANARY)
    assert repr(secret) == str(secret) == f"{secret}" == f"{secret:>9}" == "'***'"


@pytest.mark.parametrize(
    "write", [pickle.dumps, msgspec.json.encode, msgspec.msgpack.encode, msgspec.to_builtins, json.dumps]
)
@pytest.mark.parametrize("one", [Secret(CANARY), ACCOUNT, STARTED], ids=["secret", "account", "started"])
def test_a_secret_is_never_written(one: object, write: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        write(one)
    assert CANARY not in str(caught.value)


def test_a_copy_is_the_same_secret() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    assert copy.deepcopy({"key": [secret]})["key"][0].reveal() == secret.reveal() == CANARY


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "the key is empty"),
        ("k" * 8193, "the key is longer than 8192 characters"),
        *(
            (f"sk-canary{bad}", "the key contains a space, a line break or another character that no key has")
            for bad in (" ", "\n", "\r\n", "\t", "\x00", "\x7f", "é", "\u200b", "\ud83d")
        ),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_f115e_what_no_header_can_carry_is_refused_and_not_repeated(value: str, reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Secret(value)
    assert caught.value.reason.startswith(reason)
    assert "sk-canary" not in str(caught.value)


@pytest.mark.parametrize("value", ["k", "!~", "k" * 8192], ids=len)
def test_what_a_header_can_carry_is_taken(value: str) -> None:
    assert Secret(value).reveal() == value


@pytest.mark.parametrize(
    ("sign", "headers"),
    [
        (bearer, {"Accept": "text/plain", "Authorization": f"Bearer {CANARY}"}),
        (header("x-api-key"), {"Accept": "text/plain", "x-api-key": CANARY}),
    ],
)
def test_a_signer_puts_the_key_in_its_header_and_nowhere_else(
    sign: Callable[[Request, Account, datetime], Request], headers: dict[str, str]
) -> None:
    request = Request("POST", "/v2/calls/{id}", {"a": 1}, {"id": "c1"}, {"Accept": "text/plain"}, b"{}", safe=True)
    signed = sign(request, ACCOUNT, NOW)
    assert signed.headers == headers
    assert msgspec.structs.replace(signed, headers=request.headers) == request
    assert request.headers == {"Accept": "text/plain"}
    assert CANARY not in repr(signed)
