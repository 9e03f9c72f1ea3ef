"""Processes that have imported everything when they begin: forked from one that did, they cost milliseconds.

Each is a process like any other: it has its own memory and streams, signals reach it and SIGKILL ends it. What a fresh
interpreter does is for `test_cli.py` to try.
"""

from __future__ import annotations

import os
import pkgutil
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import conversations_hub
from conversations_hub.__main__ import main

__all__ = ["Warm", "command_line"]

_MODULES = [module.name for module in pkgutil.walk_packages(conversations_hub.__path__, "conversations_hub.")]

_context = get_context("forkserver")
_OURS = ("exporting", "erasing", "migrating", "workers")
_context.set_forkserver_preload([*_MODULES, *(f"tests.support.{name}" for name in _OURS), __name__])


def command_line(*arguments: str) -> None:
    """Do what `conversations-hub` does with these arguments."""
    sys.argv = ["conversations-hub", *arguments]
    sys.exit(main())


class Warm:
    """A process that does some work, and is killed, if it still goes on, where its `with` ends."""

    def __init__(
        self, work: Callable[..., object], *arguments: object, environ: Mapping[str, str] | None = None
    ) -> None:
        out, theirs = _context.Pipe(duplex=False)
        err, their_err = _context.Pipe(duplex=False)
        self._process = _context.Process(
            target=_begin, args=(theirs, their_err, dict(environ or os.environ), work, arguments), daemon=True
        )
        self._process.start()
        for each in (theirs, their_err):
            each.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(each.fileno())) for each in (out, err))
        for each in (out, err):
            each.close()

    def send_signal(self, kind: signal.Signals) -> None:
        """Send it a signal, if it has not ended."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, kind)

    def is_alive(self) -> bool:
        """Whether it has not ended; a frozen one has not."""
        return self._process.is_alive()

    def wait(self) -> int:
        """Wait until it ends; return its exit code, or the signal that ended it, less than 0."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        self.stdout.close()
        self.stderr.close()


def _begin(
    out: Connection, err: Connection, environ: Mapping[str, str], work: Callable[..., object], arguments: tuple[object]
) -> None:
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    sys.stdout = os.fdopen(1, "w", closefd=False)  # what was there knows another kind of file
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had us ignore it
    os.environ.clear()
    os.environ.update(environ)
    work(*arguments)
