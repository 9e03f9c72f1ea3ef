"""The tokens that open a gateway: of each, only a digest is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import tomllib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Self, get_args

import msgspec

from .._files.trusted import read_trusted
from ..errors import ConfigurationError

__all__ = ["SCOPES", "Scope", "Token", "Tokens"]

Scope = Literal["read", "raw", "recordings", "metrics"]
"""What a token opens: conversations; phone numbers, metadata and the provider's JSON; recordings; counters."""

SCOPES: Final[frozenset[Scope]] = frozenset(get_args(Scope))
_RANDOM: Final = 32  # bytes of a new token
_LONGEST: Final = 512  # characters of a token


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One token, without the token itself."""

    name: str
    """What logs call it."""
    sha256: str
    """The SHA-256 of the token's text, in hexadecimal."""
    scopes: frozenset[Scope] = frozenset[Scope]({"read"})
    expires: datetime | None = None
    """From this aware instant on it opens nothing; None: never."""

    def is_valid(self, now: datetime) -> bool:
        """Whether it has not expired at an aware instant."""
        return self.expires is None or now < self.expires


class Tokens:
    """The tokens that open a gateway; several may be valid, so that one can replace another.

    Raises `ConfigurationError` if there are none, or one of them is malformed or occurs twice.
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens, self._digests = _known(tokens)

    @classmethod
    def fresh(cls) -> tuple[Self, str]:
        """Return one random token, which may do everything, and its text, which is nowhere else."""
        text = secrets.token_urlsafe(_RANDOM)
        return cls([Token(name="start", sha256=_sha256(text).hex(), scopes=SCOPES)]), text

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """Read a TOML file with a `[[token]]` for each: name, sha256, scopes and expires.

        Raises:
            ConfigurationError: it cannot be read, others may write it, or it holds anything else.
        """
        return cls(_in_file(Path(path)))

    def reload(self, path: str | Path) -> None:
        """Take those of a file instead, see `from_file`; if it raises, the old ones stay.

        What is no longer valid opens nothing from now on, and streams that it opened are cut.
        """
        self._tokens, self._digests = _known(_in_file(Path(path)))

    def find(self, text: str, now: datetime) -> Token | None:
        """Return the token of this text; None if there is none, or it has expired."""
        digest = _sha256(text[: _LONGEST + 1])
        found: Token | None = None
        for known, token in self._digests:  # all of them, so that the time says nothing
            if hmac.compare_digest(known, digest):
                found = token
        return found if found is not None and found.is_valid(now) and len(text) <= _LONGEST else None

    def named(self, name: str, now: datetime) -> Token | None:
        """Return the token of this name; None if there is none, or it has expired."""
        found = self._tokens.get(name)
        return found if found is not None and found.is_valid(now) else None

    def hold(self, one: Token, now: datetime) -> bool:
        """Whether a token is still valid, exactly as it was."""
        return one in self._tokens.values() and one.is_valid(now)

    def __repr__(self) -> str:
        return f"<Tokens: {', '.join(self._tokens)}>"


def _known(tokens: Iterable[Token]) -> tuple[dict[str, Token], list[tuple[bytes, Token]]]:
    """Return tokens by their names, and each with its digest."""
    given = [*tokens]
    named, digests = {token.name: token for token in given}, [(_digest_of(token), token) for token in given]
    if not given:
        raise ConfigurationError("there are no tokens, so nobody could read anything: write at least one [[token]]")
    if len(named) < len(given):
        raise ConfigurationError("two tokens have the same name: give each its own")
    return named, digests


def _in_file(path: Path) -> list[Token]:
    content = read_trusted(path).content
    try:
        found = msgspec.convert(tomllib.loads(content.decode()), _File).token
        _known(found)
    except msgspec.ValidationError as error:
        reason = f"it is not a file of tokens: {error}"  # names a place and types, no value
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        reason = "it is not TOML"
    except ConfigurationError as error:
        reason = error.reason
    else:
        return found
    raise ConfigurationError(f"{path}: {reason}")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    token: list[Token]


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _digest_of(token: Token) -> bytes:
    if token.expires is not None and token.expires.utcoffset() is None:
        raise ConfigurationError("a token expires at an instant without a time zone: write 2027-01-01T00:00:00Z")
    if not token.name.isprintable() or not 0 < len(token.name) <= 64:
        raise ConfigurationError("the name of a token has 1 to 64 printable characters")
    try:
        digest = bytes.fromhex(token.sha256)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise ConfigurationError("the sha256 of a token has 64 hexadecimal digits: write the digest, not the token")
    return digest
