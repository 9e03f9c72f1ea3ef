"""A webhook delivery as received, from any framework: everything that a signature scheme can look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeAlias, runtime_checkable
from urllib.parse import parse_qsl

import msgspec

from ..errors import ConfigurationError, PayloadError

__all__ = ["Body", "HeaderItems", "Headers", "Received", "header_pairs", "viewed"]

Body: TypeAlias = bytes | bytearray | memoryview
"""A delivery's bytes as sent, in any object with the buffer protocol."""


_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000


@runtime_checkable
class HeaderItems(Protocol):
    """A mapping, or a framework's replacement for one."""

    def items(self) -> Iterable[tuple[str | bytes, str | bytes | Sequence[str | bytes]]]:
        """Return names and values; a name may be repeated, and may have a list of values."""
        ...


Headers: TypeAlias = HeaderItems | Iterable[tuple[str | bytes, str | bytes | Sequence[str | bytes]]]
"""A delivery's headers, names in any case: a mapping, or pairs as in an ASGI scope."""


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook delivery as received."""

    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    told_url: str | None = None
    """The URL that the provider called, if the receiver passed it."""

    @property
    def url(self) -> str:
        """The URL that the provider called; raises `ConfigurationError` if the receiver did not pass it."""
        if self.told_url is None:
            raise ConfigurationError("the signature covers the URL: pass url=, complete, as the provider calls it")
        return self.told_url

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The fields of a form in the order sent, names repeated as sent; empty if the body is not a form.

        Raises `PayloadError` if it is not UTF-8 or has more than 1000 fields.
        """
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            return ()
        with suppress(ValueError):
            text = self.body.decode()
            return tuple(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
        raise PayloadError(f"the form is not UTF-8, or has more than {_MOST_FIELDS} fields")

    def __repr__(self) -> str:
        return f"Received({len(self.headers)} headers, {len(self.body)} bytes)"


def viewed(body: Body) -> memoryview:
    """Return a view of a body's bytes; raise `ConfigurationError` for text and for a parsed body."""
    with suppress(TypeError):
        return memoryview(body)
    raise ConfigurationError(
        f"the body must be the bytes as sent, not {type(body).__name__}: the signature does not cover decoded or parsed"
        " content. If a framework passes text, encode it; if that is Base64, decode it"
    )


def header_pairs(headers: Headers) -> list[tuple[str, str]]:
    """Return names in lower case with values, one pair for each time a header came.

    Raises `ConfigurationError` unless names and values are text or bytes.
    """
    with suppress(Exception):  # the argument may raise anything
        return list(_pairs(headers))
    raise ConfigurationError(
        f"the headers, {type(headers).__name__}, are not names with values of text or bytes: pass all headers of the"
        " request, as a mapping or as pairs"
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
