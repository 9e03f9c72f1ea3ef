"""Where a Postgres store is: a URL, which may hold a password, and the schema of its tables."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

from ..._frames import bared
from ...errors import ConfigurationError
from ...secret import Secret

__all__ = ["Address"]

_SCHEMA: Final = "conversations_hub"
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})


class Address:
    """The address of a store, such as `postgresql://hub@db.example.com/calls?schema=support`; never shows a password.

    What is not in the URL comes from libpq's variables and password file (`PGHOST`, `PGPASSWORD`, `~/.pgpass` …). The
    connection is encrypted, unless the server is on this machine or the URL says `sslmode=disable`. `schema` is ours:
    the schema of the tables, `conversations_hub` by default.

    Raises:
        ConfigurationError: an invalid URL; it is not repeated.
    """

    __slots__ = ("_dsn", "_name", "has_password", "schema", "sslmode")

    @bared
    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            query = {
                name: values[-1] for name, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()
            }
        except ValueError:
            raise _wrong() from None
        if parts.scheme not in {"postgresql", "postgres"} or parts.fragment or parts.netloc.count("@") > 1:
            raise _wrong()
        self.schema: Final = query.pop("schema", _SCHEMA)
        if not _NAME.fullmatch(self.schema):
            raise ConfigurationError(f"a schema's name has lowercase letters, digits and underscores: {self.schema!a}")
        user, at, hosts = parts.netloc.rpartition("@")
        given = query.pop("sslmode", None) or os.environ.get("PGSSLMODE", "prefer")
        is_named = "service" in query or "PGSERVICE" in os.environ  # whose host we do not know
        hosts_named = query.get("host", "") or unquote(hosts) or os.environ.get("PGHOST", "")
        is_here = not is_named and all(map(_is_here, hosts_named.split(",")))
        self.sslmode: Final = given if is_here or given in _ENCRYPTED or given == "disable" else "require"
        self._dsn: Final = Secret(urlunsplit((*parts[:3], urlencode(query), "")), "URL of the store")
        self.has_password: Final = ":" in user or not query.keys().isdisjoint({"password", "sslpassword"})
        shown = f"postgresql://{user.partition(':')[0]}{at}{hosts}{parts.path}"
        self._name: Final = shown if self.schema == _SCHEMA else f"{shown}?schema={self.schema}"

    def options(self, **settings: str) -> dict[str, Any]:
        """Return the arguments of `asyncpg.connect`, for sessions with these settings."""
        ours = {"search_path": self.schema, "application_name": "conversations-hub"}
        return {"dsn": self._dsn.reveal(), "ssl": self.sslmode, "server_settings": ours | settings}

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"Address({self._name})"


def _wrong() -> ConfigurationError:
    return ConfigurationError(
        "the URL of a Postgres store is written as postgresql://user@host/database; in a name or a password, write"
        " %40 for @ and %2F for /"
    )


def _is_here(host: str) -> bool:
    """Whether a host is this machine: its loopback, a Unix socket, or not named."""
    if not host or host.startswith("/") or host.partition(":")[0] == "localhost":
        return True
    bare = host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return False
