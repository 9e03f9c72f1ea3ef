"""Open the file of the last finished run; a run in progress does not change it."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final, cast

from ..._files.opening import open_plain
from ...errors import StoreError
from .._untrusted import reading

__all__ = ["finished"]

_GZIP: Final = b"\x1f\x8b"


@contextmanager
def finished(path: Path) -> Generator[BufferedIOBase]:
    """Open the lines of a store; gzip is unpacked into a temporary file first, because lines are read out of order.

    Raises:
        StoreError: no run has finished the file, or it contains invalid values.
    """
    try:
        with reading(path), os.fdopen(open_plain(path), "rb") as file:
            if file.peek(2)[:2] != _GZIP:
                yield file
                return
            with gzip.open(file) as packed, TemporaryFile() as unpacked:
                shutil.copyfileobj(packed, unpacked)
                unpacked.seek(0)
                yield cast("BufferedIOBase", unpacked)
                return
    except FileNotFoundError:
        reason = "no sync has finished it yet"
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise StoreError(f"{path}: {reason}")
