"""HTTP as values: an id is one segment or refused, and the key goes to no other origin."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from conversations_hub.errors import InvalidRefError, PaginationError
from conversations_hub.wire import Request, Response, check_id, target

BASE = "https://api.example.com/base"


def _asked(id: str) -> str:
    return target(Request("GET", "/v2/calls/{id}/notes", ids={"id": id}), BASE)


# ids


@pytest.mark.parametrize(
    ("id", "reason"),
    [
        ("", "the id is empty"),
        (".", "the id is a relative path"),
        ("..", "the id is a relative path"),
        ("%2e", "the id is a relative path"),
        ("%2e%2e", "the id is a relative path"),
        (".%2E", "the id is a relative path"),
        ("%252e%252e", "the id is a relative path"),
        ("a/b", "the id holds a slash"),
        ("/", "the id holds a slash"),
        ("//evil.example/x", "the id holds a slash"),
        ("../../admin/keys", "the id holds a slash"),
        ("..%2f", "the id holds a slash"),
        ("..%2f..%2fadmin", "the id holds a slash"),
        ("a%252Fb", "the id holds a slash"),
        ("a\\b", "the id holds a slash"),
        ("..%5c..", "the id holds a slash"),
        ("a\r\nX: y", "the id holds a control character"),
        ("a\n", "the id holds a control character"),
        ("a\x00", "the id holds a control character"),
        ("a%00", "the id holds a control character"),
        ("a%0d%0aX", "the id holds a control character"),
        ("a\x7f", "the id holds a control character"),
        ("a\x85b", "the id holds a control character"),
        ("a%C2%9Bb", "the id holds a control character"),
        ("\ud800", "the id holds a lone surrogate, which is not text"),
        ("a\ud83d", "the id holds a lone surrogate, which is not text"),
        ("a\udfffb", "the id holds a lone surrogate, which is not text"),
        ("x" * 513, "the id is 513 bytes long; the maximum is 512"),
        ("x" * 5000, "the id is 5000 bytes long; the maximum is 512"),
        ("é" * 257, "the id is 514 bytes long; the maximum is 512"),
    ],
)
def test_an_id_that_is_not_one_segment_is_refused(id: str, reason: str) -> None:
    for ask in (check_id, _asked):
        with pytest.raises(InvalidRefError) as caught:
            ask(id)
        assert caught.value.reason == reason
        assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("id", "segment"),
    [
        ("c123456", "c123456"),
        ("conv_01-AbC", "conv_01-AbC"),
        ("x" * 512, "x" * 512),
        ("é" * 256, "%C3%A9" * 256),
        ("18446744073709551617", "18446744073709551617"),
        ("a b", "a%20b"),
        (" ", "%20"),
        ("a?x=1", "a%3Fx%3D1"),
        ("a#b", "a%23b"),
        ("a&b=c;d", "a%26b%3Dc%3Bd"),
        ("a+b", "a%2Bb"),
        ("a:b@c", "a%3Ab%40c"),
        ("...", "..."),
        ("..;", "..%3B"),
        (".a", ".a"),
        ("~", "~"),
        ("%", "%25"),
        ("100%", "100%25"),
        ("a%20b", "a%2520b"),
        ("{id}", "%7Bid%7D"),
        ("日本", "%E6%97%A5%E6%9C%AC"),
        ("🙂", "%F0%9F%99%82"),
    ],
)
def test_a_good_id_becomes_exactly_one_segment(id: str, segment: str) -> None:
    assert check_id(id) == id
    assert _asked(id) == f"https://api.example.com/base/v2/calls/{segment}/notes"


@given(st.text(max_size=40) | st.text(alphabet="%.2eE5cCfF/\\0dab", max_size=12))
def test_an_id_is_refused_or_stays_one_segment_for_every_reader(id: str) -> None:
    try:
        url = _asked(id)
    except InvalidRefError:
        return
    split, parsed, normalized = urlsplit(url), URL(url, encoded=True), URL(url)
    assert (split.query, split.fragment, parsed.raw_query_string, parsed.raw_fragment) == ("", "", "", "")
    for path in (split.path, parsed.raw_path, normalized.raw_path):
        before, segment, after = path.removeprefix("/base/v2").split("/")[1:]
        assert (before, unquote(segment, errors="strict"), after) == ("calls", id, "notes")


# URLs


@pytest.mark.parametrize(
    ("request_", "url"),
    [
        (Request("GET", "/v2/calls"), f"{BASE}/v2/calls"),
        (Request("GET", "/v2/calls", {"page": None}), f"{BASE}/v2/calls"),
        (Request("GET", "/v2/calls", {"page": 2, "size": None}), f"{BASE}/v2/calls?page=2"),
        (
            Request("GET", "/v2/calls", {"q": "a b&c=d/é+", "e": ""}),
            f"{BASE}/v2/calls?q=a%20b%26c%3Dd%2F%C3%A9%2B&e=",
        ),
        (Request("GET", "/v2/{a}/{b}", ids={"a": "1", "b": "{a}"}), f"{BASE}/v2/1/%7Ba%7D"),
        (Request("GET", "/v2/{literal}"), f"{BASE}/v2/{{literal}}"),
    ],
)
def test_a_template_becomes_a_url(request_: Request, url: str) -> None:
    assert target(request_, BASE) == url


def test_a_query_that_is_no_text_is_refused() -> None:
    with pytest.raises(InvalidRefError, match="the query holds a lone surrogate") as caught:
        target(Request("GET", "/v2/calls", {"agent": "\ud83d"}), BASE)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/base/next?after=%2F%7E+%20&sig=a%2fb",
        "https://api.example.com:443/base/next",
        "https://API.example.com/base/next",
        "https://api.example.com/base?page=../2",
        "https://api.example.com/base/..a/.b/c%2Fd",
    ],
)
def test_a_next_url_below_the_base_is_sent_byte_for_byte(url: str) -> None:
    assert target(Request("GET", url), BASE) == target(Request("GET", url), f"{BASE}/") == url


def test_a_base_without_a_path_has_all_of_its_origin_below_it() -> None:
    for base in ("https://api.example.com", "https://api.example.com/"):
        assert target(Request("GET", "https://api.example.com/v2/next"), base) == "https://api.example.com/v2/next"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/bas",
        "/based/next",
        "/BASE/next",
        "/elsewhere/than/the/base",
        "//base/next",
        "/base/..",
        "/base/../admin",
        "/base/./../admin",
        "/base/%2e%2e/admin",
        "/base/%2e%2E%2Fadmin",
        "/base/..%2fadmin",
        "/base/%252e%252e/admin",
        "/base/..;/admin",
        "/base/..;a=b/admin",
        "/base/..%5cadmin",
        "/base/..\\admin",
    ],
)
def test_a_next_url_beside_the_base_is_refused(path: str) -> None:
    with pytest.raises(PaginationError, match="is not below the path of the account's base URL"):
        target(Request("GET", f"https://api.example.com{path}"), BASE)


def test_a_port_may_go_without_saying() -> None:
    assert target(Request("GET", "http://localhost:80/next"), "http://localhost") == "http://localhost:80/next"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/next",
        "https://api.example.com.evil.example/next",
        "https://api.example.com@evil.example/next",
        "https://api.example.com\\@evil.example/next",
        "https://user:pass@api.example.com/next",
        "https://@api.example.com/next",
        "http://api.example.com/next",
        "https://api.example.com:8443/next",
        "https://api.example.com:99999/next",
        "https://[::1/next",
        "ftp://api.example.com/next",
        "javascript:alert(1)",
        "next?page=2",
        "",
    ],
)
def test_a_next_url_of_another_origin_is_refused(url: str) -> None:
    with pytest.raises(PaginationError, match="another origin") as caught:
        target(Request("GET", url), BASE)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("character", [" ", "\t", "\r\n", "\x00", "\x7f"])
def test_a_next_url_with_a_blank_or_a_control_character_is_refused(character: str) -> None:
    with pytest.raises(PaginationError, match="space or a control character"):
        target(Request("GET", f"https://api.example.com/next{character}HTTP/1.1"), BASE)


# what is shown


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        (
            Request("GET", "/v2/calls/{id}", {"key": "sk-1"}, {"id": "c1"}, {"X-API-Key": "sk-1"}, b"sk-1"),
            "Request(GET /v2/calls/{id})",
        ),
        (Request("GET", "https://api.example.com/next?sig=sk-1"), "Request(GET https://api.example.com/next)"),
    ],
)
def test_a_request_shows_its_template_alone(request_: Request, shown: str) -> None:
    assert repr(request_) == str(request_) == shown


def test_a_response_shows_its_size_alone() -> None:
    assert repr(Response(200, {"set-cookie": "sk-1"}, b"secret")) == "Response(200, 6 bytes)"


def test_requests_and_responses_are_values() -> None:
    assert Request.__struct_config__.frozen
    assert Response.__struct_config__.frozen
    assert Request("GET", "/v2/calls").json


@pytest.mark.parametrize(
    ("method", "safe", "is_safe"),
    [("GET", None, True), ("HEAD", None, True), ("POST", None, False), ("DELETE", None, False), ("POST", True, True)],
)
def test_only_reading_may_be_sent_twice(method: str, safe: bool | None, is_safe: bool) -> None:  # noqa: FBT001
    assert Request(method, "/v2/calls", safe=safe).is_safe is is_safe


@pytest.mark.parametrize(
    ("status", "ok"), [(199, False), (200, True), (204, True), (299, True), (300, False), (404, False)]
)
def test_two_hundreds_are_fine(status: int, ok: bool) -> None:  # noqa: FBT001
    assert Response(status, {}, b"").ok is ok


def test_lists_repeat_their_name_and_truths_are_spelled_as_json_spells_them() -> None:
    request = Request("GET", "/x", {"tag": ["a b", "c"], "all": True, "none": [], "size": 3, "over": 0.5, "by": "~/é"})
    url = "https://example.com/x?tag=a%20b&tag=c&all=true&size=3&over=0.5&by=~%2F%C3%A9"
    assert target(request, "https://example.com") == url
