"""A provider's refusals: the words in them, and the errors that they become."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..errors import (
    HubError,
    PayloadError,
    ProviderError,
    RejectedError,
    for_status,
)
from ..wire import Response
from .json import try_decode_any
from .values import AnyJson, json_text, members_of, text_at

__all__ = ["by_status", "one_line", "provider_error", "read_or_raise", "words_of", "words_or_body"]

_T = TypeVar("_T")


def one_line(words: str, most: int = 200) -> str:
    """Return a provider's words as one line of at most `most` characters that is safe to log and to print."""
    start = words[: most + 1]
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in start)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def words_of(response: Response) -> str | None:
    """Return what a refusal says; None if it says nothing.

    The words are in `message` or `detail`, followed by those in `errors`; without these, in `error`, `details` or
    `title`. Each may be text, an object, or a list of these, as FastAPI, JSON:API and others send it. The `title` of a
    2xx answer may be that of a conversation, so it counts as nothing.
    """
    members = members_of(try_decode_any(response.body))

    def first_of(*names: str) -> str | None:
        return next(filter(None, (_said(members.get(name)) for name in names)), None)

    words = "; ".join(filter(None, (first_of("message", "detail"), first_of("errors"))))
    return words or first_of("error", "details", *(() if _is_success(response) else ("title",)))


def words_or_body(response: Response) -> str | None:
    """Return what a refusal says; its whole body if that has none of the usual members and is no page for people.

    The body of a 2xx answer may be a conversation, so it is never quoted.
    """
    said = response.body.decode(errors="replace").strip()
    if said[:1] == "<" or said in {"", "null", "[]", "{}"}:
        return None
    if _is_success(response):
        return words_of(response)
    sent = try_decode_any(said)
    return words_of(response) or (said if sent is None else json_text(sent))


def _is_success(response: Response) -> bool:
    return response.status < 300


def _said(sent: AnyJson) -> str:
    return "; ".join(filter(None, map(_complaint, sent if isinstance(sent, list) else [sent])))


def _complaint(sent: AnyJson) -> str | None:
    """Return what is wrong, and with which part of the request."""
    if not isinstance(sent, dict):
        return sent if isinstance(sent, str) else None
    words = next(filter(None, (text_at(sent, name) for name in ("message", "msg", "detail", "title"))), None)
    steps: AnyJson = sent.get("loc")
    where = ".".join(map(str, steps)) if isinstance(steps, list) else text_at(sent, "error")
    pointer = text_at(sent, "source", "pointer")
    said = ": ".join(filter(None, (where, words)))
    return f"{said} ({pointer})" if words and pointer else said


def provider_error(
    response: Response, words: str | None, kind: type[ProviderError] | None = None, *, retryable: bool | None = None
) -> ProviderError:
    """Return the error for a refusal, by its status unless a class is given, with the provider's words if it has any.

    The words are complete: the transport removes credentials from them, then shortens them.
    """
    said = words or "the provider gave no reason"
    return (kind or for_status(response.status))(said, status=response.status, retryable=retryable)


def by_status(response: Response) -> HubError:
    """Return the error of a refusal by its status, with its words."""
    return provider_error(response, words_of(response))


def read_or_raise(
    response: Response, read: Callable[[bytes], _T], words: Callable[[Response], str | None] = words_of
) -> _T:
    """Read a 2xx answer; one that is an error under HTTP 200 is raised as a refusal."""
    try:
        return read(response.body)
    except PayloadError as error:
        failure = error
    said = words(response)
    raise provider_error(response, said, RejectedError) if said else failure
