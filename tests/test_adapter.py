"""The contract's own parts: accounts that cannot leak, refusals in one safe line, and adapters found by name."""

from __future__ import annotations

import pprint
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.account import Account, wrong_with_base_url
from conversations_hub.adapter import Adapter, Query, RawPage, Start, Started
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import (
    AuthError,
    ConfigurationError,
    ForbiddenError,
    HubError,
    NotFoundError,
    OutageError,
    PayloadError,
    ProviderError,
    RateLimitError,
    RejectedError,
)
from conversations_hub.events import Event, EventKind
from conversations_hub.reading.json import decode
from conversations_hub.reading.refusals import (
    by_status,
    one_line,
    provider_error,
    read_or_raise,
    words_of,
    words_or_body,
)
from conversations_hub.schema import Analysis, Conversation
from conversations_hub.secret import Secret
from conversations_hub.signing import bearer
from conversations_hub.wire import Response

# accounts


@pytest.mark.parametrize(
    ("base_url", "kept"),
    [
        (None, None),
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com:8443/proxy/tavus/", "https://api.example.com:8443/proxy/tavus"),
        ("https://api.example.com/~a!", "https://api.example.com/~a!"),
        ("http://localhost:8080/tavus", "http://localhost:8080/tavus"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_safe_base_url_is_taken(base_url: str | None, kept: str | None) -> None:
    assert Account("tavus", key="k", base_url=base_url).base_url == kept


PLAIN_HTTP = "is plain http, which exposes the key: use https, or pass allow_insecure=True"
NO_HOST = "must start with https:// and name a host"
USER = "must not contain a user name or password"
MORE = "may have a path, but no query, fragment, backslash or space"


@pytest.mark.parametrize(
    ("base_url", "wrong"),
    [
        ("http://api.example.com", PLAIN_HTTP),
        ("http://localhost.example.com", PLAIN_HTTP),
        ("http://127.0.0.1.example.com", PLAIN_HTTP),
        ("http://0.0.0.0", PLAIN_HTTP),
        ("ftp://api.example.com", NO_HOST),
        ("file:///etc/passwd", NO_HOST),
        ("api.example.com", NO_HOST),
        ("//api.example.com", NO_HOST),
        ("https://", NO_HOST),
        ("", NO_HOST),
        ("https://user:sk-canary@api.example.com", USER),
        ("https://@api.example.com", USER),
        ("https://api.example.com?key=sk-canary", MORE),
        ("https://api.example.com/?", MORE),
        ("https://api.example.com#", MORE),
        ("https://api.example.com/a b", MORE),
        ("https://api.example.com\n", MORE),
        ("https://api.example.com\\evil.example", MORE),
        ("https://api.exämple.com", MORE),
        ("https://api.example.com:99999", "is malformed"),
        ("https://api.example.com:x", "is malformed"),
        ("https://[::1", "is malformed"),
        ("https://user:sk-canary@\u2100.example", "is malformed"),
    ],
)
def test_f013_an_unsafe_base_url_is_refused_and_not_repeated(base_url: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Account("tavus", key="k", base_url=base_url)
    assert (caught.value.reason, caught.value.provider) == (f"the base URL {wrong}", "tavus")
    assert caught.value.__context__ is None


def test_f013_plain_http_takes_the_callers_own_word() -> None:
    account = Account("tavus", key="k", base_url="http://api.example.com/", allow_insecure=True)
    assert account.base_url == "http://api.example.com"


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "a:b", "-a", ".", "é", "a\n", "x" * 65])
def test_an_account_that_no_ref_could_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="an account's name must be 1 to 64 letters"):
        Account("tavus", key="k", name=name)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"key": ""}, "no key: pass it as key=…, or set TAVUS_API_KEY"),
        ({"key": None}, "no key: pass it as key=…, or set TAVUS_API_KEY"),
        ({"key": "sk-canary\n"}, "the key of tavus/eu contains a space, a line break"),
        ({"key": "k", "settings": {"org_id": ""}}, "the org_id of tavus/eu is empty"),
        (
            {"key": "k", "settings": {"org_id": "sk-canary\r\nX: y"}},
            "the org_id of tavus/eu contains a space, a line break",
        ),
    ],
)
def test_f115e_what_no_header_can_carry_is_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Account("tavus", name="eu", **arguments)
    assert caught.value.reason.startswith(reason)
    assert "sk-canary" not in str(caught.value)


def test_an_account_shows_its_name_alone() -> None:
    account = Account("tavus", key=Secret("sk-canary"), name="eu", settings={"org_id": "o-1"})
    assert repr(account) == str(account) == f"{account}" == "Account(tavus/eu)"
    assert account.key.reveal() == "sk-canary"
    assert f"{account.settings}" == "{'org_id': '***'}"
    assert account.settings["org_id"].reveal() == "o-1"


@pytest.mark.parametrize("provider", BUILTIN)
def test_a_provider_s_own_base_url_is_one_that_an_account_could_have(provider: str) -> None:
    adapter = load(provider)
    assert {*map(wrong_with_base_url, (adapter.base_url, *adapter.base_urls))} == {None}


@pytest.mark.parametrize("provider", BUILTIN)
def test_what_an_account_has_of_second_credentials_is_among_its_settings(provider: str) -> None:
    adapter = load(provider)
    assert {*adapter.secret_settings} <= {*adapter.settings}
    assert {name for name in adapter.settings if "key" in name or "token" in name} <= {*adapter.secret_settings}


def test_nothing_that_is_started_or_told_shows_whom_it_is_about_or_how_to_join() -> None:
    conversation = Conversation(provider="tavus", id="c1", links={"conversation": "https://example.com/canary"})
    for shown, told in (
        (Start(agent="a1", to="+canary", options={"name": "canary"}), "<Start>"),
        (Started(conversation=conversation, join_url="https://example.com/canary"), "<Started tavus:c1>"),
        (
            Event(
                provider="retell",
                kind=EventKind.ANALYSIS_READY,
                conversation_id="c1",
                analysis=Analysis(collected={"name": "canary"}),
            ),
            "<Event retell analysis_ready of c1>",
        ),
        (Event(provider="telnyx", kind=EventKind.OTHER), "<Event telnyx other of no conversation>"),
    ):
        assert repr(shown) == str(shown) == f"{shown}" == pprint.pformat(shown) == told


# refusals


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("Invalid key.", "Invalid key."),
        ("é 日本 🙂", "é 日本 🙂"),
        ("a\nb\r\tc\x00", "a\\nb\\r\\tc\\x00"),
        ("\x1b[31mred\x9b", "\\x1b[31mred\\x9b"),
        ("a\u202eb\u2066\u200b", "a\\u202eb\\u2066\\u200b"),
        ("a\u2028b\x85", "a\\u2028b\\x85"),
        ("\ud83d", "\\ud83d"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("x" * 1_000_000, "x" * 199 + "…"),
        ("\n" * 1_000_000, "\\n" * 99 + "\\" + "…"),
        ("\u202e" * 100, "\\u202e" * 33 + "\\" + "…"),
        ("", ""),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_providers_words_become_one_short_safe_line(words: str, line: str) -> None:
    assert one_line(words) == line


@given(st.text(max_size=5), st.integers(min_value=0, max_value=300))
def test_any_words_become_one_short_safe_line(words: str, times: int) -> None:
    line = one_line(words * times)
    assert len(line) <= 200
    assert line.isprintable()


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason", "retryable"),
    [
        (400, b'{"message":"no such agent"}', RejectedError, "no such agent", False),
        (401, b'{"message":"a","error":"b","detail":"c"}', AuthError, "a", False),
        (403, b'{"message":"","error":"b"}', ForbiddenError, "b", False),
        (404, b'{"message":{"a":1},"detail":"c"}', NotFoundError, "c", False),
        (408, b"", RejectedError, "the provider gave no reason", True),
        (410, b"<h1>Gone</h1>", NotFoundError, "the provider gave no reason", False),
        (422, b'["secret"]', RejectedError, "the provider gave no reason", False),
        (429, b'{"detail":"slow\\ndown\\u202e"}', RateLimitError, "slow\ndown\u202e", True),
        (500, b"\xff\xfe", OutageError, "the provider gave no reason", True),
        (501, b"null", OutageError, "the provider gave no reason", False),
        (503, b"[" * 100_000, OutageError, "the provider gave no reason", True),
        (529, b'{"message":"%s"}' % (b"x" * 1_000_000), OutageError, "x" * 1_000_000, True),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_refusal_is_told_by_status_in_the_providers_words_which_are_whole(
    status: int,
    body: bytes,
    kind: type[ProviderError],
    reason: str,
    retryable: bool,  # noqa: FBT001
) -> None:
    error = by_status(Response(status, {}, body))
    assert (type(error), error.reason, error.status, error.retryable) == (kind, reason, status, retryable)
    assert error.__context__ is None


WORDS: list[tuple[Any, str | None]] = [
    ({"message": ["a", "b", "", 7, None]}, "a; b"),
    ({"message": {"message": "a"}, "detail": "b"}, "a"),
    ({"message": "a", "errors": ["b", {"error": "C", "message": "d"}, {"error": "E"}]}, "a; b; C: d; E"),
    (
        {"detail": [{"loc": ["body", "to", 0], "msg": "required"}, {"loc": [], "msg": "odd"}]},
        "body.to.0: required; odd",
    ),
    ({"errors": [{"title": "a", "detail": "b", "source": {"pointer": "/c"}}, {"title": "d"}]}, "b (/c); d"),
    ({"detail": {"code": 7}, "error": {"message": "a"}}, "a"),
    ({"error": "a", "details": "b", "title": "c"}, "a"),
    ({"details": "b", "title": "c"}, "b"),
    ({"type": "about:blank", "title": "c"}, "c"),
    ({"status": "error", "code": "7", "errors": {"page_size": ["too large"]}}, None),
    ({"message": [[["a"]]]}, None),
    ("a", None),
    (["a"], None),
]


@pytest.mark.parametrize(("body", "words"), WORDS, ids=str)
def test_where_the_words_of_a_refusal_stand(body: Any, words: str | None) -> None:
    assert words_of(Response(400, {}, msgspec.json.encode(body))) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"message": "Slow down"}', "Slow down"),
        (b"Slow down\n", "Slow down"),
        (b'"Slow down"', "Slow down"),
        (b'{"code": 7}', '{"code":7}'),
        *((body, None) for body in (b"", b"null", b"[]", b"{}", b"<html>Slow down</html>")),
    ],
)
def test_a_body_without_the_usual_members_is_words_itself(body: bytes, words: str | None) -> None:
    assert words_or_body(Response(400, {}, body)) == words


def test_the_adapters_word_wins_over_the_status() -> None:
    response = Response(400, {}, b"")
    assert type(provider_error(response, "no such id", NotFoundError)) is NotFoundError
    assert provider_error(response, "later", RateLimitError).retryable
    assert not provider_error(Response(503, {}, b""), "never", retryable=False).retryable
    assert provider_error(response, None).reason == provider_error(response, "").reason == "the provider gave no reason"


class _Found(msgspec.Struct):
    id: str


def _read(body: bytes) -> _Found:
    return decode(body, msgspec.json.Decoder(_Found))


@pytest.mark.parametrize(
    ("body", "words", "kind"),
    [(b'{"error":"no"}', "no", RejectedError), (b'{"other":1}', None, PayloadError)],
)
def test_an_error_under_200_is_raised_as_what_it_is(body: bytes, words: str | None, kind: type[HubError]) -> None:
    with pytest.raises(HubError) as caught:
        read_or_raise(Response(200, {}, body), _read, lambda _response: words)
    assert type(caught.value) is kind
    assert caught.value.__context__ is None


def test_an_answer_is_read() -> None:
    assert read_or_raise(Response(200, {}, b'{"id":"a"}'), _read, lambda _response: "no").id == "a"
    with pytest.raises(RejectedError, match="no"):
        read_or_raise(Response(200, {}, b'{"error":"no"}'), _read)


@pytest.mark.parametrize("words", [words_of, words_or_body])
@pytest.mark.parametrize(
    "body", [b'{"title":"About my divorce"}', b'{"id":7,"said":["my divorce"]}', b'["my divorce"]']
)
def test_what_was_said_is_no_reason(body: bytes, words: Callable[[Response], str | None]) -> None:
    with pytest.raises(PayloadError) as caught:
        read_or_raise(Response(200, {}, body), _read, words)
    assert "divorce" not in str(caught.value)


# adapters


@pytest.mark.parametrize("name", BUILTIN)
def test_a_built_in_adapter_is_found_by_name(name: str) -> None:
    assert load(name).name == name


@pytest.mark.parametrize("kind", [Adapter, RawPage, Query, Start, Started])
def test_the_contract_is_made_of_values(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen


def test_what_an_adapter_holds_is_what_it_can_do() -> None:
    def flow(*_arguments: object) -> Any:
        raise NotImplementedError

    adapter = Adapter(name="acme", base_url="https://api.example.com", docs="", sign=bearer)
    assert adapter.operations == ()
    assert msgspec.structs.replace(adapter, send=flow, get=flow, list_page=flow).operations == ("list", "get", "send")


ACME = """
from conversations_hub.adapter import Adapter
from conversations_hub.signing import bearer

ADAPTER = Adapter(name="acme", base_url="https://api.example.com", docs="https://example.com/docs", sign=bearer)
"""
ENTRY_POINTS = """
[conversations_hub.adapters]
acme = acme_conversations:ADAPTER
other = acme_conversations:ADAPTER
bearer = acme_conversations:bearer
tavus = acme_conversations:ADAPTER
"""


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install another package, as pip would, that publishes an adapter."""
    (tmp_path / "acme_conversations.py").write_text(ACME)
    metadata = tmp_path / "acme_conversations-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-conversations\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield
    sys.modules.pop("acme_conversations", None)


@pytest.mark.usefixtures("published")
def test_another_package_can_publish_an_adapter() -> None:
    found = load("acme")
    assert isinstance(found, Adapter)
    assert (found.name, found.operations) == ("acme", ())


@pytest.mark.usefixtures("published")
def test_no_package_takes_the_place_of_a_built_in_adapter() -> None:
    assert load("tavus").name == "tavus"
    assert "acme_conversations" not in sys.modules


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", ["other", "bearer"])
def test_what_another_package_publishes_must_be_an_adapter_of_that_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"holds no adapter named '{name}'"):
        load(name)


@pytest.mark.parametrize("name", ["nobody", "", "Tavus", "../tavus", "tavus.__class__", "a\nb"])
def test_a_name_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(name)
    assert caught.value.reason == f"unknown provider {name!r}; built in: {', '.join(BUILTIN)}"


def test_functions_of_an_adapter_are_called_as_they_are() -> None:
    held: Callable[[Response], HubError] = Adapter(name="a", base_url="", docs="", sign=bearer).refusal
    assert held is by_status
