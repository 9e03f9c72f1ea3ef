"""Write the library's log to standard error: attempts, waits and pages, without ids or content."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import click

from .terminal import escaped

__all__ = ["is_shown", "show_log"]

_LOG = logging.getLogger("conversations_hub")


def is_shown() -> bool:
    """Whether the log shows each attempt."""
    return any(isinstance(handler, _Lines) for handler in _LOG.handlers) and _LOG.isEnabledFor(logging.DEBUG)


def show_log(level: int = logging.DEBUG) -> Callable[[], None]:
    """Start to write the log to standard error; return a function that stops it."""
    lines, before = _Lines(), _LOG.level
    for handler in [*_LOG.handlers]:
        if isinstance(handler, _Lines):  # `-v` was given twice
            _LOG.removeHandler(handler)
    _LOG.addHandler(lines)
    _LOG.setLevel(level)

    def end() -> None:
        _LOG.removeHandler(lines)
        _LOG.setLevel(before)

    return end


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; if standard error is closed, the work continues without it."""
        with suppress(OSError):
            click.echo(f"{datetime.now(UTC):%H:%M:%S.%f} {escaped(record.getMessage())}", err=True)
