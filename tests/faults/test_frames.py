"""What an error shows to those who collect the variables of its frames: no content, no link, no query and no key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Hub
from conversations_hub._proxy import Proxy
from conversations_hub.errors import (
    AuthError,
    ConfigurationError,
    HubClosedError,
    HubError,
    InvalidRefError,
    OutageError,
    PaginationError,
    PayloadError,
    RejectedError,
    TransportError,
)
from conversations_hub.hub import proxies_in
from conversations_hub.hub._cursor import Place
from conversations_hub.schema import Recording, RecordingAccess
from conversations_hub.secret import Secret
from conversations_hub.wire import Request

from ..support.frames import shown
from ..support.public_hosts import hosts, media
from ..support.server import Answer, Asked, Handler, answer, serving
from ..support.virtual_time import WiredLoop
from .conftest import CANARY, Fault, ask

SAID = "words-that-somebody-said"


def check(error: BaseException) -> None:
    """Check that an error shows neither what was said nor the key."""
    assert [variable for variable in shown(error) if SAID in variable or CANARY in variable] == []


def row(id: str, **more: Any) -> dict[str, Any]:
    return {"conversation_id": id, "conversation_name": SAID, "status": "ended", **more}


def listed(*ids: str, total: int = 100) -> bytes:
    return answer({"data": [row(id) for id in ids], "total_count": total})


async def each(items: AsyncIterable[object]) -> None:
    async for _item in items:
        pass


async def outcomes_of(hub: Hub) -> None:
    """Raise the first error among the outcomes."""
    async with aclosing(hub.get_many(["tavus:c2", "tavus:c1"], concurrency=1)) as outcomes:
        async for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error


DEEP = b'{"conversation_id": "c1", "name": "%s", "events": %s}' % (SAID.encode(), b"[" * 5000 + b"]" * 5000)
NO_JSON = answer(f"<html>{SAID}</html>".encode())
PAGE_OF_NINE = listed(*(f"c{number}" for number in range(9)))

_GETS = {
    "no JSON": (NO_JSON, PayloadError),
    "JSON that is cut": (answer(b'{"conversation_id": "c1", "conversation_name": "%s' % SAID.encode()), PayloadError),
    "another conversation": (answer(row("c2")), PayloadError),
    "what does not fit": (answer(row("c1", events=SAID)), PayloadError),
    "nested too deeply": (answer(DEEP), PayloadError),
    "a large one that does not fit": (answer(row("c1", events=SAID, more=" " * 2_000_000)), PayloadError),
    "a body that is cut": (answer(SAID.encode(), length=99), TransportError),
    "a refusal": (answer({"trace": SAID}, 400), RejectedError),
    "an outage": (answer({"trace": SAID}, 500), OutageError),
    "a redirect": (answer(b"", 302, {"Location": f"https://example.com/?{SAID}"}), PayloadError),
}


_ONE: dict[str, Callable[[Hub], Awaitable[object]]] = {"get": lambda hub: hub.get("tavus:c1"), "get_many": outcomes_of}


@pytest.mark.parametrize("call", _ONE.values(), ids=_ONE)
@pytest.mark.parametrize(("said", "kind"), _GETS.values(), ids=_GETS)
async def test_what_was_answered_is_in_no_frame(
    fault: Fault, said: bytes, kind: type[HubError], call: Callable[[Hub], Awaitable[object]]
) -> None:
    async with serving(_closing_after(said)) as server:
        error = await fault.failure(call(await fault.hub(server.url)))
    assert type(error) is kind
    check(error)


def _closing_after(said: bytes) -> Handler:
    async def closing(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if asked.target.partition("?")[0].endswith("/c2") and b"c2" not in said:
            return answer(row("c2"))
        writer.write(said)
        await writer.drain()
        return None

    return closing


async def test_what_an_adapter_fails_on_is_in_no_frame(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(body: bytes) -> None:
        raise KeyError(body)

    monkeypatch.setattr("conversations_hub.adapters.tavus.normalize", failing)
    async with serving(answer(row("c1"))) as server:
        error = await fault.failure((await fault.hub(server.url)).get("tavus:c1"))
    assert type(error) is PayloadError
    check(error)


_WALKS: dict[str, Callable[[Hub], AsyncIterable[object]]] = {
    "rows": lambda hub: hub.list("tavus/a", page_size=9),
    "pages": lambda hub: hub.list("tavus/a", page_size=9).pages(),
    "details": lambda hub: hub.list("tavus/a", page_size=9, transcripts=True),
    "pages of details": lambda hub: hub.list("tavus/a", page_size=9, transcripts=True).pages(),
    "rows of all": lambda hub: hub.list(page_size=9),
    "pages of all": lambda hub: hub.list(page_size=9).pages(),
    "the newest": lambda hub: hub.list(page_size=9, limit=50),
    "pages of the newest": lambda hub: hub.list(page_size=9, limit=50).pages(),
    "details of the newest": lambda hub: hub.list(page_size=9, limit=50, transcripts=True),
}
_PAGES = {
    "no JSON": NO_JSON,
    "what does not fit": answer({"data": SAID, "total_count": SAID}),
    "a circle": PAGE_OF_NINE,
    "an outage": answer({"trace": SAID}, 500),
    "a refused key": answer({"trace": SAID}, 401),
}


@pytest.mark.parametrize("walk", _WALKS.values(), ids=_WALKS)
@pytest.mark.parametrize("second", _PAGES.values(), ids=_PAGES)
async def test_what_was_listed_before_is_in_no_frame(
    fault: Fault, walk: Callable[[Hub], AsyncIterable[object]], second: bytes
) -> None:
    async def provider(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        path, _, query = asked.target.partition("?")
        if not path.endswith("/conversations"):
            return second if path.endswith("c8") else answer(row(path.rpartition("/")[2]))
        return PAGE_OF_NINE if "page=1&" in f"{query}&" else second

    async with serving(provider) as server:
        hub = await fault.hub(server.url, server.url)
        error = await fault.failure(each(walk(hub)))
        check(error)
        taken: list[HubError] = []
        left = hub.list(page_size=9, transcripts=True, on_error=taken.append)
        await each(left)
    for one in (*taken, *left.report.errors.values()):
        check(one)
    assert len(taken) == 2


async def test_the_next_page_s_link_is_in_no_frame(fault: Fault) -> None:
    async def provider(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if "cursor" in asked.target:
            return answer({}, 500)
        return answer({"results": [{"callId": "c1"}], "next": f"{server.url}/api/calls?cursor={SAID}"})

    async with serving(provider) as server, Hub([Account("ultravox", key=CANARY, base_url=server.url)]) as hub:
        error = await fault.failure(each(hub.list("ultravox")))
        assert SAID in server.asked[1].target
    assert type(error) is OutageError
    check(error)


@pytest.mark.parametrize("link", [f"https://example.com/?{SAID}", f"http://127.0.0.1:1/?{SAID} ", f"http:/{SAID}"])
async def test_a_link_that_is_not_followed_is_in_no_frame(fault: Fault, link: str) -> None:
    lane = await fault.lane("http://127.0.0.1:1")
    error = await fault.failure(ask(lane, Request("GET", link)))
    assert type(error) is PaginationError
    check(error)


async def test_a_cursor_that_is_refused_shows_no_link(fault: Fault) -> None:
    hub = await fault.hub("http://127.0.0.1:1")
    place = Place(where="tavus/other", page_size=None, filters=bytes(30), page=SAID)
    for where in ("tavus/other", "tavus/default"):
        with pytest.raises(InvalidRefError) as caught:
            hub.list("tavus", cursor=str(msgspec.structs.replace(place, where=where)))
        check(caught.value)


async def test_what_a_caller_sends_is_in_no_frame(fault: Fault) -> None:
    options = {"conversational_context": SAID}
    async with serving(answer({"trace": SAID}, 400)) as server:
        hub = await fault.hub(server.url)
        for call in (
            hub.start("tavus", agent="p1", to=SAID, provider_options=options),
            hub.delete("tavus:c1", provider_options=options),
        ):
            check(await fault.failure(call))
        async with Hub([Account("retell", key=CANARY, base_url=server.url)]) as other:
            check(await fault.failure(other.send("retell:chat_1", SAID)))


@pytest.mark.parametrize(
    "said",
    [
        media(b"", 404),
        media(b"", 302, {"Location": f"http://127.0.0.1/?{SAID}"}),
        media(headers={"Content-Type": "text/html"}),
        None,
    ],
    ids=["a refusal", "a redirect inside", "no recording", "no answer"],
)
async def test_a_recording_s_link_is_in_no_frame(fault: Fault, said: bytes | None, tmp_path: Path) -> None:
    link = f"https://media.example.com/a?{SAID}"
    recordings = (
        Recording(location=link, access=RecordingAccess.SIGNED_URL, ref="tavus:c1"),
        Recording(location=f"/audio?{SAID}", access=RecordingAccess.PROVIDER_KEY, ref="tavus:c1"),
    )
    async with hosts(said, names=("media.example.com",)) as there, serving(said) as server:
        hub = await fault.hub(server.url, recordings_ssl=there.ssl)
        for recording in recordings:
            check(await fault.failure(hub.download(recording, tmp_path / "a", allow_any_public_host=True)))


async def _silent(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
    path, _, query = asked.target.partition("?")
    if path.endswith("/conversations") and "page=1&" in f"{query}&":
        return PAGE_OF_NINE
    await asyncio.Event().wait()
    return None


_WAITS: dict[str, Callable[[Hub], Awaitable[object]]] = {
    "get": lambda hub: hub.get("tavus/a:c1"),
    "outcomes": lambda hub: each(hub.get_many(["tavus/a:c1"])),
    "start": lambda hub: hub.start("tavus/a", provider_options={"conversational_context": SAID}),
    **{name: (lambda hub, walk=walk: each(walk(hub))) for name, walk in _WALKS.items()},  # type: ignore[misc]
}


@pytest.mark.parametrize("call", _WAITS.values(), ids=_WAITS)
@pytest.mark.parametrize("how", ["time-out", "closed"])
async def test_what_ends_under_way_shows_nothing(
    fault: Fault, loop: WiredLoop, call: Callable[[Hub], Awaitable[object]], how: str
) -> None:
    async with serving(_silent) as server:
        hub = await fault.hub(server.url, server.url, clock=loop.clock())
        if how == "closed":
            loop.call_later(1.0, lambda: closing.append(loop.create_task(hub.close())))
        closing: list[asyncio.Task[None]] = []
        with pytest.raises(TimeoutError if how == "time-out" else HubClosedError) as caught:
            async with asyncio.timeout(1.0 if how == "time-out" else None):
                await call(hub)
        await asyncio.gather(*closing)
    check(caught.value)


ENVIRON = {"TAVUS_API_KEY": CANARY, "UNRELATED_PASSWORD": SAID}
_AT_ODDS: dict[str, Callable[[], object]] = {
    "a key of two lines": lambda: Account("tavus", key=f"{CANARY}\n"),
    "a key that is no text": lambda: Account("tavus", key=CANARY.encode()),  # type: ignore[arg-type]
    "a secret of two lines": lambda: Secret(f"{CANARY}\n"),
    "a name": lambda: Account("tavus", key=CANARY, name="a/b"),
    "a setting": lambda: Account("tavus", key="k", settings={"a": f"{CANARY}\r\n"}),
    "a setting that is no text": lambda: Account("tavus", key=CANARY, settings={"a": 5}),  # type: ignore[dict-item]
    "a base URL with a password": lambda: Account("tavus", key="k", base_url=f"https://user:{SAID}@example.com"),
    "a base URL that is malformed": lambda: Account("tavus", key=CANARY, base_url=f"https://[{SAID}"),
    "a base URL that is no text": lambda: Account("tavus", key=CANARY, base_url=5),  # type: ignore[arg-type]
    "a base URL of plain http": lambda: Account("tavus", key=CANARY, base_url=f"http://example.com/{SAID}"),
    "a base URL in the environment": lambda: Hub.from_env(environ={**ENVIRON, "TAVUS_BASE_URL": f"ftp://{SAID}"}),
    "a key in the environment": lambda: Hub.from_env(environ={"UNRELATED": SAID, "VAPI_API_KEY": f"{CANARY} {SAID}"}),
    "a setting in the environment": lambda: Hub.from_env(
        environ={"UNRELATED": SAID, "ANYREACH_API_KEY": CANARY, "ANYREACH_ORG_ID": f" {SAID}"}
    ),
    "an unknown provider": lambda: Hub.from_env(["tavus", "nobody"], environ={**ENVIRON, "NOBODY_API_KEY": CANARY}),
    "a proxy": lambda: Hub([Account("tavus", key=CANARY)], proxy=f"socks5://user:{SAID}@127.0.0.1"),
    "a proxy of an account": lambda: Account("tavus", key=CANARY, proxy=f"http://user:{SAID}@127.0.0.1/path"),
    "a proxy alone": lambda: Proxy(f"socks5://user:{SAID}@127.0.0.1"),
    "a proxy in the environment": lambda: proxies_in({**ENVIRON, "HTTPS_PROXY": f"ftp://user:{SAID}@127.0.0.1"}),
    "a profile": lambda: Hub.from_env(environ=ENVIRON, profile="slow"),  # type: ignore[arg-type]
    "two accounts have the same name": lambda: Hub(
        [Account("tavus", key=CANARY), Account("tavus", key=SAID)], proxy=f"http://user:{SAID}@127.0.0.1"
    ),
}


@pytest.mark.parametrize("make", _AT_ODDS.values(), ids=_AT_ODDS)
def test_what_is_wrong_with_an_account_shows_no_key_and_no_environment(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    check(caught.value)
    assert SAID not in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        f'[[account]]\nkey = "{CANARY}"',
        f'[[account]]\nprovider = "tavus"\nkey = ["{CANARY}"]',
        f'[[account]]\nprovider = "tavus"\nkey = "{CANARY} {SAID}"',
        f'[[account]]\nprovider = "tavus"\nkey_env = "{CANARY}"',
        f'[[account]]\nprovider = "tavus"\nkey_file = "{SAID}"',
        f'[[account]]\nprovider = "tavus"\nkey_env = "TAVUS_API_KEY"\nbase_url = "https://user:{SAID}@example.com"',
        f'[[account]]\nprovider = "bland"\nkey = "k"\nsettings = {{ encrypted_key = "{CANARY}\\n" }}',
        f'[[account]]\nprovider = "bland"\nkey = "k"\nsettings = {{ "{SAID}" = 5 }}',
        f'[[account]]\nprovider = "tavus"\nkey = "{CANARY}',
        f'key = "{CANARY}"',
        "# " + CANARY,
    ],
)
def test_what_is_wrong_with_a_file_shows_nothing_of_it_but_the_place(content: str, tmp_path: Path) -> None:
    path = tmp_path / "accounts.toml"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        Hub.from_file(path, environ=ENVIRON)
    check(caught.value)
    assert "accounts.toml" in str(caught.value)
    assert CANARY not in str(caught.value)


async def test_what_a_lane_raises_is_bare(fault: Fault) -> None:
    async with serving(answer({}, 401)) as server:
        lane = await fault.lane(server.url)
        error = await fault.failure(ask(lane))
    assert type(error) is AuthError
    assert error.__context__ is error.__cause__ is None
    assert {variable.partition(":")[0] for variable in shown(error)} == {"Lane.run"}
