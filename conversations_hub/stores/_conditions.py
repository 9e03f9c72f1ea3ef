"""The filters of a query as conditions in SQL, in the words of a database; values are always bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from .._refs import Target
from ..adapters import load
from ._filters import Filters

__all__ = ["Condition", "Dialect", "all_of", "equal"]

Condition = tuple[str, list[Any]]
"""A condition, empty if everything meets it, and the values of its placeholders, which are question marks."""


def all_of(*conditions: Condition) -> Condition:
    """Return the condition that all of these are met."""
    parts = [where for where, _ in conditions if where]
    return " AND ".join(parts), [value for _, values in conditions for value in values]


def equal(**columns: str | None) -> Condition:
    """Return the condition that columns have these values; None: any."""
    given = {name: str(value) for name, value in columns.items() if value is not None}
    return " AND ".join(f"{name} = ?" for name in given), list(given.values())


def _any_of(conditions: Sequence[Condition]) -> Condition:
    if not conditions:
        return "", []
    return f"({' OR '.join(where for where, _ in conditions)})", [value for _, values in conditions for value in values]


class Dialect(NamedTuple):
    """How a database spells what conversations are chosen by, in a table of conversations with a column `at`."""

    owner: Callable[[str, str | None], Condition]
    """The condition that a conversation is of a provider, and of an account unless that is None."""
    instant: Callable[[datetime], object]
    """What `at` holds for an instant."""
    undated: str
    """What `at` holds of a conversation without an instant, as SQL. It is before every instant."""
    columns: Mapping[str, str]
    """The values of fields that have no column of their name."""
    tags: str
    """What yields the tags in a column, as the column `value` of the table `tag`."""
    has_issues: str
    binary: str = ""
    """What sorts texts by their code points."""

    def chosen(self, wanted: Filters) -> Condition:
        """Return the condition for everything but words."""
        return all_of(self.narrowed(wanted), self.matching(wanted))

    def narrowed(self, wanted: Filters) -> Condition:
        """Return the condition for targets and span."""
        since: Condition = ("", [])
        if wanted.since is not None:  # as in `hub.list`, one without an instant is in every span
            since = (f"(at >= ? OR at = {self.undated})", [self.instant(wanted.since)])
        return all_of(_any_of([self.is_of(target) for target in wanted.targets]), since, self.before(wanted.until))

    def before(self, until: datetime | None) -> Condition:
        """Return the condition that a conversation is from before an instant, or without one."""
        return ("", []) if until is None else ("at < ?", [self.instant(until)])

    def is_of(self, target: Target) -> Condition:
        """Return the condition that a conversation belongs to a target."""
        owned = self.owner(target.provider, target.account)
        if target.resource is None:
            return owned
        adapter = load(target.provider)
        if target.resource == adapter.main:
            prefixes = [prefix for name in adapter.resources for prefix in adapter.id_prefixes(name)]
            where = " AND ".join(["substr(id, 1, ?) <> ?"] * len(prefixes))
        else:
            prefixes = [*adapter.id_prefixes(target.resource)]
            where = f"({' OR '.join(['substr(id, 1, ?) = ?'] * len(prefixes))})"
        return all_of(owned, (where, [part for prefix in prefixes for part in (len(prefix), prefix)]))

    def matching(self, wanted: Filters) -> Condition:
        """Return the condition for everything but targets, span and words."""
        issues = {None: "", True: self.has_issues, False: f"NOT ({self.has_issues})"}[wanted.has_issues]
        single = equal(status=wanted.status, agent_id=wanted.agent)
        return all_of(single, *(self._one_of(name, values) for name, values in wanted.fields.items()), (issues, []))

    def _one_of(self, name: str, values: Sequence[str]) -> Condition:
        if name == "provider":
            return _any_of([self.owner(value, None) for value in values])
        places = ", ".join("?" * len(values))
        if name == "tag":
            tags = self.tags.format("tags")
            return f"tags IS NOT NULL AND EXISTS (SELECT 1 FROM {tags} WHERE tag.value IN ({places}))", list(values)
        return f"{self.columns.get(name, name)} IN ({places})", list(values)
