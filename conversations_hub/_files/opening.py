"""Open files safely: to write, they must be ours alone; to read, they must be regular; and opening never blocks.

In a shared folder another user may have created a file, a link or a pipe of the name beforehand. A refusal is an
`OSError` whose `strerror` says why.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["check_plain", "make_folder", "open_own", "open_plain", "own_path", "own_size"]

_MOST_LINKS: Final = 40  # as many as Linux follows
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def open_own(path: Path, flags: int = os.O_RDONLY, *, call: Callable[[Path, int, int], int] = os.open) -> int:
    """Open a file that only we may write, and return its descriptor; `os.O_CREAT` creates it with mode 0600.

    It is truncated (`os.O_TRUNC`) only once it is known to be ours. Refused are links, anything but regular files,
    files that belong to another user or that others may write, and, for writing, files with a second name.

    Raises:
        OSError: the file is refused, or it cannot be opened.
    """
    try:
        file = call(path, flags & ~os.O_TRUNC | _safe_flags() | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "is a link") from None
        if error.errno == errno.ENXIO:
            raise _refused(path, "is not a regular file") from None
        raise
    try:
        found = os.fstat(file)
        _check_own(path, file, found, writes=bool(flags & (os.O_WRONLY | os.O_RDWR)))
        if flags & os.O_TRUNC and found.st_size:
            os.ftruncate(file, 0)
    except BaseException:
        os.close(file)
        raise
    return file


def open_plain(path: Path) -> int:
    """Open a file for reading, whoever made it and wherever a link leads; return its descriptor.

    Raises:
        OSError: it is not a regular file, or it cannot be opened.
    """
    file = os.open(path, os.O_RDONLY | _safe_flags())
    try:
        _check_plain(os.fstat(file).st_mode)
    except BaseException:
        os.close(file)
        raise
    return file


def check_plain(path: Path, *, beside: Path | None = None) -> None:
    """Refuse an existing path that is not a regular file, before other code opens it.

    If that code takes it for a part of the file `beside` it, it must not be a link, and must belong to the owner of
    that file or to us.

    Raises:
        OSError: the path is refused.
    """
    try:
        found = path.stat(follow_symlinks=beside is None)
    except FileNotFoundError:
        return
    _check_plain(found.st_mode)
    if beside is not None and found.st_uid not in {_our_id(), beside.stat().st_uid}:
        raise _refused(path, f"belongs to another user (id {found.st_uid})")


def own_size(path: Path, *, writes: bool = False) -> int | None:
    """Return the size of our file in bytes, or None if there is none; refuse the same files as `open_own`.

    It opens nothing, because closing a file here would end the locks that SQLite has on it.

    Raises:
        OSError: the file is refused.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    _check_own(path, path, found, writes=writes)
    return found.st_size


def own_path(path: Path) -> Path:
    """Return the file that a path leads to. Links are followed if we or root made them, and refused otherwise.

    Raises:
        OSError: a link is refused, or there are too many.
    """
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            return path.resolve()
        if path.lstat().st_uid not in {_our_id(), 0}:
            raise _refused(path, "is a link that another user made")
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def make_folder(path: Path) -> None:
    """Create a folder that only we may enter, with its missing parents; refuse an existing one that is not ours.

    Raises:
        OSError: the folder is refused, or it cannot be created.
    """
    if not path.parent.is_dir():
        make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(0o700)  # `parents=True` would let others into the parents
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(path, "is not a folder")
    _check_ours(path, path, found)


def _safe_flags() -> int:
    # Some systems lack some of these. Without them, a pipe would block, and a terminal could become our own.
    return sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))


def _our_id() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _check_plain(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EPERM, "it is not a regular file")


def _check_own(path: Path, file: int | Path, found: os.stat_result, *, writes: bool) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _refused(path, "is a link")
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "is not a regular file")
    _check_ours(path, file, found)
    if writes and found.st_nlink > 1:
        raise _refused(path, "has a second name, so that writing here would change that file, too")


def _check_ours(path: Path, file: int | Path, found: os.stat_result) -> None:
    if found.st_uid != _our_id():
        raise _refused(path, f"belongs to another user (id {found.st_uid})")
    if found.st_mode & _OTHERS_WRITE and _keeps_modes(file, found.st_mode):
        raise _refused(path, f"may be written by others: if it is as you left it, run chmod go-w {path}")


def _keeps_modes(file: int | Path, mode: int) -> bool:
    """Whether the file system stores modes; those of Windows report the same mode for all files."""
    if os.name != "posix":
        return False
    os.chmod(file, stat.S_IMODE(mode & ~_OTHERS_WRITE))  # noqa: PTH101  (it may be open)
    try:
        return os.stat(file).st_mode != mode  # noqa: PTH116
    finally:
        os.chmod(file, stat.S_IMODE(mode))  # noqa: PTH101


def _refused(path: Path, reason: str) -> OSError:
    return OSError(errno.EPERM, f"{path.name} {reason}", str(path))
