"""Proxies: which URL goes through which, a name that only the proxy knows, and no password anywhere."""

from __future__ import annotations

import asyncio
import socket
import traceback
from pathlib import Path
from typing import Any

import pytest

from conversations_hub import Account, Hub
from conversations_hub._proxy import Proxy, ProxyChoice, route
from conversations_hub.errors import ConfigurationError, TransportError
from conversations_hub.hub import proxies_in
from conversations_hub.schema import Recording, RecordingAccess

from .support.clock import FakeClock
from .support.proxy import CERTIFICATES, NAME, PASSWORD, proxying, seen
from .support.public_hosts import keeping, media
from .support.server import answer, serving
from .support.tavus_server import details


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text(f"# Főtanúsítvány\n{CERTIFICATES.cert_pem.bytes().decode()}", encoding="utf-8")
    return path


def asking(
    proxy: str | None, *, of_hub: ProxyChoice | None = None, base_url: str = f"https://{NAME}", **more: Any
) -> Hub:
    account = Account("tavus", key="key", base_url=base_url, proxy=proxy, **more)
    return Hub([account], proxy=of_hub, clock=FakeClock().clock)


def with_password(proxy: str) -> str:
    return proxy.replace("http://", f"http://ada:{PASSWORD}@")


# a name that only the proxy knows


async def test_an_account_is_reached_by_a_name_that_only_the_proxy_knows(ca_file: Path) -> None:
    async with proxying(answer(details(1))) as server, asking(with_password(server.url), ca_file=ca_file) as hub:
        assert (await hub.get("tavus:c1")).id == "c1"
        assert PASSWORD not in repr((hub, hub.lanes(), vars(hub.lanes()[0])))
    assert seen(server) == [("CONNECT", f"{NAME}:443"), ("GET", "/v2/conversations/c1")]
    tunnel, inside = server.asked
    assert tunnel.headers["proxy-authorization"] == "Basic YWRhOmEtd29yZC1ub2JvZHktc2Vlcw=="
    assert "proxy-authorization" not in inside.headers


async def test_plain_http_goes_through_a_proxy_as_well() -> None:
    async with proxying(answer(details(1))) as server:
        proxy = with_password(server.url)
        async with asking(proxy, base_url=f"http://{NAME}/t", allow_insecure=True) as hub:
            assert (await hub.get("tavus:c1")).id == "c1"
    assert seen(server) == [("GET", f"http://{NAME}/t/v2/conversations/c1")]
    assert server.asked[0].headers["proxy-authorization"].startswith("Basic ")


async def test_certificates_of_ones_own_are_trusted_where_they_are_named(ca_file: Path) -> None:
    async with proxying(answer(details(1))) as server:
        async with asking(server.url) as hub:
            with pytest.raises(TransportError, match=f"no trusted connection to {NAME}"):
                await hub.get("tavus:c1")
        async with asking(server.url, ca_file=ca_file) as hub:
            assert (await hub.get("tavus:c1")).id == "c1"


# what goes wrong at a proxy is said of the proxy


@pytest.mark.parametrize(
    ("status", "said", "attempts"),
    [
        (
            407,
            "requires a user name and password, or others: write them as http://name:password@host:port (HTTP 407)",
            1,
        ),
        (403, f"did not connect to {NAME} (HTTP 403)", 1),
        (502, f"did not connect to {NAME} (HTTP 502)", 3),
    ],
)
async def test_what_a_proxy_refuses_is_said_of_the_proxy(status: int, said: str, attempts: int) -> None:
    async with proxying(tunnels=answer(b"no", status)) as server, asking(with_password(server.url)) as hub:
        with pytest.raises(TransportError) as caught:
            await hub.get("tavus:c1")
    assert caught.value.reason == f"the proxy {server.url.removeprefix('http://')} {said}"
    assert caught.value.attempts == len(server.asked) == attempts
    assert PASSWORD not in "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))


async def test_a_proxy_that_wants_a_password_is_told_from_a_provider_without_a_tunnel_too() -> None:
    async with (
        proxying(answer(b"", 407)) as server,
        asking(server.url, base_url=f"http://{NAME}", allow_insecure=True) as hub,
    ):
        with pytest.raises(TransportError, match="requires a user name and password"):
            await hub.get("tavus:c1")


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://127.0.0.1:1", "no connection to the proxy 127.0.0.1:1: connection refused"),
        ("proxy.invalid:3128", "the name proxy.invalid could not be resolved"),
    ],
)
async def test_a_proxy_that_is_not_there_is_named(proxy: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody_knows(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody_knows)
    async with asking(proxy) as hub:
        with pytest.raises(TransportError) as caught:
            await hub.get("tavus:c1")
    assert caught.value.reason == said


# which URL goes through which


async def test_an_account_may_have_a_proxy_of_its_own_or_none() -> None:
    async with proxying(answer(details(1))) as mine, proxying(answer(details(1))) as everybodys:
        async with asking(mine.url, of_hub=everybodys.url, base_url=f"http://{NAME}", allow_insecure=True) as hub:
            await hub.get("tavus:c1")
        async with asking(None, of_hub=everybodys.url, base_url=f"http://{NAME}", allow_insecure=True) as hub:
            await hub.get("tavus:c1")
        async with asking("", of_hub="http://127.0.0.1:1", base_url=mine.url) as hub:
            await hub.get("tavus:c1")
    assert [target for _, target in seen(mine)] == [f"http://{NAME}/v2/conversations/c1", "/v2/conversations/c1"]
    assert len(everybodys.asked) == 1


async def test_a_recording_goes_through_the_proxy_of_its_own_place(tmp_path: Path, ca_file: Path) -> None:
    recording = Recording(location="https://media.example.com/a.wav", access=RecordingAccess.SIGNED_URL, ref="tavus:c1")
    async with proxying(media()) as server, serving(answer(details(1))) as provider:
        proxies = proxies_in({"https_proxy": with_password(server.url), "no_proxy": "127.0.0.1"})
        with keeping("tavus", "media.example.com"):
            hub = asking(None, of_hub=proxies, base_url=provider.url, ca_file=ca_file)
        async with hub:
            await hub.get("tavus:c1")
            await hub.download(recording, tmp_path / "a.wav")
    assert seen(provider) == [("GET", "/v2/conversations/c1")]
    assert seen(server) == [("CONNECT", "media.example.com:443"), ("GET", "/a.wav")]


A, B = "http://a.example:1", "http://b.example:2"


@pytest.mark.parametrize(
    ("environ", "url", "name"),
    [
        ({}, "https://api.example.com", None),
        ({"HTTPS_PROXY": A}, "https://api.example.com", "a.example:1"),
        ({"HTTPS_PROXY": A}, "http://api.example.com", None),
        ({"HTTP_PROXY": A}, "http://api.example.com/v1", "a.example:1"),
        ({"HTTP_PROXY": A, "REQUEST_METHOD": "GET"}, "http://api.example.com", None),
        ({"http_proxy": A, "REQUEST_METHOD": "GET"}, "http://api.example.com", "a.example:1"),
        ({"HTTPS_PROXY": A, "https_proxy": B}, "https://api.example.com", "b.example:2"),
        ({"HTTPS_PROXY": A, "https_proxy": ""}, "https://api.example.com", None),
        ({"ALL_PROXY": A}, "https://api.example.com", "a.example:1"),
        ({"ALL_PROXY": A, "HTTPS_PROXY": B}, "https://api.example.com", "b.example:2"),
        ({"HTTPS_PROXY": A, "NO_PROXY": "example.com"}, "https://api.example.com", None),
        ({"HTTPS_PROXY": A, "NO_PROXY": "ample.com"}, "https://api.example.com", "a.example:1"),
        ({"HTTPS_PROXY": A, "no_proxy": "api.example.com:8443"}, "https://api.example.com:8443", None),
        ({"HTTPS_PROXY": A, "no_proxy": "example.com:443"}, "https://api.example.com", None),
        ({"HTTPS_PROXY": A, "no_proxy": "example.com:80"}, "https://api.example.com", "a.example:1"),
        ({"HTTPS_PROXY": A, "NO_PROXY": "localhost, .Example.com"}, "https://example.com/v1", None),
        ({"HTTPS_PROXY": A, "NO_PROXY": "127.0.0.1,::1"}, "https://[::1]:8443/v1", None),
        ({"HTTPS_PROXY": A, "NO_PROXY": "*"}, "https://api.example.com", None),
    ],
)
def test_the_environment_says_which_proxy(environ: dict[str, str], url: str, name: str | None) -> None:
    proxy = proxies_in(environ)(url)
    assert (proxy and proxy.name) == name


# what cannot be right, and what is never shown


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://proxy.example:3128", "proxy.example:3128"),
        ("https://proxy.example", "proxy.example:443"),
        ("proxy.example:8080/", "proxy.example:8080"),
        (f"ada:{PASSWORD}@proxy.example", "proxy.example:80"),
        ("http://[::1]:3128", "[::1]:3128"),
    ],
)
def test_a_proxy_is_where_it_says(url: str, name: str) -> None:
    proxy = Proxy(url)
    assert (proxy.name, repr(proxy)) == (name, f"Proxy({name})")


@pytest.mark.parametrize(
    "url",
    [
        f"socks5://ada:{PASSWORD}@proxy.example:1080",
        f"http://ada:{PASSWORD}@",
        f"http://ada:{PASSWORD}@proxy.example:port",
        f"http://ada:{PASSWORD}@proxy.example:99999",
        f"http://ada:/{PASSWORD}@proxy.example",
        f"http://ada:#{PASSWORD}@proxy.example",
        f"http://ada:{PASSWORD}@proxy.example/path",
        f"http://ada:{PASSWORD} @proxy.example",
        f"{PASSWORD}://proxy.example",
        "http://",
    ],
)
def test_what_is_no_proxy_is_refused_and_not_repeated(url: str) -> None:
    for made in (lambda: Proxy(url), lambda: route(url), lambda: proxies_in({"HTTPS_PROXY": url})):
        with pytest.raises(ConfigurationError) as caught:
            made()
        assert "proxy" in caught.value.reason
        assert PASSWORD not in str(caught.value) + "".join(traceback.format_exception(caught.value))
    assert caught.value.reason.startswith("HTTPS_PROXY: the proxy")


def test_an_error_of_the_hub_holds_no_password_of_a_proxy() -> None:
    twice = [Account("tavus", key="key"), Account("tavus", key="key")]
    with pytest.raises(ConfigurationError) as caught:
        Hub(twice, proxy=f"http://ada:{PASSWORD}@proxy.example:3128")
    frame = caught.tb.tb_next
    assert frame is not None
    assert PASSWORD not in repr(frame.tb_frame.f_locals)
