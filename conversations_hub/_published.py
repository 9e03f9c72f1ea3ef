"""Adapters from outside: those that packages publish as entry points, and those that a caller passes.

A broken one is named, and breaks nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import EntryPoint, distributions
from typing import Any, Final, TypeVar

import msgspec

from .account import wrong_with_base_url
from .adapter import Adapter, Resource
from .errors import ConfigurationError
from .wire import Flow, Request

__all__ = ["broken", "entries", "given", "loaded"]

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

_GROUP: Final = "conversations_hub.adapters"
_NAME: Final = re.compile(r"[a-z0-9_]+")  # a provider's name as refs allow it
_FLOWS: Final = ("list_page", "get", "start", "end", "delete", "send")


def entries() -> dict[str, list[EntryPoint]]:
    """Return the published entry points, by the name of their provider."""
    found: dict[str, list[EntryPoint]] = {}
    for package in distributions():
        try:
            points = package.entry_points
        except Exception:  # noqa: BLE001, S112  (the metadata of any package may be unreadable)
            continue
        for point in points:
            if point.group == _GROUP:
                found.setdefault(point.name, []).append(point)
    return found


def loaded(published: Sequence[EntryPoint]) -> Adapter:
    """Return the adapter that the entry points of one name hold.

    Raises `ConfigurationError` if they hold none, and if they hold several: the first one would get the key.
    """
    entry, *others = _without_shadowed(published)
    if others:
        places = " and ".join(map(_place_of, (entry, *others)))
        raise ConfigurationError(
            f"{entry.name!r} is published more than once, as {places}: keep one", provider=entry.name
        )
    try:
        held = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (an import may raise anything)
        # Other messages may hold anything, even secrets from the environment.
        why = (
            f"{type(error).__name__}: {error}" if isinstance(error, ImportError | SyntaxError) else type(error).__name__
        )
        wrong = f"cannot be loaded ({why})"
    else:
        problem = _wrong_with(held, entry.name)
        if problem is None:
            return _make_lazy(held)
        wrong = problem
    raise ConfigurationError(f"the entry point {_place_of(entry)} {wrong}", provider=entry.name)


def given(adapters: Mapping[str, object]) -> dict[str, Adapter]:
    """Return the adapters that a caller passes, by provider.

    Raises `ConfigurationError` for what is no adapter of that name.
    """
    found: dict[str, Adapter] = {}
    for name, held in adapters.items():
        wrong = _wrong_with(held, name)
        if wrong is not None or not isinstance(held, Adapter):
            raise ConfigurationError(f"adapters[{name!r}] {wrong}", provider=name)
        found[name] = _make_lazy(held)
    return found


def _without_shadowed(published: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Return entry points without those of shadowed packages: of a package installed twice, Python uses the first."""
    found: list[EntryPoint] = []
    for point in published:
        package = _package_of(point)
        if not any(one.dist is not point.dist and package and _package_of(one) == package for one in found):
            found.append(point)
    return found


def _package_of(entry: EntryPoint) -> str | None:
    with suppress(Exception):  # its metadata may be broken
        return entry.dist.name if entry.dist else None
    return None


def _place_of(entry: EntryPoint) -> str:
    return f"{entry.value} of {f'the package {package}' if (package := _package_of(entry)) else 'an unnamed package'}"


def _wrong_with(held: object, name: str) -> str | None:
    if not isinstance(held, Adapter) or held.name != name or not _NAME.fullmatch(held.name):
        return f"holds no adapter named {name!r}"
    wrong = next(filter(None, map(wrong_with_base_url, (held.base_url, *held.base_urls))), None)
    return f"holds an adapter whose base URL {wrong}" if wrong else None


def broken(name: str, reason: str) -> Adapter:
    """Return an adapter that accepts every operation and fails each with `ConfigurationError` and this reason."""

    def refuse(*_arguments: object) -> Flow[Any]:
        raise ConfigurationError(reason)
        yield

    def sign(*_arguments: object) -> Request:
        raise ConfigurationError(reason)

    adapter = Adapter(name=name, base_url="https://adapter.invalid", docs="", sign=sign)
    return msgspec.structs.replace(adapter, **dict.fromkeys(_FLOWS, refuse))


def _make_lazy(adapter: Adapter) -> Adapter:
    """Return an adapter whose functions are called only when their flows run, so that their errors are raised there.

    A function written for another contract would fail when it is called. Errors of `sign` and `refusal` are handled
    where those are called.
    """
    return msgspec.structs.replace(
        _make_flows_lazy(adapter),
        resources={name: _make_flows_lazy(resource) for name, resource in adapter.resources.items()},
        recording=adapter.recording and _defer(adapter.recording),
    )


def _make_flows_lazy(resource: R) -> R:
    held = {name: getattr(resource, name) for name in _FLOWS}
    return msgspec.structs.replace(resource, **{name: _defer(flow) for name, flow in held.items() if flow is not None})


def _defer(flow: Callable[..., Flow[T]]) -> Callable[..., Flow[T]]:
    def call(*arguments: object) -> Flow[T]:
        return (yield from flow(*arguments))

    return call
