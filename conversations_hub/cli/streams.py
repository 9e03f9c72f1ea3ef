"""Standard output and error, which may be closed, full, without a reader, or of an encoding with few characters."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

__all__ = ["let_go", "prepare"]


def prepare() -> None:
    """Make both fit to be written to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (as long as we run)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # no encoding is too small for what people say
            stream.reconfigure(errors="backslashreplace")


def let_go() -> None:
    """Have what cannot be written forgotten: Python would try again at the end, and complain."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError), Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
