"""A credential that is never shown by accident."""

from __future__ import annotations

import base64
from urllib.parse import quote

from ._frames import bared
from .errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Never

__all__ = ["Secret"]


_LONGEST = 8192


class Secret:
    """A credential that is never shown by accident: only `reveal()` returns it.

    Raises `ConfigurationError` for a value that cannot be a credential, without repeating it; `name` says which it is.
    """

    __slots__ = ("_value",)

    @bared
    def __init__(self, value: str, name: str = "key") -> None:
        wrong = _wrong_with(value)
        if wrong:
            raise ConfigurationError(f"the {name} {wrong}")
        self._value = value

    def reveal(self) -> str:
        """Return the credential itself."""
        return self._value

    def hidden_in(self, text: str) -> str:
        """Return a text with the credential replaced by `***`, be it plain, quoted for a URL or in Base64."""
        encoded = base64.b64encode(self._value.encode()).decode()
        for form in (self._value, quote(self._value, safe=""), quote(self._value), encoded, encoded.rstrip("=")):
            text = text.replace(form, "***")
        return text

    def __repr__(self) -> str:
        return "'***'"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> Never:
        raise TypeError("a Secret cannot be pickled")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self


def _wrong_with(value: object) -> str | None:
    if not isinstance(value, str):
        return "must be text"
    if not value:
        return "is empty"
    if len(value) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if any(not "!" <= character <= "~" for character in value):
        return "contains a space, a line break or another character that no key has: was it copied correctly?"
    return None
