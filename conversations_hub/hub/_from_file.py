"""Reads a TOML file: the accounts, and how they are reached."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final, Literal, TypeVar

import msgspec

from .._files.trusted import read_trusted, trusting
from .._frames import bared
from .._proxy import Route, route
from ..account import Account
from ..adapter import Adapter
from ..adapters import load
from ..errors import ConfigurationError
from ..secret import Secret
from ._from_env import proxies_in
from ._redis import has_password
from ._redis_limiter import RedisLimiter
from ._unusable import Unusable, check_usable

__all__ = [
    "Configuration",
    "ConfiguredTarget",
    "ConfiguredWebhook",
    "SharedLimit",
    "configured",
    "targets_in",
    "webhooks_in",
]

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class _Through:
    """The proxy that a file names; its URL, which may hold a password, is not kept as text."""

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


class SharedLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: Secret | None = None
    url_env: str | None = None
    rates: dict[str, float] = {}
    burst: int = 1
    workers: int = 1


class _Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    provider: str
    account: str = "default"
    path: str | None = None
    secrets_env: list[str] = []
    token_env: str | None = None
    scheme: str | None = None
    url: str | None = None
    tolerance: float | None = None
    largest: int | None = None


class ConfiguredTarget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A target of changes, as a file names it."""

    url: str
    secret_env: str
    """The variable that holds the secret."""
    name: str = ""
    providers: list[str] = []
    accounts: list[str] = []
    kinds: list[Literal["created", "updated", "erased"]] = []
    allow_private: bool = False


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: list[dict[str, Any]] = []
    webhook: list[dict[str, Any]] = []
    forward: list[dict[str, Any]] = []
    proxy: _Through | None = None
    proxy_from_env: bool = False
    ca_file: str | None = None
    limiter: str | dict[str, Any] | None = None


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of a file."""

    accounts: list[Account | Unusable]
    """In the file's order; at least one is usable."""
    through: Route | None
    """The proxies of all accounts that name none of their own; None: the file names none."""
    ssl: SSLContext | None
    """The certificates for all accounts that name none of their own; None: the file names none."""
    limiter: RedisLimiter | None
    """The rate limit that is shared with other processes; None: the file names none."""


class ConfiguredWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that a file names."""

    provider: str
    account: str
    path: str
    secrets: tuple[Secret, ...]
    token: Secret | None
    scheme: str | None
    """The name of another way to sign than the provider's usual one."""
    url: str | None
    tolerance: float | None
    """Seconds."""
    largest: int | None
    """Bytes."""


@bared
def configured(path: Path, environ: Mapping[str, str], adapters: Mapping[str, Adapter] | None = None) -> Configuration:
    """Read a TOML file.

    A mistake in one account makes only that one unusable. Raises `ConfigurationError` for every other mistake, and if
    no account is usable; it names the file, the account and what to do, and never a key.
    """
    file = read_trusted(path)
    try:
        said = _read(file.content)
        if not said.account:
            raise ConfigurationError("it has no account; each begins with [[account]]")  # noqa: TRY301
        through = _through(said, environ)
        ssl = None if said.ca_file is None else trusting(_beside(path, said.ca_file, "ca_file"))
        limiter = _limiter(said, path, environ, is_private=file.is_private)
    except ConfigurationError as error:
        reason = error.reason
    else:
        accounts = _accounts(said.account, path, environ, adapters or {}, is_private=file.is_private)
        check_usable(accounts)
        return Configuration(accounts=accounts, through=through, ssl=ssl, limiter=limiter)
    # Outside the `except` clause, so that no exception of a library, which may hold what it read, is attached.
    raise ConfigurationError(f"{path}: {reason}")


@bared
def webhooks_in(path: Path, environ: Mapping[str, str]) -> list[ConfiguredWebhook]:
    """Read the endpoints of a TOML file, one `[[webhook]]` each; it need have no account.

    Raises `ConfigurationError` for a mistake; it names the file, the endpoint and what to do, and never a secret.
    """
    found = _each(path, "webhook", lambda table: _webhook(_convert(table, _Webhook), environ))
    paths = [one.path for one in found]
    if len(set(paths)) < len(paths):
        raise ConfigurationError(f"{path}: two webhooks have the same path: give each its own, path = …")
    return found


@bared
def targets_in(path: Path, environ: Mapping[str, str]) -> list[tuple[ConfiguredTarget, Secret]]:
    """Read the targets of a TOML file, one `[[forward]]` each, with their secrets; it need have no account.

    Raises `ConfigurationError` for a mistake; it names the file, the target and what to do, and never a secret.
    """

    def read(table: dict[str, Any]) -> tuple[ConfiguredTarget, Secret]:
        target = _convert(table, ConfiguredTarget)
        secret = _variable(target.secret_env, "secret_env", environ)
        return target, Secret(secret, "secret in the variable that secret_env names")

    return _each(path, "forward", read)


@bared
def _each(path: Path, kind: Literal["webhook", "forward"], read: Callable[[dict[str, Any]], T]) -> list[T]:
    """Read the tables of a kind; an error names the file and the table."""
    file = read_trusted(path)
    place, found = "", list[T]()
    try:
        tables: list[dict[str, Any]] = getattr(_read(file.content), kind)
        for number, table in enumerate(tables, start=1):
            place = f", {kind} {number}"
            found.append(read(table))
    except ConfigurationError as error:
        reason = error.reason
    else:
        return found
    raise ConfigurationError(f"{path}{place}: {reason}")


def _webhook(entry: _Webhook, environ: Mapping[str, str]) -> ConfiguredWebhook:
    name = entry.provider if entry.account == "default" else f"{entry.provider}-{entry.account}"
    secrets = (_variable(name, "secrets_env", environ) for name in entry.secrets_env)
    token = None if entry.token_env is None else _variable(entry.token_env, "token_env", environ)
    return ConfiguredWebhook(
        provider=entry.provider,
        account=entry.account,
        path=name if entry.path is None else entry.path,
        secrets=tuple(Secret(secret, "secret in a variable that secrets_env names") for secret in secrets),
        token=None if token is None else Secret(token, "token in the variable that token_env names"),
        scheme=entry.scheme,
        url=entry.url,
        tolerance=entry.tolerance,
        largest=entry.largest,
    )


def _read(content: bytes) -> _File:
    try:
        said = _convert(tomllib.loads(content.decode()), _File)
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        reason = f"it is not TOML: {error}"
    except (ValueError, RecursionError):  # numbers of thousands of digits, and tables in tables in tables
        reason = "it is not TOML that can be read: a number is too long, or tables are nested too deeply"
    except ConfigurationError as error:
        reason = f"{error.reason}; each account begins with [[account]]"
    else:
        return said
    raise ConfigurationError(reason)


def _through(said: _File, environ: Mapping[str, str]) -> Route | None:
    if not said.proxy_from_env:
        return None if said.proxy is None else said.proxy.route
    if said.proxy is not None:
        raise ConfigurationError("it has both proxy and proxy_from_env: give only one")
    return route(proxies_in(environ))


def _limiter(said: _File, path: Path, environ: Mapping[str, str], *, is_private: bool) -> RedisLimiter | None:
    if said.limiter is None:
        return None
    entry = _convert({"url": said.limiter} if isinstance(said.limiter, str) else said.limiter, SharedLimit)
    if (entry.url is None) == (entry.url_env is None):
        raise ConfigurationError("its limiter needs either url or url_env")
    url = entry.url
    if entry.url_env is not None:
        url = Secret(_variable(entry.url_env, "limiter.url_env", environ), "URL in the variable that url_env names")
    elif url is not None and has_password(url.reveal()) and not is_private:
        raise ConfigurationError(
            f"the limiter's password is in this file, and others may read it: chmod 600 {path}, or use url_env"
        )
    return RedisLimiter(url or Secret(""), rates=entry.rates, burst=entry.burst, workers=entry.workers)


def _accounts(
    tables: list[dict[str, Any]],
    path: Path,
    environ: Mapping[str, str],
    adapters: Mapping[str, Adapter],
    *,
    is_private: bool,
) -> list[Account | Unusable]:
    usable: dict[int, Account] = {}
    mistakes: dict[int, str] = {}
    numbers: dict[tuple[str, str], int] = {}
    for number, table in enumerate(tables, start=1):
        try:
            account = _account(_convert(table, _Entry), path, environ, adapters, is_private=is_private)
        except ConfigurationError as error:
            mistakes[number] = error.reason
            continue
        first = numbers.setdefault((account.provider, account.name), number)
        if first == number:
            usable[number] = account
        else:
            mistakes[number] = f"it has the same name as account {first}: give each its own, name = …"
    found: list[Account | Unusable] = []
    for number, table in enumerate(tables, start=1):
        if number in usable:
            found.append(usable[number])
            continue
        provider, name = (
            _value_if_plain(table, "provider", _PROVIDER),
            _value_if_plain(table, "name", _NAME) or "default",
        )
        if numbers.setdefault((provider, name), number) != number:
            name = f"account-{number}"
        where = f"{path}, account {number}" + (f" ({provider})" if provider else "")
        found.append(Unusable(provider or "unknown", name, ConfigurationError(f"{where}: {mistakes[number]}")))
    return found


def _account(
    entry: _Entry, path: Path, environ: Mapping[str, str], adapters: Mapping[str, Adapter], *, is_private: bool
) -> Account:
    ca_file = None if entry.ca_file is None else _beside(path, entry.ca_file, "ca_file")
    if ca_file is not None:
        trusting(ca_file)
    return Account(
        entry.provider,
        key=_key(entry, path, environ, is_private=is_private),
        base_url=entry.base_url,
        name=entry.name,
        settings=_settings(entry, (adapters.get(entry.provider) or load(entry.provider)).settings, environ),
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
        raise ConfigurationError(f"the key is in this file, and others may read it: chmod 600 {path}, or use key_env")
    return entry.key or Secret("")


def _key_in(path: Path) -> Secret:
    # A path that cannot be opened is not shown: it may be the key itself, put there by mistake.
    file = read_trusted(path, "the file that key_file names")
    if not file.is_private:
        raise ConfigurationError(
            f"others may read the key in {path}: chmod 600 {path}; if it is mounted into a container, mode 0440"
        )
    return Secret(file.content.decode(errors="replace").strip(), "key in the file that key_file names")


def _beside(path: Path, name: str, field: str) -> Path:
    """Return the path of a file that this one names: relative to this file, or to a home directory."""
    try:
        return path.parent / Path(name).expanduser()
    except RuntimeError:
        pass
    raise ConfigurationError(f"the file that {field} names is in the home directory of an unknown user")


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


# A key put there by mistake must not be shown; most keys look different.
_SHOWABLE: Final = re.compile(r"[A-Z][A-Z0-9]{0,30}(_[A-Z0-9]{1,30})+")


def _variable(name: str, field: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if value:
        return value
    shown = name if _SHOWABLE.fullmatch(name) else f"that {field} names"
    raise ConfigurationError(f"the variable {shown} is {'empty' if name in environ else 'not set'}: set it ({field})")


# explanations of what is wrong with the file

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


def _convert(table: Mapping[str, Any], kind: type[S]) -> S:
    try:
        return msgspec.convert(table, kind, dec_hook=_hide)
    except msgspec.ValidationError as error:
        reason = _explain(str(error), [field.name for field in msgspec.structs.fields(kind)])
    raise ConfigurationError(reason)


def _hide(kind: type, value: object) -> object:
    """Return a secret value as the type that does not show it."""
    if not isinstance(value, str):
        raise TypeError(f"Expected `str`, got `{type(value).__name__}`")  # in msgspec's words; it adds the place
    return kind(value)


def _explain(said: str, fields: list[str]) -> str:
    if found := _UNKNOWN.search(said):
        from difflib import get_close_matches  # noqa: PLC0415  (only for those who mistyped)

        alike = get_close_matches(found["field"], fields, 1)
        return f"unknown field {found['field']}; " + (f"is {alike[0]} meant?" if alike else f"use {_or(fields)}")
    if found := _MISSING.search(said):
        return f"{found['field']} is missing"
    if found := _OTHER.search(said):
        place = (found["place"] or "it").removesuffix("[...]")
        due, got = (_KINDS.get(found[kind], found[kind]) for kind in ("due", "got"))
        return f"{place} must be {due}, not {got}"
    return said


def _or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


_PROVIDER: Final = re.compile(r"[a-z0-9_]{1,40}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


def _value_if_plain(table: Mapping[str, Any], field: str, shape: re.Pattern[str]) -> str:
    """Return the value of a field if it has the right shape, otherwise an empty string."""
    value = table.get(field)
    return value if isinstance(value, str) and shape.fullmatch(value) else ""
