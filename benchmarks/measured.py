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

__all__ = ["RESULTS", "Figure", "circumstances", "is_smoke", "keep", "publish"]

RESULTS = Path(__file__).parent / "results"
_README = Path(__file__).parent / "README.md"
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
    """What it must be; None where there is no such goal."""
    at_least: float | None = None
    at_best: float | None = None
    """The moonshot: at most this."""

    @property
    def goals(self) -> tuple[str, str]:
        """What it must be and the moonshot, each with whether it is met; empty where there is none."""
        must = [f"{sign} {goal:g}" for sign, goal in (("≤", self.at_most), ("≥", self.at_least)) if goal is not None]
        moonshot = "" if self.at_best is None else f"≤ {self.at_best:g} {_mark(self.value <= self.at_best)}"
        return f"{', '.join(must)} {_mark(self.is_met)}" if must else "", moonshot

    @property
    def is_met(self) -> bool:
        """Whether the goal, if there is one, is met."""
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )


def _mark(is_met: bool) -> str:  # noqa: FBT001
    return "✓" if is_met else "✗"


def is_smoke() -> bool:
    """Whether this run only shows that the benchmark works: few rounds, and no figure is kept."""
    return "--smoke" in sys.argv


def keep(name: str, figures: Sequence[Figure], details: Any = None) -> None:
    """Print figures, and write them to `results/<name>.json` unless this is a smoke run."""
    for figure in figures:
        must, moonshot = figure.goals
        goals = (f"  must {must}" if must else "") + (f"  moonshot {moonshot}" if moonshot else "")
        print(f"  {figure.what:<44} {figure.value:>9.2f} {figure.unit:<3} against {figure.against}{goals}")
    if is_smoke():
        return
    RESULTS.mkdir(exist_ok=True)
    told = {
        "benchmark": name,
        "measured": datetime.now(UTC).date().isoformat(),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "packages": {package: found for package in _PACKAGES if (found := _version(package))},
        "figures": figures,
        "details": details,
    }
    written = json.dumps(msgspec.to_builtins(told), indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(written + "\n")


def circumstances(result: dict[str, Any]) -> str:
    """Return where and with what a result that was kept was measured."""
    machine = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in result["packages"].items())
    where = f"{machine['system']} {machine['processor']}, {machine['cores']} cores, Python {result['python']}"
    return f"Measured {result['measured']} on {where}, with {packages}."


def publish(part: str, lines: str) -> None:
    """Put a table into README.md, in place of the last one."""
    begin, end = f"<!-- {part} -->\n", f"<!-- /{part} -->\n"
    before, _, rest = _README.read_text().partition(begin)
    _, found, after = rest.partition(end)
    assert found, f"{_README} has no place for {part}"
    _README.write_text(f"{before}{begin}{lines}\n{end}{after}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
