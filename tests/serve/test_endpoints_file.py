"""Endpoints stand in the file of accounts, and their secrets do not."""

from __future__ import annotations

from hmac import digest
from pathlib import Path

import pytest

from conversations_hub import Hub
from conversations_hub.errors import ConfigurationError
from conversations_hub.serve import Delivery, Receiver, endpoints_from_file

from ..support.accounts_file import accounts_file
from ..support.clock import NOW, at
from ..support.deliveries import ACME, SECRET
from ..support.receiving import TOKEN, pieces

ENVIRON = {"NEW_SECRET": SECRET, "OLD_SECRET": "the-secret-until-yesterday", "TAVUS_TOKEN": TOKEN, "SHORT_ONE": "short"}

BODY = b'{"message": {"type": "status-update", "status": "ended", "call": {"id": "c1"}}}'
STAMP = str(int(NOW.timestamp() * 1000))
SIGNED = STAMP.encode() + b"." + BODY


async def test_endpoints_are_read_and_the_accounts_beside_them(tmp_path: Path) -> None:
    path = accounts_file(
        tmp_path,
        """
        [[account]]
        provider = "tavus"
        key_env = "NEW_SECRET"

        [[webhook]]
        provider = "acme"
        account = "eu"
        secrets_env = ["NEW_SECRET", "OLD_SECRET"]
        tolerance = 60
        largest = 1000

        [[webhook]]
        provider = "tavus"
        path = "video"
        token_env = "TAVUS_TOKEN"
        """,
    )
    endpoints = endpoints_from_file(path, environ=ENVIRON, adapters={"acme": ACME})
    acme, video = endpoints["acme-eu"], endpoints["video"]
    assert (acme.account, len(acme.secrets), acme.tolerance, acme.largest) == ("eu", 2, 60, 1000)
    assert (video.provider, video.account, video.admits([TOKEN]), video.admits([])) == ("tavus", "default", True, False)
    assert Receiver(endpoints, print).endpoints.keys() == {"acme-eu", "video"}  # type: ignore[arg-type]
    async with Hub.from_file(path, environ=ENVIRON) as hub:
        assert hub.accounts() == ("tavus/default",)


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        ("", {"X-Vapi-Secret": SECRET}),
        ("bearer", {"Authorization": f"Bearer {SECRET}"}),
        ("hmac", {"X-Timestamp": STAMP, "X-Signature": digest(SECRET.encode(), SIGNED, "sha256").hex()}),
    ],
)
async def test_an_endpoint_names_the_way_its_provider_signs(
    scheme: str, headers: dict[str, str], tmp_path: Path
) -> None:
    named = f'scheme = "{scheme}"' if scheme else ""
    path = accounts_file(tmp_path, f'[[webhook]]\nprovider = "vapi"\nsecrets_env = ["NEW_SECRET"]\n{named}\n')
    receiver = Receiver(endpoints_from_file(path, environ=ENVIRON), _kept, clock=at(NOW))
    assert (await receiver.answer("POST", "/vapi", headers, pieces(BODY))).status == 200
    wrong = {name: value[:-1] + "0" for name, value in headers.items() if name != "X-Timestamp"}
    assert (await receiver.answer("POST", "/vapi", headers | wrong, pieces(BODY))).status == 401


async def _kept(_delivery: Delivery) -> None: ...


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('provider = "vapi"\nsecrets_env = ["NEW_SECRET"]\nscheme = "no"', "choose from bearer, hmac, or leave it out"),
        ('provider = "retell"\nsecrets_env = ["NEW_SECRET"]\nscheme = "no"', "unknown scheme 'no': leave scheme out"),
        ('provider = "tavus"', "webhook tavus: an endpoint without a secret believes anyone"),
        ('provider = "retell"\nsecrets_env = ["SHORT_ONE"]', "webhook retell: the webhook secret is invalid"),
        ('provider = "retell"\nsecrets_env = ["NOT_THERE"]', "webhook 1: the variable NOT_THERE is not set"),
        ('provider = "retell"\nsecret = "x"', "webhook 1: unknown field secret; is secrets_env meant?"),
        ("account = 1", "webhook 1"),
        (
            'provider = "tavus"\ntoken_env = "TAVUS_TOKEN"\n[[webhook]]\nprovider = "tavus"\ntoken_env = "TAVUS_TOKEN"',
            "two webhooks have the same path",
        ),
    ],
)
def test_a_mistake_is_named_and_shows_no_secret(text: str, said: str, tmp_path: Path) -> None:
    path = accounts_file(tmp_path, f"[[webhook]]\n{text}\n")
    with pytest.raises(ConfigurationError, match=said) as caught:
        endpoints_from_file(path, environ=ENVIRON)
    assert str(path) in str(caught.value)
    assert not [secret for secret in ENVIRON.values() if secret in str(caught.value).replace("secret", "")]
    with pytest.raises(ConfigurationError, match="it has no account"):
        Hub.from_file(path, environ=ENVIRON)
