"""Run every benchmark, one after the other, and put what they found into README.md.

    python benchmarks/run.py [--smoke]

It takes fifteen minutes at most: what has not ended by then is interrupted and counts as failed.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from measured import RESULTS, Figure, circumstances, is_smoke, publish

SCRIPTS = ("normalize", "metrics", "formats", "stats", "fetch", "walk", "stall", "limits", "start")
LONG = ("memory", "store", "growth", "serve", "scale")
"""What there is no room for here: each is run by itself, and here only to see that it works."""
COUNTED = "count"
"""What has a table of its own."""
LONGEST = 900.0
"""Seconds for all of them."""

HERE = Path(__file__).parent


def passed(name: str, until: float) -> bool:
    """Run a benchmark; return whether it ended well and in time."""
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    with subprocess.Popen([sys.executable, str(HERE / f"{name}.py"), *sys.argv[1:]]) as running:  # noqa: S603
        try:
            status = running.wait(max(until - began, 0.0))
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGINT)  # so that it ends the servers it began
            status = running.wait()
    print(f"== {name}: {'ended' if status == 0 else 'FAILED'} after {time.monotonic() - began:.0f} s", flush=True)
    return status == 0


def table() -> Iterator[str]:
    """Yield the lines of what was found, in Markdown."""
    files = [file for name in SCRIPTS + LONG if (file := RESULTS / f"{name}.json").exists()]
    found: list[dict[str, Any]] = [json.loads(file.read_text()) for file in files]
    yield from dict.fromkeys(map(circumstances, found))
    yield ""
    yield "| what | against | measured | must | moonshot |"
    yield "| --- | --- | --: | --: | --: |"
    for result in found:
        for figure in msgspec.convert(result["figures"], list[Figure]):
            value = figure.value
            measured = f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {figure.unit}"
            yield f"| {' | '.join([figure.what, figure.against, measured, *figure.goals])} |"


def main() -> None:
    """Run those that are there."""
    began = time.monotonic()
    scripts = (*SCRIPTS, *LONG, COUNTED) if is_smoke() else SCRIPTS
    present = [name for name in scripts if (HERE / f"{name}.py").exists()]
    failed = [name for name in present if not passed(name, began + LONGEST)]
    print(f"\n{len(present) - len(failed)} of {len(present)} benchmarks ran, in {time.monotonic() - began:.0f} s")
    if is_smoke():
        print("So short a run shows that they work; its figures say nothing and were not kept.")
    else:
        lines = "\n".join(table())
        print(f"\n{lines}")
        publish("benchmarks", lines)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
