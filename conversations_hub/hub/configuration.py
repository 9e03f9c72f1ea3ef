"""The accounts that a TOML file names."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from ..adapter import Account
from ..adapters import load
from ..errors import ConfigurationError
from ..files.opening import open_plain
from ..signing import Secret

__all__ = ["accounts_in_file"]

S = TypeVar("S", bound=msgspec.Struct)


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    provider: str
    name: str = "default"
    key: Secret | None = None
    key_env: str | None = None
    key_file: str | None = None
    base_url: str | None = None
    allow_insecure: bool = False
    settings: dict[str, str] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account: list[dict[str, Any]] = []


def accounts_in_file(path: Path, environ: Mapping[str, str]) -> list[Account]:
    """Return the accounts of a TOML file, in its order.

    Raises `ConfigurationError` for every mistake, which names the file, the account and what to do, and never a key.
    """
    content, is_private = _read(path)
    tables = _tables(path, content)
    numbers: dict[tuple[str, str], int] = {}
    accounts: list[Account] = []
    for number, table in enumerate(tables, start=1):
        try:
            account = _account(_converted(table, _Entry), path, environ, is_private=is_private)
        except ConfigurationError as error:
            reason = error.reason
        else:
            first = numbers.setdefault((account.provider, account.name), number)
            if first == number:
                accounts.append(account)
                continue
            reason = f"it has the name of account {first}: give each its own, name = …"
        # Out of the clause, so that no exception of a library, which may hold what it read, hangs on to this one.
        raise ConfigurationError(f"{path}, account {number}{_provider(table)}: {reason}")
    return accounts


def _tables(path: Path, content: bytes) -> list[dict[str, Any]]:
    try:
        tables = _converted(tomllib.loads(content.decode()), _File).account
    except UnicodeDecodeError:
        reason = "it is no UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        reason = f"it is no TOML: {error}"
    except ConfigurationError as error:
        reason = f"{error.reason}; each account begins with [[account]]"
    else:
        if tables:
            return tables
        reason = "it names no account; each begins with [[account]]"
    raise ConfigurationError(f"{path}: {reason}")


def _account(entry: _Entry, path: Path, environ: Mapping[str, str], *, is_private: bool) -> Account:
    return Account(
        entry.provider,
        key=_key(entry, path, environ, is_private=is_private),
        base_url=entry.base_url,
        name=entry.name,
        settings=_settings(entry, load(entry.provider).settings, environ),
        allow_insecure=entry.allow_insecure,
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
        return _key_in(path.parent / Path(entry.key_file).expanduser())
    if not is_private:
        raise ConfigurationError(
            f"the key stands in this file, and others may read it: chmod 600 {path}, or use key_env"
        )
    return entry.key or Secret("")


def _key_in(file: Path) -> Secret:
    # What cannot be opened is not shown: somebody may have put the key itself there.
    content, is_private = _read(file, "the file that key_file names")
    if not is_private:
        raise ConfigurationError(f"others may read the key in {file}: chmod 600 {file}")
    return Secret(content.decode(errors="replace").strip(), "key in the file that key_file names")


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


# how a file is read

_LARGEST: Final = 1024 * 1024  # bytes


def _read(path: Path, called: str | None = None) -> tuple[bytes, bool]:
    """Return what is in a file, and whether it is its owner's alone."""
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no name of a file"
    else:
        if len(content) <= _LARGEST:
            return content, os.name != "posix" or not mode & (stat.S_IRWXG | stat.S_IRWXO)
        reason = "it is too large"
    raise ConfigurationError(f"{called or path} cannot be read: {reason}")


# what is wrong with it, in words for people

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_OTHER: Final = re.compile(r"Expected `(?P<due>\w+)[^`]*`, got `(?P<got>\w+)`(?: - at `\$\.?(?P<place>[^`]*)`)?")
_KINDS: Final = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a number",
    "object": "a table",
    "str": "text in quotes",
}


def _converted(table: Mapping[str, Any], kind: type[S]) -> S:
    try:
        return msgspec.convert(table, kind, dec_hook=_secret)
    except msgspec.ValidationError as error:
        reason = _in_words(str(error), [field.name for field in msgspec.structs.fields(kind)])
    raise ConfigurationError(reason)


def _secret(_kind: type, value: object) -> Secret:
    if not isinstance(value, str):
        raise ConfigurationError(f"key must be {_KINDS['str']}")
    return Secret(value)


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


_PLAIN: Final = re.compile(r"[a-z0-9_]{1,40}")


def _provider(table: Mapping[str, Any]) -> str:
    """Return the provider in brackets, where it has the shape of one."""
    provider = table.get("provider")
    return f" ({provider})" if isinstance(provider, str) and _PLAIN.fullmatch(provider) else ""
