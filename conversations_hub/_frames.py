"""Errors that do not expose the frames they were raised in.

Error collectors also collect the variables of these frames, which hold keys, links and what people said.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from .errors import HubError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["bare", "bared"]

E = TypeVar("E", bound=BaseException)
P = ParamSpec("P")
T = TypeVar("T")


def bare(error: E) -> E:
    """Return an error without its traceback, cause and context.

    Raise it again only where no frame above holds a key, content, a link or a query.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def bared(call: Callable[P, T]) -> Callable[P, T]:
    """Return a function like `call` whose errors expose neither its arguments nor its variables."""

    @wraps(call)
    def bared_call(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return call(*arguments, **named)
        except HubError as error:
            failure = bare(error)
        del arguments, named
        raise failure

    return bared_call
