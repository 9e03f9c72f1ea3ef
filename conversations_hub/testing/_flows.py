"""Flows without a network: give a flow its answers, get its result and its requests."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from ..reading.json import decoded_body, well_formed
from ..wire import Flow, Request, Response

__all__ = ["Driven", "WrongNumberOfAnswers", "drive", "drive_from"]

T = TypeVar("T")


class Driven(msgspec.Struct, Generic[T], frozen=True):
    """A flow that has run: its result and its requests."""

    result: T
    requests: tuple[Request, ...]


class WrongNumberOfAnswers(AssertionError):  # noqa: N818  (a test that fails, not an error of the library)
    """A flow asked for more answers than it was given, or for fewer."""


def drive(flow: Flow[T], *answers: Response | Exception) -> Driven[T]:
    """Run a flow with canned answers, in order; an exception among them is thrown into the flow.

    As on a socket, a 2xx body must be well-formed JSON if the request says so. Raises the errors of the flow, and
    `WrongNumberOfAnswers`.
    """
    left = list(answers)
    driven = drive_from(left, flow)
    if left:
        raise WrongNumberOfAnswers(f"the flow ended with {len(left)} answers left")
    return driven


def drive_from(left: list[Response | Exception], flow: Flow[T]) -> Driven[T]:
    """Run a flow with the first of the answers, as many as it asks for, and remove these from the list."""
    requests: list[Request] = []
    try:
        request = next(flow)
        while True:
            requests.append(request)
            if not left:
                raise WrongNumberOfAnswers(f"the flow asks for more than {len(requests) - 1} answers: {request}")
            request = _answer(flow, request, left.pop(0))
    except StopIteration as stop:
        return Driven(stop.value, tuple(requests))


def _answer(flow: Flow[T], request: Request, answer: Response | Exception) -> Request:
    if isinstance(answer, Exception):
        return flow.throw(answer)
    if answer.ok and request.json:
        decoded = None if request.reads is None else decoded_body(answer.body, request.reads)
        body = well_formed(answer.body)[0] if decoded is None else decoded
        answer = Response(answer.status, answer.headers, body)
    return flow.send(answer)
