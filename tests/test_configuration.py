"""Accounts from a file: what it may say, and what is said of each mistake, in which the key never shows."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from conversations_hub import Account, Hub
from conversations_hub.errors import ConfigurationError
from conversations_hub.hub.configuration import accounts_in_file
from conversations_hub.policy import PROFILES

from .clock import FakeClock

KEY = "tvk_0123456789abcdef"
ENVIRON = {"TAVUS_EU_KEY": KEY, "ORG": "org_1", "EMPTY": "", "BROKEN_KEY": f"{KEY}\n{KEY}"}


def _written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "accounts.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def _key_file(folder: Path, content: bytes = f"{KEY}\n".encode(), mode: int = 0o600) -> None:
    (folder / "keys").mkdir()
    (folder / "keys/tavus-eu").write_bytes(content)
    (folder / "keys/tavus-eu").chmod(mode)


def _refused(path: Path) -> str:
    """Return what is said of a file, and see that neither that nor what hangs on to it shows the key."""
    with pytest.raises(ConfigurationError) as caught:
        accounts_in_file(path, ENVIRON)
    error = caught.value
    assert (error.__cause__, error.__context__) == (None, None)
    for shown in (str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))):
        assert KEY not in shown
    assert str(error).startswith(str(path))
    return str(error).removeprefix(str(path))


def test_a_file_names_accounts(tmp_path: Path) -> None:
    _key_file(tmp_path)
    path = _written(
        tmp_path,
        f"""
        [[account]]
        provider = "tavus"
        name = "eu"
        key_env = "TAVUS_EU_KEY"
        base_url = "http://tavus.example.com/eu/"
        allow_insecure = true

        [[account]]
        provider = "tavus"
        key_file = "keys/tavus-eu"

        [[account]]
        provider = "anyreach"
        key = "{KEY}"
        settings = {{ org_id = "org_2" }}

        [[account]]
        provider = "anyreach"
        name = "other"
        key_env = "TAVUS_EU_KEY"
        settings = {{ org_id_env = "ORG" }}
        """,
    )
    accounts = accounts_in_file(path, ENVIRON)
    assert list(map(repr, accounts)) == [
        "Account(tavus/eu)",
        "Account(tavus/default)",
        "Account(anyreach/default)",
        "Account(anyreach/other)",
    ]
    assert [account.key.reveal() for account in accounts] == [KEY] * 4
    assert [account.settings for account in accounts] == [{}, {}, {"org_id": "org_2"}, {"org_id": "org_1"}]
    assert [account.base_url for account in accounts] == ["http://tavus.example.com/eu", None, None, None]


def test_a_file_without_a_key_in_it_may_be_read_by_all(tmp_path: Path) -> None:
    path = _written(tmp_path, '[[account]]\nprovider = "tavus"\nkey_env = "TAVUS_EU_KEY"', 0o644)
    assert [account.provider for account in accounts_in_file(path, ENVIRON)] == ["tavus"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_with_a_key_in_it_is_its_owners_alone(tmp_path: Path, mode: int) -> None:
    path = _written(tmp_path, f'[[account]]\nprovider = "tavus"\nkey = "{KEY}"', mode)
    assert f"chmod 600 {path}" in _refused(path)
    path.chmod(0o400)
    assert len(accounts_in_file(path, ENVIRON)) == 1


TAVUS = '[[account]]\nprovider = "tavus"\n'
NAMED = f"{TAVUS}key_env = 'TAVUS_EU_KEY'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": it names no account; each begins with [[account]]"),
        ("account = []", ": it names no account; each begins with [[account]]"),
        ("[account]\nprovider = 'tavus'", ": account must be a list, and is a table; each account begins with"),
        ("account = ['tavus']", ": account[0] must be a table, and is text in quotes"),
        (f"[[accounts]]\nkey = '{KEY}'", ": it has no field accounts; is account meant?"),
        (f"{TAVUS}key = {KEY}", ": it is no TOML: Invalid value (at line 3"),
        (f"{TAVUS}key = '{KEY}", ": it is no TOML: "),
        (f"{NAMED}key_env = '{KEY}'", ": it is no TOML: "),
        (f"[[account]]\nkey = '{KEY}'", ", account 1: provider is missing"),
        (f"{TAVUS}kei = '{KEY}'", ", account 1 (tavus): it has no field kei; is key meant?"),
        (f"{NAMED}colour = '{KEY}'", ", account 1 (tavus): it has no field colour; there is provider, name, key,"),
        (f"{TAVUS}key = 7", ", account 1 (tavus): key must be text in quotes"),
        (f"{TAVUS}key = ''", ", account 1 (tavus): the key is empty"),
        (f"{TAVUS}key = '{KEY} {KEY}'", ", account 1 (tavus): the key holds a blank, a line break"),
        (f"{TAVUS}name = 1\nkey = '{KEY}'", ", account 1 (tavus): name must be text in quotes, and is a number"),
        (f"{NAMED}allow_insecure = 'yes'", ", account 1 (tavus): allow_insecure must be true or false, and is text"),
        (f"{NAMED}settings = 'eu'", ", account 1 (tavus): settings must be a table, and is text in quotes"),
        (f"{NAMED}settings = {{ a = 1 }}", ", account 1 (tavus): settings must be text in quotes, and is a number"),
        (f"{NAMED}settings = {{ a = 'b' }}", ", account 1 (tavus): tavus takes no setting a; it takes none"),
        (TAVUS, ", account 1 (tavus): it has no key: give key_env, key_file or key"),
        (f"{NAMED}key = '{KEY}'", ", account 1 (tavus): it has both key_env and key: give only one"),
        (
            f"{TAVUS}key_env = 'TAVUS_US_KEY'",
            ", account 1 (tavus): the variable TAVUS_US_KEY is not set: set it (key_env)",
        ),
        (f"{TAVUS}key_env = 'EMPTY'", ", account 1 (tavus): the variable that key_env names is empty: set it"),
        (f"{TAVUS}key_env = '{KEY}'", ", account 1 (tavus): the variable that key_env names is not set: set it"),
        (f"{TAVUS}key_env = 'BROKEN_KEY'", ", account 1 (tavus): the key in the variable that key_env names holds"),
        (f"{TAVUS}key_file = '{KEY}'", ", account 1 (tavus): the file that key_file names cannot be read: No such"),
        (f"{TAVUS}key_file = '.'", ", account 1 (tavus): the file that key_file names cannot be read: Is a directory"),
        (f"{TAVUS}key_file = '\\u0000'".replace("'", '"'), ", account 1 (tavus): the file that key_file names cannot"),
        (f"{NAMED}name = 'e u'", ", account 1 (tavus): an account's name is 1 to 64 letters"),
        (f"{NAMED}base_url = 'http://example.com'", ", account 1 (tavus): the base URL is plain http"),
        (f"{NAMED}base_url = 'https://k:{KEY}@example.com'", ", account 1 (tavus): the base URL must not hold a user"),
        (f"{NAMED}{NAMED}", ", account 2 (tavus): it has the name of account 1: give each its own"),
        (f"{NAMED}[[account]]\nprovider = 'tavsu'\nkey = '{KEY}'", ", account 2 (tavsu): unknown provider 'tavsu'"),
        ("[[account]]\nprovider = '?'\nkey_env = 'A_B'", ", account 1: the variable A_B is not set"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    told = _refused(_written(tmp_path, text))
    assert told.startswith(said)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("org = 'o'", "anyreach takes no setting org; it takes "),
        ("org_id_env = 'NO_SUCH'", "the variable NO_SUCH is not set: set it (settings.org_id_env)"),
        ("org_id = 'o', org_id_env = 'ORG'", "settings has both org_id and org_id_env: give only one"),
        ("org_id = 'o\\n'", "the org_id of anyreach/default holds a blank, a line break"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(tmp_path: Path, settings: str, said: str) -> None:
    settings = settings.replace("'", '"')
    path = _written(tmp_path, f'[[account]]\nprovider = "anyreach"\nkey = "{KEY}"\nsettings = {{ {settings} }}')
    assert _refused(path).startswith(f", account 1 (anyreach): {said}")


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (KEY.encode(), 0o640, "others may read the key in "),
        (b"  \n", 0o600, "the key in the file that key_file names is empty"),
        (f"{KEY}\n{KEY}".encode(), 0o600, "the key in the file that key_file names holds a blank"),
        (KEY.encode() + b"\xff", 0o600, "the key in the file that key_file names holds a blank"),
        (bytes(2**20 + 1), 0o600, "the file that key_file names cannot be read: it is too large"),
    ],
)
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes, mode: int, said: str) -> None:
    _key_file(tmp_path, content, mode)
    path = _written(tmp_path, f"{TAVUS}key_file = 'keys/tavus-eu'")
    assert _refused(path).startswith(f", account 1 (tavus): {said}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert _refused(tmp_path / "none.toml") == " cannot be read: No such file or directory"
    path = tmp_path / "latin.toml"
    path.write_bytes(b'[[account]]\nname = "caf\xe9"')
    assert _refused(path) == ": it is no UTF-8 text"


def test_a_key_shows_nowhere(tmp_path: Path) -> None:
    path = _written(tmp_path, f"{TAVUS}key = '{KEY}'")
    [account] = accounts_in_file(path, {})
    assert isinstance(account, Account)
    assert KEY not in repr((account, account.key, account.settings))


async def test_a_hub_is_made_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path, f"{NAMED}name = 'eu'\n{NAMED}")
    async with Hub.from_file(str(path), environ=ENVIRON, profile=PROFILES["bulk"], clock=FakeClock().clock) as hub:
        assert hub.accounts() == ("tavus/eu", "tavus/default")
    with pytest.raises(ConfigurationError, match="TAVUS_EU_KEY is not set"):
        Hub.from_file(path, environ={})
    monkeypatch.setenv("TAVUS_EU_KEY", KEY)
    assert repr(Hub.from_file(path)) == "<Hub: tavus/eu, tavus/default>"
