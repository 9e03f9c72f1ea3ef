"""The one door to files: where we write they are ours alone, where we read they are plain, and none is waited for.

In a shared folder somebody else may have made a file, a link or a pipe of the name beforehand. What is refused is an
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
    """Open a file that is ours alone to write; `os.O_CREAT` makes it, with mode 0600, where it is missing.

    It is cut (`os.O_TRUNC`) once it is known to be ours. Refused are links, what is no plain file, what belongs to
    somebody else or may be written by others, and, to write, what has a second name.
    """
    try:
        file = call(path, flags & ~os.O_TRUNC | _not_waiting() | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "is a link") from None
        if error.errno == errno.ENXIO:
            raise _refused(path, "is no plain file") from None
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
    """Open a file to read, whoever made it, wherever a link leads; refused is what is no plain file."""
    file = os.open(path, os.O_RDONLY | _not_waiting())
    try:
        _check_plain(os.fstat(file).st_mode)
    except BaseException:
        os.close(file)
        raise
    return file


def check_plain(path: Path, *, beside: Path | None = None) -> None:
    """Refuse what is there and no plain file, for those that open it themselves.

    What they take for a part of the file `beside` it must be no link, and belong to that one's owner or to us.
    """
    try:
        found = path.stat(follow_symlinks=beside is None)
    except FileNotFoundError:
        return
    _check_plain(found.st_mode)
    if beside is not None and found.st_uid not in {_our_id(), beside.stat().st_uid}:
        raise _refused(path, f"belongs to somebody else, user {found.st_uid}")


def own_size(path: Path, *, writes: bool = False) -> int | None:
    """Return the bytes of a file of ours; None where there is none. What `open_own` would refuse is refused.

    It opens nothing, for on files that SQLite has open its locks would end when they are closed here.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    _check_own(path, path, found, writes=writes)
    return found.st_size


def own_path(path: Path) -> Path:
    """Return the file that a name leads to. A link is followed where we made it, or root; anybody else's is refused."""
    for _ in range(_MOST_LINKS):
        if not path.is_symlink():
            return path.resolve()
        if path.lstat().st_uid not in {_our_id(), 0}:
            raise _refused(path, "is a link that somebody else made")
        path = path.parent / path.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def make_folder(path: Path) -> None:
    """Make a folder that only we may enter, and those above it that are missing; refuse one that is not ours."""
    if not path.parent.is_dir():
        make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(0o700)  # `parents=True` would let others into those above
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(path, "is no folder")
    _check_ours(path, path, found)


def _not_waiting() -> int:
    # Some systems lack some of them. A pipe would be waited for, and a terminal could become ours.
    return sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))


def _our_id() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0


def _check_plain(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EPERM, "it is no plain file")


def _check_own(path: Path, file: int | Path, found: os.stat_result, *, writes: bool) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise _refused(path, "is a link")
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "is no plain file")
    _check_ours(path, file, found)
    if writes and found.st_nlink > 1:
        raise _refused(path, "has a second name, and what is written here would be written there")


def _check_ours(path: Path, file: int | Path, found: os.stat_result) -> None:
    if found.st_uid != _our_id():
        raise _refused(path, f"belongs to somebody else, user {found.st_uid}")
    if found.st_mode & _OTHERS_WRITE and _keeps_modes(file, found.st_mode):
        raise _refused(path, f"may be written by others: chmod go-w {path}, if that is as you left it")


def _keeps_modes(file: int | Path, mode: int) -> bool:
    """Whether the file system tells modes apart; one of Windows says the same of all files, whatever it is told."""
    if os.name != "posix":
        return False
    os.chmod(file, stat.S_IMODE(mode & ~_OTHERS_WRITE))  # noqa: PTH101  (it may be open)
    try:
        return os.stat(file).st_mode != mode  # noqa: PTH116
    finally:
        os.chmod(file, stat.S_IMODE(mode))  # noqa: PTH101


def _refused(path: Path, reason: str) -> OSError:
    return OSError(errno.EPERM, f"{path.name} {reason}", str(path))
