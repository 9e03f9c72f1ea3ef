"""Who may ask, as values: hosts, tokens, tickets, limits, and what a request must look like."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conversations_hub.errors import ConfigurationError
from conversations_hub.serve import Token, Tokens
from conversations_hub.serve._guard import HEADERS, LOOPBACK, Head, bearer, check_head, check_site, host_of, peer_of
from conversations_hub.serve._limits import AtOnce, Rates, Strangers
from conversations_hub.serve._refusal import Refusal
from conversations_hub.serve._tickets import Tickets

from ..support.gateway import token

NOON = datetime(2026, 12, 1, 12, 30, tzinfo=UTC)


def head(*hosts: str, target: str = "/v1/x", **more: object) -> Head:
    return Head(method="GET", target=target, hosts=hosts, **more)  # type: ignore[arg-type]


def refusal(given: Head) -> int:
    with pytest.raises(Refusal) as refused:
        check_head(given, LOOPBACK | {"hub.example.com"})
    return refused.value.status


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:80", "127.0.0.1:8765", "[::1]", "[::1]:1", "hub.example.com", "Hub.Example.com:443"],
)
def test_a_known_host_is_answered_at_any_port(host: str) -> None:
    check_head(head(host), LOOPBACK | {"hub.example.com"})


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "localhost.",
        "127.0.0.2",
        "127.0.0.1:80x",
        "localhost:²",
        "::1",
        "[::1",
        "",
        ":80",
        "localhost,evil.example",
        "user@localhost",
        "localhost evil.example",
    ],
)
def test_any_other_host_is_none_of_ours(host: str) -> None:
    assert refusal(head(host)) == 421


def test_what_could_be_read_in_two_ways_is_refused() -> None:
    assert refusal(head()) == 400
    assert refusal(head("localhost", "localhost")) == 400
    assert refusal(head("localhost", target="http://evil.example/v1/x")) == 400
    assert refusal(head("localhost", target="*")) == 400
    assert refusal(head("localhost", size=16 * 1024 + 1)) == 431
    check_head(head("localhost", size=16 * 1024), LOOPBACK)


def test_a_page_of_another_site_may_not_ask() -> None:
    for site in (None, "same-origin", "none", "same-site"):
        check_site(head("localhost", fetch_site=site))
    for site in ("cross-site", "Cross-Site"):
        with pytest.raises(Refusal, match="cross_site"):
            check_site(head("localhost", fetch_site=site))


def test_a_bearer_is_read() -> None:
    assert bearer(["Bearer abc"]) == bearer(["bearer  abc "]) == "abc"
    for values in ([], ["abc"], ["Basic abc"], ["Bearer "], ["Bearer a", "Bearer a"]):
        assert bearer(values) is None
    assert host_of("a:1") == "a"


def test_no_header_lets_other_origins_read() -> None:
    assert not any(name.lower().startswith("access-control") for name in HEADERS)
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_forwarded_addresses_count_only_behind_a_proxy() -> None:
    assert peer_of("10.0.0.1", ["1.1.1.1"], behind_proxy=False) == "10.0.0.1"
    assert peer_of("10.0.0.1", ["6.6.6.6, 1.1.1.1"], behind_proxy=True) == "1.1.1.1"
    assert peer_of("10.0.0.1", ["6.6.6.6", "7.7.7.7, 1.1.1.1"], behind_proxy=True) == "1.1.1.1"
    assert peer_of(None, [], behind_proxy=True) == "?"


# tokens


def test_a_token_is_found_by_its_text_until_it_expires() -> None:
    tokens = Tokens([token("old", "a" * 40, "read", expires=NOON), token("new", "b" * 40, "read")])
    before, after = NOON - timedelta(seconds=1), NOON
    assert [getattr(tokens.find("a" * 40, now), "name", None) for now in (before, after)] == ["old", None]
    assert getattr(tokens.find("b" * 40, after), "name", None) == "new"
    for text in ("", "a" * 39, "A" * 40, "b" * 600, "\udc80", hashlib.sha256(b"b" * 40).hexdigest()):
        assert tokens.find(text, before) is None
    assert tokens.named("old", before)
    assert tokens.named("old", after) is None
    assert repr(tokens) == "<Tokens: old, new>"


def test_a_fresh_token_is_random_and_opens_everything() -> None:
    (tokens, text), (_, other) = Tokens.fresh(), Tokens.fresh()
    assert text != other
    assert len(text) > 40
    found = tokens.find(text, NOON)
    assert found is not None
    assert found.scopes == {"read", "raw", "recordings", "metrics"}
    assert text not in repr(found) + repr(tokens)


def test_a_file_of_tokens_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    digest = hashlib.sha256(b"x").hexdigest()
    path.write_text(f'[[token]]\nname = "a"\nsha256 = "{digest}"\nexpires = 2026-12-01T12:30:00Z\n')
    path.chmod(0o600)
    found = Tokens.from_file(path).find("x", NOON - timedelta(days=1))
    assert found == Token(name="a", sha256=digest, scopes=frozenset({"read"}), expires=NOON)
    path.chmod(0o622)
    with pytest.raises(ConfigurationError, match="may be written by others"):
        Tokens.from_file(path)


def test_a_file_of_tokens_is_read_anew_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"

    def write(*texts: str) -> None:
        digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        path.write_text("".join(f'[[token]]\nname = "{at}"\nsha256 = "{one}"\n' for at, one in enumerate(digests)))
        path.chmod(0o600)

    write("old")
    tokens = Tokens.from_file(path)
    path.write_text("[[token")
    with pytest.raises(ConfigurationError, match="not TOML"):
        tokens.reload(path)
    assert tokens.find("old", NOON)
    write("new", "newer")
    tokens.reload(path)
    assert not tokens.find("old", NOON)
    assert tokens.find("new", NOON) == tokens.named("0", NOON)
    assert tokens.named("1", NOON)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "missing required field `token`"),
        ("token = []", "there are no tokens"),
        ("[[token", "not TOML"),
        ('[[token]]\nname = "a"\nsha256 = "my-secret-token"', "64 hexadecimal digits"),
        (f'[[token]]\nname = "a"\nsha256 = "{"0" * 64}"\nscopes = ["write"]', "not a file of tokens"),
        (f'[[token]]\nname = "a"\nsha256 = "{"0" * 64}"\nrole = "x"', "unknown field `role`"),
        (f'[[token]]\nname = "a"\nsha256 = "{"0" * 64}"\nexpires = 2026-12-01T00:00:00', "without a time zone"),
        (f'[[token]]\nname = ""\nsha256 = "{"0" * 64}"', "1 to 64 printable"),
        (f'[[token]]\nname = "a"\nsha256 = "{"0" * 64}"\n' * 2, "the same name"),
    ],
)
def test_a_file_that_nobody_means_is_refused_without_quoting_it(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=reason) as refused:
        Tokens.from_file(path)
    assert "my-secret" not in str(refused.value)


# tickets


def test_a_ticket_opens_one_path_until_the_end_of_the_next_hour() -> None:
    tickets, path = Tickets(), "/v1/recordings/acme:c1/0"
    ticket = tickets.written(path, "someone Ü", NOON)
    assert tickets.holder(path, ticket, NOON + timedelta(minutes=89)) == "someone Ü"
    assert tickets.holder(path, ticket, NOON + timedelta(minutes=90)) is None
    assert tickets.holder("/v1/recordings/acme:c1/1", ticket, NOON) is None
    assert Tickets().holder(path, ticket, NOON) is None
    ends, name, signature = ticket.split(".")
    later = str(int(ends) + 3600)
    for forged in (
        f"{later}.{name}.{signature}",
        f"{ends}.eA.{signature}",
        f"{ends}.{name}.",
        "",
        "1",
        "..",
        "²." + name,
    ):
        assert tickets.holder(path, forged, NOON) is None


# limits


def test_a_token_has_a_rate_and_a_burst() -> None:
    rates = Rates(per_second=50, burst=100)
    for _ in range(100):
        rates.take("a", 0.0)
    with pytest.raises(Refusal) as refused:
        rates.take("a", 0.0)
    assert (refused.value.status, refused.value.retry_after) == (429, 1.0)
    rates.take("b", 0.0)
    for _ in range(25):
        rates.take("a", 0.5)
    with pytest.raises(Refusal):
        rates.take("a", 0.5)


def test_ten_wrong_tokens_a_minute_are_enough() -> None:
    strangers = Strangers()
    assert [strangers.refused("1.1.1.1", float(second)) for second in range(12)] == [False] * 10 + [True] * 2
    assert not strangers.refused("2.2.2.2", 12.0)
    assert not strangers.refused("1.1.1.1", 100.0)


def test_strangers_take_bounded_memory() -> None:
    strangers = Strangers()
    for number in range(10_100):
        strangers.refused(str(number), 0.0)
    assert len(strangers) == 10_000


def test_only_so_many_at_once() -> None:
    searches = AtOnce(2, "two are under way")
    with searches.one_more("a"), searches.one_more("a"):
        with pytest.raises(Refusal, match="too_many"), searches.one_more("a"):
            pass
        with searches.one_more("b"):
            pass
    with searches.one_more("a"):
        pass
