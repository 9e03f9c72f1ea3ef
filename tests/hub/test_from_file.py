"""Accounts from a file: what it may say, and what is said of each mistake, in which the key never shows."""

from __future__ import annotations

import os
import re
import stat
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from ssl import create_default_context
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from yarl import URL

from conversations_hub import Account, Hub
from conversations_hub._files.trusted import read_trusted
from conversations_hub.errors import ConfigurationError, PartialError
from conversations_hub.hub import proxies_in
from conversations_hub.hub._from_file import configured
from conversations_hub.hub._unusable import Unusable
from conversations_hub.policy import PROFILES
from conversations_hub.schema import Recording, RecordingAccess
from conversations_hub.testing import Simulator

from ..support.clock import FakeClock
from ..support.iterators import until_it_fails

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


def _accounts(path: Path, environ: Mapping[str, str] = ENVIRON) -> list[Account]:
    found = configured(path, environ).accounts
    assert all(isinstance(account, Account) for account in found)
    return [account for account in found if isinstance(account, Account)]


def _refused(path: Path) -> str:
    """Return what is said of a file, and see that neither that nor what hangs on to it shows the key."""
    try:
        [error] = [account.error for account in configured(path, ENVIRON).accounts if isinstance(account, Unusable)]
    except ConfigurationError as caught:
        error = caught
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
    accounts = _accounts(path)
    assert list(map(repr, accounts)) == [
        "Account(tavus/eu)",
        "Account(tavus/default)",
        "Account(anyreach/default)",
        "Account(anyreach/other)",
    ]
    assert [account.key.reveal() for account in accounts] == [KEY] * 4
    settings = [{name: value.reveal() for name, value in account.settings.items()} for account in accounts]
    assert settings == [{}, {}, {"org_id": "org_2"}, {"org_id": "org_1"}]
    assert [account.base_url for account in accounts] == ["http://tavus.example.com/eu", None, None, None]


def test_a_file_without_a_key_in_it_may_be_read_by_all(tmp_path: Path) -> None:
    path = _written(tmp_path, '[[account]]\nprovider = "tavus"\nkey_env = "TAVUS_EU_KEY"', 0o644)
    assert [account.provider for account in _accounts(path)] == ["tavus"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_with_a_key_in_it_is_its_owners_alone(tmp_path: Path, mode: int) -> None:
    path = _written(tmp_path, f'[[account]]\nprovider = "tavus"\nkey = "{KEY}"', mode)
    assert f"chmod 600 {path}" in _refused(path)
    path.chmod(0o400)
    assert len(_accounts(path)) == 1


TAVUS = '[[account]]\nprovider = "tavus"\n'
NAMED = f"{TAVUS}key_env = 'TAVUS_EU_KEY'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ": it has no account; each begins with [[account]]"),
        ("account = []", ": it has no account; each begins with [[account]]"),
        ("[account]\nprovider = 'tavus'", ": account must be a list, not a table; each account begins with"),
        ("account = ['tavus']", ": account[0] must be a table, not text in quotes"),
        (f"[[accounts]]\nkey = '{KEY}'", ": unknown field accounts; is account meant?"),
        (f"{TAVUS}key = {KEY}", ": it is not TOML: Invalid value (at line 3"),
        (f"{TAVUS}key = '{KEY}", ": it is not TOML: "),
        (f"{NAMED}key_env = '{KEY}'", ": it is not TOML: "),
        (f"[[account]]\nkey = '{KEY}'", ", account 1: provider is missing"),
        (f"{TAVUS}kei = '{KEY}'", ", account 1 (tavus): unknown field kei; is key meant?"),
        (f"{NAMED}colour = '{KEY}'", ", account 1 (tavus): unknown field colour; use provider, name, key,"),
        (f"{TAVUS}key = 7", ", account 1 (tavus): key must be text in quotes"),
        (f"{TAVUS}key = ''", ", account 1 (tavus): the key is empty"),
        (f"{TAVUS}key = '{KEY} {KEY}'", ", account 1 (tavus): the key contains a space, a line break"),
        (f"{TAVUS}name = 1\nkey = '{KEY}'", ", account 1 (tavus): name must be text in quotes, not a number"),
        (f"{NAMED}allow_insecure = 'yes'", ", account 1 (tavus): allow_insecure must be true or false, not text"),
        (f"{NAMED}settings = 'eu'", ", account 1 (tavus): settings must be a table, not text in quotes"),
        (f"{NAMED}settings = {{ a = 1 }}", ", account 1 (tavus): settings must be text in quotes, not a number"),
        (f"{NAMED}settings = {{ a = 'b' }}", ", account 1 (tavus): tavus takes no setting a; it takes none"),
        (TAVUS, ", account 1 (tavus): it has no key: give key_env, key_file or key"),
        (f"{NAMED}key = '{KEY}'", ", account 1 (tavus): it has both key_env and key: give only one"),
        (
            f"{TAVUS}key_env = 'TAVUS_US_KEY'",
            ", account 1 (tavus): the variable TAVUS_US_KEY is not set: set it (key_env)",
        ),
        (f"{TAVUS}key_env = 'EMPTY'", ", account 1 (tavus): the variable that key_env names is empty: set it"),
        (f"{TAVUS}key_env = '{KEY}'", ", account 1 (tavus): the variable that key_env names is not set: set it"),
        (f"{TAVUS}key_env = 'BROKEN_KEY'", ", account 1 (tavus): the key in the variable that key_env names contains"),
        (f"{TAVUS}key_file = '{KEY}'", ", account 1 (tavus): the file that key_file names cannot be read: No such"),
        (f"{TAVUS}key_file = '.'", ", account 1 (tavus): the file that key_file names cannot be read: Is a directory"),
        (f"{TAVUS}key_file = '\\u0000'".replace("'", '"'), ", account 1 (tavus): the file that key_file names cannot"),
        (f"{NAMED}name = 'e u'", ", account 1 (tavus): an account's name must be 1 to 64 letters"),
        (f"{NAMED}base_url = 'http://example.com'", ", account 1 (tavus): the base URL is plain http"),
        (
            f"{NAMED}base_url = 'https://k:{KEY}@example.com'",
            ", account 1 (tavus): the base URL must not contain a user",
        ),
        (f"{NAMED}{NAMED}", ", account 2 (tavus): it has the same name as account 1: give each its own"),
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
        ("org_id = 'o\\n'", "the org_id of anyreach/default contains a space, a line break"),
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
        (f"{KEY}\n{KEY}".encode(), 0o600, "the key in the file that key_file names contains a space"),
        (KEY.encode() + b"\xff", 0o600, "the key in the file that key_file names contains a space"),
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
    assert _refused(path) == ": it is not UTF-8 text"


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5000,
        "x = " + "9" * 5000,
        f"{TAVUS}key = " + "{a = " * 5000,
    ],
)
def test_toml_that_nobody_means_is_refused(tmp_path: Path, text: str) -> None:
    assert _refused(_written(tmp_path, text)).startswith(": it is not TOML")  # newer parsers have words for it


@pytest.mark.parametrize("value", ["99999999999999999999999", "1979-05-27T07:32:00Z", "07:32:00", "inf", "[[1]]"])
def test_a_value_of_another_kind_is_named_by_its_kind(tmp_path: Path, value: str) -> None:
    for field in ("key", "name", "proxy", "ca_file"):
        said = _refused(_written(tmp_path, f"{TAVUS}{field} = {value}"))
        assert said.startswith(f", account 1 (tavus): {field} must be text in quotes, not a")
        assert value not in said


# who else may read and write it


class _Elsewhere:
    """The functions of the system, which tell of files that belong to others, or lie where nothing can be written."""

    def __init__(self, *, owner: int, us: int, mode: int = 0o600, is_read_only: bool = False) -> None:
        self._owner, self._us, self._mode, self._is_read_only = owner, us, mode, is_read_only

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fstat(self, descriptor: int) -> Any:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        return SimpleNamespace(st_uid=self._owner, st_mode=kind | self._mode)

    def geteuid(self) -> int:
        return self._us

    def fstatvfs(self, _descriptor: int) -> Any:
        return SimpleNamespace(f_flag=os.ST_RDONLY if self._is_read_only else 0)


US, THEM, ROOT = 1000, 1001, 0


@pytest.mark.parametrize(
    ("system", "said"),
    [
        (_Elsewhere(owner=US, us=US, mode=0o644), None),
        (_Elsewhere(owner=ROOT, us=US, mode=0o644), None),
        (_Elsewhere(owner=THEM, us=US, mode=0o644), " belongs to another user"),
        (_Elsewhere(owner=THEM, us=ROOT, mode=0o600), " belongs to another user"),
        (_Elsewhere(owner=US, us=US, mode=0o664), " may be written by others"),
        (_Elsewhere(owner=ROOT, us=US, mode=0o646), " may be written by others"),
        (_Elsewhere(owner=THEM, us=ROOT, mode=0o666, is_read_only=True), None),
    ],
)
def test_a_file_that_others_could_write_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: _Elsewhere, said: str | None
) -> None:
    path = _written(tmp_path, NAMED)
    monkeypatch.setattr("conversations_hub._files.trusted.os", system)
    if said is None:
        assert len(_accounts(path)) == 1
    else:
        assert _refused(path).startswith(said)


@pytest.mark.parametrize(
    ("system", "is_taken"),
    [
        (_Elsewhere(owner=ROOT, us=US, mode=0o440), True),  # Kubernetes, with fsGroup
        (_Elsewhere(owner=ROOT, us=ROOT, mode=0o440, is_read_only=True), True),  # the same, run as root
        (_Elsewhere(owner=ROOT, us=US, mode=0o640), True),
        (_Elsewhere(owner=ROOT, us=ROOT, mode=0o640), False),  # ours, and so is the slip
        (_Elsewhere(owner=US, us=US, mode=0o440), False),
        (_Elsewhere(owner=ROOT, us=US, mode=0o444, is_read_only=True), False),
        (_Elsewhere(owner=ROOT, us=US, mode=0o644, is_read_only=True), False),
        (_Elsewhere(owner=ROOT, us=US, mode=0o460), False),
    ],
)
def test_a_group_may_read_a_key_where_it_was_mounted_for_that_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: _Elsewhere, *, is_taken: bool
) -> None:
    _key_file(tmp_path)
    monkeypatch.setattr("conversations_hub._files.trusted.os", system)
    for path in (tmp_path / "keys/tavus-eu", _written(tmp_path, "")):
        path.write_text(f"{TAVUS}key = '{KEY}'")
        file = None
        with suppress(ConfigurationError):
            file = read_trusted(path)
        assert (file is not None and file.is_private) is is_taken


def test_nobody_waits_for_who_would_write_into_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "accounts.toml")
    assert _refused(tmp_path / "accounts.toml") == " cannot be read: it is not a regular file"
    assert _refused(Path(os.devnull)) == " cannot be read: it is not a regular file"


# how accounts are reached


def _lanes(path: Path, environ: Mapping[str, str] = ENVIRON, **options: Any) -> list[str | None]:
    """Return the proxies of a file's accounts."""
    lanes = Hub.from_file(path, environ=environ, **options).lanes()
    proxies = [lane.proxy_to(URL("https://api.example.com")) for lane in lanes]
    return [None if proxy is None else proxy.name for proxy in proxies]


def test_a_file_names_proxies_for_all_and_for_one(tmp_path: Path) -> None:
    mine = f"{NAMED}name = 'b'\nproxy = 'http://ada:{KEY}@b.example:1'\n"
    path = _written(tmp_path, f"proxy = 'http://ada:{KEY}@a.example'\n{NAMED}{mine}{NAMED}name = 'c'\nproxy = ''")
    assert _lanes(path) == ["a.example:80", "b.example:1", None]
    assert _lanes(path, proxy="http://d.example:4") == ["d.example:4", "b.example:1", None]
    assert KEY not in repr(configured(path, ENVIRON))


def test_a_file_may_leave_the_proxies_to_the_environment(tmp_path: Path) -> None:
    path = _written(tmp_path, f"proxy_from_env = true\n{NAMED}{NAMED}name = 'b'\nproxy = 'b.example:1'")
    environ = {**ENVIRON, "HTTPS_PROXY": f"http://ada:{KEY}@e.example:5"}
    assert _lanes(path, environ) == ["e.example:5", "b.example:1"]
    assert _lanes(_written(tmp_path, NAMED), environ) == [None]


def test_certificates_are_found_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    path = _written(tmp_path, f"ca_file = 'ca.pem'\n{NAMED}{NAMED}name = 'b'\nca_file = 'ca.pem'")
    assert len(configured(path, ENVIRON).accounts) == 2
    ours = configured(path, ENVIRON).ssl
    assert ours is not None
    assert len(ours.get_ca_certs()) == len(create_default_context().get_ca_certs()) + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"proxy = 'socks5://a:{KEY}@b'\n{NAMED}", ": the proxy must be written as http://host:port; other kinds"),
        (f"proxy = 7\n{NAMED}", ": proxy must be text in quotes, not a number"),
        (f"proxy = 'a:1'\nproxy_from_env = true\n{NAMED}", ": it has both proxy and proxy_from_env: give only one"),
        (f"proxy_from_env = true\n{NAMED}", ": HTTPS_PROXY: the proxy must be written as http://host:port"),
        (f"ca_file = 'none.pem'\n{NAMED}", ": {folder}/none.pem cannot be read: No such file or directory"),
        (
            f"ca_file = '~nobody-there/a'\n{NAMED}",
            ": the file that ca_file names is in the home directory of an unknown user",
        ),
        (f"{NAMED}proxy = 'http://a:{KEY}@'", ", account 1 (tavus): the proxy must be written as http://host:port"),
        (f"{NAMED}ca_file = 'accounts.toml'", ", account 1 (tavus): {folder}/accounts.toml contains no certificates"),
        (
            f"{TAVUS}key_file = '~nobody-there/a'",
            ", account 1 (tavus): the file that key_file names is in the home directory",
        ),
    ],
)
def test_a_way_that_leads_nowhere_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setitem(ENVIRON, "HTTPS_PROXY", f"ftp://{KEY}")
    assert _refused(_written(tmp_path, text)).startswith(said.format(folder=tmp_path))


# one that cannot be used


MISTAKES = [
    (f"{TAVUS}key_env = 'TAVUS_US_KEY'\n", "tavus/default", "the variable TAVUS_US_KEY is not set"),
    (f"{TAVUS}name = 'eu'\nkey_file = 'none'\n", "tavus/eu", "the file that key_file names cannot be read"),
    (f"{TAVUS}name = 'e u'\nkey_env = 'ORG'\n", "tavus/default", "an account's name must be 1 to 64 letters"),
    (f"{TAVUS}kei = '{KEY}'\n", "tavus/default", "unknown field kei"),
    (f"{NAMED}base_url = 'http://example.com'\n", "tavus/default", "the base URL is plain http"),
    (f"{NAMED}proxy = 'ftp://a'\n", "tavus/default", "the proxy must be written as"),
    (f"{NAMED}ca_file = 'none.pem'\n", "tavus/default", "none.pem cannot be read"),
    (f"[[account]]\nprovider = 'tavsu'\nkey = '{KEY}'\n", "tavsu/default", "unknown provider 'tavsu'"),
    ("[[account]]\nprovider = '?'\nkey_env = 'ORG'\n", "unknown/default", "unknown provider '?'"),
    (f"[[account]]\nkey = '{KEY}'\n", "unknown/default", "provider is missing"),
    (
        "[[account]]\nprovider = 'bland'\nkey_env = 'ORG'\nname = 'a'\n",
        "bland/account-1",
        "it has the same name as account",
    ),
]


@pytest.mark.parametrize(("mistake", "where", "said"), MISTAKES)
async def test_one_that_cannot_be_used_blocks_itself_alone(tmp_path: Path, mistake: str, where: str, said: str) -> None:
    async with Simulator(conversations=9, providers=["bland"]) as simulator:
        environ = {**ENVIRON, **simulator.environment()}
        good = "[[account]]\nprovider = 'bland'\nname = 'a'\nkey_env = 'BLAND_API_KEY'\n"
        good += f"base_url = '{simulator.base_url('bland')}'\n"
        is_second = "account-1" in where
        path = _written(tmp_path, good + mistake if is_second else mistake + good)
        where = where.replace("account-1", "account-2")
        async with Hub.from_file(path, environ=environ, clock=FakeClock().clock) as hub:
            assert set(hub.accounts()) == {where, "bland/a"} == {*hub.unusable, "bland/a"}
            found, partial = await until_it_fails(hub.list(transcripts=True))
            assert len(found) == 9
            assert isinstance(partial, PartialError)
            [(failed, error)] = partial.errors.items()
            assert (failed, type(error)) == (where, ConfigurationError)
            assert (await hub.get(found[0].ref)).id == found[0].id
            for act in (hub.get(f"{where}:c1"), anext(aiter(hub.list(where)))):
                with pytest.raises(ConfigurationError, match=re.escape(said)) as alone:
                    await act
                number = 2 if is_second else 1
                assert f"{path}, account {number}" in str(alone.value)
                assert KEY not in "".join(traceback.format_exception(alone.value))


async def test_one_that_cannot_be_used_says_why_whatever_it_is_asked(tmp_path: Path) -> None:
    path = _written(tmp_path, f"{NAMED}name = 'good'\n{TAVUS}name = 'bad'\nkey_env = 'NO_SUCH'")
    recording = Recording(location="/a", access=RecordingAccess.PROVIDER_KEY, ref="tavus/bad:c1")
    async with Hub.from_file(path, environ=ENVIRON, clock=FakeClock().clock) as hub:
        for act in (
            hub.start("tavus/bad", agent="a"),
            hub.end("tavus/bad:c1"),
            hub.delete("tavus/bad:c1"),
            hub.send("tavus/bad:c1", "Hello."),
            hub.download(recording, tmp_path / "a.wav"),
        ):
            with pytest.raises(ConfigurationError, match="NO_SUCH is not set"):
                await act


def test_where_none_can_be_used_there_is_no_hub(tmp_path: Path) -> None:
    path = _written(tmp_path, f"{TAVUS}key_env = 'A_B'\n{TAVUS}key_env = 'C_D'")
    with pytest.raises(ConfigurationError) as caught:
        Hub.from_file(path, environ={})
    first, second = str(caught.value).split("; ")
    assert first == f"{path}, account 1 (tavus): the variable A_B is not set: set it (key_env)"
    assert second == f"{path}, account 2 (tavus): the variable C_D is not set: set it (key_env)"


async def test_a_mistake_in_the_environment_blocks_its_account_alone() -> None:
    async with Simulator(conversations=3, providers=["tavus"]) as simulator:
        environ = {**simulator.environment(), "VAPI_API_KEY": f"{KEY}\n{KEY}"}
        async with Hub.from_env(environ=environ) as hub:
            assert len([one async for one in hub.list("tavus")]) == 3
            with pytest.raises(ConfigurationError, match=r"^vapi/default get: the key of vapi/default contains"):
                await hub.get("vapi:1")
            assert str(hub.unusable["vapi/default"]).startswith("vapi: the key of vapi/default contains a space")
    with pytest.raises(ConfigurationError, match=r"^vapi: the key of vapi/default contains a space"):
        Hub.from_env(environ={"VAPI_API_KEY": f"{KEY}\n{KEY}"})


def test_a_key_shows_nowhere(tmp_path: Path) -> None:
    path = _written(tmp_path, f"{TAVUS}key = '{KEY}'")
    [account] = _accounts(path, {})
    assert isinstance(account, Account)
    assert KEY not in repr((account, account.key, account.settings))


def test_an_error_shows_no_key_in_the_frames_it_rose_through(tmp_path: Path) -> None:
    """Whoever collects errors collects what is in their frames."""
    path = _written(tmp_path, f"proxy = 'ftp://{KEY}'\n{TAVUS}key = '{KEY}'\n{TAVUS}kei = '{KEY}'")
    for make in (
        lambda: Hub.from_file(path, environ=ENVIRON),
        lambda: Hub.from_file(_written(tmp_path, f"{TAVUS}key = '{KEY}'\nx = 1"), environ={}),
        lambda: Hub.from_env(environ={"TAVUS_API_KEY": f"{KEY} {KEY}"}),
        lambda: proxies_in({"HTTPS_PROXY": f"ftp://{KEY}"}),
    ):
        with pytest.raises(ConfigurationError) as caught:
            make()
        ours = [frame for frame, _ in traceback.walk_tb(caught.tb) if frame.f_code.co_filename != __file__]
        assert ours
        for frame in ours:
            held = {name: value for name, value in frame.f_locals.items() if name != "environ"}  # the caller's own
            assert KEY not in repr(held)


async def test_a_hub_is_made_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path, f"{NAMED}name = 'eu'\n{NAMED}")
    async with Hub.from_file(str(path), environ=ENVIRON, profile=PROFILES["bulk"], clock=FakeClock().clock) as hub:
        assert hub.accounts() == ("tavus/eu", "tavus/default")
    with pytest.raises(ConfigurationError, match="TAVUS_EU_KEY is not set"):
        Hub.from_file(path, environ={})
    monkeypatch.setenv("TAVUS_EU_KEY", KEY)
    assert repr(Hub.from_file(path)) == "<Hub: tavus/eu, tavus/default>"
