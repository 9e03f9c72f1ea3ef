"""Names at their old places: each still works, warns, and says where it is now."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["moved"]


def moved(old: str, homes: str | dict[str, str]) -> Callable[[str], Any]:
    """Return a `__getattr__` for the module `old`, whose names are in the module `homes` now.

    Or each in its own: `{"Name": "module"}`, and `{"Name": "module:NewName"}` where it is called otherwise there.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807  (it becomes the module's own)
        home, _, new = (homes if isinstance(homes, str) else homes.get(name, "")).partition(":")
        if not home or name.startswith("__"):
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        found = getattr(import_module(home), new or name)
        warnings.warn(f"{old}.{name} is now {home}.{new or name}", DeprecationWarning, stacklevel=2)
        return found

    return __getattr__
