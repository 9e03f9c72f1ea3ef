"""A delivery as it came in, out of whatever a framework holds it in: all that a signing scheme can look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeAlias, runtime_checkable
from urllib.parse import parse_qsl

import msgspec

from ..errors import ConfigurationError, PayloadError

__all__ = ["Body", "HeaderItems", "Headers", "Received", "header_pairs", "viewed"]

Body: TypeAlias = bytes | bytearray | memoryview
"""A delivery's bytes as they were sent, in any object that gives its memory."""


_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000


@runtime_checkable
class HeaderItems(Protocol):
    """A mapping, or what a framework has in place of one."""

    def items(self) -> Iterable[tuple[str | bytes, str | bytes | Sequence[str | bytes]]]:
        """Return names and values; a name may come twice, and have a list of values."""
        ...


Headers: TypeAlias = HeaderItems | Iterable[tuple[str | bytes, str | bytes | Sequence[str | bytes]]]
"""A delivery's headers, names in whatever case: a mapping, or pairs as in an ASGI scope."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as it came in."""

    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    told_url: str | None = None
    """The URL that the provider called, where the receiver told it."""

    @property
    def url(self) -> str:
        """The URL that the provider called; raises `ConfigurationError` where the receiver did not tell it."""
        if self.told_url is None:
            raise ConfigurationError("the signature covers the URL: pass url=, whole, as the provider calls it")
        return self.told_url

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The fields of a form as they came, a name as often as it came; empty where the body is no form.

        Raises `PayloadError` for what is no UTF-8 and for more than 1000 fields.
        """
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            return ()
        with suppress(ValueError):
            text = self.body.decode()
            return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
        raise PayloadError(f"the form is no UTF-8, or has more than {_MOST_FIELDS} fields")

    def __repr__(self) -> str:
        return f"Received({len(self.headers)} headers, {len(self.body)} bytes)"


def viewed(body: Body) -> memoryview:
    """Return a view of a body's bytes; raise `ConfigurationError` for text and for what was parsed."""
    with suppress(TypeError):
        return memoryview(body)
    raise ConfigurationError(
        f"the body must be the bytes as they were sent, not {type(body).__name__}: what was decoded or parsed is not"
        " what was signed. Where a framework hands over text, encode it; where that is Base64, decode it"
    )


def header_pairs(headers: Headers) -> list[tuple[str, str]]:
    """Return names in lower case with values, a pair for each time a header came.

    Raises `ConfigurationError` for what holds no names and values of text or bytes.
    """
    with suppress(Exception):  # whatever was passed may fail in its own way
        return list(_pairs(headers))
    raise ConfigurationError(
        f"the headers, {type(headers).__name__}, are no names with values of text or bytes: pass the request's own, all"
        " of them, as a mapping or as pairs"
    )


def _pairs(headers: Headers) -> Iterator[tuple[str, str]]:
    for name, values in headers.items() if isinstance(headers, HeaderItems) else headers:
        for value in [values] if isinstance(values, str | bytes) else values:
            yield _text(name).lower(), _text(value)


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case bytes():
            return value.decode("latin-1")  # https://www.rfc-editor.org/rfc/rfc9110#section-5.5
        case _:
            raise TypeError
