"""The fault cases that tests name, and the tables of `docs/explanation/reliability.md`.

A test named `test_f053_…` holds case F053; `test_f014_f015_…` holds two. The rest of its name says what happens.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from conversations_hub.policy import PROFILES

from .paths import DOCS, TESTS

__all__ = ["PAGE", "cases_of", "cases_table", "filled", "found_cases", "part", "profiles_table"]

PAGE = DOCS / "explanation" / "reliability.md"

_SECTIONS = {
    "Connection and framing": range(1, 22),
    "Retry, backoff and budget": range(22, 41),
    "Rate limits and breaker": range(41, 53),
    "Deadlines, cancellation and concurrency": range(53, 66),
    "Bodies and decoding": range(66, 84),
    "Paging": range(84, 101),
    "Export and resume": range(101, 112),
    "Webhooks": range(112, 115),
    "Security": range(115, 116),
    "Chaos": range(116, 117),
}

_NAME = re.compile(r"test_((?:f[0-9]{3}[a-k]?_)+)(\w+)")
_FUNCTION = re.compile(r"^ *(?:async )?def (\w+)", re.MULTILINE)
_POSSESSIVE = re.compile(r" s\b")

Outcomes = Mapping[str, tuple[int, int]]
"""By test function: how many of its runs passed, of how many."""


def cases_of(name: str) -> tuple[list[str], str]:
    """Return the cases a test function holds, and what it says happens."""
    found = _NAME.fullmatch(name)
    if found is None:
        return [], ""
    cases = [f"F{case[1:4]}{case[4:]}" for case in found[1].strip("_").split("_")]
    return cases, _POSSESSIVE.sub("'s", found[2].replace("_", " "))


def found_cases() -> dict[str, dict[str, str]]:
    """Return every case with its tests: what each says happens, by its name. Those that run by night are marked."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for path in sorted(TESTS.rglob("test_*.py")):
        by_night = " (by night)" if "nightly" in path.parts else ""
        for name in _functions(path):
            cases, said = cases_of(name)
            for case in cases:
                found[case][name] = said + by_night
    return dict(sorted(found.items()))


def _functions(path: Path) -> Iterator[str]:
    yield from _FUNCTION.findall(path.read_text())


def cases_table(outcomes: Outcomes) -> str:
    """Return the table: each case, what happens, and how its tests ended where they were run."""
    cases = found_cases()
    lines: list[str] = []
    for section, numbers in _SECTIONS.items():
        rows = [_row(case, tests, outcomes) for case, tests in cases.items() if int(case[1:4]) in numbers]
        if rows:
            lines += ["", f"### {section}", "", "| case | what happens | passed |", "| --- | --- | :-: |", *rows]
    return "\n".join(lines).strip()


def _row(case: str, tests: Mapping[str, str], outcomes: Outcomes) -> str:
    runs = [outcomes[name] for name in tests if name in outcomes]
    passed = f"{sum(good for good, _ in runs)} of {sum(every for _, every in runs)}"
    if not runs:
        passed = "by night" if all("(by night)" in said for said in tests.values()) else "not run"
    return f"| {case} | {'; '.join(dict.fromkeys(tests.values()))} | {passed} |"


def profiles_table() -> str:
    """Return the numbers of the profiles, side by side."""
    lines = [f"| | {' | '.join(PROFILES)} |", "| --- | --: | --: |"]
    numbers = [_flat(msgspec.to_builtins(profile)) for profile in PROFILES.values()]
    lines += [f"| {name} | {' | '.join(_shown(each[name]) for each in numbers)} |" for name in numbers[0]]
    return "\n".join(lines)


def _flat(numbers: Mapping[str, float | Mapping[str, float]]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in numbers.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return {name.replace("_", " "): value for name, value in flat.items()}


def _shown(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value // 2**20:g} MiB" if value >= 2**20 else f"{value:g}"


def part(name: str, page: str) -> str:
    """Return what stands between a page's `<!-- name -->` and `<!-- /name -->`."""
    return page.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0].strip()


def filled(name: str, page: str, content: str) -> str:
    """Return the page with other content there."""
    before, begin, rest = page.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    return f"{before}{begin}{content}\n{end}{after}"
