"""Files that hold a key or decide where keys go: who else may read or write them, and what is in them."""

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
    """What is in a file that nobody else may write."""

    content: bytes
    is_private: bool
    """Whether nobody else may read it, but for a group that whoever mounted it has chosen."""


def read_trusted(path: Path, called: str | None = None) -> TrustedFile:
    """Read a file; `called` takes the place of its path where there is none.

    Raises `ConfigurationError` for one that cannot be read, is too large, belongs to somebody else, or may be written
    by somebody else.
    """
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            content = file.read(_LARGEST + 1)
            if len(content) <= _LARGEST:
                is_private = os.name != "posix" or _is_private(path, os.fstat(file.fileno()), file.fileno())
                return TrustedFile(content, is_private)
        reason = "it is too large"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no name of a file"
    raise ConfigurationError(f"{called or path} cannot be read: {reason}")


def _is_private(path: Path, found: os.stat_result, descriptor: int) -> bool:
    is_fixed = bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)
    if not is_fixed and found.st_uid not in {os.geteuid(), 0}:
        raise ConfigurationError(f"{path} belongs to somebody else, who may write where keys go: chown it")
    if not is_fixed and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(f"{path} may be written by others, and so where keys go: chmod 600 {path}")
    # Containers get secrets mounted read-only, or as root's, for a group they are in (Kubernetes: `fsGroup` and mode
    # 0440). Who runs the container chose that mode, and nobody within can change it: for the group to read is no slip.
    # For everybody to read is one, also where it is the default: each process that breaks in has the key.
    is_given = is_fixed or (found.st_uid == 0 and os.geteuid() != 0)
    others = found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return not others or (is_given and others == stat.S_IRGRP)


def trusting(ca_file: str | os.PathLike[str]) -> ssl.SSLContext:
    """Return what trusts the certificates in a PEM file, beside those the system trusts.

    Raises `ConfigurationError` where there are none.
    """
    content = read_trusted(Path(ca_file)).content
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cadata=content.decode("ascii", "ignore"))  # comments may be in any language
    except (ssl.SSLError, ValueError):
        pass
    else:
        return context
    raise ConfigurationError(f"{ca_file} holds no certificates in PEM form")
