"""Webhooks: whom to believe, and what to say to the others."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from multidict import CIMultiDict, CIMultiDictProxy

from conversations_hub import webhooks
from conversations_hub.adapter import Adapter
from conversations_hub.adapters import load, tavus
from conversations_hub.errors import ConfigurationError, HubError, UnsupportedError, WebhookError
from conversations_hub.events import Event, EventKind, Webhook
from conversations_hub.schema import Conversation
from conversations_hub.secret import Secret
from conversations_hub.signing import bearer
from conversations_hub.signing.webhooks import (
    STANDARD_WEBHOOKS,
    Claim,
    Received,
    Scheme,
    ed25519_signed,
    hmac_signed,
    shared_secret,
)
from conversations_hub.testing import Simulator
from conversations_hub.webhooks import read_verified, verify

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BODY = json.dumps(
    {"conversation_id": "c1", "event_type": "system.shutdown", "timestamp": "2026-11-20T11:59:59Z"}
).encode()
SECRET = "whsec_" + base64.b64encode(b"an invented secret of 32 bytes..").decode()
OTHER = "whsec_" + base64.b64encode(b"another one, of another endpoint").decode()


def _signature(secret: str, id: str, stamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, f"{id}.{stamp}.".encode() + body, "sha256")).decode()


def _headers(secret: str = SECRET, *, body: bytes = BODY, at: datetime = NOW, id: str = "msg_1") -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    return {
        "Webhook-Id": id,
        "Webhook-Timestamp": stamp,
        "Webhook-Signature": _signature(secret, id, stamp, body),
    }


SIGNED = _headers()


def _verify(
    body: bytes = BODY, headers: Any = SIGNED, secret: Any = SECRET, now: datetime = NOW, **options: Any
) -> list[Event]:
    options.setdefault("scheme", STANDARD_WEBHOOKS)
    return verify("tavus", body, headers, secret, now, **options)


def _refused(status: int = 401, **arguments: Any) -> WebhookError:
    with pytest.raises(WebhookError) as caught:
        _verify(**arguments)
    assert caught.value.status == status
    assert "whsec_" not in str(caught.value)
    return caught.value


def test_a_delivery_that_was_signed_is_read_and_says_so() -> None:
    [event] = _verify()
    assert (event.verified, event.kind, event.conversation_id) == (True, EventKind.ENDED, "c1")
    assert event.to_fetch == "tavus:c1"


def test_the_published_example_of_standard_webhooks_passes() -> None:
    # https://github.com/standard-webhooks/standard-webhooks
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    claim = STANDARD_WEBHOOKS.claim(Received(headers=headers, body=b'{"test": 2432232314}'))
    key = STANDARD_WEBHOOKS.key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert STANDARD_WEBHOOKS.matches(claim, key)
    assert claim.sent_at == 1614265330


# whom not to believe


def test_f112_what_was_changed_by_one_byte_is_never_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(_body: bytes) -> list[Event]:
        raise AssertionError("it was parsed")

    assert tavus.ADAPTER.webhook is not None
    monkeypatch.setattr("conversations_hub.webhooks.well_formed", parsed)
    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        _refused(body=changed)
    headers = _headers()
    for name, value in headers.items():
        changed_value = value[:-2] + ("1" if value[-2] != "1" else "2") + value[-1]
        _refused(headers={**headers, name: changed_value})
    _refused(secret=OTHER)
    _refused(headers=_headers(OTHER))


@pytest.mark.parametrize(("seconds", "is_good"), [(-299, True), (299, True), (-301, False), (301, False)])
def test_f112_time_may_differ_by_five_minutes_either_way(seconds: int, *, is_good: bool) -> None:
    headers = _headers(at=NOW + timedelta(seconds=seconds))
    if is_good:
        assert _verify(headers=headers)
        return
    assert "it was signed " + ("in the future" if seconds > 0 else "too long ago") in _refused(headers=headers).reason
    assert _verify(headers=headers, tolerance=600)


@pytest.mark.parametrize(
    ("provider", "seconds"), [("elevenlabs", 1800), ("retell", 300), ("telnyx", 300), ("ultravox", 60)]
)
def test_a_provider_s_own_tolerance_is_kept_where_it_names_one(provider: str, seconds: int) -> None:
    simulator = Simulator(conversations=20, providers=[provider])
    world, secret = simulator.worlds[provider], simulator.secret(provider)
    sent = next(one for truth in world.newest() for one in simulator.delivered(provider, world.id(truth)))
    webhook = load(provider).webhook
    assert webhook is not None
    assert webhook.scheme is not None
    headers = {name.lower(): value for name, value in sent.headers.items()}
    stamp = webhook.scheme.claim(Received(headers=headers, body=sent.body)).sent_at
    assert stamp is not None
    for way in (-1, 1):
        near, far = (datetime.fromtimestamp(stamp + way * late, UTC) for late in (seconds - 1, seconds + 1))
        assert verify(provider, sent.body, headers, secret, near)
        assert verify(provider, sent.body, headers, secret, far, tolerance=seconds + 2)
        with pytest.raises(WebhookError, match=f"more than {seconds} s from now"):
            verify(provider, sent.body, headers, secret, far)
        with pytest.raises(WebhookError, match="more than 9 s from now"):
            verify(provider, sent.body, headers, secret, near, tolerance=9)


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf"), -1, "300", timedelta(minutes=5)])
def test_a_tolerance_that_holds_nothing_back_is_refused(tolerance: Any) -> None:
    with pytest.raises(ConfigurationError, match="tolerance"):
        _verify(headers=_headers(at=NOW - timedelta(days=400)), tolerance=tolerance)
    with pytest.raises(ConfigurationError, match="tolerance"):
        _verify(scheme=msgspec.structs.replace(STANDARD_WEBHOOKS, tolerance=tolerance))


def test_f112_two_secrets_and_several_signatures_pass_by_any_match() -> None:
    assert _verify(secret=[OTHER, Secret(SECRET)])
    headers = _headers()
    signatures = f"v9,unheard-of {_headers(OTHER)['Webhook-Signature']} {headers['Webhook-Signature']}"
    assert _verify(headers={**headers, "Webhook-Signature": signatures})


def test_f112_a_body_that_was_decoded_and_encoded_again_fails() -> None:
    _refused(body=json.dumps(json.loads(BODY), separators=(",", ":")).encode())


# what frameworks hold a delivery in


def _email(pairs: Mapping[str, str]) -> Message:
    message = Message()
    for name, value in pairs.items():
        message[name] = value
    return message


_SHAPES: dict[str, Callable[[Mapping[str, str]], Any]] = {
    "a mapping": dict,
    "names in capitals": lambda sent: {name.upper(): value for name, value in sent.items()},
    "aiohttp": lambda sent: CIMultiDictProxy(CIMultiDict(sent)),
    "raw headers of aiohttp": lambda sent: tuple((name.encode(), value.encode()) for name, value in sent.items()),
    "an ASGI scope": lambda sent: [[name.lower().encode(), value.encode()] for name, value in sent.items()],
    "a WSGI server": lambda sent: list(sent.items()),
    "an iterator": lambda sent: iter(sent.items()),
    "a Lambda": lambda sent: {name: [value] for name, value in sent.items()},
    "http.server": _email,
    "bytes by name": lambda sent: {name.encode(): [value.encode()] for name, value in sent.items()},
}


@pytest.mark.parametrize("shape", _SHAPES.values(), ids=_SHAPES)
def test_headers_come_in_any_shape(shape: Callable[[Mapping[str, str]], Any]) -> None:
    sent = {"Host": "hooks.example.org", **_headers(), "X-Name": "M\xfcller"}
    assert _verify(headers=shape(sent))
    _refused(headers=shape({**sent, "Webhook-Signature": "v1,AAAA"}))
    assert "the header webhook-signature is missing" in _refused(headers=shape({"Host": "hooks.example.org"})).reason


def test_a_signature_header_that_came_twice_is_refused_in_every_shape() -> None:
    name, value = "Webhook-Signature", _headers()["Webhook-Signature"]
    for headers in ([*_headers().items(), (name, value)], {**_headers(), name: [value, value]}):
        assert "came more than once" in _refused(headers=headers).reason


def _part(body: bytes) -> memoryview:
    return memoryview(b"x" + body)[1:]


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview, _part])
def test_a_body_is_any_bytes(form: Callable[[bytes], Any]) -> None:
    [event] = _verify(form(BODY))
    assert event.conversation is not None
    assert type(event.conversation.raw) is bytes
    _refused(body=form(BODY + b" "))
    _refused(413, body=form(b" " * 3 * 1024 * 1024))


@pytest.mark.parametrize("coding", ["identity", "Identity", "", " identity , identity"])
def test_a_body_that_says_that_it_is_not_compressed_passes(coding: str) -> None:
    assert _verify(headers={**_headers(), "Content-Encoding": coding})


class _Failing:
    def items(self) -> Any:
        raise RuntimeError("working outside of the request")


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("body", BODY.decode()),
        ("body", json.loads(BODY)),
        ("body", list(BODY)),
        ("body", len(BODY)),
        ("body", None),
        ("headers", None),
        ("headers", 5),
        ("headers", "webhook-id: 1"),
        ("headers", ["webhook-id", "msg_1"]),
        ("headers", {"webhook-id": None}),
        ("headers", {"webhook-id": [1]}),
        ("headers", {"webhook-id": [{"key": "Webhook-Id", "value": "msg_1"}]}),
        ("headers", {1: "msg_1"}),
        ("headers", {"REQUEST_METHOD": "POST", "wsgi.version": (1, 0)}),
        ("headers", _Failing()),
        ("secret", SECRET.encode()),
        ("secret", f"{SECRET}\n"),
        ("secret", [SECRET, None]),
        ("secret", 5),
        ("now", NOW.timestamp()),
        ("now", NOW.date()),
        ("now", None),
        ("scheme", "HMAC-SHA256"),
    ],
    ids=lambda value: ascii(value)[:30],
)
@pytest.mark.parametrize("headers", [_headers(), _headers(OTHER)], ids=["signed", "forged"])
def test_a_mistake_of_the_caller_is_told_as_one_whatever_was_sent(
    argument: str, value: Any, headers: Mapping[str, str]
) -> None:
    arguments: dict[str, Any] = {"headers": headers, argument: value}
    with pytest.raises(ConfigurationError) as caught:
        _verify(**arguments)
    assert not caught.value.retryable
    assert "whsec_" not in str(caught.value)
    assert "msg_1" not in str(caught.value)


# bad input


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        pytest.param(413, {"body": b" " * (3 * 1024 * 1024)}, id="3 MiB"),
        pytest.param(415, {"headers": {**_headers(), "Content-Encoding": "gzip"}}, id="compressed"),
        pytest.param(401, {"headers": {}}, id="no headers"),
        pytest.param(401, {"headers": _headers(id="")}, id="an empty id"),
        pytest.param(401, {"headers": {**_headers(), "Webhook-Timestamp": "١٢٣"}}, id="other digits"),
        pytest.param(401, {"headers": {**_headers(), "Webhook-Timestamp": "1e9"}}, id="an exponent"),
        pytest.param(401, {"headers": {**_headers(), "Webhook-Timestamp": "9" * 400}}, id="too many digits"),
        pytest.param(401, {"headers": {**_headers(), "Webhook-Timestamp": "\udcff"}}, id="no text"),
        pytest.param(401, {"headers": {**_headers(), "Webhook-Signature": "v1,***"}}, id="no base64"),
        pytest.param(401, {"headers": {**_headers(), "Webhook-Signature": "v1,é"}}, id="not ascii"),
        pytest.param(401, {"headers": {**_headers(), "Webhook-Signature": ""}}, id="an empty signature"),
        pytest.param(401, {"headers": CIMultiDict([*_headers().items(), *_headers().items()])}, id="headers twice"),
    ],
)
def test_f113_malformed_deliveries_are_refused_and_never_an_outage(status: int, arguments: dict[str, Any]) -> None:
    _refused(status, **arguments)


@pytest.mark.parametrize(
    ("signatures", "secrets", "hashes"), [(1, 1, 1), (1, 16, 16), (300, 1, 1), (300, 16, 16), (1000, 16, 0)]
)
def test_f113_a_thousand_signatures_cost_one_hash_per_secret_at_the_most(
    monkeypatch: pytest.MonkeyPatch, signatures: int, secrets: int, hashes: int
) -> None:
    hashed: list[object] = []
    digest = hmac.digest

    def counted(key: bytes, message: bytes, kind: str) -> bytes:
        hashed.append(kind)
        return digest(key, message, kind)

    headers = _headers()
    flood = " ".join(["v1," + "A" * 43 + "="] * signatures)
    monkeypatch.setattr(hmac, "digest", counted)
    _refused(headers={**headers, "Webhook-Signature": flood}, secret=[OTHER] * secrets)
    assert len(hashed) == hashes


def test_there_are_no_more_than_sixteen_secrets() -> None:
    assert _verify(secret=[OTHER] * 15 + [SECRET])
    with pytest.raises(ConfigurationError, match="17 secrets"):
        _verify(secret=[OTHER] * 16 + [SECRET])


def test_what_a_body_takes_is_known_before_anything_is_copied_or_hashed() -> None:
    class Unread(bytearray):
        def __bytes__(self) -> bytes:
            raise AssertionError("it was copied")

    _refused(413, body=Unread(3 * 1024 * 1024), headers=_headers(OTHER))


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'{"event_type": "system.shutdown"}', b'"\xff"'])
def test_f113_what_is_signed_and_cannot_be_read_is_a_bad_request(body: bytes) -> None:
    _refused(400, body=body, headers=_headers(body=body))


@pytest.mark.parametrize("id", ["a/b", "..", "%2e%2e", "x\ny", "c" * 513, ""])
def test_an_id_that_no_conversation_can_have_is_a_bad_request(id: str) -> None:
    body = json.dumps({"conversation_id": id, "event_type": "system.shutdown"}).encode()
    reason = _refused(400, body=body, headers=_headers(body=body)).reason
    assert not id or id not in reason


def test_f113_a_bug_of_the_adapter_is_no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object) -> None:
        raise KeyError("personal data")

    monkeypatch.setattr(tavus, "_told_by", broken)
    assert "personal data" not in str(_refused(400))


def _broken(*_arguments: object) -> Any:
    raise KeyError(SECRET)


def _timeless(_received: Received) -> Claim:
    return Claim((b"",), b"", float("nan"))


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        (msgspec.structs.replace(STANDARD_WEBHOOKS, claim=_broken), "no readable HMAC-SHA256 signature"),
        (msgspec.structs.replace(STANDARD_WEBHOOKS, matches=_broken), "could not check the signature: KeyError"),
        (msgspec.structs.replace(STANDARD_WEBHOOKS, claim=_timeless), "it was signed in the future"),
    ],
    ids=["claim", "matches", "time"],
)
def test_a_bug_of_a_scheme_believes_nobody_and_is_no_outage(scheme: Scheme, said: str) -> None:
    assert said in _refused(scheme=scheme).reason


def test_a_scheme_that_cannot_read_a_key_says_so() -> None:
    with pytest.raises(ConfigurationError, match="the webhook secret is invalid"):
        _verify(scheme=msgspec.structs.replace(STANDARD_WEBHOOKS, key=_broken))


def test_what_an_adapter_keeps_that_is_no_json_is_a_bad_request(monkeypatch: pytest.MonkeyPatch) -> None:
    nested = b'{"meeting_token": 1, "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    def events(_body: bytes) -> list[Event]:
        conversation = Conversation(provider="tavus", id="c1", raw=nested)
        return [Event(provider="tavus", kind=EventKind.OTHER, conversation=conversation)]

    def changed(_name: str) -> Adapter:
        return msgspec.structs.replace(tavus.ADAPTER, webhook=Webhook(events=events))

    monkeypatch.setattr(webhooks, "load", changed)
    _refused(400)


# what a refusal shows


CANARY = "what was said, and a number: +15550100"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        pytest.param((BODY, _headers(OTHER), SECRET, NOW), {}, id="forged"),
        pytest.param((BODY, SIGNED, SECRET, NOW + timedelta(days=1)), {}, id="old"),
        pytest.param((BODY, {"Host": "a"}, [Secret(SECRET), OTHER], NOW), {}, id="unsigned"),
        pytest.param((BODY, {**SIGNED, "Webhook-Signature": "v1,é"}, SECRET, NOW), {}, id="unreadable"),
        pytest.param((BODY.decode(), SIGNED, SECRET, NOW), {}, id="text"),
        pytest.param((BODY, {"a": [SECRET, 5]}, SECRET, NOW), {}, id="no headers"),
        pytest.param((BODY, SIGNED, [SECRET, SECRET[:9]], NOW), {}, id="a short secret"),
        pytest.param((BODY, SIGNED, SECRET, NOW), {"tolerance": -1}, id="a tolerance"),
        pytest.param((BODY, SIGNED, SECRET, NOW.replace(tzinfo=None)), {}, id="a time"),
        pytest.param((BODY, _headers(OTHER), SECRET, NOW), {"url": f"https://example.org/{CANARY}"}, id="a URL"),
        pytest.param((b" " * 3_000_000, SIGNED, SECRET, NOW), {}, id="large"),
        pytest.param(
            (BODY, SIGNED, SECRET, NOW),
            {"scheme": msgspec.structs.replace(STANDARD_WEBHOOKS, claim=_broken)},
            id="a broken scheme",
        ),
        pytest.param(
            (f'"{CANARY}"'.encode(), _headers(body=f'"{CANARY}"'.encode()), SECRET, NOW), {}, id="no delivery"
        ),
        pytest.param((BODY, {"x-secret": OTHER}, SECRET, NOW), {"scheme": shared_secret("x-secret")}, id="in a header"),
    ],
)
def test_f115i_no_frame_of_a_refusal_holds_a_secret_or_what_was_sent(arguments: Any, options: dict[str, Any]) -> None:
    with pytest.raises(HubError) as caught:
        verify("tavus", *arguments, **{"scheme": STANDARD_WEBHOOKS, **options})
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    told = repr(
        [
            error,
            *(frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name != _HERE),
        ]
    )
    for secret in (SECRET, OTHER, repr(key), SIGNED["Webhook-Signature"], "system.shutdown", CANARY):
        assert secret not in told


_HERE = test_f115i_no_frame_of_a_refusal_holds_a_secret_or_what_was_sent.__name__


@pytest.mark.parametrize("secret", ["", "short", "whsec_" + "=" * 9, "whsec_c2hvcnQ=", [], [SECRET, "short"], None])
def test_f113_no_secret_or_one_that_cannot_be_right_is_refused_at_once(secret: Any) -> None:
    with pytest.raises(ConfigurationError):
        _verify(secret=secret)


def test_now_must_be_aware() -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        _verify(now=NOW.replace(tzinfo=None))


# who does not sign


def test_what_nobody_signed_takes_the_receiver_s_own_word() -> None:
    with pytest.raises(ConfigurationError, match="insecure_accept_unsigned"):
        verify("tavus", BODY, {}, None, NOW)
    with pytest.raises(ConfigurationError, match="does not sign"):
        verify("tavus", BODY, {}, SECRET, NOW)
    [event] = verify("tavus", BODY, {}, None, NOW, insecure_accept_unsigned=True)
    assert not event.verified


def test_a_provider_that_can_sign_need_not_have_been_told_to() -> None:
    body = b'{"call_id": "c1", "completed": true}'
    [event] = verify("bland", body, {}, None, NOW, insecure_accept_unsigned=True)
    assert (event.verified, event.conversation_id) == (False, "c1")


def test_a_provider_without_webhooks_says_so() -> None:
    with pytest.raises(UnsupportedError, match="voiceable has no webhooks"):
        verify("voiceable", BODY, {}, SECRET, NOW)


# the schemes


def _passes(scheme: Scheme, headers: Mapping[str, str], secret: str) -> bool:
    return bool(_verify(headers=headers, secret=secret, scheme=scheme))


KEY = "an invented key of many bytes"
STAMP = str(int(NOW.timestamp()))


def test_parts_of_one_header_hold_time_and_signatures() -> None:
    scheme = hmac_signed("x-signature/v0", timestamp="x-signature/t")
    good = hmac.new(KEY.encode(), f"{STAMP}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert _passes(scheme, {"X-Signature": f"t={STAMP},v0={good}"}, KEY)
    assert _passes(scheme, {"X-Signature": f"t={STAMP}, v0={'0' * 64}, v0={good}, v1=other"}, KEY)
    for wrong in (f"t={STAMP}", f"v0={good}", f"t={STAMP},t={STAMP},v0={good}", "", "=,=,"):
        _refused(headers={"X-Signature": wrong}, secret=KEY, scheme=scheme)


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_signature_may_be_written_and_made_in_several_ways(digest: Any, encoding: Any) -> None:
    scheme = hmac_signed("x-signature", message="{body}", digest=digest, encoding=encoding, prefix=f"{digest}=")
    made = hmac.digest(KEY.encode(), BODY, digest)
    written = made.hex() if encoding == "hex" else base64.b64encode(made).decode()
    assert _passes(scheme, {"x-signature": f"{digest}={written}"}, KEY)
    _refused(headers={"x-signature": written}, secret=KEY, scheme=scheme)


@pytest.mark.parametrize(
    ("times", "stamp"),
    [("seconds", STAMP), ("milliseconds", f"{STAMP}123"), ("iso", "2026-11-20T13:00:10+01:00")],
)
def test_time_is_written_in_several_ways(times: Any, stamp: str) -> None:
    scheme = hmac_signed("x-signature", timestamp="x-time", message="{body}{timestamp}", times=times)
    made = hmac.new(KEY.encode(), BODY + stamp.encode(), hashlib.sha256).hexdigest()
    assert _passes(scheme, {"x-signature": made, "x-time": stamp}, KEY)
    for wrong in ("", "soon", "2026-11-20T12:00:00", "-1"):
        _refused(headers={"x-signature": made, "x-time": wrong}, secret=KEY, scheme=scheme)


def _other_last_bits(text: str) -> str:
    """Return Base64 of the same bytes whose last character has bits that nothing is made of."""
    whole = text.rstrip("=")
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    changed = whole[:-1] + letters[letters.index(whole[-1]) ^ 1]
    assert base64.b64decode(changed + text[len(whole) :], validate=True) == base64.b64decode(text)
    return changed + text[len(whole) :]


_OTHERWISE: dict[str, Callable[[str], str]] = {
    "a blank within": lambda text: f"{text[:8]} {text[8:]}",
    "a tab within": lambda text: f"{text[:8]}\t{text[8:]}",
    "blanks everywhere": lambda text: " ".join(text[place : place + 2] for place in range(0, len(text), 2)),
    "a blank before": lambda text: f" {text}",
    "a blank behind": lambda text: f"{text} ",
    "a line break": lambda text: f"{text}\n",
    "a no-break space": lambda text: f"{text}\xa0",
    "cut by one": lambda text: text[:-1],
    "one more": lambda text: f"{text}0",
    "a digit of another script": lambda text: text.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")) + "\u200b",
}
_IN_HEX: dict[str, Callable[[str], str]] = {**_OTHERWISE, "capitals": str.upper, "0x": lambda text: f"0x{text}"}
_IN_BASE64: dict[str, Callable[[str], str]] = {
    **_OTHERWISE,
    "other last bits": _other_last_bits,
    "no padding": lambda text: text.rstrip("="),
    "more padding": lambda text: f"{text}==",
    "of URLs": lambda text: base64.urlsafe_b64encode(base64.b64decode(text)).decode() + "-",
}


@pytest.mark.parametrize(
    ("encoding", "write"),
    [pytest.param("hex", write, id=f"hex, {name}") for name, write in _IN_HEX.items()]
    + [pytest.param("base64", write, id=f"base64, {name}") for name, write in _IN_BASE64.items()],
)
def test_a_digest_passes_only_as_the_scheme_writes_it(encoding: Any, write: Callable[[str], str]) -> None:
    scheme = hmac_signed("x-signature", message="{body}", encoding=encoding)
    made = hmac.digest(KEY.encode(), BODY, "sha256")
    good = made.hex() if encoding == "hex" else base64.b64encode(made).decode()
    assert _passes(scheme, {"x-signature": good}, KEY)
    _refused(headers={"x-signature": write(good)}, secret=KEY, scheme=scheme)
    named = hmac_signed("x-signature/v0", message="{body}", encoding=encoding)
    assert _passes(named, {"x-signature": f"t=1, v0={good}"}, KEY)
    _refused(headers={"x-signature": f"t=1,v0={write(good)}"}, secret=KEY, scheme=named)


@pytest.mark.parametrize("write", _IN_BASE64.values(), ids=_IN_BASE64)
def test_an_ed25519_signature_passes_only_as_the_scheme_writes_it(write: Callable[[str], str]) -> None:
    scheme = ed25519_signed("x-signature", timestamp="x-time", message="{timestamp}|{body}")
    pair = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public = base64.b64encode(pair.public_key().public_bytes_raw()).decode()
    good = base64.b64encode(pair.sign(f"{STAMP}|".encode() + BODY)).decode()
    assert _passes(scheme, {"x-signature": good, "x-time": STAMP}, public)
    _refused(headers={"x-signature": write(good), "x-time": STAMP}, secret=public, scheme=scheme)


def test_signatures_beyond_the_sixteenth_are_not_looked_at() -> None:
    good = hmac.digest(KEY.encode(), BODY, "sha256").hex()
    scheme = hmac_signed("x-signature", message="{body}")
    for others, passes in ((15, True), (16, False)):
        headers = {"x-signature": ",".join(["0" * 64] * others + [good])}
        if passes:
            assert _passes(scheme, headers, KEY)
        else:
            _refused(headers=headers, secret=KEY, scheme=scheme)


def test_a_secret_sent_as_it_is_is_compared() -> None:
    assert _passes(shared_secret("x-secret"), {"x-secret": KEY}, KEY)
    assert _passes(shared_secret("authorization", prefix="Bearer "), {"Authorization": f"Bearer {KEY}"}, KEY)
    _refused(headers={"x-secret": KEY + "x"}, secret=KEY, scheme=shared_secret("x-secret"))
    _refused(headers={"authorization": KEY}, secret=KEY, scheme=shared_secret("authorization", prefix="Bearer "))


def test_a_key_pair_signs() -> None:
    scheme = ed25519_signed("x-signature", timestamp="x-time", message="{timestamp}|{body}")
    pair = Ed25519PrivateKey.generate()
    public = base64.b64encode(pair.public_key().public_bytes_raw()).decode()
    signature = base64.b64encode(pair.sign(f"{STAMP}|".encode() + BODY)).decode()
    headers = {"x-signature": signature, "x-time": STAMP}
    assert _passes(scheme, headers, public)
    stranger = base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    _refused(headers=headers, secret=stranger, scheme=scheme)
    _refused(headers={**headers, "x-signature": "***"}, secret=public, scheme=scheme)
    _refused(headers={**headers, "x-signature": "AAAA"}, secret=public, scheme=scheme)
    with pytest.raises(ConfigurationError):
        _passes(scheme, headers, base64.b64encode(b"too short for a key").decode())


def test_a_key_pair_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.exceptions", None)
    scheme = ed25519_signed("x-signature", timestamp="x-time", message="{timestamp}|{body}")
    with pytest.raises(ConfigurationError, match=r"conversations-hub\[ed25519\]"):
        scheme.matches(Claim((b"",), b""), b"")


def test_a_claim_shows_no_content() -> None:
    received = Received(headers={name.lower(): value for name, value in _headers().items()}, body=BODY)
    assert repr(received) == f"Received(3 headers, {len(BODY)} bytes)"
    assert repr(STANDARD_WEBHOOKS.claim(received)) == f"Claim(1 signatures over {len(BODY) + 17} bytes)"


# those who sign the URL, a form, or a part of the body


def _url_and_form(received: Received) -> bytes:
    # https://www.twilio.com/docs/usage/security#validating-requests
    if received.form:
        return (received.url + "".join(name + value for name, value in sorted(set(received.form)))).encode()
    [told] = parse_qs(urlsplit(received.url).query).get("bodySHA256", [""])
    if not hmac.compare_digest(told.encode(), hashlib.sha256(received.body).hexdigest().encode()):
        raise ValueError
    return received.url.encode()


class _Signed(msgspec.Struct):
    call_id: str


class _Call(msgspec.Struct):
    call: _Signed
    status: str = ""


def _call_id(received: Received) -> bytes:
    return msgspec.json.decode(received.body, type=_Call).call.call_id.encode()


def _message_added(body: bytes) -> list[Event]:
    sent = json.loads(body)
    return [
        Event(
            provider="by-url",
            kind=EventKind.UPDATED,
            provider_kind=json.dumps(sent, sort_keys=True),
            conversation_id=sent["ConversationSid"],
        )
    ]


def _call_ended(body: bytes) -> list[Event]:
    sent = msgspec.json.decode(body, type=_Call)
    conversation = Conversation(provider="by-member", id=sent.call.call_id, provider_status=sent.status, raw=body)
    return [
        Event(
            provider="by-member",
            kind=EventKind.ENDED,
            conversation_id=sent.call.call_id,
            conversation=conversation,
        )
    ]


_BY_URL = hmac_signed("x-twilio-signature", message=_url_and_form, digest="sha1", encoding="base64")
_BY_MEMBER = hmac_signed("synthflow-signature", message=_call_id, encoding="base64", signed_members=("call.call_id",))
_PUBLISHED = {
    "by-url": Webhook(events=_message_added, scheme=_BY_URL, forms=True),
    "by-member": Webhook(events=_call_ended, scheme=_BY_MEMBER),
}


@pytest.fixture
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adapters of other packages."""

    def load_any(name: str) -> Adapter:
        if name not in _PUBLISHED:
            return load(name)
        return Adapter(name=name, base_url="https://api.example.com", docs="", sign=bearer, webhook=_PUBLISHED[name])

    monkeypatch.setattr(webhooks, "load", load_any)


URL = "https://hooks.example.org/chat?foo=1&bar=2"
FORM = b"Body=Tuesday+at+ten%3F&ConversationSid=CH1&Author=%2B15550100&Media=b&Media=a&Media=b&Empty="


def _by_url(body: bytes = FORM, *, signed: str = "", url: str | None = URL, form: str = "") -> list[Event]:
    signed = signed or URL + "Author+15550100BodyTuesday at ten?ConversationSidCH1EmptyMediaaMediab"
    made = base64.b64encode(hmac.digest(KEY.encode(), signed.encode(), "sha1")).decode()
    headers = {"X-Twilio-Signature": made, "Content-Type": form or "application/x-www-form-urlencoded; charset=UTF-8"}
    return verify("by-url", body, headers, KEY, NOW, url=url)


def test_the_published_example_of_a_signed_url_and_form_passes() -> None:
    # https://github.com/twilio/twilio-python/blob/main/tests/unit/test_request_validator.py
    body = b"CallSid=CA1234567890ABCDE&Digits=1234&From=%2B14158675309&To=%2B18005551212&Caller=%2B14158675309"
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    claim = _BY_URL.claim(Received(headers=headers, body=body, told_url=url))
    assert _BY_URL.matches(claim, b"12345")


@pytest.mark.usefixtures("_published")
def test_a_scheme_sees_the_url_and_the_form_and_an_adapter_the_fields() -> None:
    [event] = _by_url()
    assert (event.verified, event.protected, event.signed_members) == (True, True, None)
    assert event.to_fetch == "by-url:CH1"
    assert json.loads(event.provider_kind or "") == {
        "Author": "+15550100",
        "Body": "Tuesday at ten?",
        "ConversationSid": "CH1",
        "Empty": "",
        "Media": ["b", "a", "b"],
    }


@pytest.mark.usefixtures("_published")
@pytest.mark.parametrize(
    "changed",
    [
        {"url": URL + "&more=1"},
        {"url": URL.replace("https", "http")},
        {"body": FORM.replace(b"Tuesday", b"Monday")},
        {"body": FORM + b"&More=1"},
        {"form": "application/json"},
        {"form": "text/plain"},
        {"body": FORM + b"&Name=%ff"},
        {"body": FORM + b"&Name=\xff"},
        {"body": b"&".join([b"a=1"] * 1001)},
    ],
)
def test_a_changed_url_or_form_is_not_believed(changed: dict[str, Any]) -> None:
    with pytest.raises(WebhookError) as caught:
        _by_url(**changed)
    assert caught.value.status == 401


@pytest.mark.usefixtures("_published")
def test_a_receiver_that_does_not_tell_the_url_is_told_to() -> None:
    with pytest.raises(ConfigurationError, match="pass url="):
        _by_url(url=None)
    with pytest.raises(ConfigurationError, match="url must be text"):
        _by_url(url=urlsplit(URL))  # type: ignore[arg-type]


@pytest.mark.usefixtures("_published")
def test_json_is_covered_by_a_signed_url_that_holds_its_hash() -> None:
    body = b'{"ConversationSid": "CH2"}'
    url = f"{URL}&bodySHA256={hashlib.sha256(body).hexdigest()}"
    [event] = _by_url(body, signed=url, url=url, form="application/json")
    assert (event.protected, event.conversation_id) == (True, "CH2")
    for other in (body.replace(b"2", b"3"), b"", FORM):
        with pytest.raises(WebhookError):
            _by_url(other, signed=url, url=url, form="application/json")
    with pytest.raises(WebhookError):  # a URL that covers no body
        _by_url(body, signed=URL, form="application/json")


@pytest.mark.usefixtures("_published")
def test_a_form_that_nobody_signed_must_still_be_one() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for body in (b"&".join([b"a=1"] * 1001), b"a=%ff", b"Body=1", b""):
        with pytest.raises(WebhookError) as caught:
            verify("by-url", body, headers, None, NOW, insecure_accept_unsigned=True)
        assert caught.value.status == 400
    [event] = verify("by-url", FORM, headers, None, NOW, insecure_accept_unsigned=True)
    assert (event.verified, event.protected) == (False, False)


def test_a_form_is_no_delivery_where_the_provider_sends_none() -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **_headers(body=b"conversation_id=c1")}
    _refused(400, body=b"conversation_id=c1", headers=headers)
    assert _verify(headers={**SIGNED, "Content-Type": "application/x-www-form-urlencoded"})


def _by_member(body: bytes, signed: str = "call-1") -> list[Event]:
    made = base64.b64encode(hmac.digest(KEY.encode(), signed.encode(), "sha256")).decode()
    return verify("by-member", body, {"Synthflow-Signature": made}, KEY, NOW)


@pytest.mark.usefixtures("_published")
def test_an_event_says_what_alone_was_signed() -> None:
    [event] = _by_member(b'{"status": "completed", "call": {"call_id": "call-1"}}')
    assert (event.verified, event.protected, event.signed_members) == (True, False, ("call.call_id",))
    [changed] = _by_member(b'{"call": {"call_id": "call-1"}, "status": "changed by others"}')
    assert (changed.conversation_id, changed.protected) == ("call-1", False)


@pytest.mark.usefixtures("_published")
@pytest.mark.parametrize(
    "body",
    [
        b'{"call": {"call_id": "call-2"}}',
        b'{"call": {"call_id": "call-1"}, "call": {"call_id": "call-2"}}',
        b'{"call": {"call_id": 1}}',
        b'{"call": null}',
        b"[" * 100_000,
        b"",
        b'{"call": {"call_id": "\xff"}}',
    ],
)
def test_a_member_that_is_not_the_signed_one_is_not_believed(body: bytes) -> None:
    with pytest.raises(WebhookError) as caught:
        _by_member(body)
    assert caught.value.status == 401


def test_a_secret_in_a_header_signs_no_part_of_the_body() -> None:
    [event] = _verify(headers={"x-secret": KEY}, secret=KEY, scheme=shared_secret("x-secret"))
    assert (event.verified, event.protected, event.signed_members) == (True, False, ())
    [event] = _verify()
    assert (event.verified, event.protected, event.signed_members) == (True, True, None)


def test_a_message_without_the_body_does_not_cover_it() -> None:
    scheme = hmac_signed("x-signature", timestamp="x-time", message="{timestamp}")
    made = hmac.digest(KEY.encode(), STAMP.encode(), "sha256").hex()
    [event] = _verify(headers={"x-signature": made, "x-time": STAMP}, secret=KEY, scheme=scheme)
    assert (event.verified, event.protected, event.signed_members) == (True, False, ())


@pytest.mark.usefixtures("_published")
def test_what_was_verified_and_kept_is_read_again_as_it_was() -> None:
    assert read_verified("tavus", BODY, verified=True) == _verify()
    part = b'{"status": "completed", "call": {"call_id": "call-1"}}'
    assert read_verified("by-member", part, verified=True, signed_members=("call.call_id",)) == _by_member(part)
    form = {"content-type": "application/x-www-form-urlencoded"}
    unsigned = verify("by-url", FORM, form, None, NOW, insecure_accept_unsigned=True)
    assert read_verified("by-url", FORM, content_type=form["content-type"], verified=False) == unsigned
    with pytest.raises(WebhookError) as caught:
        read_verified("tavus", b"{", verified=True)
    assert caught.value.status == 400
    with pytest.raises(UnsupportedError):
        read_verified("voiceable", BODY, verified=True)
