"""The filters of a query as conditions in SQL; values are always bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ..._refs import Target
from ...adapters import load
from .._filters import Filters
from ._tables import instant_text

__all__ = ["COLUMNS", "Condition", "all_of", "before", "equal", "is_of", "matching", "narrowed"]

Condition = tuple[str, list[Any]]
"""A condition, empty if everything meets it, and the values of its placeholders."""

COLUMNS: Final[Mapping[str, str]] = {"agent": "agent_id"}
"""The columns of fields that have another name."""


def all_of(*conditions: Condition) -> Condition:
    """Return the condition that all of these are met."""
    parts = [where for where, _ in conditions if where]
    return " AND ".join(parts), [value for _, values in conditions for value in values]


def equal(**columns: str | None) -> Condition:
    """Return the condition that columns have these values; None: any."""
    given = {name: str(value) for name, value in columns.items() if value is not None}
    return " AND ".join(f"{name} = ?" for name in given), list(given.values())


def narrowed(wanted: Filters) -> Condition:
    """Return the condition for targets and span."""
    named = [is_of(target) for target in wanted.targets]
    owners = f"({' OR '.join(where for where, _ in named)})" if named else ""
    since: Condition = ("", [])
    if wanted.since is not None:  # as in `hub.list`, one without an instant is in every span
        since = ("(at >= ? OR at = '')", [instant_text(wanted.since)])
    return all_of((owners, [value for _, values in named for value in values]), since, before(wanted.until))


def before(until: datetime | None) -> Condition:
    """Return the condition that a conversation is from before an instant, or without one."""
    return ("", []) if until is None else ("at < ?", [instant_text(until)])


def is_of(target: Target) -> Condition:
    """Return the condition that a conversation belongs to a target."""
    conditions: list[str] = ["provider = ?"]
    values: list[Any] = [target.provider]
    if target.account is not None:
        conditions.append("account = ?")
        values.append(target.account)
    if target.resource is not None:
        adapter = load(target.provider)
        if target.resource == adapter.main:
            prefixes = [prefix for name in adapter.resources for prefix in adapter.id_prefixes(name)]
            conditions += ["substr(id, 1, ?) <> ?"] * len(prefixes)
        else:
            prefixes = [*adapter.id_prefixes(target.resource)]
            conditions.append(f"({' OR '.join(['substr(id, 1, ?) = ?'] * len(prefixes))})")
        values += [part for prefix in prefixes for part in (len(prefix), prefix)]
    return " AND ".join(conditions), values


def matching(wanted: Filters) -> Condition:
    """Return the condition for everything but targets and span."""
    issues = {None: "", True: "issues IS NOT NULL", False: "issues IS NULL"}[wanted.has_issues]
    single = equal(status=wanted.status, agent_id=wanted.agent)
    return all_of(single, *(_one_of(name, values) for name, values in wanted.fields.items()), (issues, []))


def _one_of(name: str, values: Sequence[str]) -> Condition:
    places = ", ".join("?" * len(values))
    if name == "tag":
        where = f"tags IS NOT NULL AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value IN ({places}))"
    else:
        where = f"{COLUMNS.get(name, name)} IN ({places})"
    return where, list(values)
