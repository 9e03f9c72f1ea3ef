"""How much of an allowed rate is used: 10,000 operations against a provider that allows 200 a second, burst 20.

    python benchmarks/limits.py [OPERATIONS] [--smoke]

The simulator runs as a process of its own. Known: the adapter documents the limit. Unknown: it has to be found by being
refused; the first ten seconds are left out of its figure. It takes two minutes by nature.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

import msgspec
from measured import Figure, is_smoke, keep

from conversations_hub import Account, Hub
from conversations_hub.adapters import tavus
from conversations_hub.signals import AttemptEnded, Signal

OPERATIONS, RATE, FOUND_AFTER = (200, 500.0, 0.0) if is_smoke() else (10_000, 200.0, 10.0)
BURST = 20


@contextmanager
def provider() -> Generator[str]:
    """Serve a Tavus that allows so many requests a second, and nothing else."""
    command = [sys.executable, "-m", "conversations_hub", "simulate", "--conversations", "20000", "--json"]
    limits = ["--requests-per-second", f"{RATE:g}", "--burst", f"{BURST}"]
    with subprocess.Popen([*command, *limits], stdout=subprocess.PIPE, text=True) as serving:  # noqa: S603
        try:
            assert serving.stdout is not None
            yield msgspec.json.decode(serving.stdout.readline())["TAVUS_BASE_URL"]
        finally:
            serving.terminate()


async def use(base_url: str, operations: int, *, documented: float | None) -> list[Figure]:
    """Get conversations as fast as the hub lets us, and return what share of the rate that was."""
    tavus.ADAPTER = msgspec.structs.replace(tavus.ADAPTER, requests_per_second=documented)
    answered: list[float] = []
    refused = 0

    def listen(signal: Signal) -> None:
        nonlocal refused
        if isinstance(signal, AttemptEnded):
            refused += signal.status == 429
            if signal.status == 200:
                answered.append(time.monotonic())

    accounts = [Account("tavus", key=f"key-{documented}", base_url=base_url)]
    async with Hub(accounts, profile="bulk", on_signal=listen) as hub:
        refs = [conversation.ref async for conversation in hub.list(limit=2000)]
        began = time.monotonic()
        answered.clear()
        async for outcome in hub.get_many((refs[number % 2000] for number in range(operations)), concurrency=64):
            assert outcome.conversation is not None, outcome.error
    skipped = FOUND_AFTER if documented is None else 0.0
    counted = [instant for instant in answered if instant >= began + skipped]
    assert len(counted) > 1, f"too few operations to measure anything after {skipped:g} s"
    used = len(counted) / (answered[-1] - began - skipped) / RATE
    name = "unknown" if documented is None else "known"
    least, most = (85, None) if documented is None else (97, 0.1)
    against = f"{RATE:g} requests a second, burst {BURST}"
    refusals = refused / (len(answered) + refused)
    return [
        Figure(what=f"share of a rate used, {name}", against=against, value=100 * used, unit="%", at_least=least),
        Figure(what=f"answers that are 429, {name}", against=against, value=100 * refusals, unit="%", at_most=most),
    ]


def main() -> None:
    """Measure both."""
    operations = next((int(word) for word in sys.argv[1:] if word.isdigit()), OPERATIONS)
    with provider() as base_url:
        known = asyncio.run(use(base_url, operations, documented=RATE))
        unknown = asyncio.run(use(base_url, operations, documented=None))
    keep("limits", [*known, *unknown], {"operations": operations})


if __name__ == "__main__":
    main()
