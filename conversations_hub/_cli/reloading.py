"""Read files anew when SIGHUP comes, while a service goes on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

import click

from ..errors import ConfigurationError
from .terminal import escaped

__all__ = ["reloading"]


def reloading(reads: Mapping[str, Callable[[], object]]) -> None:
    """On SIGHUP, read each of these; what cannot be read stays as it was, which is said. Without any, nothing changes.

    `reads` has functions by what they read; each may raise `ConfigurationError`.
    """

    def reload() -> None:
        for what, read in reads.items():
            try:
                read()
            except ConfigurationError as error:
                click.echo(escaped(f"the {what} stay as they were: {error.reason}"), err=True)

    if reads:
        with suppress(NotImplementedError, AttributeError):  # not on Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
