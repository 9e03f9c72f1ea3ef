"""Bytes → well-formed JSON → typed records; what does not fit is said with its place, never with its content."""

from __future__ import annotations

import json
import math
import re
import zlib
from codecs import getincrementaldecoder
from typing import TypeAlias, TypeVar

import msgspec

from .errors import PayloadError, TransportError
from .schema import Issue

__all__ = [
    "LARGE",
    "Json",
    "decode",
    "decode_at",
    "decoded_or_none",
    "decompressed",
    "is_utf8",
    "untyped",
    "well_formed",
]

T = TypeVar("T")

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"
"""A JSON document, untyped; `float` says int too."""

LARGE = 1024 * 1024
"""Bytes; what is done to a larger body takes long enough to let others have their turn in between."""

_any = msgspec.json.Decoder(msgspec.Raw)
_MENDABLE = 4 * 1024 * 1024  # read untyped, a body takes thirty times its size
_MOST_MEMBERS = 64


def well_formed(body: bytes, *, is_text: bool | None = None) -> tuple[bytes, bool]:
    """Return a body as JSON that every decoder takes, and whether it had to be mended.

    `is_text` says whether it is UTF-8, where that was found out before. Mended: a byte order mark, `NaN` and `Infinity`
    (null), lone surrogates and invalid UTF-8 (U+FFFD), controls inside of texts (escaped); with them, numbers of more
    digits than can be read (null). Raises `PayloadError` where that does not make it JSON: retryable where it was cut,
    is HTML or is empty.
    """
    if len(body) > LARGE and _is_crowded(body):
        raise PayloadError("the answer is made of more and smaller parts than any conversation")
    try:
        if _stands(body, is_text=is_text):
            return body, False
        mended = _mend(body)
    except RecursionError:
        failure = PayloadError("the answer is nested too deeply")
    else:
        if mended is not None:
            return mended, True
        failure = PayloadError(f"the answer is no JSON: {_kind_of(body)}", retryable=True)
    raise failure


def _stands(body: bytes, *, is_text: bool | None) -> bool:
    try:
        _any.decode(body)
    except msgspec.MsgspecError:
        return False
    return is_utf8(body) if is_text is None else is_text


_PIECE = 16 * 1024  # larger ones are mapped anew each time, which takes longer than reading them


def is_utf8(body: bytes) -> bool:
    """Whether a body is UTF-8; of a large one in pieces, for as one text it would take several times its size."""
    if body.isascii():
        return True
    decoder = getincrementaldecoder("utf-8")()
    try:
        for begin in range(0, len(body), _PIECE):
            decoder.decode(body[begin : begin + _PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


_LEAST_PART = 20  # bytes; a timed word with three members takes more than thirty
_STRIDE = 13


def _is_crowded(body: bytes) -> bool:
    """Whether a body is made of objects and lists so small that reading them would take many times its size."""
    some = body[::_STRIDE]
    return some.count(b"{") + some.count(b"[") > len(some) // _LEAST_PART


# Half of a pair that JavaScript cut: no text, and msgspec refuses a whole page for it.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _mend(body: bytes) -> bytes | None:
    if len(body) > _MENDABLE:
        return None
    try:
        value = json.loads(
            body.decode("utf-8-sig", "replace"),
            strict=False,
            parse_constant=_null,
            parse_float=_finite,
            parse_int=_readable,
        )
        return _LONE_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False)).encode()
    except ValueError:
        return None


def _null(_constant: str) -> None:
    return None


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


def _readable(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:  # the interpreter reads no more than so many
        return None


def _kind_of(body: bytes) -> str:
    start = body[:64].lstrip()
    if not start:
        return "empty"
    if start[:1] == b"<":
        return "HTML or XML"
    if start[:1] in {b"{", b"["}:
        return f"cut or broken, {len(body)} bytes"
    return f"other text, {len(body)} bytes"


def decode(body: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], issues: list[Issue] | None = None) -> T:
    """Decode a well-formed body or record.

    With `issues`, a single value that does not fit (text for a number, 1e400, a date that is an object) becomes null
    and is noted there, and so does whatever stands among the records of a list and is not an object. Any other
    structure that does not fit, or a value that must not be null, raises `PayloadError`.
    """
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        misfit = _misfit(error)
    if issues is not None and misfit.may_be_null:
        return _decode_without(misfit, bytes(body), decoder, issues)
    raise misfit.as_error()


def decode_at(place: str, body: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], issues: list[Issue]) -> T:
    """Decode one member of a body as `decode` does, and null where it is absent; what is noted lies below its place."""
    misfits: list[Issue] = []
    found = decode(body or b"null", decoder, misfits)
    for misfit in misfits:
        below = misfit.place.removeprefix("$")
        issues.append(Issue(f"{place}{below}" if below[:1] == "[" else f"{place}.{below}", misfit.reason))
    return found


def decoded_or_none(body: bytes | str | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T | None:
    """Decode what need not be JSON at all, such as the body of a refusal; None where it cannot be read."""
    try:
        return decoder.decode(body)
    except _UNREADABLE:
        return None


# Only the first is msgspec's own.
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Misfit(msgspec.Struct, frozen=True):
    """What does not fit, and where; never the value."""

    what: str
    place: str = "$"
    is_value: bool = False
    is_record: bool = False
    """Whether a list should have an object there."""

    @property
    def may_be_null(self) -> bool:
        return self.is_value or self.is_record

    def as_error(self) -> PayloadError:
        return PayloadError(f"the answer does not fit: {self.what} at {self.place}")


# msgspec names the place after " - at "; the rest of its message may repeat a value.
_PLACE = re.compile(r" - at `(?P<place>[^`]*)`$")
_EXPECTED = re.compile(
    r"Expected `(?P<due>[a-z |]+)`(, got `[a-z]+`| [<>]=? [0-9.e+-]+)|(Number|Integer value) out of range"
)
_MISSING = re.compile(r"Object missing required field `[^`]+`")


def _misfit(error: Exception) -> _Misfit:
    if isinstance(error, RecursionError):
        return _Misfit("it is nested too deeply")
    said = str(error)
    found = _PLACE.search(said)
    place = found["place"] if found else "$"
    expected = _EXPECTED.match(said)
    if expected:
        due = expected["due"] or ""
        is_value = place != "$" and "array" not in due and "object" not in due
        is_record = due in _RECORD and _IN_A_LIST.search(place) is not None
        return _Misfit(expected.group().replace("`", ""), place, is_value, is_record)
    missing = _MISSING.match(said)
    return _Misfit(missing.group().replace("`", "") if missing else "a value nobody can read", place)


_RECORD = {"object", "object | null"}
_IN_A_LIST = re.compile(r"\[\d+\]$")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<position>\d+)\]")
_IN_A_MAP = "[...]"  # msgspec does not say under which key


def _decode_without(misfit: _Misfit, body: bytes, decoder: msgspec.json.Decoder[T], issues: list[Issue]) -> T:
    document = untyped(body)
    emptied: set[str] = set()
    while misfit.may_be_null and (places := _empty(document, misfit)):
        emptied.update(places)
        what = "not an object" if misfit.is_record else misfit.what
        issues += [Issue(place.removeprefix("$."), what) for place in places]
        try:
            return decoder.decode(msgspec.json.encode(document))
        except _UNREADABLE as error:
            next_misfit = _misfit(error)
        if next_misfit.place in emptied:
            break  # it must not be null
        misfit = next_misfit
    raise misfit.as_error()


def untyped(body: bytes) -> Json:
    """Read a well-formed document, its numbers as they were sent: 1e400 and 1.10 stay what they are, however long.

    Raises `PayloadError` for one that is nested too deeply.
    """
    try:
        document: Json = json.loads(body, parse_float=msgspec.Raw, parse_int=msgspec.Raw)
    except (ValueError, RecursionError):
        pass
    else:
        return document
    raise PayloadError("the answer is no JSON, or nested too deeply")


def _empty(document: Json, misfit: _Misfit) -> list[str]:
    """Set what does not fit to null, or the map around it, and return the places.

    Of a list of records all that are none go at once: one by one, a body would be read as often as it has them.
    """
    before, *inside = misfit.place.partition(_IN_A_MAP)
    found = _STEP.findall(before)
    if not found:
        return []
    *steps, last = found
    for name, position in steps:
        document = _step(document, name, position)
    if isinstance(document, dict) and last[0] in document:
        document[last[0]] = None
        return [misfit.place]
    if not isinstance(document, list) or not last[1]:
        return []
    wrong = [int(last[1])]
    if misfit.is_record:
        wrong = [number for number, one in enumerate(document) if one is not None and not isinstance(one, dict)]
    for number in wrong:
        document[number] = None
    return [f"{before.rpartition('[')[0]}[{number}]{''.join(inside)}" for number in wrong]


def _step(document: Json, name: str, position: str) -> Json:
    if isinstance(document, dict):
        return document.get(name)
    return document[int(position)] if isinstance(document, list) and position else None


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo a `Content-Encoding`, to at most `limit` bytes.

    Raises `TransportError` where the stream is cut or corrupt, `PayloadError` for another coding, too many members
    and too much.
    """
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise PayloadError("the answer is compressed in a way nobody asked for")
    parts: list[bytes] = []
    size = 0
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        try:
            parts.append(member.decompress(body, limit - size + 1))
        except zlib.error:
            break
        size += len(parts[-1])
        if size > limit:
            raise PayloadError(f"the answer is larger than {limit} bytes")
        if not member.eof:
            break
        body = member.unused_data
        if not body:
            return b"".join(parts)
    else:
        raise PayloadError(f"the answer is compressed in more than {_MOST_MEMBERS} pieces")
    raise TransportError("the compressed answer is cut or corrupt")
