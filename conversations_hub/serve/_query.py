"""The arguments of a request, as values; what is wrong with one is said without repeating it."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Literal

from multidict import MultiMapping

from ..errors import InvalidRefError, UnsupportedError
from ..schema import Role
from ..stores._filters import FIELDS, Filters
from ._refusal import Refusal

__all__ = ["FILTERS", "LONGEST", "Arguments", "searching", "wrong"]

_FIELD_OF: Final[Mapping[str, str]] = {
    "provider": "provider",
    "status": "status",
    "agent": "agent",
    "end_reason": "end_reason",
    "transcript": "transcript_state",
    "channel": "channel",
    "direction": "direction",
    "tag": "tag",
}
_NAME_OF: Final = {field: name for name, field in _FIELD_OF.items()}
FILTERS: Final = (*_FIELD_OF, "account", "issues", "since", "until")
"""The names of the arguments that choose conversations."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
LONGEST: Final = 2000  # characters of an argument


def wrong(name: str, expected: str) -> Refusal:
    """Return the refusal of an argument."""
    return Refusal(400, "invalid_argument", f"{name} must be {expected}")


@contextmanager
def searching() -> Generator[None]:
    """Turn what a store says about words and cursors into a refusal."""
    try:
        yield
    except UnsupportedError:
        detail = "this kind of store has no search index: sync into a SQLite or Postgres store"
        raise Refusal(501, "unsupported", detail) from None
    except InvalidRefError:
        raise Refusal(
            400,
            "invalid_argument",
            "cursor is not that of a page; or q has too many words, or fewer than three letters before a star",
        ) from None


class Arguments:
    """The arguments of one request; a name that is not known, or that comes twice where once is meant, is refused."""

    def __init__(self, given: MultiMapping[str], known: Collection[str]) -> None:
        for name, value in given.items():
            if name not in known:
                choices = f"it takes {', '.join(known)}" if known else "it takes none"
                raise Refusal(400, "invalid_argument", f"there is an argument that this does not take: {choices}")
            if len(value) > LONGEST or "\x00" in value:
                raise wrong(name, f"at most {LONGEST} characters")
        self._given = given

    def many(self, name: str) -> Sequence[str]:
        """Return all values of a name."""
        return self._given.getall(name, [])

    def one(self, name: str) -> str | None:
        """Return the only value of a name."""
        values = self.many(name)
        if len(values) > 1:
            raise wrong(name, "given once")
        return values[0] if values else None

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number."""
        text = self.one(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
            raise wrong(name, f"a number from {least} to {most}")
        return int(text)

    def word(self, name: str, words: Sequence[str], default: str) -> str:
        """Return one of some words."""
        found = self.one(name)
        if found is not None and found not in words:
            raise wrong(name, f"one of {', '.join(words)}")
        return default if found is None else found

    def instant(self, name: str) -> datetime | None:
        """Return an instant; UTC without a zone."""
        text = self.one(name)
        if text is None:
            return None
        try:
            # In a query, a plus that is not escaped means a space.
            found = datetime.fromisoformat(text.replace(" ", "+") if not _DATE.fullmatch(text) else text)
        except ValueError:
            raise wrong(name, "an instant such as 2026-11-20 or 2026-11-20T09:30Z") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def words(self) -> str | None:
        """Return the words to search for."""
        found = self.one("q")
        if found == "":
            raise wrong("q", "the words to find")
        return found

    def filters(self, *, role: Role | None = None, words: str | None = None) -> Filters:
        """Return the filters; several values of one name: any of them."""
        fields = {_FIELD_OF[name]: self.many(name) for name in self._given if name in _FIELD_OF}
        for field, values in fields.items():
            known = FIELDS[field]
            if known is not None and not set(values).issubset(known):
                raise wrong(_NAME_OF[field], f"one of {', '.join(known)}")
        issues: Literal["", "true", "false"] = self.word("issues", ("true", "false"), "")  # type: ignore[assignment]
        since, until = self.instant("since"), self.instant("until")
        try:
            return Filters.of(
                self.many("account"),
                since,
                until,
                role=role,
                fields=fields,
                has_issues={"": None, "true": True, "false": False}[issues],
                words=words,
            )
        except InvalidRefError:
            if since is not None and until is not None and since > until:
                raise wrong("until", "later than since") from None
        raise wrong("account", "written as provider/account, and no argument given more than a hundred times")
