"""Adapters that a caller passes are used by its hub, and only there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub.adapters.tavus import ADAPTER as TAVUS
from conversations_hub.errors import ConfigurationError, UnknownAccountError, WebhookError
from conversations_hub.webhooks import verify
from conversations_hub.wire import Flow


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Return a conversation without asking for it."""
    return Conversation(provider="acme", id=id)
    yield


ACME = msgspec.structs.replace(TAVUS, name="acme", get=get, settings=("region",))


async def test_it_takes_part_in_its_hub_and_nowhere_else() -> None:
    async with Hub([Account("acme", key="k")], adapters={"acme": ACME}) as hub:
        assert (await hub.get("acme:c1")).ref == "acme:c1"
        assert hub.adapter("acme").name == "acme"
        assert hub.adapter("tavus") is TAVUS
    with pytest.raises(UnknownAccountError, match="unknown provider 'acme'"):
        Hub([Account("acme", key="k")])


async def test_it_comes_before_the_built_in_one() -> None:
    own = msgspec.structs.replace(TAVUS, get=get)
    async with Hub([Account("tavus", key="k")], adapters={"tavus": own}) as hub:
        assert (await hub.get("tavus:c1")).id == "c1"


async def test_its_accounts_come_from_the_environment_and_from_a_file(tmp_path: Path) -> None:
    environ = {"ACME_API_KEY": "k", "ACME_REGION": "eu", "TAVUS_API_KEY": "k"}
    async with Hub.from_env(environ=environ, adapters={"acme": ACME}) as hub:
        assert hub.providers == {"acme", "tavus"}
        assert hub.lanes("acme")[0].account.settings["region"].reveal() == "eu"
    file = tmp_path / "accounts.toml"
    file.write_text('[[account]]\nprovider = "acme"\nkey_env = "ACME_API_KEY"\nsettings = { region = "us" }\n')
    async with Hub.from_file(file, environ=environ, adapters={"acme": ACME}) as hub:
        assert hub.lanes("acme")[0].account.settings["region"].reveal() == "us"
    with pytest.raises(ConfigurationError, match="acme"):
        Hub.from_file(file, environ=environ)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (TAVUS, "holds no adapter named 'acme'"),
        ("tavus", "holds no adapter named 'acme'"),
        (msgspec.structs.replace(ACME, base_url="http://acme.example"), "base URL"),
    ],
)
def test_what_is_no_adapter_of_that_name_is_refused(held: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        Hub(adapters={"acme": held})
    assert caught.value.reason.startswith("adapters[")


def test_its_webhooks_are_verified() -> None:
    signed = msgspec.structs.replace(ACME, webhook=TAVUS.webhook)
    with pytest.raises(WebhookError) as caught:
        verify(signed, b"not JSON", {}, None, datetime.now(UTC), insecure_accept_unsigned=True)
    assert caught.value.provider == "acme"
