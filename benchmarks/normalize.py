"""From bytes to a `Conversation`, against `json.loads` and a loop by hand to the same turns, for every provider.

Where a vendor's SDK is installed, also against the models it makes of them, at the middle length.

    python benchmarks/normalize.py [ROUNDS] [--smoke]

The simulator writes the bodies, in several of the shapes that each provider is known to send, and in as many pages as
that provider would make of them. Ours is all of `get` but the socket: the check that it is well-formed JSON, the
decoding, and the `Conversation`. Told is processor time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from statistics import median
from typing import Any

from by_hand import told
from by_json import TURNS as TURNS_OF
from calls import PROVIDERS, Sent, conversations
from measured import Figure, is_smoke, keep

from conversations_hub.schema import Conversation, TranscriptTurn
from conversations_hub.testing import drive

TURNS = 40
LENGTHS = (1, TURNS, 1000)
SHAPES = 8
"""How many conversations of each length are read, each in another of the shapes that the provider may choose."""

MOST_OF_HAND, MOONSHOT = 1.0, 0.7
MOST_GROWTH = 1.3
AGAINST = "json.loads and a loop by hand"

SDK_MODELS = {
    "elevenlabs": ("elevenlabs.core.unchecked_base_model", "elevenlabs.types", "GetConversationResponseModel"),
    "vapi": ("vapi.core.unchecked_base_model", "vapi.types", "Call"),
    "retell": ("retell._models", "retell.types", "CallResponse"),
}
"""Where the SDKs have the function that they read an answer with, and the model they read it into."""

_ROUND = 0.02  # seconds; what takes less is done several times


def ours(sent: Sent) -> Conversation:
    """Read a conversation as the hub does."""
    return drive(sent.get(), *sent.answers).result


def loaded(sent: Sent) -> list[Any]:
    """Read it as JSON, and no more."""
    return [json.loads(answer.body) for answer in sent.answers]


def by_hand(sent: Sent) -> list[TranscriptTurn]:
    """Read its turns, as somebody would who asks one provider only."""
    return TURNS_OF[sent.provider](loaded(sent))


def check(sent: Sent) -> None:
    """Assert that both bring all that was said, and nothing else that anybody said."""
    turns = ours(sent).transcript or ()
    assert [turn.text for turn in turns if turn.role in {"user", "assistant"} and turn.text] == sent.said
    assert told(turns) == told(by_hand(sent)), f"another transcript of {sent.provider}:{sent.id} by hand"


def spent(reading: Sequence[Callable[[], object]], times: int) -> float:
    """Return the seconds of processor time that reading each takes on average."""
    began = time.process_time()
    for _time in range(times):
        for read in reading:
            read()
    return (time.process_time() - began) / times / len(reading)


def measure(sent: Sequence[Sent], rounds: int) -> tuple[float, float, float]:
    """Return the seconds that one takes us, a loop by hand, and `json.loads`; in turn, so that all have equal luck."""
    readings = [[partial(read, one) for one in sent] for read in (ours, by_hand, loaded)]
    times = max(1, int(_ROUND / (spent(readings[0], 1) * len(sent))))
    found = [[spent(reading, times) for reading in readings] for _round in range(rounds)]
    mine, hand, json_alone = map(median, zip(*found, strict=True))
    return mine, hand, json_alone


def modelled(sent: Sent) -> list[Any]:
    """Read it as its provider's SDK does."""
    reader, types, name = SDK_MODELS[sent.provider]
    construct, model = import_module(reader).construct_type, getattr(import_module(types), name)
    value_name = "value" if sent.provider == "retell" else "object_"
    return [construct(**{value_name: value}, type_=model) for value in loaded(sent)]


def has_models(provider: str) -> bool:
    """Return whether there is an SDK of a provider, and is installed."""
    return provider in SDK_MODELS and find_spec(provider) is not None


def against_models(provider: str, sent: Sequence[Sent], rounds: int) -> Figure:
    """Return how we compare to what the provider's SDK makes of the same bytes."""
    models, mine = ([partial(read, one) for one in sent] for read in (modelled, ours))
    less = median(spent(models, 1) / spent(mine, 20) for _round in range(rounds))
    what = f"{provider}, turns: {TURNS}"
    return Figure(what=what, against=f"models of the {provider} SDK", value=less, unit="× less")  # noqa: RUF001


def main() -> None:
    """Measure every provider."""
    rounds = 1 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 9)
    figures: list[Figure] = []
    details: dict[str, dict[str, Any]] = {}
    for provider in PROVIDERS:
        mine: dict[int, float] = {}
        for length in LENGTHS:
            sent = list(conversations(provider, 2 if is_smoke() else SHAPES, length))
            for one in sent:
                check(one)
            mine[length], hand, json_alone = measure(sent, rounds)
            if length == TURNS and has_models(provider):
                figures.append(against_models(provider, sent, min(rounds, 5)))
            what, value = f"{provider}, turns: {length}", mine[length] / hand
            figures.append(Figure(what=what, against=AGAINST, value=value, at_most=MOST_OF_HAND, at_best=MOONSHOT))
            size = sum(len(answer.body) for one in sent for answer in one.answers) / len(sent)
            microseconds = {"hub": mine[length], "by hand": hand, "json.loads": json_alone}
            details[what] = {"bytes": size, **{name: 1e6 * seconds for name, seconds in microseconds.items()}}
        short, long = LENGTHS[1:]
        growth = mine[long] / mine[short] / (long / short)
        what, against = f"{provider}, growth from {short} to {long} turns", "growth in step with the turns"
        figures.append(Figure(what=what, against=against, value=growth, at_most=MOST_GROWTH))
    keep("normalize", figures, {"rounds": rounds, "by length": details})


if __name__ == "__main__":
    main()
