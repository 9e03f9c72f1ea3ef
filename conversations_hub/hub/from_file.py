"""What a TOML file says: the accounts, and how they are reached."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final, TypeVar

import msgspec

from ..account import Account
from ..adapters import load
from ..errors import ConfigurationError
from ..files.trusted import read_trusted, trusting
from ..frames import bared
from ..proxy import Route, route
from ..secret import Secret
from .from_env import proxies_in
from .unusable import Unusable, check_usable

__all__ = ["Configuration", "configured"]

S = TypeVar("S", bound=msgspec.Struct)


class _Through:
    """Which proxy a file names; its URL, which may hold a password, is not kept as it stands there."""

    def __init__(self, url: str) -> None:
        self.route = route(url)


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    provider: str
    name: str = "default"
    key: Secret | None = None
    key_env: str | None = None
    key_file: str | None = None
    base_url: str | None = None
    allow_insecure: bool = False
    settings: dict[str, str] = {}
    proxy: _Through | None = None
    ca_file: str | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: list[dict[str, Any]] = []
    proxy: _Through | None = None
    proxy_from_env: bool = False
    ca_file: str | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says."""

    accounts: list[Account | Unusable]
    """In its order; at least one can be used."""
    through: Route | None
    """The proxies of all accounts that name none of their own; None: it says nothing of any."""
    ssl: SSLContext | None
    """Whom all accounts trust that name no certificates of their own; None: it says nothing of any."""


@bared
def configured(path: Path, environ: Mapping[str, str]) -> Configuration:
    """Return what a TOML file says.

    A mistake in one account makes that one unusable. Raises `ConfigurationError` for every other mistake, and where no
    account can be used; it names the file, the account and what to do, and never a key.
    """
    file = read_trusted(path)
    try:
        said = _read(file.content)
        through = _through(said, environ)
        ssl = None if said.ca_file is None else trusting(_beside(path, said.ca_file, "ca_file"))
    except ConfigurationError as error:
        reason = error.reason
    else:
        accounts = _accounts(said.account, path, environ, is_private=file.is_private)
        check_usable(accounts)
        return Configuration(accounts=accounts, through=through, ssl=ssl)
    # Out of the clause, so that no exception of a library, which may hold what it read, hangs on to this one.
    raise ConfigurationError(f"{path}: {reason}")


def _read(content: bytes) -> _File:
    try:
        said = _converted(tomllib.loads(content.decode()), _File)
    except UnicodeDecodeError:
        reason = "it is no UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        reason = f"it is no TOML: {error}"
    except (ValueError, RecursionError):  # numbers of thousands of digits, and tables in tables in tables
        reason = "it is no TOML that anybody could have meant"
    except ConfigurationError as error:
        reason = f"{error.reason}; each account begins with [[account]]"
    else:
        if said.account:
            return said
        reason = "it names no account; each begins with [[account]]"
    raise ConfigurationError(reason)


def _through(said: _File, environ: Mapping[str, str]) -> Route | None:
    if not said.proxy_from_env:
        return None if said.proxy is None else said.proxy.route
    if said.proxy is not None:
        raise ConfigurationError("it has both proxy and proxy_from_env: give only one")
    return route(proxies_in(environ))


def _accounts(
    tables: list[dict[str, Any]], path: Path, environ: Mapping[str, str], *, is_private: bool
) -> list[Account | Unusable]:
    usable: dict[int, Account] = {}
    mistakes: dict[int, str] = {}
    numbers: dict[tuple[str, str], int] = {}
    for number, table in enumerate(tables, start=1):
        try:
            account = _account(_converted(table, _Entry), path, environ, is_private=is_private)
        except ConfigurationError as error:
            mistakes[number] = error.reason
            continue
        first = numbers.setdefault((account.provider, account.name), number)
        if first == number:
            usable[number] = account
        else:
            mistakes[number] = f"it has the name of account {first}: give each its own, name = …"
    found: list[Account | Unusable] = []
    for number, table in enumerate(tables, start=1):
        if number in usable:
            found.append(usable[number])
            continue
        provider, name = _plain(table, "provider", _PROVIDER), _plain(table, "name", _NAME) or "default"
        if numbers.setdefault((provider, name), number) != number:
            name = f"account-{number}"
        where = f"{path}, account {number}" + (f" ({provider})" if provider else "")
        found.append(Unusable(provider or "unknown", name, ConfigurationError(f"{where}: {mistakes[number]}")))
    return found


def _account(entry: _Entry, path: Path, environ: Mapping[str, str], *, is_private: bool) -> Account:
    ca_file = None if entry.ca_file is None else _beside(path, entry.ca_file, "ca_file")
    if ca_file is not None:
        trusting(ca_file)
    return Account(
        entry.provider,
        key=_key(entry, path, environ, is_private=is_private),
        base_url=entry.base_url,
        name=entry.name,
        settings=_settings(entry, load(entry.provider).settings, environ),
        allow_insecure=entry.allow_insecure,
        proxy=None if entry.proxy is None else entry.proxy.route,
        ca_file=ca_file,
    )


def _key(entry: _Entry, path: Path, environ: Mapping[str, str], *, is_private: bool) -> Secret:
    sources = {"key_env": entry.key_env, "key_file": entry.key_file, "key": entry.key}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        says = f"both {' and '.join(given)}: give only one" if given else "no key: give key_env, key_file or key"
        raise ConfigurationError(f"it has {says}")
    if entry.key_env is not None:
        return Secret(_variable(entry.key_env, "key_env", environ), "key in the variable that key_env names")
    if entry.key_file is not None:
        return _key_in(_beside(path, entry.key_file, "key_file"))
    if not is_private:
        raise ConfigurationError(
            f"the key stands in this file, and others may read it: chmod 600 {path}, or use key_env"
        )
    return entry.key or Secret("")


def _key_in(path: Path) -> Secret:
    # What cannot be opened is not shown: somebody may have put the key itself there.
    file = read_trusted(path, "the file that key_file names")
    if not file.is_private:
        raise ConfigurationError(
            f"others may read the key in {path}: chmod 600 {path}; where it is mounted into a container, mode 0440"
        )
    return Secret(file.content.decode(errors="replace").strip(), "key in the file that key_file names")


def _beside(path: Path, name: str, field: str) -> Path:
    """Return where a file is that this one names: beside it, or at home."""
    try:
        return path.parent / Path(name).expanduser()
    except RuntimeError:
        pass
    raise ConfigurationError(f"the file that {field} names lies in the home of nobody there is")


def _settings(entry: _Entry, known: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for field, value in entry.settings.items():
        name = field if field in known else field.removesuffix("_env")
        if name not in known:
            there_is = f"it takes {_or(known)}" if known else "it takes none"
            raise ConfigurationError(f"{entry.provider} takes no setting {field}; {there_is}")
        if name in settings:
            raise ConfigurationError(f"settings has both {name} and {name}_env: give only one")
        settings[name] = value if name == field else _variable(value, f"settings.{field}", environ)
    return settings


# A key put there by mistake is not to be shown; most look otherwise.
_SHOWABLE: Final = re.compile(r"[A-Z][A-Z0-9]{0,30}(_[A-Z0-9]{1,30})+")


def _variable(name: str, field: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if value:
        return value
    shown = name if _SHOWABLE.fullmatch(name) else f"that {field} names"
    raise ConfigurationError(f"the variable {shown} is {'empty' if name in environ else 'not set'}: set it ({field})")


# what is wrong with it, in words for people

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_OTHER: Final = re.compile(r"Expected `(?P<due>\w+)[^`]*`, got `(?P<got>\w+)`(?: - at `\$\.?(?P<place>[^`]*)`)?")
_KINDS: Final = {
    "array": "a list",
    "list": "a list",
    "bool": "true or false",
    "date": "a date",
    "datetime": "a date",
    "float": "a number",
    "int": "a number",
    "object": "a table",
    "dict": "a table",
    "str": "text in quotes",
    "time": "a time",
}


def _converted(table: Mapping[str, Any], kind: type[S]) -> S:
    try:
        return msgspec.convert(table, kind, dec_hook=_hidden)
    except msgspec.ValidationError as error:
        reason = _in_words(str(error), [field.name for field in msgspec.structs.fields(kind)])
    raise ConfigurationError(reason)


def _hidden(kind: type, value: object) -> object:
    """Return what is not to be shown, as the type that does not show it."""
    if not isinstance(value, str):
        raise TypeError(f"Expected `str`, got `{type(value).__name__}`")  # as the library says it; it adds the place
    return kind(value)


def _in_words(said: str, fields: list[str]) -> str:
    if found := _UNKNOWN.search(said):
        from difflib import get_close_matches  # noqa: PLC0415  (only for those who mistyped)

        alike = get_close_matches(found["field"], fields, 1)
        return f"it has no field {found['field']}; " + (f"is {alike[0]} meant?" if alike else f"there is {_or(fields)}")
    if found := _MISSING.search(said):
        return f"{found['field']} is missing"
    if found := _OTHER.search(said):
        place = (found["place"] or "it").removesuffix("[...]")
        due, got = (_KINDS.get(found[kind], found[kind]) for kind in ("due", "got"))
        return f"{place} must be {due}, and is {got}"
    return said


def _or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


_PROVIDER: Final = re.compile(r"[a-z0-9_]{1,40}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


def _plain(table: Mapping[str, Any], field: str, shape: re.Pattern[str]) -> str:
    """Return what stands in a field of a table, where it has the shape of what belongs there."""
    value = table.get(field)
    return value if isinstance(value, str) and shape.fullmatch(value) else ""
