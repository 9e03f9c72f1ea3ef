"""What every benchmark does with its figures: print them beside their goals, and keep them with what they hang on."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["Figure", "is_smoke", "keep"]

RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "conversations-hub",
    "aiohttp",
    "msgspec",
    "tenacity",
    "httpx",
    "elevenlabs",
    "retell-sdk",
    "vapi-server-sdk",
)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure, most often a ratio of two things measured side by side in one run."""

    what: str
    against: str
    value: float
    unit: str = "×"  # noqa: RUF001  (times, not the letter)
    at_most: float | None = None
    """The goal; None where there is none."""
    at_least: float | None = None

    @property
    def goal(self) -> str:
        """The goal, for people."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else ""

    @property
    def is_met(self) -> bool:
        """Whether the goal, if there is one, is met."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )


def is_smoke() -> bool:
    """Whether this run only shows that the benchmark works: few rounds, and no figure is kept."""
    return "--smoke" in sys.argv


def keep(name: str, figures: Sequence[Figure], details: Any = None) -> None:
    """Print figures, and write them to `results/<name>.json` unless this is a smoke run."""
    for figure in figures:
        mark = " " if not figure.goal else "✓" if figure.is_met else "✗"
        goal = f"  goal {figure.goal}" if figure.goal else ""
        print(f"{mark} {figure.what:<44} {figure.value:>9.2f} {figure.unit:<3} against {figure.against}{goal}")
    if is_smoke():
        return
    RESULTS.mkdir(exist_ok=True)
    told = {
        "benchmark": name,
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "packages": {package: found for package in _PACKAGES if (found := _version(package))},
        "figures": [{**msgspec.to_builtins(figure), "is_met": figure.is_met} for figure in figures],
        "details": details,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
