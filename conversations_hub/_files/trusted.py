"""Read files that hold a key or decide where keys go, after checking who else may read or write them."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path
from typing import Final

import msgspec

from ..errors import ConfigurationError
from .opening import open_plain

__all__ = ["TrustedFile", "read_trusted", "trusting"]

_LARGEST: Final = 1024 * 1024  # bytes


class TrustedFile(msgspec.Struct, frozen=True):
    """The content of a file that no other user may write."""

    content: bytes
    is_private: bool
    """Whether no other user may read it, except a group that was chosen when it was mounted."""


def read_trusted(path: Path, called: str | None = None) -> TrustedFile:
    """Read a file; `called` replaces its path in the error if it cannot be read.

    Raises:
        ConfigurationError: it cannot be read, is larger than 1 MiB, belongs to another user, or may be written by
            others.
    """
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            content = file.read(_LARGEST + 1)
            if len(content) <= _LARGEST:
                is_private = os.name != "posix" or _is_private(path, os.fstat(file.fileno()), file.fileno())
                return TrustedFile(content, is_private)
        reason = "it is too large"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
    raise ConfigurationError(f"{called or path} cannot be read: {reason}")


def _is_private(path: Path, found: os.stat_result, descriptor: int) -> bool:
    is_fixed = bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)
    if not is_fixed and found.st_uid not in {os.geteuid(), 0}:
        raise ConfigurationError(f"{path} belongs to another user, who can redirect keys: run chown on it")
    if not is_fixed and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(f"{path} may be written by others, who can redirect keys: run chmod 600 {path}")
    # Containers get secrets mounted read-only, or owned by root, for a group they are in (Kubernetes: `fsGroup` and
    # mode 0440). The operator chose that mode and no process inside can change it, so access for the group is intended.
    # Access for everybody is a mistake even if it is the default: each process that breaks in has the key.
    is_given = is_fixed or (found.st_uid == 0 and os.geteuid() != 0)
    others = found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return not others or (is_given and others == stat.S_IRGRP)


def trusting(ca_file: str | os.PathLike[str]) -> ssl.SSLContext:
    """Return a TLS context that trusts the certificates in a PEM file, in addition to the system's.

    Raises:
        ConfigurationError: the file cannot be trusted, or contains no certificates.
    """
    content = read_trusted(Path(ca_file)).content
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cadata=content.decode("ascii", "ignore"))  # comments may be in any language
    except (ssl.SSLError, ValueError):
        pass
    else:
        return context
    raise ConfigurationError(f"{ca_file} contains no certificates in PEM form")
