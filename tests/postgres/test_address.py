"""Where a Postgres store is: encrypted unless it is here, and no password is ever shown."""

from __future__ import annotations

import copy
import traceback

import click
import pytest

from conversations_hub._cli.parameters import store_url
from conversations_hub.errors import ConfigurationError, StoreError
from conversations_hub.stores import open_store
from conversations_hub.stores._url import StoreURL
from conversations_hub.stores.postgres import PostgresStore
from conversations_hub.stores.postgres._address import Address

HUSH = "hush%40hush"
LOCAL = [
    "postgresql:///calls",
    "postgresql:///calls?host=/run/postgresql",
    "postgresql://localhost:5433/calls",
    "postgresql://127.0.0.2/calls",
    "postgresql://[::1]:5432/calls",
    "postgresql://%2Frun%2Fpostgresql/calls",
]
REMOTE = [
    "postgresql://db.example.com/calls",
    "postgresql://10.0.0.7/calls",
    "postgresql://localhost.example.com/calls",
    "postgresql://127.0.0.1,db.example.com/calls",
    "postgresql://[2001:db8::1]:5432/calls",
    "postgresql:///calls?host=db.example.com",
    "postgresql:///calls?service=prod",
]


def told_by(error: Exception) -> list[str]:
    """Return all that an error shows, with the variables of each frame but those of the test."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    return [text for text in frames if __file__ not in text]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGSERVICE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("url", LOCAL)
def test_a_server_of_this_machine_need_not_encrypt(url: str) -> None:
    assert Address(url).sslmode == "prefer"


@pytest.mark.parametrize("url", REMOTE)
def test_another_machine_must_encrypt(url: str) -> None:
    more = "&" if "?" in url else "?"
    assert Address(url).sslmode == "require"
    for weak in ("prefer", "allow"):  # they would go on in the clear
        assert Address(f"{url}{more}sslmode={weak}").sslmode == "require"
    for plain in ("disable", "verify-full"):
        assert Address(f"{url}{more}sslmode={plain}").sslmode == plain


def test_variables_count_as_in_other_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert Address("postgresql:///calls").sslmode == "require"
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert Address("postgresql://localhost/calls").sslmode == "verify-full"
    monkeypatch.setenv("PGHOST", "")
    monkeypatch.delenv("PGSSLMODE")
    monkeypatch.setenv("PGSERVICE", "prod")
    assert Address("postgresql:///calls").sslmode == "require"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://hub:{HUSH}@127.0.0.1:1/calls",
        f"postgresql://hub@127.0.0.1:1/calls?password={HUSH}",
        f"postgresql://hub@127.0.0.1:1/calls?sslpassword={HUSH}",
    ],
)
async def test_no_text_holds_the_password(url: str) -> None:
    address, store, parsed = Address(url), PostgresStore(url), StoreURL.parse(url)
    shown = [str(one) + repr(one) for one in (address, store, parsed, copy.copy(address))]
    with pytest.raises(StoreError) as refused:  # nobody listens on this port
        store.exists()
    with pytest.raises(click.BadParameter, match="other users of this machine could read the password") as bad:
        store_url(url)
    for text in (*shown, *told_by(refused.value), bad.value.message):
        assert "hush" not in text
    assert str(parsed) == str(store) == "postgresql://hub@127.0.0.1:1/calls"
    assert "hush" in address.options()["dsn"]


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://hub:{HUSH}@x@127.0.0.1/calls",
        f"postgresql://hub:{HUSH} @127.0.0.1/calls",
        f"postgresql://hub:{HUSH}@[::1/calls",
        f"postgresql://hub:{HUSH}@h/calls#x",
        f"postgresql://hub:{HUSH}@h/calls?x",
        f"postgresql://hub:{HUSH}@h/calls?schema=a;b",
    ],
)
def test_a_wrong_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        open_store(url)
    assert not any("hush" in text for text in told_by(wrong.value))


def test_the_schema_is_ours_and_everything_else_libpqs() -> None:
    address = Address("postgresql://hub@h/calls?schema=support&connect_timeout=3")
    assert (address.schema, str(address)) == ("support", "postgresql://hub@h/calls?schema=support")
    assert address.options()["dsn"] == "postgresql://hub@h/calls?connect_timeout=3"
    assert address.options()["server_settings"]["search_path"] == "support"
