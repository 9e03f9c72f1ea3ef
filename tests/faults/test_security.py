"""Credentials and hostile servers: F115."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import logging
import pickle
import pprint
import ssl
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from click.testing import CliRunner

from conversations_hub import Hub
from conversations_hub._cli import cli
from conversations_hub._transport import Lane
from conversations_hub.account import Account
from conversations_hub.errors import ConfigurationError, InvalidRefError, PayloadError, RejectedError, problem
from conversations_hub.wire import Request

from ..support.server import answer, serving
from .conftest import CANARY, Fault, ask

_BASIC = base64.b64encode(f"user:{CANARY}".encode()).decode()
_STYLES: dict[str, Mapping[str, str]] = {
    "bearer": {"Authorization": f"Bearer {CANARY}"},
    "x-api-key": {"X-API-Key": CANARY},
    "xi-api-key": {"xi-api-key": CANARY},
    "x-auth-token": {"X-Auth-Token": CANARY},
    "basic": {"Authorization": f"Basic {_BASIC}"},
    "cookie": {"Cookie": f"session={CANARY}"},
    "query key": {},
}


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("style", _STYLES)
async def test_f115a_no_redirect_takes_a_credential_elsewhere(fault: Fault, style: str, status: int) -> None:
    def sign(request: Request, _account: Account, _now: datetime) -> Request:
        return msgspec.structs.replace(request, headers={**request.headers, **_STYLES[style]})

    request = Request("GET", "/x", {"key": CANARY} if style == "query key" else {})
    async with serving(answer({})) as elsewhere:
        for host in ("127.0.0.1", "localhost"):
            there = elsewhere.url.replace("127.0.0.1", host)
            async with serving(answer(b"", status, {"Location": f"{there}/y"})) as server:
                lane = await fault.lane(server.url)
                lane.adapter = msgspec.structs.replace(lane.adapter, sign=sign)
                error = await fault.failure(ask(lane, request))
                [asked] = server.asked
            assert type(error) is PayloadError
            # It was sent to whom it belongs, so it could have been taken along.
            sent = f"{asked.target} {asked.headers}"
            assert any(form in sent for form in (CANARY, quote(CANARY, safe=""), _BASIC))
        assert elsewhere.connections == 0


async def test_f115b_one_account_s_cookie_is_not_sent_with_another_s_key(fault: Fault) -> None:
    cookie = {"Set-Cookie": "tenant=a; Path=/"}
    async with serving(answer({"conversation_id": "c1", "status": "ended"}, headers=cookie)) as server:
        url = server.url.replace("127.0.0.1", "localhost")  # of a bare address no jar keeps a cookie
        hub = await fault.hub(url, url)
        for account in "abab":
            await hub.get(f"tavus/{account}:c1")
        assert len(server.asked) == 4
        assert server.connections == 2
        assert not any("cookie" in asked.headers for asked in server.asked)


@pytest.mark.parametrize(
    ("id", "segment"),
    [
        ("../../admin/keys", None),
        ("..%2f..%2fadmin", None),
        ("a/b", None),
        ("a?x=1", "a%3Fx%3D1"),
        ("a#b", "a%23b"),
        ("a\r\nX: y", None),
        ("//evil/x", None),
    ],
)
async def test_f115d_an_id_is_one_segment_or_is_refused(fault: Fault, id: str, segment: str | None) -> None:
    async with serving(answer({"conversation_id": id, "status": "ended"})) as server:
        hub = await fault.hub(f"{server.url}/base")
        lane = await fault.lane(f"{server.url}/base")
        request = Request("GET", "/calls/{id}/notes", ids={"id": id})
        if segment is None:
            for call in (hub.get(f"tavus:{id}"), ask(lane, request)):
                assert type(await fault.failure(call)) is InvalidRefError
            assert server.connections == 0
            return
        assert (await hub.get(f"tavus:{id}")).id == id
        await ask(lane, request)
        paths = [asked.target.partition("?")[0] for asked in server.asked]
        assert paths == [f"/base/v2/conversations/{segment}", f"/base/calls/{segment}/notes"]
        assert all("x" not in asked.headers for asked in server.asked)


@pytest.mark.parametrize(
    ("id", "reason"),
    [
        ("a/b", "holds a slash"),
        ("a\\b", "holds a slash"),
        ("..%2f..%2fadmin", "holds a slash"),
        ("%252e%252e", "is a relative path"),
        ("x\ny", "holds a control character"),
        ("x\u0085y", "holds a control character"),
        ("x" * 513, "is 513 bytes long; the maximum is 512"),
        ("", "is empty"),
    ],
)
async def test_f115d_a_row_whose_id_is_no_segment_is_set_apart(fault: Fault, id: str, reason: str) -> None:
    rows = [{"conversation_id": each, "status": "ended"} for each in ("c1", id, "c2")]
    async with serving(answer({"data": rows, "total_count": 3})) as server:
        walk = (await fault.hub(server.url)).list("tavus")
        [page] = [page async for page in walk.pages()]
    assert [found.id for found in page.items] == ["c1", "c2"]
    assert [(each.place, each.reason) for each in page.rejected] == [
        ("page 1, row 1", f"the conversation's id {reason}")
    ]
    assert not walk.report.complete


async def test_f115d_a_conversation_that_was_started_under_such_an_id_is_not_handed_out(fault: Fault) -> None:
    async with serving(answer({"conversation_id": "../admin", "conversation_url": "https://example.com"})) as server:
        error = await fault.failure((await fault.hub(server.url)).start("tavus", agent="p1"))
        assert len(server.asked) == 1
    assert type(error) is PayloadError
    assert (error.provider, error.account, error.operation) == ("tavus", "default", "start")


_HOSTILE = "first\nsecond \x1b[31mred\x1b[0m \u202egnirts \x9b2J\r"
_STEERING = frozenset("\n\r\x1b\x9b\u202e")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(_HOSTILE, id="hostile"),
        pytest.param(_HOSTILE + "x" * 60_000, id="hostile and long"),
        pytest.param(_HOSTILE * 30_000, id="1 MB"),
        pytest.param("\u202e" * 5000, id="steering alone"),
    ],
)
async def test_f115h_a_provider_s_words_are_one_short_line(
    fault: Fault, caplog: pytest.LogCaptureFixture, words: str
) -> None:
    async with serving(answer({"message": words}, 400)) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
        assert type(error) is RejectedError
        assert 0 < len(error.reason) <= 200
        logging.getLogger("conversations_hub").warning("%s", error)
        told = await asyncio.to_thread(
            CliRunner().invoke, cli, ["get", "tavus:c1"], env={"TAVUS_API_KEY": CANARY, "TAVUS_BASE_URL": server.url}
        )
    assert told.exit_code == 1
    assert told.output.startswith("Error: ")
    assert told.output.endswith("\n")
    lines = [*caplog.messages, str(error), told.output[:-1]]
    assert not any(_STEERING & set(line) for line in lines)
    assert max(map(len, lines)) <= 400  # 200 of theirs, and ours around them


@pytest.mark.parametrize("status", [400, 200])
@pytest.mark.parametrize("secret", ["key", "second credential"])
@pytest.mark.parametrize("form", [CANARY, CANARY.replace("/", "\\/").replace("c", "\\u0063"), quote(CANARY)])
async def test_f115h_a_credential_is_hidden_before_the_words_are_cut(
    fault: Fault, status: int, secret: str, form: str
) -> None:
    keys = {"key": CANARY, "second credential": "other-invented-key"}
    pieces = [CANARY[start : start + 5] for start in range(len(CANARY) - 4)]
    for before in range(150, 200, 7):
        words = f"{'x' * before}{form} is not known"
        body = f'{{"status": "error", "message": "{words}"}}'.encode()
        async with serving(answer(body, status)) as server:
            settings = {"encrypted_key": CANARY} if secret == "second credential" else {}
            account = Account("bland", key=keys[secret], base_url=server.url, settings=settings)
            async with Hub([account], clock=fault.time.clock) as hub:
                error = await fault.failure(hub.end("bland:c1"))
            assert server.asked[0].headers.get("encrypted_key") == settings.get("encrypted_key")
        assert type(error) is RejectedError
        assert error.reason.startswith("xxx")
        assert len(error.reason) <= 200
        assert not any(piece in error.reason for piece in pieces)


async def test_f115h_what_a_provider_calls_an_exchange_is_one_short_line(fault: Fault) -> None:
    for named, shown in (
        (f"req-{CANARY}.", "req-***."),
        (f"{'x' * 120}{CANARY}", f"{'x' * 120}***"),
        ("r\u202eq\u009b2J\t1", r"r\u202eq\x9b2J\t1"),
        ("x" * 5000, f"{'x' * 127}…"),
    ):
        for header in ("X-Request-Id", "CF-Ray"):
            said = answer({"message": "no"}, 400).replace(b"\r\n", f"\r\n{header}: {named}\r\n".encode(), 1)
            async with serving(said) as server:
                error = await fault.failure(ask(await fault.lane(server.url)))
            assert error.request_id == shown
            assert str(error).endswith(f"request {shown})")


async def test_f115h_bytes_that_are_no_text_are_shown_as_such(fault: Fault) -> None:
    said = answer({"message": "no"}, 400).replace(b"\r\n", b"\r\nX-Request-Id: r\xed\xa0\x80q\r\n", 1)
    async with serving(said) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
    assert error.request_id == r"r\udced\udca0\udc80q"


_SHOWN: list[Callable[[object], str]] = [
    repr,
    str,
    lambda one: f"{one} {one!r} {one!a}",
    lambda one: "%s %r" % (one, one),  # noqa: UP031  (the other way to the same place)
    lambda one: repr(vars(one)),
    lambda one: repr(copy.copy(one)) + repr(vars(copy.copy(one))),
    lambda one: pprint.pformat([one, vars(one)]),
    lambda one: json.dumps(vars(one), default=repr, skipkeys=True),
    lambda one: "".join(traceback.format_exception(ValueError(one, vars(one)))),
]
_WRITTEN: list[Callable[[object], object]] = [
    pickle.dumps,
    msgspec.json.encode,
    msgspec.msgpack.encode,
    msgspec.to_builtins,
    json.dumps,
]


@pytest.mark.parametrize("is_used", [False, True], ids=["new", "used"])
async def test_f115i_a_client_shows_and_writes_no_secret(fault: Fault, is_used: bool) -> None:  # noqa: FBT001
    async with serving(answer({"conversation_id": "c1", "status": "ended"})) as server:
        hub, lane = await fault.hub(server.url), await fault.lane(server.url)
        if is_used:
            await hub.get("tavus:c1")
            await ask(lane)
        for client in (hub, lane):
            told = [show(client) for show in _SHOWN]
            for write in _WRITTEN:
                with pytest.raises(TypeError) as caught:
                    write(client)
                told.append("".join(traceback.format_exception(caught.value)))
            assert all(told)
            for form in (CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode()):
                assert not any(form in text for text in told)


async def test_f115i_a_signed_request_shows_no_secret(fault: Fault) -> None:
    lane: Lane = await fault.lane("http://127.0.0.1:1")
    signed = lane.adapter.sign(Request("GET", "/x"), lane.account, fault.time.clock.now())
    assert CANARY in signed.headers.values()
    assert not any(CANARY in show for show in (repr(signed), str(signed), f"{signed}", pprint.pformat(signed)))


async def test_f115i_a_traceback_with_its_locals_shows_no_secret(fault: Fault) -> None:
    for said in (None, answer({}, 503), answer(b"<html>"), b"HTP/9 what\r\n\r\n", answer(b"{}", length=10**9)):
        async with serving(said) as server:
            error = await fault.failure(ask(await fault.lane(server.url)))
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert not any(CANARY in line for line in told.format())


async def test_the_name_of_an_exchange_is_one_short_line_without_a_secret(fault: Fault) -> None:
    named = {"X-Request-Id": f"req-{CANARY} {'x' * 400}"}
    async with serving(answer({"message": "no"}, 400, named)) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
    assert error.request_id is not None
    assert error.request_id.startswith("req-*** xxx")
    assert len(error.request_id) == 128
    assert CANARY not in json.dumps(problem(error))


@pytest.mark.parametrize("switch", [False, True, 0, "no", ssl.CERT_NONE])
@pytest.mark.parametrize("name", ["ssl", "recordings_ssl"])
def test_only_a_context_says_whom_to_trust(name: str, switch: Any, tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text('[[account]]\nprovider = "tavus"\nkey_env = "KEY"')
    makes: list[Callable[[], Hub]] = [
        lambda: Hub([Account("tavus", key="k")], **{name: switch}),
        lambda: Hub.from_env(environ={"TAVUS_API_KEY": "k"}, **{name: switch}),
        lambda: Hub.from_file(file, environ={"KEY": "k"}, **{name: switch}),
    ]
    for make in makes:
        with pytest.raises(ConfigurationError, match=r"ssl must be an ssl\.SSLContext"):
            make()


async def test_a_signer_that_changes_the_query_is_obeyed(fault: Fault) -> None:
    async with serving(answer({})) as server:
        lane = await fault.lane(server.url)

        def sign(request: Request, account: Account, _now: datetime) -> Request:
            return msgspec.structs.replace(request, query={"key": account.key.reveal()})

        lane.adapter = msgspec.structs.replace(lane.adapter, sign=sign)
        await ask(lane)
    assert server.asked[0].target == f"/x/c1?key={quote(CANARY, safe='')}"
