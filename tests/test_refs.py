"""How callers name things: read whole, or refused in words that are safe to show."""

from __future__ import annotations

import pytest

from conversations_hub._refs import Ref, Target
from conversations_hub.errors import InvalidRefError


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("tavus:c123456", (("tavus", None), "c123456")),
        ("tavus/eu:c123456", (("tavus", "eu"), "c123456")),
        ("amazon_connect/eu-1.b:x", (("amazon_connect", "eu-1.b"), "x")),
        ("tavus:a:b", (("tavus", None), "a:b")),
        ("tavus: a b", (("tavus", None), " a b")),
        ("tavus:é?#", (("tavus", None), "é?#")),
    ],
)
def test_a_ref_is_provider_account_and_id(text: str, ref: tuple[tuple[str, str | None], str]) -> None:
    (provider, account), id = ref
    assert Ref.parse(text) == Ref(Target(provider, account), id)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is not a ref: write 'provider:id' or 'provider/account:id'"),
        ("c123456", "'c123456' is not a ref: write 'provider:id' or 'provider/account:id'"),
        (":c1", "'' does not name a provider: write 'provider' or 'provider/account'"),
        ("Tavus:c1", "'Tavus' does not name a provider: write 'provider' or 'provider/account'"),
        ("tavus/:c1", "'tavus/' does not name a provider: write 'provider' or 'provider/account'"),
        ("tavus/a/b:c1", "'tavus/a/b' does not name a provider: write 'provider' or 'provider/account'"),
        ("tavus\n:c1", "'tavus\\n' does not name a provider: write 'provider' or 'provider/account'"),
        ("https://evil.example/x", "the id holds a slash"),
        ("tavus:", "the id is empty"),
        ("tavus:..", "the id is a relative path"),
        ("tavus:%2e%2e", "the id is a relative path"),
        ("tavus:a/b", "the id holds a slash"),
        ("tavus:\ud83d", "the id holds a lone surrogate, which is not text"),
        ("tavus:" + "x" * 5000, "the id is 5000 bytes long; the maximum is 512"),
        ("\x1b[31m\ud83d", "'\\x1b[31m\\ud83d' is not a ref: write 'provider:id' or 'provider/account:id'"),
        ("x" * 5000, "'" + "x" * 60 + "\\u2026' is not a ref: write 'provider:id' or 'provider/account:id'"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_anything_else_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidRefError) as caught:
        Ref.parse(text)
    assert caught.value.reason == reason
    assert caught.value.reason.isprintable()
    assert caught.value.__context__ is None


TARGETS = [
    ("tavus", Target("tavus", None)),
    ("tavus/eu", Target("tavus", "eu")),
    ("retell:chats", Target("retell", None, "chats")),
    ("retell/eu:chats", Target("retell", "eu", "chats")),
]


@pytest.mark.parametrize(("text", "target"), TARGETS)
def test_a_target_is_a_provider_an_account_or_a_kind_of_conversations(text: str, target: Target) -> None:
    assert Target.parse(text) == target
    assert str(target) == text


@pytest.mark.parametrize("text", ["", "/", "tavus/", "/eu", "Tavus", "tavus/eu/x", "tavus:c1", "tavus eu", "tavus\n"])
def test_anything_else_is_no_target(text: str) -> None:
    with pytest.raises(InvalidRefError, match="does not name a provider"):
        Target.parse(text)
