"""Deprecated names: each still works, and its warning gives the new name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["moved"]


def moved(old: str, home: str | None = None, names: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """Return a `__getattr__` for the module `old`, whose names are now in the module `home`.

    `names` maps names that are in another module or were renamed, as `{"Name": "module:NewName"}`.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807  (it becomes the module's own)
        there = (names or {}).get(name) or (f"{home}:{name}" if home is not None else "")
        if not there or name.startswith("__"):
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        module, _, new = there.partition(":")
        found = getattr(import_module(module), new)
        warnings.warn(f"{old}.{name} is now {module}.{new}", DeprecationWarning, stacklevel=2)
        return found

    return __getattr__
