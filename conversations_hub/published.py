"""Adapters that other packages publish, as entry points; a broken one is named, and breaks nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions
from typing import Any, Final, TypeVar

import msgspec

from .adapter import Adapter, Resource
from .errors import ConfigurationError, HubError, PayloadError
from .wire import Flow, Request

__all__ = ["broken", "entries", "loaded"]

T = TypeVar("T")
R = TypeVar("R", bound=Resource)

_GROUP: Final = "conversations_hub.adapters"
_NAME: Final = re.compile(r"[a-z0-9_]+")  # what a ref can begin with
_FLOWS: Final = ("list_page", "get", "start", "end", "delete", "send")


def entries() -> dict[str, EntryPoint]:
    """Return what is published, by the name of its provider; of two with one name the first that Python finds."""
    found: dict[str, EntryPoint] = {}
    for package in distributions():
        try:
            points = package.entry_points
        except Exception:  # noqa: BLE001, S112  (a file that nobody can read, in whatever package)
            continue
        for point in points:
            if point.group == _GROUP:
                found.setdefault(point.name, point)
    return found


def loaded(entry: EntryPoint) -> Adapter:
    """Return the adapter that an entry point holds; raise `ConfigurationError` where there is none."""
    try:
        held = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a module may do anything as it is imported)
        # Other messages may hold anything, the environment's secrets too.
        why = (
            f"{type(error).__name__}: {error}" if isinstance(error, ImportError | SyntaxError) else type(error).__name__
        )
        wrong = f"cannot be loaded ({why})"
    else:
        if isinstance(held, Adapter) and held.name == entry.name and _NAME.fullmatch(held.name):
            return _contained(held)
        wrong = f"holds no adapter named {entry.name!r}"
    package = f" of the package {entry.dist.name}" if entry.dist else ""
    raise ConfigurationError(f"the entry point {entry.value}{package} {wrong}", provider=entry.name)


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
    """Return an adapter whose mistakes are its own accounts' failures, also where it was written for another contract.

    What a flow raises once it runs is minded where flows are run.
    """
    return msgspec.structs.replace(
        _with_flows_minded(adapter),
        resources={name: _with_flows_minded(resource) for name, resource in adapter.resources.items()},
        recording=adapter.recording and _begun(adapter.recording),
        sign=_minded(adapter.sign),
        refusal=_minded(adapter.refusal),
    )


def _with_flows_minded(resource: R) -> R:
    held = {name: getattr(resource, name) for name in _FLOWS}
    return msgspec.structs.replace(resource, **{name: _begun(flow) for name, flow in held.items() if flow is not None})


def _begun(flow: Callable[..., Flow[T]]) -> Callable[..., Flow[T]]:
    def begin(*asked: object) -> Flow[T]:
        return (yield from flow(*asked))

    return begin


def _minded(function: Callable[..., T]) -> Callable[..., T]:
    def call(*given: object) -> T:
        try:
            return function(*given)
        except HubError:
            raise
        except Exception as error:  # noqa: BLE001  (one adapter's bug must not become everybody's)
            bug = type(error).__name__
        raise PayloadError(f"the adapter has a bug: {bug}")

    return call
