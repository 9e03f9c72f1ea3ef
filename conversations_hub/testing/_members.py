"""The members of a payload that an adapter knows: those that its types read, and those that it leaves to `raw`.

Paths look like `events[].properties.name`; in `Resource.left_to_raw`, a `*` matches anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import inspect

from ..adapter import Resource
from ..reading.json import Json

__all__ = ["landings", "left_to_raw", "unknown_members", "unseen_members"]


def unknown_members(resource: Resource, payload: Json) -> list[str]:
    """Return the members of a payload, decoded untyped, that are neither read nor left to `raw`.

    `resource` is the resource that the payload belongs to: an adapter, or one of its other resources. A star stands for
    the keys of a map, which are content.
    """
    left = left_to_raw(resource.left_to_raw)
    found = ((path, shown) for path, shown, is_read in _walked(payload, _kinds(resource)) if not is_read)
    return list(dict.fromkeys(shown for path, shown in found if not left.fullmatch(path)))


def landings(resource: Resource, payload: Json) -> dict[str, str]:
    """Return for each member "read", the reason why it is left to `raw`, or "unknown"."""
    left = {path: left_to_raw([path]) for path in resource.left_to_raw}
    found: dict[str, str] = {}
    for path, _, is_read in _walked(payload, _kinds(resource)):
        reason = next((resource.left_to_raw[name] for name, pattern in left.items() if pattern.fullmatch(path)), None)
        found[path] = "read" if is_read else reason or "unknown"
    return found


def unseen_members(resource: Resource, payloads: Iterable[Json]) -> list[str]:
    """Return the members that are read but that no payload has, although the objects that would hold them exist."""
    kinds = _kinds(resource)
    seen: set[str] = set()
    for payload in payloads:
        seen.update(path for path, _, is_read in _walked(payload, kinds) if is_read)
    return [path for path in dict.fromkeys(_readable(kinds, seen)) if path not in seen]


def left_to_raw(paths: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern that matches such paths, with positions as numbers or as `[]`."""
    escaped = (re.escape(path).replace(r"\[\]", r"\[\d*\]").replace(r"\*", ".*") for path in paths)
    return re.compile("|".join(escaped) or r"(?!)")


_Kinds = tuple[inspect.Type, ...]


def _kinds(resource: Resource) -> _Kinds:
    return _flat(inspect.multi_type_info(resource.payloads))


def _flat(kinds: Iterable[inspect.Type]) -> _Kinds:
    found: list[inspect.Type] = []
    for kind in kinds:
        match kind:
            case inspect.UnionType(types=types):
                found += _flat(types)
            case inspect.Metadata(type=inner):
                found += _flat((inner,))
            case _:
                found.append(kind)
    return tuple(found)


def _walked(value: Json, kinds: _Kinds, path: str = "", shown: str = "") -> Iterator[tuple[str, str, bool]]:
    """Yield the path of every member, the path with a star for each key of a map, and whether the member is read.

    Members below one that is not read are not yielded.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            known = _member(name, kinds)
            is_key = bool(known) and not any(_has_field(kind, name) for kind in kinds)
            below = f"{path}.{name}".removeprefix("."), f"{shown}.{'*' if is_key else name}".removeprefix(".")
            yield *below, bool(known)
            if known:
                yield from _walked(inner, known, *below)
    elif isinstance(value, list):
        items = _flat(kind.item_type for kind in kinds if isinstance(kind, inspect.ListType))
        items += tuple(kind for kind in kinds if isinstance(kind, inspect.AnyType | inspect.RawType))
        for inner in value:
            yield from _walked(inner, items, f"{path}[]", f"{shown}[]")


def _has_field(kind: inspect.Type, name: str) -> bool:
    return isinstance(kind, inspect.StructType) and any(field.encode_name == name for field in kind.fields)


def _member(name: str, kinds: _Kinds) -> _Kinds:
    found: list[inspect.Type] = []
    for kind in kinds:
        match kind:
            case inspect.StructType(fields=fields):
                found += [field.type for field in fields if field.encode_name == name]
            case inspect.DictType(value_type=value_type):
                found.append(value_type)
            case inspect.AnyType() | inspect.RawType():
                found.append(kind)
            case _:
                pass
    return _flat(found)


def _readable(kinds: _Kinds, seen: set[str], path: str = "") -> Iterator[str]:
    """Yield the members of the types, and those below the seen ones."""
    for kind in kinds:
        match kind:
            case inspect.StructType(fields=fields):
                for field in fields:
                    below = f"{path}.{field.encode_name}".removeprefix(".")
                    yield below
                    if below in seen:
                        yield from _readable(_flat((field.type,)), seen, below)
            case inspect.ListType(item_type=item_type):
                yield from _readable(_flat((item_type,)), seen, f"{path}[]")
            case _:
                pass
