"""What is there: a file that may not be looked at is not taken for one that is missing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import StoreError

__all__ = ["check_folder", "exists"]


def exists(path: Path) -> bool:
    """Whether a path leads to something.

    `Path.exists` says no, from Python 3.14 on, also where the system does not tell.

    Raises:
        StoreError: the system does not tell, for instance because the folder may not be entered.
    """
    return _found(path, path) is not None


def check_folder(path: Path) -> None:
    """Refuse a path whose folder does not exist.

    Raises:
        StoreError: there is no such folder, or the system does not tell.
    """
    found = _found(path.parent, path)
    if found is None or not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"{path}: there is no folder {path.parent}")


def _found(path: Path, named: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a name with a null character
        return None
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise StoreError(f"{named}: {reason}")
