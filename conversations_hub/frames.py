"""What an error shows of the frames it rose through: nothing.

Whoever collects errors collects the variables of their frames too, and those hold keys, links and what people said.
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
    """Return an error without the frames it rose through, and without the errors it rose in the course of.

    It is to be raised again where no frame above holds a key, content, a link or a query.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def bared(call: Callable[P, T]) -> Callable[P, T]:
    """Return a function like `call` whose errors show neither its arguments nor anything that it held."""

    @wraps(call)
    def bared_call(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return call(*arguments, **named)
        except HubError as error:
            failure = bare(error)
        del arguments, named
        raise failure

    return bared_call
