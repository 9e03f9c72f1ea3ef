"""What it costs to measure a conversation, against what it costs to read it, for every provider.

    python benchmarks/metrics.py [ROUNDS] [--smoke]

The conversations are those of `normalize`. Reading one is all of `get` but the socket, measuring it is every metric
that it has. How much there is to measure depends on the provider: without ends of turns, there are no times of speech.
Told is processor time.
"""

from __future__ import annotations

import sys
from functools import partial
from statistics import median

from calls import PROVIDERS, conversations
from measured import Figure, is_smoke, keep
from normalize import MOST_GROWTH, SHAPES, TURNS, ours, spent

from conversations_hub.metrics import measure
from conversations_hub.schema import Channel

LONG = 1000
MOST_OF_READING, MOONSHOT = 3.0, 1.0
AGAINST = "reading it"

_ROUND = 0.02  # seconds; what takes less is done several times


def measured(provider: str, turns: int, rounds: int) -> tuple[float, float]:
    """Return the seconds that measuring a conversation takes, and reading it; in turn, so that both have equal luck."""
    sent = list(conversations(provider, 2 if is_smoke() else SHAPES, turns))
    read = [ours(one) for one in sent]
    assert all(one.channel is not Channel.CHAT for one in read), "a chat has no times to measure"
    assert all(measure(one)["exchanges"].value for one in read), "nothing to measure"
    measuring, reading = [partial(measure, one) for one in read], [partial(ours, one) for one in sent]
    times = max(1, int(_ROUND / (spent(measuring, 1) * len(sent))))
    found = [(spent(measuring, times), spent(reading, times)) for _round in range(rounds)]
    mine, other = map(median, zip(*found, strict=True))
    return mine, other


def main() -> None:
    """Measure every provider."""
    rounds = 1 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 15)
    figures: list[Figure] = []
    microseconds: dict[str, dict[str, float]] = {}
    for provider in PROVIDERS:
        mine, reading = measured(provider, TURNS, rounds)
        long, _ = measured(provider, LONG, min(rounds, 5))
        what = f"{provider}, turns: {TURNS}"
        figures.append(
            Figure(what=what, against=AGAINST, value=mine / reading, at_most=MOST_OF_READING, at_best=MOONSHOT)
        )
        what = f"{provider}, growth from {TURNS} to {LONG} turns"
        growth = long / mine / (LONG / TURNS)
        figures.append(Figure(what=what, against="growth in step with the turns", value=growth, at_most=MOST_GROWTH))
        microseconds[provider] = {"measuring": 1e6 * mine, "reading": 1e6 * reading}
    keep("metrics", figures, {"rounds": rounds, "microseconds": microseconds})


if __name__ == "__main__":
    main()
