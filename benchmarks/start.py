"""What it costs to start: processor time of an import and of `--help`, less that of the bare interpreter.

    python benchmarks/start.py [ROUNDS] [--smoke]

Every command runs in a process of its own, one after the other in each round. SDKs that are not installed are left out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from measured import Figure, is_smoke, keep

BARE = "the bare interpreter"
OURS = "import conversations_hub"
HUB = "from conversations_hub import Hub"
SDKS = {
    "elevenlabs": ("import elevenlabs", "from elevenlabs.client import AsyncElevenLabs"),
    "retell": ("import retell", "from retell import AsyncRetell"),
    "vapi": ("import vapi", "from vapi import AsyncVapi"),
}
"""What it takes to import each, and to have its client: some put off as much as they can, as we do."""


def commands() -> dict[str, list[str]]:
    """Return what is run, by name; a folder that happens to have the name of an SDK is none."""
    specs = {name: find_spec(name) for name in SDKS}
    installed = [one for name, spec in specs.items() if spec and spec.origin for one in SDKS[name]]
    statements = {name: ["-c", name] for name in (OURS, HUB, "import msgspec", "import click", *installed)}
    script = Path(sysconfig.get_path("scripts"), "conversations-hub")
    return {BARE: ["-c", "pass"], **statements, "conversations-hub --help": [str(script), "--help"]}


def cost(arguments: list[str]) -> float:
    """Return the milliseconds of processor time that a command takes, the system's included."""
    with subprocess.Popen([sys.executable, "-P", *arguments], stdout=subprocess.DEVNULL) as running:  # noqa: S603
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    assert running.returncode == 0, f"{arguments} failed"
    return 1000 * (used.ru_utime + used.ru_stime)


def main() -> None:
    """Measure all of them."""
    rounds = 2 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 20)
    slow = {statement for statements in SDKS.values() for statement in statements}
    costs: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, arguments in commands().items():
            if name in slow and number % 5 > 1:
                continue  # seconds each, so that few rounds tell enough
            spent = cost(arguments)
            if number:  # the first round compiles
                costs[name].append(spent)
    bare = median(costs[BARE])
    above = {name: median(spent) - bare for name, spent in costs.items()}
    help_page = above["conversations-hub --help"]
    figures = [
        Figure(what=OURS, against="import msgspec", value=above[OURS] / above["import msgspec"], at_most=1.5),
        Figure(
            what="conversations-hub --help", against="import click", value=help_page / above["import click"], at_most=2
        ),
    ]
    for name, (module, client) in SDKS.items():
        if module in above:
            ours = max(above[OURS], 0.01)  # so little that a median may lie below that of the bare interpreter
            figures.append(Figure(what=module, against=OURS, value=above[module] / ours, at_least=5))
            figures.append(Figure(what=client, against=HUB, value=above[client] / above[HUB]))
        else:
            print(f"  {name} is not installed")
    keep(
        "start", figures, {"rounds": rounds, "milliseconds": {BARE: bare, **{n: above[n] for n in above if n != BARE}}}
    )
    for name, spent in above.items():
        print(f"  {name:<46} {bare if name == BARE else spent:8.1f} ms")


if __name__ == "__main__":
    main()
