"""From bytes to a `Conversation`, against `json.loads` of the same bytes, for every provider and three lengths.

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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from itertools import chain, islice
from statistics import median
from typing import Any

import msgspec
from measured import Figure, is_smoke, keep

from conversations_hub.account import Account
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.schema import Channel, Conversation, EndReason
from conversations_hub.testing import drive
from conversations_hub.testing.simulator._corpus import Corpus
from conversations_hub.testing.simulator._truth import Truth, Turn
from conversations_hub.testing.simulator._world import Call, Simulated, World
from conversations_hub.wire import Flow, Request, Response, target

TURNS = 40
LENGTHS = (1, TURNS, 1000)
SHAPES = 8
"""How many conversations of each length are read, each in another of the shapes that the provider may choose."""

MOST_OF_JSON = {1: 1.0, 40: 0.5, 1000: 0.5}
MOST_GROWTH = 1.3

SDK_MODELS = {
    "elevenlabs": ("elevenlabs.core.unchecked_base_model", "elevenlabs.types", "GetConversationResponseModel"),
    "vapi": ("vapi.core.unchecked_base_model", "vapi.types", "Call"),
    "retell": ("retell._models", "retell.types", "CallResponse"),
}
"""Where the SDKs have the function that they read an answer with, and the model they read it into."""

_NOW = 1_793_700_000.0
_SLOT = 6.0  # seconds from turn to turn
_LONG_AGO = 86_400.0
_ORIGIN = "http://localhost"
_ROUND = 0.02  # seconds; what takes less is done several times


class _Calls(Corpus):
    """Calls of one length, long over; what is said in them is what is said in the corpus, one after the other."""

    def __init__(self, provider: str, prefix: str, size: int, length: int) -> None:
        super().__init__(provider, prefix=prefix, size=size, seed=0, now=_NOW)
        self._length = length

    def created(self, index: int) -> float:
        return _NOW - _LONG_AGO - (self.size - index) * self._length * _SLOT

    def truth(self, index: int) -> Truth:
        call = self.fresh(index, self.created(index))
        answered = call.created + 2
        ended = answered + self._length * _SLOT
        call = replace(call, channel=Channel.PHONE, planned=ended - answered, answered=answered, ended=ended)
        return replace(call, ending=EndReason.CUSTOMER_ENDED)

    def turns(self, truth: Truth) -> tuple[Turn, ...]:
        others = (self.fresh(number, truth.created) for number in range(truth.index, sys.maxsize))
        told = chain.from_iterable(map(super().turns, others))
        return tuple(_at(place, turn) for place, turn in enumerate(islice(told, self._length)))


def _at(place: int, turn: Turn) -> Turn:
    tool = replace(turn.tool, call_id=f"call_{place}") if turn.tool else None
    return replace(turn, start=place * _SLOT, duration=min(turn.duration, 0.9 * _SLOT), tool=tool)


class Sent(msgspec.Struct, frozen=True):
    """One conversation as its provider sent it, and what was said."""

    get: Callable[[], Flow[Conversation]]
    answers: list[Response]
    said: list[str]

    def ours(self) -> Conversation:
        """Read it as the hub does."""
        return drive(self.get(), *self.answers).result

    def theirs(self) -> list[Any]:
        """Read it as JSON, and no more."""
        return [json.loads(answer.body) for answer in self.answers]


def conversations(provider: str, length: int, shapes: int) -> Iterator[Sent]:
    """Yield conversations of so many turns."""
    simulated: Simulated = import_module(f"conversations_hub.testing.simulator._{provider}").SIMULATED
    adapter, account = load(provider), Account(provider, key=simulated.api_key, settings=simulated.settings)
    world = World(_Calls(provider, simulated.prefix, shapes, length), lambda: 0.0)

    def answer(request: Request) -> Response:
        signed = adapter.sign(request, account, datetime.now(UTC))
        headers = {name.lower(): value for name, value in signed.headers.items()}
        below = target(signed, _ORIGIN).removeprefix(_ORIGIN)
        return simulated.answer(Call(signed.method, below, headers, signed.body or b""), world)

    assert adapter.get is not None
    for truth in world.newest():
        get = _getter(adapter.get, account, world.id(truth))
        said = [turn.text for turn in world.turns(truth) if turn.text]
        yield Sent(get, list(_answers(get(), answer)), said)


def _getter(
    get: Callable[[Account, str], Flow[Conversation]], account: Account, id: str
) -> Callable[[], Flow[Conversation]]:
    return lambda: get(account, id)


def _answers(flow: Flow[Conversation], answer: Callable[[Request], Response]) -> Iterator[Response]:
    try:
        request = next(flow)
        while True:
            response = answer(request)
            yield response
            request = flow.send(response)
    except StopIteration:
        return


def check(sent: Sent) -> None:
    """Assert that both bring all that was said, and nothing else that anybody said."""
    spoken = [turn.text for turn in sent.ours().transcript or () if turn.role in {"user", "assistant"} and turn.text]
    assert spoken == sent.said
    as_json = json.dumps(sent.theirs(), ensure_ascii=False)
    assert all(json.dumps(text, ensure_ascii=False) in as_json for text in set(sent.said))


def spent(reading: Sequence[Callable[[], object]], times: int) -> float:
    """Return the seconds of processor time that reading each takes on average."""
    began = time.process_time()
    for _time in range(times):
        for read in reading:
            read()
    return (time.process_time() - began) / times / len(reading)


def measure(sent: Sequence[Sent], rounds: int) -> tuple[float, float]:
    """Return the seconds that one conversation takes us, and `json.loads`; in turn, so that both have the same luck."""
    ours, theirs = [one.ours for one in sent], [one.theirs for one in sent]
    once = spent(ours, 1) * len(sent)
    times = max(1, int(_ROUND / once))
    pairs = [(spent(ours, times), spent(theirs, times)) for _round in range(rounds)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def against_models(provider: str, sent: Sequence[Sent], rounds: int) -> Iterator[Figure]:
    """Yield how we compare to what the provider's SDK makes of the same bytes; nothing where it is not installed."""
    if provider not in SDK_MODELS or find_spec(provider) is None:
        return
    reader, types, name = SDK_MODELS[provider]
    construct, model = import_module(reader).construct_type, getattr(import_module(types), name)

    def read(one: Sent) -> Callable[[], list[Any]]:
        if provider == "retell":
            return lambda: [construct(value=value, type_=model) for value in one.theirs()]
        return lambda: [construct(object_=value, type_=model) for value in one.theirs()]

    models, ours = [read(one) for one in sent], [one.ours for one in sent]
    less = median(spent(models, 1) / spent(ours, 20) for _round in range(rounds))
    what = f"{provider}, turns: {TURNS}"
    yield Figure(what=what, against=f"models of the {provider} SDK", value=less, unit="× less")  # noqa: RUF001


def main() -> None:
    """Measure every provider."""
    rounds = 1 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 15)
    figures: list[Figure] = []
    details: dict[str, dict[str, Any]] = {}
    for provider in BUILTIN:
        ours: dict[int, float] = {}
        for length in LENGTHS:
            sent = list(conversations(provider, length, 2 if is_smoke() else SHAPES))
            for one in sent:
                check(one)
            ours[length], theirs = measure(sent, rounds)
            if length == TURNS:
                figures += against_models(provider, sent, min(rounds, 5))
            what, most = f"{provider}, turns: {length}", MOST_OF_JSON[length]
            figures.append(Figure(what=what, against="json.loads", value=ours[length] / theirs, at_most=most))
            size = sum(len(answer.body) for one in sent for answer in one.answers) / len(sent)
            details[what] = {"bytes": size, "microseconds": 1e6 * ours[length], "json.loads": 1e6 * theirs}
        short, long = LENGTHS[1:]
        growth = ours[long] / ours[short] / (long / short)
        what, against = f"{provider}, growth from {short} to {long} turns", "growth in step with the turns"
        figures.append(Figure(what=what, against=against, value=growth, at_most=MOST_GROWTH))
    keep("normalize", figures, {"rounds": rounds, "by length": details})


if __name__ == "__main__":
    main()
