"""The group of all commands: every error becomes a sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from ..errors import ConfigurationError, HubError, InvalidRefError, UnsupportedError
from .streams import let_go, prepare

__all__ = ["Sentences", "verbose"]

_LOG = "CONVERSATIONS_HUB_LOG"
_BROKEN_PIPE = 141  # what shells report for a program that writes to a closed pipe: 128 + SIGPIPE


class _WrongSetup(click.ClickException):
    exit_code = 2


def _log(ctx: click.Context, level: str) -> None:
    from logging import getLevelNamesMapping  # noqa: PLC0415

    from .log import show_log  # noqa: PLC0415  (rarely used)

    number = getLevelNamesMapping().get(level.upper())
    if number is None:
        raise click.UsageError(f"{_LOG} is {level!a}; choose from debug, info, warning and error")
    ctx.call_on_close(show_log(number))


def _if_verbose(ctx: click.Context, _option: click.Parameter, is_verbose: bool) -> None:  # noqa: FBT001
    if is_verbose:
        _log(ctx, "debug")


verbose = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_if_verbose,
    help="Log requests, waits and answers on standard error, without ids or content.",
)


class Sentences(click.Group):
    """Turns every error into a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        prepare()
        if level := os.environ.get(_LOG):
            _log(ctx, level)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(130)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            lacks_extra = isinstance(error, ModuleNotFoundError) and error.name == "rich"
            if lacks_extra or (sys.flags.dev_mode and not isinstance(error, HubError | OSError)):
                raise
            if isinstance(error, OSError):
                let_go()
                if error.errno == errno.EPIPE:
                    ctx.exit(_BROKEN_PIPE)
            from .sentences import sentence  # noqa: PLC0415  (only after an error)

            is_usage = isinstance(error, ConfigurationError | InvalidRefError | UnsupportedError)
            failure = (_WrongSetup if is_usage else click.ClickException)(sentence(error))
        raise failure
