"""Adapters that other packages publish, as entry points; a broken one is named, and breaks nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib.metadata import EntryPoint, distributions
from typing import Any, Final, TypeVar

import msgspec

from .account import wrong_with_base_url
from .adapter import Adapter, Resource
from .errors import ConfigurationError
from .wire import Flow, Request

__all__ = ["broken", "entries", "loaded"]

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

_GROUP: Final = "conversations_hub.adapters"
_NAME: Final = re.compile(r"[a-z0-9_]+")  # what a ref can begin with
_FLOWS: Final = ("list_page", "get", "start", "end", "delete", "send")


def entries() -> dict[str, list[EntryPoint]]:
    """Return what is published, by the name of its provider."""
    found: dict[str, list[EntryPoint]] = {}
    for package in distributions():
        try:
            points = package.entry_points
        except Exception:  # noqa: BLE001, S112  (a file that nobody can read, in whatever package)
            continue
        for point in points:
            if point.group == _GROUP:
                found.setdefault(point.name, []).append(point)
    return found


def loaded(published: Sequence[EntryPoint]) -> Adapter:
    """Return the adapter that the entry points of one name hold.

    Raises `ConfigurationError` where there is none, and where there are several: a key would go to whoever comes first.
    """
    entry, *others = _each_package_s_first(published)
    if others:
        places = " and ".join(map(_place_of, (entry, *others)))
        raise ConfigurationError(
            f"{entry.name!r} is published more than once, as {places}: keep one", provider=entry.name
        )
    try:
        held = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a module may do anything as it is imported)
        # Other messages may hold anything, the environment's secrets too.
        why = (
            f"{type(error).__name__}: {error}" if isinstance(error, ImportError | SyntaxError) else type(error).__name__
        )
        wrong = f"cannot be loaded ({why})"
    else:
        told = _wrong_with(held, entry.name)
        if told is None:
            return _contained(held)
        wrong = told
    raise ConfigurationError(f"the entry point {_place_of(entry)} {wrong}", provider=entry.name)


def _each_package_s_first(published: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Return entry points without those of packages that are installed twice, of which Python takes the first."""
    found: list[EntryPoint] = []
    for point in published:
        package = _package_of(point)
        if not any(one.dist is not point.dist and package and _package_of(one) == package for one in found):
            found.append(point)
    return found


def _package_of(entry: EntryPoint) -> str | None:
    with suppress(Exception):  # its metadata may be anything
        return entry.dist.name if entry.dist else None
    return None


def _place_of(entry: EntryPoint) -> str:
    return f"{entry.value} of {f'the package {package}' if (package := _package_of(entry)) else 'an unnamed package'}"


def _wrong_with(held: object, name: str) -> str | None:
    if not isinstance(held, Adapter) or held.name != name or not _NAME.fullmatch(held.name):
        return f"holds no adapter named {name!r}"
    wrong = wrong_with_base_url(held.base_url)
    return f"holds an adapter whose base URL {wrong}" if wrong else None


def broken(name: str, reason: str) -> Adapter:
    """Return an adapter that can be asked for everything, and only ever says what is wrong with it."""

    def refuse(*_asked: object) -> Flow[Any]:
        raise ConfigurationError(reason)
        yield

    def sign(*_asked: object) -> Request:
        raise ConfigurationError(reason)

    silent = Adapter(name=name, base_url="https://adapter.invalid", docs="", sign=sign)
    return msgspec.structs.replace(silent, **dict.fromkeys(_FLOWS, refuse))


def _contained(adapter: Adapter) -> Adapter:
    """Return an adapter whose flows begin as they run, so that their mistakes are found where flows are run.

    One that was written for another contract would fail as it is called. What it signs and refuses with is minded where
    that is called.
    """
    return msgspec.structs.replace(
        _with_flows_minded(adapter),
        resources={name: _with_flows_minded(resource) for name, resource in adapter.resources.items()},
        recording=adapter.recording and _begun(adapter.recording),
    )


def _with_flows_minded(resource: R) -> R:
    held = {name: getattr(resource, name) for name in _FLOWS}
    return msgspec.structs.replace(resource, **{name: _begun(flow) for name, flow in held.items() if flow is not None})


def _begun(flow: Callable[..., Flow[T]]) -> Callable[..., Flow[T]]:
    def begin(*asked: object) -> Flow[T]:
        return (yield from flow(*asked))

    return begin
