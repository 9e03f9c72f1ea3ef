"""Count the instructions of the hottest operations, and say what moved since another revision.

    python benchmarks/count.py [KIND …] [--against REV] [--fail-above PERCENT] [--smoke]

Instructions hardly depend on what else the machine does: most agree within 0.2 % from run to run, while seconds
differ by 10 %. `valgrind` counts those of the client alone, without the kernel's; the providers answer from another
process, and always the same. What stands in the table is what one more conversation costs: an operation is run with
few conversations and with many, and the difference is divided.

With `--against`, this package and that of another revision take turns; `--against release` takes the last tag.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import BytesIO
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from answering import answering
from calls import PROVIDERS, conversations, simulated
from measured import keep, publish
from operations import OPERATIONS, Answer, Conversations, Plan

TURNS = 40
FEW, MANY = 4, 20
MOVED = 3.0
"""Percent; what moved less is not told."""

ROOT = Path(__file__).parent.parent
RELEASE = "release"
"""Stands for the last one."""

_OPERATED = Path(__file__).with_name("operations.py")
_MARK = "--dump-before=getppid"

Counts = Mapping[str, float]
"""Instructions for a conversation, by kind and provider."""


def plan_of(urls: Sequence[str], sizes: Sequence[int]) -> Plan:
    """Return what is to be read at two URLs, one with few conversations and one with many."""
    few, many = (Conversations(url, dict(_sent(size))) for url, size in zip(urls, sizes, strict=True))
    return Plan(few, many, {provider: dict(simulated(provider).settings) for provider in PROVIDERS})


def _sent(size: int) -> Iterator[tuple[str, dict[str, list[Answer]]]]:
    for provider in PROVIDERS:
        yield (
            provider,
            {
                sent.id: [Answer(one.status, dict(one.headers), one.body) for one in sent.answers]
                for sent in conversations(provider, size, TURNS)
            },
        )


def counted(package: Path, plan: Path, kinds: Sequence[str]) -> Counts:
    """Run the operations with the package in a folder, and return what they took."""
    with TemporaryDirectory() as folder:
        out = Path(folder, "counted")
        run(package, plan, kinds, "valgrind", "-q", "--tool=callgrind", _MARK, f"--callgrind-out-file={out}")
        # Each mark writes what was counted since the one before.
        written = [_total(Path(f"{out}.{number}")) for number in range(1, len(list(out.parent.iterdir())))]
    names = [f"{kind}, {provider}" for kind, provider in product(kinds, PROVIDERS)]
    assert len(written) == 4 * len(names), f"valgrind saw {len(written)} marks instead of {4 * len(names)}"
    runs = zip(names, written[2::4], written[3::4], strict=True)
    return {name: (most - least) / (MANY - FEW) for name, least, most in runs}


def run(package: Path, plan: Path, kinds: Sequence[str], *before: str) -> None:
    """Run the operations with the package in a folder."""
    surroundings = {**os.environ, "PYTHONPATH": str(package), "PYTHONHASHSEED": "0"}
    command = [*before, sys.executable, str(_OPERATED), str(plan), *kinds]
    subprocess.run(command, check=True, env=surroundings)  # noqa: S603


def _total(file: Path) -> int:
    told = re.search(r"^totals: (\d+)", file.read_text(), re.MULTILINE)
    assert told, f"{file} has no total"
    return int(told[1])


def compared(now: Counts, then: Counts) -> Iterator[tuple[str, float]]:
    """Yield what moved, and by how many percent."""
    for name, count in now.items():
        percent = 100 * (count / then[name] - 1)
        if abs(percent) >= MOVED:
            yield name, percent


def table(now: Counts, kinds: Sequence[str]) -> Iterator[str]:
    """Yield the lines of what was counted, in Markdown."""
    yield f"| thousands of instructions | {' | '.join(kinds)} |"
    yield f"| --- |{' --: |' * len(kinds)}"
    for provider in PROVIDERS:
        counts = [f"{now[f'{kind}, {provider}'] / 1000:,.0f}" for kind in kinds]
        yield f"| {provider} | {' | '.join(counts)} |"


def checked_out(revision: str, folder: Path) -> Path:
    """Put the package as it was at a revision into a folder."""
    with tarfile.open(fileobj=BytesIO(_git("archive", revision, "conversations_hub"))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def last_release() -> str | None:
    """Return the highest tag that this commit comes after; None if there is none."""
    tags = _git("tag", "--merged", "HEAD", "--sort=-version:refname").decode().split()
    return next(iter(tags), None)


def _git(*command: str) -> bytes:
    return subprocess.run(["git", *command], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603, S607


def main() -> None:
    """Count, and compare."""
    parser = ArgumentParser()
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(OPERATIONS)}; all of them by default")
    parser.add_argument("--against", metavar="REV")
    parser.add_argument("--fail-above", type=float, metavar="PERCENT")
    parser.add_argument("--smoke", action="store_true")
    asked = parser.parse_args()
    kinds: list[str] = asked.kinds or list(OPERATIONS)
    if unknown := set(kinds) - OPERATIONS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose from {', '.join(OPERATIONS)}")
    if not asked.smoke and shutil.which("valgrind") is None:
        sys.exit("This needs valgrind: apt-get install valgrind, or dnf install valgrind. There is none for macOS.")
    revision: str | None = asked.against
    if revision == RELEASE and (revision := last_release()) is None:
        print("There is no release yet to compare with.")
    sizes = (1, 2) if asked.smoke else (FEW, MANY)
    with ExitStack() as stack:
        urls = [stack.enter_context(answering("calls", size, TURNS, *PROVIDERS)) for size in sizes]
        folder = Path(stack.enter_context(TemporaryDirectory()))
        plan = folder / "plan.json"
        plan.write_bytes(msgspec.json.encode(plan_of(urls, sizes)))
        if asked.smoke:
            run(ROOT, plan, kinds)
            return
        now = counted(ROOT, plan, kinds)
        then = counted(checked_out(revision, folder), plan, kinds) if revision else None
    if then is None:
        lines = "\n".join(table(now, kinds))
        print(lines)
        if kinds == list(OPERATIONS):
            keep("count", [], {"instructions": now})
            publish("counted", lines)
        return
    moved = list(compared(now, then))
    print(f"{len(now)} operations against {revision}; {len(moved)} moved by {MOVED:g} % or more")
    for name, percent in moved:
        print(f"  {name:<36} {percent:+6.1f} %  {then[name] / 1000:>8,.0f} → {now[name] / 1000:>8,.0f} k instructions")
    limit: float | None = asked.fail_above
    if limit is not None and (worse := [name for name, percent in moved if percent > limit]):
        sys.exit(f"more than {limit:g} % above {revision}: {'; '.join(worse)}")


if __name__ == "__main__":
    main()
