"""Bytes → well-formed JSON → typed records; a misfit is reported with its place, never with its content."""

from __future__ import annotations

import json
import math
import re
from codecs import utf_8_decode
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeAlias, TypeVar, Union, get_args, get_origin

import msgspec

from .._nesting import is_too_deep, without_deep_rows
from .._segments import decoded_rows, holds_deep_segment, is_large
from ..errors import PayloadError
from ..schema import Issue

__all__ = [
    "LARGE",
    "DecodedBody",
    "Json",
    "decode",
    "decode_at",
    "decoded_body",
    "is_utf8",
    "try_decode",
    "try_decode_any",
    "untyped",
    "well_formed",
]

_T = TypeVar("_T")

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"
"""A JSON document, untyped; `float` includes int."""

LARGE = 1024 * 1024
"""Bytes; work on a larger body takes so long that other tasks must get their turn in between."""

_MENDABLE = 4 * 1024 * 1024  # decoded untyped, a body takes thirty times its size


def well_formed(body: bytes, *, is_list: bool = False) -> tuple[bytes, bool]:
    """Return a body as JSON that every decoder accepts, and whether it had to be mended.

    Mending removes a byte order mark, turns `NaN` and `Infinity` into null, lone surrogates and invalid UTF-8 into
    U+FFFD, and controls inside strings into escapes; in a body that needs any of these, numbers with too many digits to
    read become null too. With `is_list`, every row that is nested too deeply becomes `nesting.TOO_DEEP`.

    Raises `PayloadError` if the result is not JSON: retryable if the body is truncated, HTML or empty, not retryable if
    it is nested too deeply or has implausibly many tiny values.
    """
    if len(body) > LARGE and _is_crowded(body):
        raise PayloadError("the response has implausibly many tiny JSON values")
    found: bytes | None = body
    was_mended = False
    try:
        is_deep = _is_too_deep(body)
        if is_deep is None:
            found, was_mended = _mend(body), True
            is_deep = found is not None and is_too_deep(found)
    except RecursionError:
        is_deep = True
    if is_deep:
        less = without_deep_rows(found or body) if is_list else None
        if less is None:
            raise PayloadError("the response is nested too deeply")
        return well_formed(less)[0], True
    if found is None:
        raise PayloadError(f"the response is not JSON: {_kind_of(body)}", retryable=True)
    return found, was_mended


def _is_too_deep(body: bytes) -> bool | None:
    """Whether a body is nested too deeply; None if it is not well-formed."""
    try:
        is_deep = holds_deep_segment(body) if is_large(body) else is_too_deep(body)
    except msgspec.MsgspecError:
        return None
    return is_deep if is_utf8(body) else None


_PIECE = 16 * 1024  # bytes; a larger piece is memory-mapped each time, which takes longer than reading it


def is_utf8(body: bytes) -> bool:
    """Whether a body is UTF-8; decoded in pieces, because as one string it would take several times its size."""
    if body.isascii():
        return True
    begin = 0
    try:
        while begin < len(body):
            end = begin + _PIECE
            begin += utf_8_decode(body[begin:end], "strict", end >= len(body))[1]
    except UnicodeDecodeError:
        return False
    return True


_LEAST_PART = 32  # bytes per object or list; no response that providers document has less than 45
_LEAST_VALUE = 8  # bytes per value; none has less than 17
_STRIDE = 13
_STRETCH = _STRIDE * 128 * 1024  # bytes; during one call on all of a large body no other thread would get its turn


def _is_crowded(body: bytes) -> bool:
    """Whether a body has objects, lists or values so small that decoding them would take many times its size."""
    parts = values = 0
    for begin in range(0, len(body), _STRETCH):
        some = body[begin : begin + _STRETCH : _STRIDE]
        parts += some.count(b"{") + some.count(b"[")
        values += some.count(b",")
    looked_at = -(-len(body) // _STRIDE)
    return parts > looked_at // _LEAST_PART or values > looked_at // _LEAST_VALUE


# Half of a surrogate pair that JavaScript cut: it is not text, and msgspec rejects a whole page because of it.
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
    except ValueError:  # more digits than the interpreter's limit
        return None


def _kind_of(body: bytes) -> str:
    start = body[:64].lstrip()
    if not start:
        return "empty"
    if start[:1] == b"<":
        return "HTML or XML"
    if start[:1] in {b"{", b"["}:
        return f"truncated or broken, {len(body)} bytes"
    return f"other text, {len(body)} bytes"


class DecodedBody(bytes):
    """A well-formed body that is decoded already: `decode` with the same decoder returns the result."""

    original: bytes
    decoder: msgspec.json.Decoder[Any]
    decoded: Any

    def __bytes__(self) -> bytes:
        return self.original


def decoded_body(body: bytes, decoder: msgspec.json.Decoder[Any]) -> DecodedBody | None:
    """Decode a body and see in the same pass that it is well-formed; None if it may not be, or does not fit.

    What the decoder skips it reads as carefully as `well_formed` does, so an ordinary body is read once and not twice.
    It may be nested more deeply: how deep, is checked in what is kept of it.
    """
    try:
        decoded = decoder.decode(body)
    except _UNREADABLE:
        return None
    if not is_utf8(body):
        return None
    made = DecodedBody(body)
    made.original, made.decoder, made.decoded = body, decoder, decoded
    return made


def decode(body: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[_T], issues: list[Issue] | None = None) -> _T:
    """Decode a well-formed body or record.

    With `issues`, a single value that does not fit (text for a number, 1e400, an object for a date) becomes null and is
    noted there, and so does an item of a list of records that is not an object. Raises `PayloadError` for any other
    structure that does not fit, for a value that must not be null, and for more than 10,000 misfits.
    """
    if type(body) is DecodedBody and body.decoder is decoder:
        found: _T = body.decoded
        return found
    if type(body) is bytes and is_large(body):
        decoded = decoded_rows(body, decoder)
        if decoded is not None:
            return decoded
    try:
        return decoder.decode(body)
    except _UNREADABLE as error:
        misfit = _misfit(error)
    if issues is not None and misfit.may_be_null:
        return _decode_without_misfits(bytes(body), decoder, issues)
    raise misfit.as_error()


def decode_at(place: str, body: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[_T], issues: list[Issue]) -> _T:
    """Decode one member of a body as `decode` does, or null if it is absent; issues are noted below `place`."""
    misfits: list[Issue] = []
    found = decode(body or b"null", decoder, misfits)
    for misfit in misfits:
        below = misfit.place.removeprefix("$")
        issues.append(Issue(f"{place}{below}" if below[:1] == "[" else f"{place}.{below}", misfit.reason))
    return found


def try_decode(body: bytes | str | msgspec.Raw, decoder: msgspec.json.Decoder[_T]) -> _T | None:
    """Decode what may not be JSON at all, such as the body of an error response; None if it cannot be read."""
    try:
        return decoder.decode(body)
    except _UNREADABLE:
        return None


_anything: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def try_decode_any(body: bytes | str | msgspec.Raw) -> Any:
    """Decode what need not be JSON at all, untyped; None where it cannot be read."""
    return try_decode(body, _anything)


# Only the first is msgspec's own.
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Misfit(msgspec.Struct, frozen=True):
    """What does not fit, and where; never the value."""

    what: str
    place: str = "$"
    is_value: bool = False
    is_record: bool = False
    """Whether an object was expected there, as an item of a list."""

    @property
    def may_be_null(self) -> bool:
        return self.is_value or self.is_record

    def as_error(self) -> PayloadError:
        if self is _TOO_DEEP:
            return PayloadError(self.what)
        return PayloadError(f"the response does not fit: {self.what} at {self.place}")


_TOO_DEEP = _Misfit("it is nested too deeply")


# msgspec names the place after " - at "; the rest of its message may repeat a value.
_PLACE = re.compile(r" - at `(?P<place>[^`]*)`$")
_EXPECTED = re.compile(
    r"Expected `(?P<due>[a-z |]+)`(, got `[a-z]+`| [<>]=? [0-9.e+-]+)|(Number|Integer value) out of range"
)
_MISSING = re.compile(r"Object missing required field `[^`]+`")


def _misfit(error: Exception, at: str = "$") -> _Misfit:
    """Return what a decoder's error says about the value at `at`."""
    if isinstance(error, RecursionError):
        return _TOO_DEEP
    said = str(error)
    found = _PLACE.search(said)
    place = at + found["place"].removeprefix("$") if found else at
    expected = _EXPECTED.match(said)
    if expected:
        due = expected["due"] or ""
        is_value = place != "$" and "array" not in due and "object" not in due
        is_record = due in _RECORD and _IN_A_LIST.search(place) is not None
        return _Misfit(expected.group().replace("`", ""), place, is_value, is_record)
    missing = _MISSING.match(said)
    return _Misfit(missing.group().replace("`", "") if missing else "unreadable value", place)


_RECORD = {"object", "object | null"}
_IN_A_LIST = re.compile(r"\[\d+\]$")


def _decode_without_misfits(body: bytes, decoder: msgspec.json.Decoder[_T], issues: list[Issue]) -> _T:
    remover = _MisfitRemover(strict=decoder.strict)
    document = remover.clean(untyped(body), decoder.type, "$")
    for found in remover.misfits:
        what = "not an object" if found.is_record else found.what
        issues.append(Issue(found.place.removeprefix("$."), what))
    try:
        return decoder.decode(msgspec.json.encode(document))
    except _UNREADABLE as error:
        left = _misfit(error)
    # For a value that must not be null, report what was there before.
    raise {found.place: found for found in remover.misfits}.get(left.place, left).as_error()


_MOST_MISFITS = 10_000


class _MisfitRemover:
    """Sets values that do not fit to null. It decodes each by itself, so more misfits do not mean more decoding."""

    def __init__(self, *, strict: bool) -> None:
        self.misfits: list[_Misfit] = []
        self._strict = strict

    def clean(self, value: Json, kind: Any, place: str) -> Json:
        """Return a value that should be of a kind, with null for every part that does not fit."""
        inside = _inside(kind)
        if isinstance(value, dict) and inside.members is not None:
            for name in filter(inside.members.__contains__, value):
                value[name] = self.clean(value[name], inside.members[name], f"{place}.{name}")
        elif isinstance(value, list) and inside.items is not None:
            for position, one in enumerate(value):
                if self._misfit(one, inside.items, "$") is not None:
                    value[position] = self.clean(one, inside.items, f"{place}[{position}]")
        else:
            misfit = self._misfit(value, kind, place)
            if misfit is not None and misfit.may_be_null and place != "$":
                self.misfits.append(misfit)
                if len(self.misfits) > _MOST_MISFITS:
                    raise PayloadError(
                        f"the response does not fit: more than {_MOST_MISFITS} values are of another kind"
                    )
                return None
        return value

    def _misfit(self, value: Json, kind: Any, place: str) -> _Misfit | None:
        try:
            _decoder(kind, strict=self._strict).decode(msgspec.json.encode(value))
        except _UNREADABLE as error:
            return _misfit(error, place)
        return None


class _Inside(NamedTuple):
    """The members of an object or the items of a list; None if the kind is neither, or several are possible."""

    members: Mapping[str, Any] | None = None
    items: Any = None


@cache
def _inside(kind: Any) -> _Inside:
    choices = [_bare(choice) for choice in (get_args(kind) if get_origin(kind) in _UNIONS else (kind,))]
    records = [choice for choice in choices if isinstance(get_origin(choice) or choice, msgspec.StructMeta)]
    lists = [choice for choice in choices if get_origin(choice) is list]
    members = None
    if len(records) == 1:
        members = {field.encode_name: field.type for field in msgspec.structs.fields(records[0])}
    return _Inside(members, get_args(lists[0])[0] if len(lists) == 1 else None)


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


_UNIONS = {Union, UnionType}


@cache
def _decoder(kind: Any, *, strict: bool) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=strict)


def untyped(body: bytes) -> Json:
    """Decode a well-formed document and keep its numbers as sent: 1e400 and 1.10 stay as they are, at any length.

    Raises `PayloadError` for one that is nested too deeply.
    """
    try:
        document: Json = json.loads(body, parse_float=msgspec.Raw, parse_int=msgspec.Raw)
    except (ValueError, RecursionError):
        pass
    else:
        return document
    raise PayloadError("the response is not JSON, or is nested too deeply")
