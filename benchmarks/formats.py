"""What it costs to write a conversation in each format, and to read it back, against its JSON by the standard library.

    python benchmarks/formats.py [ROUNDS] [--smoke]

The conversations are those of `normalize`, of every provider there. Writing is `formats.dump`, against
`json.dumps(conversation.to_dict())`; reading is against `json.loads` of that and `msgspec.convert` into a conversation.
Told is processor time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import msgspec
from calls import PROVIDERS, conversations
from measured import Figure, is_smoke, keep
from normalize import TURNS, ours, spent

from conversations_hub import formats
from conversations_hub.errors import FormatError
from conversations_hub.schema import Conversation

SHAPES = 2
"""How many conversations of each provider are written."""
OPTIONS: dict[str, dict[str, Any]] = {"vtt": {"policy": "speech_rate"}, "srt": {"policy": "speech_rate"}}
"""So that nearly every conversation can be written in every format."""
MOST_OF_JSON, MOONSHOT = 2.0, 1.0

_ROUND = 0.02  # seconds; what takes less is done several times


def by_json(one: Conversation) -> str:
    """Write a conversation as somebody would without a format."""
    return json.dumps(one.to_dict())


def from_json(text: str) -> Conversation:
    """Read it back."""
    return msgspec.convert(json.loads(text), Conversation)


def writable(name: str, read: Sequence[Conversation]) -> dict[bytes, Conversation]:
    """Return the conversations that a format can hold, by what it makes of them."""
    found: dict[bytes, Conversation] = {}
    for one in read:
        try:
            found[formats.dump(one, name, **OPTIONS.get(name, {}))] = one
        except FormatError:
            continue
    assert len(found) > len(read) / 2, f"{name} holds too few of them"
    return found


def against(ours: Sequence[Callable[[], object]], others: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """Return the seconds of both for each conversation; in turn, so that both have equal luck."""
    times = max(1, int(_ROUND / (spent(ours, 1) * len(ours))))
    found = [(spent(ours, times), spent(others, times)) for _round in range(rounds)]
    return [median(each) for each in zip(*found, strict=True)]


def main() -> None:
    """Measure every format."""
    rounds = 1 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 15)
    shapes = 1 if is_smoke() else SHAPES
    read = [ours(one) for provider in PROVIDERS for one in conversations(provider, shapes, TURNS)]
    figures: list[Figure] = []
    microseconds: dict[str, dict[str, float]] = {}

    def add(what: str, other: str, mine: float, theirs: float) -> None:
        figures.append(Figure(what=what, against=other, value=mine / theirs, at_most=MOST_OF_JSON, at_best=MOONSHOT))
        microseconds[what] = {"ours": 1e6 * mine, "json": 1e6 * theirs}

    for name in formats.NAMES:
        written = writable(name, read)
        dumps = [partial(formats.dump, one, name, **OPTIONS.get(name, {})) for one in written.values()]
        mine, other = against(dumps, [partial(by_json, one) for one in written.values()], rounds)
        add(f"write {name}, turns: {TURNS}", "json.dumps of to_dict", mine, other)
        if formats.find(name).load is not None:
            loads = [partial(formats.load, data, name) for data in written]
            texts = [by_json(one) for one in written.values()]
            mine, other = against(loads, [partial(from_json, text) for text in texts], rounds)
            add(f"read {name}, turns: {TURNS}", "json.loads and msgspec.convert", mine, other)
    keep("formats", figures, {"rounds": rounds, "microseconds": microseconds})


if __name__ == "__main__":
    main()
